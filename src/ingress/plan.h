/* Ingresses and Secrets as tables: which host and path lead to which backend, which certificate serves which name.
 * Pure: documents in, plan out. Whatever the documents say, everything in a plan is fit to be written into HAProxy's
 * files: names and paths of printable ASCII without blanks, certificates read and printed anew. Conflicts are settled
 * by age: the oldest Ingress keeps a path. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/map.h"
#include "ingress/options.h"

/* Who answers for an Ingress: a port of a Service. */
struct ingress_backend {
    char *name; /* "NS:INGRESS:SERVICE:PORT": the key in the plan, and the backend's name in HAProxy */
    char *ns, *service;
    char *port; /* a number or a name */
    bool port_is_name;
    const json_t *ingress; /* borrowed */
    struct ingress_options options;
    struct map tls_hosts; /* its Ingress has TLS for these hosts that lead to it ... */
    bool has_plain_hosts; /* ... and for others it has none */
    char *external;       /* "NAME:PORT" to look up instead of endpoints; NULL: none. Set by who knows the Services */
};

struct ingress_cert {
    char *pem; /* chain and key */
    const char *algorithm;
    struct map hosts; /* names asked for with it; empty: those in the certificate */
    bool any_host;    /* some Ingress names no hosts for it */
};

/* Something about an Ingress that cannot be done; the rest is. */
struct ingress_problem {
    const json_t *ingress; /* borrowed */
    const char *reason;
    char *text;
};

struct ingress_plan {
    struct map hosts;         /* "kubia.example.com", "*.example.com", "*": any; no values */
    struct map exact, prefix; /* HOST PATH → char * name of a backend; paths of `prefix` end with a slash */
    struct map backends;      /* name → struct ingress_backend */
    struct map certs;         /* "NS_SECRET" → struct ingress_cert */
    struct map cert_hosts;    /* "HOST ALGORITHM" → the struct ingress_cert that it shows */
    char *default_backend;    /* NULL: 404 */
    struct ingress_problem *problems;
    size_t n_problems;
};

/* The Secret's document or NULL, borrowed. */
typedef const json_t *ingress_secret_fn(void *arg, const char *ns, const char *name);

/* `ingresses` are put in order of their age. They must outlive the plan's problems. */
void ingress_plan_make(struct ingress_plan *p, const json_t **ingresses, size_t n, ingress_secret_fn *secret,
                       void *arg);
void ingress_plan_done(struct ingress_plan *p);

bool ingress_is_name(const char *s);              /* of letters, digits, dashes and dots: fit for a configuration */
const char *ingress_class(const json_t *ingress); /* NULL: none */
/* Whether the cluster's own HAProxy serves it. class_controller gives spec.controller of an IngressClass, NULL when
 * there is none of that name. Ingresses without a class are served, and of class nginx while nobody has it. */
bool ingress_is_ours(const json_t *ingress, const char *(*class_controller)(void *arg, const char *name), void *arg);
