/* What several parts know of ServiceCIDRs and IPAddresses. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#define SERVICECIDR_DEFAULT "kubernetes" /* the ranges of the configuration */
#define SERVICECIDR_FINALIZER "networking.k8s.io/service-cidr-finalizer"

#define IPADDRESS_FAMILY "ipaddress.kubernetes.io/ip-family"
#define IPADDRESS_MANAGED_BY "ipaddress.kubernetes.io/managed-by"
#define IPADDRESS_MANAGER "ipallocator.k8s.io"

/* Made for a Service's ClusterIP; others are somebody's own, and keep their address from Services. */
bool ipaddress_is_managed(const json_t *obj);
