/* c8s why SERVICE[.NAMESPACE]: explains why a Service of a cluster answers or not. The objects come from the API;
 * whether a node has the rules, and whether somebody listens in a pod, is asked in the node's namespace, if the node is
 * here. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/nft.h"
#include "base/netns.h"
#include "base/str.h"
#include "cli/access.h"
#include "cli/addresses.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/runstate.h"
#include "cli/settings.h"
#include "ingress/explain.h"
#include "kinds/kind.h"
#include "netpol/explain.h"
#include "server/pki.h"
#include "service/why.h"

#define LISTENS_MS 1000 /* a pod on the same machine answers at once, or not */
#define FETCH_MS 10000
#define OUT_MAX (1 << 20)

struct why_options {
    const char *kubeconfig, *from;
};
static const struct why_options defaults = {0};

/* --- the API --- */

enum { SERVICES, SLICES, PODS, NODES, EVENTS, INGRESSES, CLASSES, SECRETS, POLICIES, NAMESPACES, FROM_PODS, N_LISTS };

static const struct {
    const struct kind *kind;
    bool everywhere; /* not of the Service's namespace alone */
} lists[N_LISTS] = {
    [SERVICES] = {&kind_service, true},     [SLICES] = {&kind_endpointslice}, [PODS] = {&kind_pod},
    [NODES] = {&kind_node, true},           [EVENTS] = {&kind_event},         [INGRESSES] = {&kind_ingress},
    [CLASSES] = {&kind_ingressclass, true}, [SECRETS] = {&kind_secret},       [POLICIES] = {&kind_networkpolicy, true},
    [NAMESPACES] = {&kind_namespace, true}, [FROM_PODS] = {&kind_pod},
};

struct fetch {
    uv_loop_t loop;
    struct client *client;
    json_t *lists[N_LISTS];
    int n_open, code; /* code: of the first answer that is none */
};

struct fetch_one {
    struct fetch *f;
    json_t **list;
};

static void on_list(void *arg, int code, const json_t *body)
{
    struct fetch_one *one = arg;
    if (code == 200)
        *one->list = json_incref(jget(body, "items"));
    else if (!one->f->code)
        one->f->code = code ? code : -1;
    if (--one->f->n_open == 0)
        uv_stop(&one->f->loop);
}

static void on_too_late(uv_timer_t *t)
{
    uv_stop(t->loop);
}

/* from_ns: of the pod that asks; "" for none. */
static int fetch_lists(struct fetch *f, const struct access *access, const char *ns, const char *from_ns,
                       struct err *err)
{
    struct fetch_one ones[N_LISTS];
    uv_timer_t patience;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &patience);
    uv_timer_start(&patience, on_too_late, FETCH_MS, 0);
    f->client = access_client(access, &f->loop);
    f->n_open = *from_ns ? N_LISTS : FROM_PODS;
    for (int i = 0; i < f->n_open; i++) {
        const struct kind *kind = lists[i].kind;
        const char *where = lists[i].everywhere ? NULL : i == FROM_PODS ? from_ns : ns;
        _cleanup_free_ char *path = kind_path(kind, where, NULL, NULL);
        ones[i] = (struct fetch_one){f, &f->lists[i]};
        f->client->ops->request(f->client, "GET", path, NULL, NULL, on_list, &ones[i]);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    client_free(f->client);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_loop_close(&f->loop);
    if (f->code || !f->lists[SERVICES])
        return err_set(err, 0, "the API server does not answer (%d)", f->code);
    return 0;
}

/* --- the nodes --- */

/* Which nodes of the cluster are here. */
struct here {
    const char *node; /* the one that this machine is; NULL: none */
    bool netns;       /* those of `c8s up` */
};

/* The node's namespace: one of its own, or (-1) ours, when we are that machine. false: it is not here. */
static bool open_node(const struct here *h, const char *node, int *ret_fd)
{
    struct err ignored;
    _cleanup_free_ char *path = xasprintf("/run/netns/%s", node);
    *ret_fd = -1;
    return streq_or_null(node, h->node) || (h->netns && (*ret_fd = netns_open(path, &ignored)) >= 0);
}

/* Numbers: nft would look names up in /etc/protocols, which need not be there. */
static const int protocols[PROTO_N] = {
    [PROTO_TCP] = IPPROTO_TCP, [PROTO_UDP] = IPPROTO_UDP, [PROTO_SCTP] = IPPROTO_SCTP};

static enum why_answer has_rule(void *arg, const char *node, const struct ip *ip, enum svc_protocol p, uint16_t port)
{
    _cleanup_close_ int fd = -1;
    char text[IP_TEXT_SIZE], command[200];
    struct err ignored;
    if (!open_node(arg, node, &fd))
        return WHY_UNKNOWN;
    snprintf(command, sizeof(command), "get element %s c8s svc { %s . %d . %u }", ip->family == AF_INET ? "ip" : "ip6",
             ip_format(ip, text), protocols[p], port);
    return nft_run(fd, command, &ignored) < 0 ? WHY_NO : WHY_YES;
}

static bool connects(int fd, const struct ip *ip, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip->v4};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip->v6};
    const void *addr = ip->family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    int error = 0;
    if (connect(fd, addr, ip->family == AF_INET ? sizeof(v4) : sizeof(v6)) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, LISTENS_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) == 0 && !error;
}

