/* Texts of the files a pod's containers find in /etc. Pure; the caller frees. */
#pragma once
#include "json/json.h"

/* /etc/hosts with the pod's own name and its hostAliases. */
char *files_hosts(const json_t *pod, const char *hostname, const char *pod_ips, const char *cluster_domain);
/* /etc/hosts of a hostNetwork pod: the node's, and hostAliases behind it. */
char *files_hosts_of_node(const json_t *pod, const char *node_hosts);
/* /etc/resolv.conf by dnsPolicy and dnsConfig. node_resolv_conf: the node's own file. */
char *files_resolv_conf(const json_t *pod, const char *cluster_dns, const char *cluster_domain,
                        const char *node_resolv_conf);
/* The name a pod calls itself: spec.hostname or its own name, at most 63 characters. Of a hostNetwork pod: the node's.
 */
char *files_hostname(const json_t *pod, const char *node_name);
