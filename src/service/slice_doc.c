/* An EndpointSlice document read. Conditions that are missing count as the API says: ready unless told otherwise,
 * serving as ready, not terminating. */
#include "base/str.h"
#include "json/json.h"
#include "service/documents.h"

/* What one endpoint says in words, in the order of its text fields. */
enum { T_NODE, T_ZONE, T_HOSTNAME, T_TARGET_NS, T_TARGET_NAME, T_FOR_ZONES, T_FOR_NODES, T_N };

/* Where hints are joined: the API allows 8 names of at most 253 bytes; longer lists count as far as they fit. */
struct hints {
    char zones[8 * 254 + 1], nodes[8 * 254 + 1];
};

/* "a,b," */
static const char *join_hints(const json_t *list, char *out, size_t size)
{
    size_t i, len = 0;
    json_t *hint;
    out[0] = '\0';
    json_array_foreach((json_t *)list, i, hint) {
        const char *name = jstr_or(hint, "name", "");
        size_t n = strlen(name);
        if (!n || strchr(name, ',') || len + n + 2 > size)
            continue;
        memcpy(out + len, name, n);
        memcpy(out + len + n, ",", 2);
        len += n + 1;
    }
    return out;
}

static void endpoint_texts(const json_t *ep, const char *texts[T_N], struct hints *hints)
{
    const json_t *target = jget(ep, "targetRef");
    bool pod = streq(jstr_or(target, "kind", ""), "Pod");
    texts[T_NODE] = jstr_or(ep, "nodeName", "");
    texts[T_ZONE] = jstr_or(ep, "zone", "");
    texts[T_HOSTNAME] = jstr_or(ep, "hostname", "");
    texts[T_TARGET_NS] = pod ? jstr_or(target, "namespace", "") : "";
    texts[T_TARGET_NAME] = pod ? jstr_or(target, "name", "") : "";
    texts[T_FOR_ZONES] = join_hints(jget(ep, "hints.forZones"), hints->zones, sizeof(hints->zones));
    texts[T_FOR_NODES] = join_hints(jget(ep, "hints.forNodes"), hints->nodes, sizeof(hints->nodes));
}

static size_t texts_needed(const json_t *doc, const char *service)
{
    size_t size = strlen(service) + 1, i;
    json_t *item;
    json_array_foreach(jget(doc, "endpoints"), i, item) {
        const char *texts[T_N];
        struct hints hints;
        endpoint_texts(item, texts, &hints);
        for (int t = 0; t < T_N; t++)
            size += strlen(texts[t]) + 1;
    }
    json_array_foreach(jget(doc, "ports"), i, item)
        size += strlen(jstr_or(item, "name", "")) + strlen(jstr_or(item, "appProtocol", "")) + 2;
    return size;
}

/* Copies into the slice's block; a text equal to `previous` (the same field one endpoint earlier) is shared. */
static const char *keep(struct slice *s, const char *text, const char *previous)
{
    if (!*text)
        return "";
    if (previous && streq(text, previous))
        return previous;
    char *copy = s->texts + s->texts_size;
    size_t size = strlen(text) + 1;
    s->texts_size += size;
    return memcpy(copy, text, size);
}

static void parse_endpoint(struct slice *s, const json_t *item, int family)
{
    const char *address = json_string_value(json_array_get(jget(item, "addresses"), 0));
    struct svc_endpoint *e = &s->endpoints[s->n_endpoints], *prev = s->n_endpoints ? e - 1 : NULL;
    const char *texts[T_N];
    struct hints hints;
    /* Further addresses of one endpoint are interchangeable with the first, which is the only one upstream uses. */
    if (!address || !ip_parse(address, &e->ip) || e->ip.family != family)
        return;
    e->ready = jbool(item, "conditions.ready", true);
    e->serving = jbool(item, "conditions.serving", e->ready);
    e->terminating = jbool(item, "conditions.terminating", false);
    endpoint_texts(item, texts, &hints);
    e->node = keep(s, texts[T_NODE], prev ? prev->node : NULL);
    e->zone = keep(s, texts[T_ZONE], prev ? prev->zone : NULL);
    e->hostname = keep(s, texts[T_HOSTNAME], NULL);
    e->target_ns = keep(s, texts[T_TARGET_NS], prev ? prev->target_ns : NULL);
    e->target_name = keep(s, texts[T_TARGET_NAME], NULL);
    e->for_zones = keep(s, texts[T_FOR_ZONES], prev ? prev->for_zones : NULL);
    e->for_nodes = keep(s, texts[T_FOR_NODES], prev ? prev->for_nodes : NULL);
    s->n_endpoints++;
}

