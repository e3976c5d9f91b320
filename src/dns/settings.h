/* What a cluster's owner may set (docs/dns.md): the Corefile in ConfigMap kube-system/coredns, and over it the data of
 * ConfigMaps kube-dns and c8s-dns. Their keys and forms are those that kube-dns had, as far as it had them. Pure. */
#pragma once
#include <libknot/dname.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dns/hosts.h"
#include "dns/upstream.h"
#include "json/json.h"

#define SECONDS_MAX 3600 /* that anything is remembered, as CoreDNS allows */
#define STUBS_MAX 32     /* each may hold questions that wait (FORWARD_OPEN_STUB) */

struct stub {
    knot_dname_storage_t domain; /* in lower case */
    char *servers[UPSTREAMS_MAX + 1];
};

/* Shared by the nodes: immutable, counted. */
struct settings {
    unsigned refs;
    uint32_t ttl;                       /* of the cluster's names, seconds */
    unsigned cache_seconds;             /* foreign answers are remembered no longer than this; 0: not at all */
    char *upstreams[UPSTREAMS_MAX + 1]; /* the first NULL: the host's resolvers */
    struct stub *stubs;
    size_t n_stubs;
    struct hosts *hosts; /* NULL: none */
    bool log;            /* every query and its answer */
};

/* data: all ConfigMaps', NULL for none; other keys go before what the key Corefile says. NULL when it cannot be read;
 * err says why. */
struct settings *settings_new(const json_t *data, struct err *err);
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s); /* NULL is fine */
/* The longest domain that `name` (in lower case) lies in; NULL: none. */
const struct stub *settings_stub(const struct settings *s, const knot_dname_t *name);

/* For those who read them. A checked copy of a server's address. */
int settings_server(char **ret, const char *text, struct err *err);
/* Of this domain, without servers; NULL: err says why not. */
struct stub *settings_add_stub(struct settings *s, const char *domain, struct err *err);
