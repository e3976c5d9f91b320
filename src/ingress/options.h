/* What annotations ask for an Ingress's backends. Pure: a table of names, each known under the prefixes that people
 * bring along from other controllers. Whatever a value says, what is kept is fit for HAProxy's configuration. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum ingress_protocol { INGRESS_H1, INGRESS_H2C, INGRESS_TLS, INGRESS_TLS_H2 };

struct ingress_options {
    bool no_redirect, force_redirect; /* to HTTPS; otherwise where the Ingress has TLS for the host */
    bool sticky;                      /* by a cookie */
    char cookie[65];
    bool has_protocol; /* else the Service's appProtocol counts */
    enum ingress_protocol protocol;
    const char *balance;           /* NULL: in turns */
    int64_t body_max;              /* bytes; 0: any */
    int connect_s, read_s, send_s; /* 0: as everywhere */
    char rewrite[257];             /* the path instead of the request's; "": as it is */
};

/* bad: the annotation is of a prefix that is ours to read, but says nothing that we can do; why is borrowed. */
void ingress_options_read(struct ingress_options *o, const json_t *ingress,
                          void (*bad)(void *arg, const char *annotation, const char *why), void *arg);
/* From a Service port's appProtocol. */
enum ingress_protocol ingress_protocol_of(const char *app_protocol);
