/* A gRPC health check (grpc.health.v1.Health/Check): one call over HTTP/2 without TLS, as the kubelet makes it
 * (pkg/probe/grpc). Loop thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct grpc_check;
/* message: why it failed, in upstream's words. */
typedef void grpc_done_fn(void *arg, bool ok, const char *message);

/* netns_fd: of the connection; -1: here. Never calls back before it returns, nor after grpc_check_cancel(). */
struct grpc_check *grpc_check_start(uv_loop_t *loop, int netns_fd, const char *ip, int port, const char *service,
                                    int timeout_ms, grpc_done_fn *done, void *arg);
void grpc_check_cancel(struct grpc_check *g); /* NULL is fine; frees */

/* HealthCheckResponse.status out of a response's body (one length-prefixed message); -1: it is none. Pure. */
int grpc_health_status(const unsigned char *body, size_t len);
