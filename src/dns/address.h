/* The DNS address on a node: a /32 on its loopback interface, so that the node answers it itself. */
#pragma once
#include "base/err.h"
#include "base/ip.h"

/* In the namespace netns_fd (-1: here). Having it already is fine. */
int address_add(int netns_fd, const struct ip *ip, struct err *err);
void address_del(int netns_fd, const struct ip *ip);
