/* Services as this program reaches them: at their ClusterIP, from the network of the first node (server->netns_fd),
 * where the proxy leads on to an endpoint. */
#pragma once
#include "server/pipeline.h"

#define SERVICE_IP_SIZE 64
/* -1 with the error set. */
int service_address(const struct server *s, const char *ns, const char *name, char ret_ip[SERVICE_IP_SIZE],
                    struct err *err);
