/* What a machine that joins reads before it trusts anybody: ConfigMap kube-public/cluster-info, with the cluster's CA.
 * It is believed when the CA has the hash that we were given, or else when who holds our token has signed it (as
 * kubeadm's token discovery). Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define CLUSTER_INFO_PATH "/api/v1/namespaces/kube-public/configmaps/cluster-info"

/* The CA in PEM; NULL: err says why. *again: it may be there later. hash may be NULL. The caller frees. */
char *clusterinfo_ca(const json_t *answer, const char *token, const char *hash, bool *again, struct err *err);
