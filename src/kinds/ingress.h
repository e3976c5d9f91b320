/* What the versions of Ingress share. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

#define INGRESS_CONTROLLER "c8s.io/haproxy" /* spec.controller of the IngressClasses that the cluster serves itself */
#define INGRESS_CLASS_ANNOTATION "kubernetes.io/ingress.class" /* how the class was named before it had a field */

extern const struct field ingress_tls_fields[], ingress_status_fields[];
extern const struct column ingress_columns[];

/* ingressrules.c */
void ingress_validate(const json_t *obj, const json_t *old, struct status_causes *causes);
