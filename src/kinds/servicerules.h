/* Rules across the fields of a Service. Inside the room only. */
#pragma once
#include "kinds/rules.h"

/* By a node port, a load balancer or an external address. */
bool service_is_reached_from_outside(const json_t *service);
void service_validate(const json_t *service, const json_t *old, struct status_causes *causes);
