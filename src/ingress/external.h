/* Services of type ExternalName behind an Ingress. Whoever may write one would reach every address that HAProxy does,
 * so the class has to allow it: classes belong to those who run the cluster. Pure. */
#pragma once
#include "ingress/plan.h"
#include "service/model.h"

#define ALLOW_EXTERNAL_NAMES "ingress.c8s.io/allow-external-names" /* annotation of an IngressClass: "true" */

/* "NAME:PORT" to be looked up; NULL: the Service is not of that type, or (refused) it must not lead there. svc and
 * class may be NULL. */
char *external_address(const struct svc *svc, const json_t *class, const struct ingress_backend *b, bool *refused);
