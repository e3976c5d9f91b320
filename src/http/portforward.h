/* Port-forwarding, the serving side: one upgraded request carries any number of TCP connections to ports of one network
 * namespace. Over SPDY/3.1 (portforward.k8s.io; kubectl up to 1.30), the same in the messages of a WebSocket
 * (SPDY/3.1+portforward.k8s.io; later ones), each connection is a pair of streams with a requestID: its bytes, and an
 * error text if there is one. Over plain WebSocket (v4.channel.k8s.io; clients in Python and JavaScript) the ports are
 * named in the query, and each has a pair of channels. Source of the rules:
 * k8s.io/kubelet/pkg/cri/streaming/portforward, KEP-4006. */
#pragma once
#include "http/http.h"

struct forward_target {
    const char *netns;     /* path of the namespace; NULL: this one */
    const char *pod, *uid; /* for messages */
};
/* Answers the exchange, whatever it asks for, and serves the session until its client leaves. */
void portforward_serve(struct http_exchange *x, const struct forward_target *target);