static void parse_port(struct slice *s, const json_t *item)
{
    struct slice_port *p = &s->ports[s->n_ports];
    int64_t port = jint(item, "port", 0); /* a port without number means "all": nothing a proxy could use */
    if (port <= 0 || port > UINT16_MAX || !protocol_parse(jstr(item, "protocol"), &p->protocol))
        return;
    p->port = (uint16_t)port;
    p->name = keep(s, jstr_or(item, "name", ""), NULL);
    p->app_protocol = keep(s, jstr_or(item, "appProtocol", ""), NULL);
    s->n_ports++;
}

struct slice *slice_parse(const json_t *doc)
{
    struct slice *s = NEW(struct slice);
    const json_t *endpoints = jget(doc, "endpoints"), *ports = jget(doc, "ports");
    const char *service = str_or(label_of(doc, "kubernetes.io/service-name"), "");
    const char *type = jstr_or(doc, "addressType", "");
    int family = streq(type, "IPv4") ? AF_INET : streq(type, "IPv6") ? AF_INET6 : 0;
    size_t i;
    json_t *item;

    list_init(&s->link);
    s->texts = xmalloc(texts_needed(doc, service));
    s->service = keep(s, service, NULL);
    s->hidden_from_proxy = hidden_from_proxy(doc);
    s->endpoints = xcalloc(json_array_size(endpoints) + 1, sizeof(*s->endpoints));
    json_array_foreach(endpoints, i, item)
        parse_endpoint(s, item, family);
    s->ports = xcalloc(json_array_size(ports) + 1, sizeof(*s->ports));
    json_array_foreach(ports, i, item)
        parse_port(s, item);
    return s;
}

void slice_free(struct slice *s)
{
    if (!s)
        return;
    list_remove(&s->link);
    free(s->ports);
    free(s->endpoints);
    free(s->texts);
    free(s);
}

static bool endpoint_equal(const struct svc_endpoint *a, const struct svc_endpoint *b)
{
    return ip_equal(&a->ip, &b->ip) && a->ready == b->ready && a->serving == b->serving &&
           a->terminating == b->terminating && streq(a->node, b->node) && streq(a->zone, b->zone) &&
           streq(a->hostname, b->hostname) && streq(a->target_ns, b->target_ns) &&
           streq(a->target_name, b->target_name) && streq(a->for_zones, b->for_zones) &&
           streq(a->for_nodes, b->for_nodes);
}

static bool port_equal(const struct slice_port *a, const struct slice_port *b)
{
    return a->port == b->port && a->protocol == b->protocol && streq(a->name, b->name) &&
           streq(a->app_protocol, b->app_protocol);
}

bool slice_equal(const struct slice *a, const struct slice *b)
{
    if (!streq(a->service, b->service) || a->hidden_from_proxy != b->hidden_from_proxy || a->n_ports != b->n_ports ||
        a->n_endpoints != b->n_endpoints)
        return false;
    for (size_t i = 0; i < a->n_ports; i++)
        if (!port_equal(&a->ports[i], &b->ports[i]))
            return false;
    for (size_t i = 0; i < a->n_endpoints; i++)
        if (!endpoint_equal(&a->endpoints[i], &b->endpoints[i]))
            return false;
    return true;
}
