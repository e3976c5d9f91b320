/* HAProxy's folder: its configuration, maps and certificates. */
#pragma once
#include "base/err.h"
#include "ingress/render.h"

/* With the certificate that is shown where no other fits. */
int filesdir_make(const char *dir, struct err *err);
int filesdir_write(const char *dir, const struct ingress_files *files, struct err *err);
/* Removes what was there before and is not now: certificates that no Ingress names any more. */
void filesdir_sweep(const char *dir, const struct ingress_files *before, const struct ingress_files *now);
