/* The streams of `kubectl exec` and `attach`: stdin, stdout, stderr, error and
 * resize, over whichever protocol the client asks for: SPDY/3.1 (kubectl up to 1.30; subprotocols v1–v4.channel.k8s.io,
 * one SPDY stream each with a streamType header) or WebSocket (v4 and v5.channel.k8s.io and their base64 forms, one
 * channel byte). Source of the rules: k8s.io/apimachinery/pkg/util/remotecommand,
 * k8s.io/kubelet/pkg/cri/streaming/remotecommand. */
#pragma once
#include "http/http.h"

struct remote_streams;
struct remote_options {
    bool want_stdin, want_stdout, want_stderr, tty;
};
/* From a request's query: the kubelet's names of the streams (input, output, error) or the API's. */
struct remote_options remote_options_of(const char *query);
struct remote_handler {
    void (*ready)(void *arg);                                     /* all streams are there: start the command */
    void (*stdin_data)(void *arg, const void *bytes, size_t len); /* len 0: end of input */
    void (*resize)(void *arg, int columns, int rows);
    void (*drained)(void *arg); /* optional: remote_pending() has come down to 0 */
    void (*closed)(void *arg);  /* the client is gone; the streams are freed afterwards. Not after remote_finish(). */
};
/* Answers the upgrade request. On a request that is no upgrade, or offers no known subprotocol, replies 400/403 itself
 * and returns NULL. The exchange is gone in both cases. */
struct remote_streams *remote_accept(struct http_exchange *x, const struct remote_options *o,
                                     const struct remote_handler *h, void *arg);
void remote_stdout(struct remote_streams *r, const void *bytes, size_t len);
void remote_stderr(struct remote_streams *r, const void *bytes, size_t len);
size_t remote_pending(const struct remote_streams *r);
void remote_pause_stdin(struct remote_streams *r, bool paused);
/* Sends the outcome on the error stream (v4+: a Status; exit_code 0 is Success, > 0 NonZeroExitCode with the ExitCode
 * cause; < 0: InternalError with message), closes everything in order and frees. */
void remote_finish(struct remote_streams *r, int exit_code, const char *message);
