/* DNS over UDP: one socket, read and written in batches. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "base/ip.h"
#include "dns/resolver.h"

struct udp_server;
/* Takes the bound socket. */
struct udp_server *udp_server_new(uv_loop_t *loop, int fd, struct resolver *r);
/* After this, answers that are still on their way are dropped. Memory goes when the loop runs on. */
void udp_server_close(struct udp_server *u);
