/* What is the same in every cluster: names and ports, as kubeadm chooses them. Addresses: addresses.h. */
#pragma once
#include "cli/cluster.h"

#define DOMAIN CLUSTER_DOMAIN /* cluster.h: other commands name it, too */
#define API_PORT 6443
#define KUBELET_PORT 10250
