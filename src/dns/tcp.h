/* DNS over TCP: a length in front of every message, several questions a connection, answers as they come. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "dns/resolver.h"

struct tcp_server;
/* Takes the bound socket. */
struct tcp_server *tcp_server_new(uv_loop_t *loop, int fd, struct resolver *r, struct err *err);
/* Ends all connections. Memory goes when the loop runs on. */
void tcp_server_close(struct tcp_server *t);
