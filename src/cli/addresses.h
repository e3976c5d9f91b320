/* The addresses of a cluster: who has which, in each of its families. Real machines bring those of their own; they
 * share pods, services, api and dns with `c8s up`. */
#pragma once
#include <stdbool.h>

#include "base/ip.h"

#define ADDRESSES_TEXT_SIZE 128
struct addresses { /* texts; with a comma between the families, the primary family first */
    char network[ADDRESSES_TEXT_SIZE], host[ADDRESSES_TEXT_SIZE], pods[ADDRESSES_TEXT_SIZE],
        services[ADDRESSES_TEXT_SIZE], lb_pool[ADDRESSES_TEXT_SIZE], dns[ADDRESSES_TEXT_SIZE];
    char api[IP_TEXT_SIZE], primary_dns[IP_TEXT_SIZE]; /* ClusterIPs of the primary family */
    int families[FAMILIES_MAX], n_families;
};

#define FAMILIES_TEXT_MAX 32 /* bytes */
/* "IPv4", "IPv6", or both with a comma between. */
bool addresses_init(struct addresses *a, const char *families);
/* Of the n-th node: 172.28.128.10, .11, …; fd00:172:28:128::10, ::11, … */
void addresses_node(const struct addresses *a, int n, char out[IPS_TEXT_SIZE]);