static enum why_answer listens(void *arg, const char *node, const struct ip *ip, uint16_t port)
{
    _cleanup_close_ int ns = -1;
    if (!open_node(arg, node, &ns))
        return WHY_UNKNOWN;
    NETNS_SCOPE(ns);
    _cleanup_close_ int fd = socket(ip->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && connects(fd, ip, port) ? WHY_YES : WHY_NO;
}

/* --- the command --- */

/* NAME[.NAMESPACE], in two; the caller frees `name`. */
struct target {
    char *name;
    const char *ns;
};

static struct target read_target(const char *text)
{
    struct target t = {text ? xstrdup(text) : NULL, text ? "default" : ""};
    char *dot = text ? strchr(t.name, '.') : NULL;
    if (dot) {
        *dot = '\0';
        t.ns = dot + 1;
    }
    return t;
}

static const json_t *find(const json_t *list, const char *ns, const char *name)
{
    size_t i;
    json_t *doc;
    json_array_foreach(list, i, doc) {
        if (streq(jstr_or(doc, "metadata.namespace", ""), ns) && streq(jstr_or(doc, "metadata.name", ""), name))
            return doc;
    }
    return NULL;
}

/* What other rooms have to say. */
static json_t *ask_others(const struct fetch *f, const json_t *service, const json_t *from)
{
    struct addresses addresses;
    const struct ingress_question ingress = {service, f->lists[INGRESSES], f->lists[CLASSES], f->lists[SECRETS]};
    json_t *findings = ingress_explain(&ingress);
    addresses_init(&addresses, "IPv4");
    const struct netpol_question policies = {.service = service,
                                             .slices = f->lists[SLICES],
                                             .pods = f->lists[PODS],
                                             .policies = f->lists[POLICIES],
                                             .namespaces = f->lists[NAMESPACES],
                                             .from = from,
                                             .cluster_dns = addresses.dns};
    _cleanup_json_ json_t *more = netpol_explain(&policies);
    json_array_extend(findings, more);
    return findings;
}

static int explain(const struct target *target, const struct target *from, const struct fetch *f, struct here *here)
{
    const char *name = target->name, *ns = target->ns;
    const json_t *client = from->name ? find(f->lists[FROM_PODS], from->ns, from->name) : NULL;
    if (from->name && !client) {
        fprintf(stderr, "c8s why: there is no pod %s in namespace %s\n", from->name, from->ns);
        return 1;
    }
    _cleanup_json_ json_t *findings = ask_others(f, find(f->lists[SERVICES], ns, name), client);
    const struct why w = {.ns = ns,
                          .name = name,
                          .services = f->lists[SERVICES],
                          .slices = f->lists[SLICES],
                          .pods = f->lists[PODS],
                          .nodes = f->lists[NODES],
                          .events = f->lists[EVENTS],
                          .findings = findings,
                          .domain = CLUSTER_DOMAIN,
                          .has_rule = has_rule,
                          .listens = listens,
                          .arg = here};
    struct buf out = BUF_INIT(OUT_MAX), first = BUF_INIT(OUT_MAX);
    int n_bad = why_explain(&w, &out, &first);
    printf("Service %s in namespace %s %s%s\n%s", name, ns,
           n_bad ? "does not answer as it should: " : "answers:", buf_str(&first), buf_str(&out));
    buf_done(&out);
    buf_done(&first);
    return n_bad ? 1 : 0;
}

/* The cluster that was named, or the one that runs here. */
static int find_cluster(const struct why_options *o, const json_t *state, struct access *ret, struct here *here,
                        struct err *err)
{
    const char *own = jstr(state, "kubeconfig"), *node = jstr(state, "node");
    if (o->kubeconfig) {
        *here = (struct here){.node = own ? NULL : node}; /* an agent's; who has a kubeconfig is another cluster's */
        return access_read(ret, o->kubeconfig, NULL, err);
    }
    *here = (struct here){.node = node, .netns = !node};
    return own ? access_read(ret, own, KUBECONFIG_ENTRY, err)
               : err_set(err, 0, "no cluster is running here (--kubeconfig names another)");
}

static int run(const void *options, char **args)
{
    const struct why_options *o = options;
    struct fetch f = {0};
    struct access access = {0};
    struct here here;
    struct err err;
    _cleanup_json_ json_t *state = runstate_is_running() ? runstate_load() : NULL;
    struct target target = read_target(args[0]), from = read_target(o->from);
    int code = 1;
    if (find_cluster(o, state, &access, &here, &err) < 0 || fetch_lists(&f, &access, target.ns, from.ns, &err) < 0)
        fprintf(stderr, "c8s why: %s\n", err.msg);
    else
        code = explain(&target, &from, &f, &here);
    for (int i = 0; i < N_LISTS; i++)
        json_decref(f.lists[i]);
    access_done(&access);
    free(target.name);
    free(from.name);
    return code;
}

static const struct opt opts[] = {
    {"kubeconfig", "FILE", OPT_STR, offsetof(struct why_options, kubeconfig), 0, 0,
     "the way to another cluster than the one that runs here"},
    {"from", "POD", OPT_STR, offsetof(struct why_options, from), 0, 0,
     "the pod that asks: whether NetworkPolicies keep it from the Service"},
    {0},
};
const struct command command_why = {.name = "why",
                                    .arguments = "SERVICE[.NAMESPACE]",
                                    .summary = "Explains why a Service answers, or does not.",
                                    .opts = opts,
                                    .min_args = 1,
                                    .max_args = 1,
                                    .run = run,
                                    .defaults = &defaults,
                                    .options_size = sizeof(defaults)};
