/* See net_policies.h. */
#include "net_policies.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "netpol/enforcement.h"
#include "nft/context.h"

#define N_POLICIES 1000
#define N_PODS 1000
#define N_OURS 2 /* pods that are really there */
#define NAMESPACES 20
#define LOCAL_PODS 100
#define CHANGES 200

static char (*ours_ips)[64];

static void die(const char *what)
{
    fprintf(stderr, "bench_net: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static struct object *object_of(const struct kind *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static struct object *object_of(const struct kind *k, const char *fmt, ...)
{
    struct buf text = BUF_INIT(0);
    struct err err;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    for (char *c = text.data; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    _cleanup_json_ json_t *doc = jparse(text.data, text.len, &err);
    if (!doc)
        die(err.msg);
    buf_done(&text);
    return object_new(k, doc);
}

/* The i-th pod, one of LOCAL_PODS on this node; the first two are ours, in namespace n0. */
static void set_pod(struct enforcement *e, int i, int label)
{
    static const char *const ours[] = {"client", "server"};
    _cleanup_free_ char *ns = xasprintf("n%d", i < N_OURS ? 0 : i % NAMESPACES), *name = xasprintf("p%d", i);
    _cleanup_free_ char *uid = i < N_OURS ? xstrdup(ours[i]) : xasprintf("u%d", i);
    _cleanup_free_ char *ip = i < N_OURS ? xstrdup(ours_ips[i]) : xasprintf("10.244.%d.%d", 1 + i / 250, 1 + i % 250);
    _cleanup_object_ struct object *o =
        object_of(&kind_pod,
                  "{'metadata':{'name':'%s','namespace':'%s','uid':'%s','resourceVersion':'%d','labels':{'app':'a%d'}},"
                  "'spec':{'nodeName':'%s'},'status':{'podIPs':[{'ip':'%s'}]}}",
                  name, ns, uid, 1 + label, label, i < LOCAL_PODS ? "n1" : "n2", ip);
    enforcement_set_pod(e, ns, name, o);
}

/* Each is about all pods of its namespace: half of them let pods of one label in, half of them out; ports vary. */
static void set_policy(struct enforcement *e, int i, int port)
{
    _cleanup_free_ char *ns = xasprintf("n%d", i % NAMESPACES), *name = xasprintf("policy%d", i);
    bool in = i / NAMESPACES % 2;
    _cleanup_object_ struct object *o = object_of(
        &kind_networkpolicy,
        "{'metadata':{'name':'%s','namespace':'%s','uid':'%s','resourceVersion':'%d'},'spec':{'podSelector':{},"
        "'policyTypes':['%s'],'%s':[{'%s':[{'podSelector':{'matchLabels':{'app':'a%d'}}}],'ports':[{'port':%d,"
        "'endPort':%d}]}]}}",
        name, ns, name, port, in ? "Ingress" : "Egress", in ? "ingress" : "egress", in ? "from" : "to",
        i / NAMESPACES / 2 % 10, port, port + 100);
    enforcement_set_policy(e, ns, name, o);
}

static double write_rules_of(struct enforcement *e, struct nft_context *nft)
{
    struct buf commands = BUF_INIT(0);
    struct err err;
    double began = now();
    enforcement_take(e, &commands);
    if (commands.len && nft_context_run(nft, commands.data, &err) < 0)
        die(err.msg);
    buf_done(&commands);
    return now() - began;
}

static void print_changes(const char *what, double took[CHANGES])
{
    qsort(took, CHANGES, sizeof(double), by_value);
    printf("%-40s  median %.2f ms, p99 %.2f ms\n", what, took[CHANGES / 2] * 1000, took[CHANGES * 99 / 100] * 1000);
}

static double median_connections(double (*connections)(void))
{
    double all[3];
    for (int i = 0; i < 3; i++)
        all[i] = connections();
    qsort(all, 3, sizeof(double), by_value);
    return all[1];
}

void bench_policies(char ips[2][64], double (*connections)(void))
{
    struct enforcement_site site = {.node_name = "n1"};
    struct err err;
    ours_ips = ips;
    double took[CHANGES], free_way = median_connections(connections);
    struct nft_context *nft = nft_context_new(-1, &err);
    cidrs_parse("10.244.0.0/16", &site.pods);
    struct enforcement *e = enforcement_new(&site);
    double began = now();
    for (int i = 0; i < N_PODS; i++)
        set_pod(e, i, i % 10);
    for (int i = 0; i < N_POLICIES; i++)
        set_policy(e, i, 8000 + i % 50);
    double read = now() - began;
    printf("%d NetworkPolicies, %d pods, %d here%*s  read in %.2f s, programmed in %.2f s\n", N_POLICIES, N_PODS,
           LOCAL_PODS, 4, "", read, write_rules_of(e, nft));
    double judged_way = median_connections(connections);
    for (int i = 0; i < CHANGES; i++) {
        began = now();
        set_pod(e, LOCAL_PODS + i, 11 + i % 10);
        set_pod(e, LOCAL_PODS + i, i % 9);
        write_rules_of(e, nft);
        took[i] = now() - began;
    }
    print_changes("  the label of a pod elsewhere changed", took);
    for (int i = 0; i < CHANGES; i++) {
        began = now();
        set_policy(e, i, 7900 + i % 50);
        write_rules_of(e, nft);
        took[i] = now() - began;
    }
    print_changes("  a policy for 5 pods here changed", took);
    printf("%-40s  %9.0f new connections/s = %3.0f %% of those without policies\n", "  between two isolated pods",
           judged_way, 100 * judged_way / free_way);
    if (nft_context_run(nft, "delete table inet c8s-policy\n", &err) < 0)
        die(err.msg);
    enforcement_free(e);
    nft_context_free(nft);
}
