/* Containers added to a pod that exists: the rules of its subresource ephemeralcontainers. podupdate.c */
#pragma once
#include "api/status.h"

/* Any number may come, each fit to be one; those that are there stay as they are. */
void pod_ephemeral_validate(const json_t *pod, const json_t *old, struct status_causes *causes);
