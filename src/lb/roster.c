/* See roster.h. */
#include "lb/roster.h"

#define LOG_AREA "lb"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/node.h"
#include "lb/heartbeat.h"
#include "lb/lb.h"

struct member {
    struct ip ip;   /* of the family of heartbeats; family 0: none known */
    struct ips ips; /* all it has */
    bool serves, lost;
};

struct roster {
    uv_timer_t timer;
    struct roster_config config;
    char *node_name;
    int family; /* of heartbeats */
    struct alive *alive;
    struct heartbeat *heartbeat; /* NULL: none */
    struct map members;          /* by name, ourselves among them */
    struct map by_ip;            /* address as text -> name, as the key of members */
    bool paused;
};

/* --- what is heard --- */

static void tell_lost(struct roster *r)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->members, e));) {
        struct member *m = e->value;
        /* Until it is settled again its pods may be those of before it died. */
        bool lost = alive_lost(r->alive, e->key) || (m->lost && !alive_settled(r->alive, e->key));
        if (lost == m->lost)
            continue;
        m->lost = lost;
        if (lost)
            log_warn("node %s hears nothing from node %s", r->node_name, e->key);
        else
            log_info("to node %s, node %s is back", r->node_name, e->key);
        if (r->config.lost)
            r->config.lost(r->config.lost_arg, e->key, lost);
    }
}

static void tell(struct roster *r, int news)
{
    if (news & ALIVE_NODES)
        tell_lost(r);
    if (news)
        r->config.changed(r->config.arg, news & ALIVE_DOUBT);
}

static void on_heard(void *arg, const struct ip *from, const struct beat *b)
{
    struct roster *r = arg;
    char text[IP_TEXT_SIZE];
    const char *name = map_get(&r->by_ip, ip_format(from, text));
    if (name)
        tell(r, alive_heard(r->alive, name, b, uv_now(r->timer.loop)));
}

/* --- what is said --- */

static void speak(struct roster *r)
{
    uint64_t now = uv_now(r->timer.loop);
    for (struct map_entry *e = NULL; (e = map_next(&r->members, e));) {
        const struct member *m = e->value;
        struct beat b = alive_beat(r->alive, e->key, now);
        if (m->ip.family && !streq(e->key, r->node_name))
            heartbeat_send(r->heartbeat, &m->ip, &b);
    }
}

static void on_timer(uv_timer_t *t)
{
    struct roster *r = t->data;
    speak(r);
    tell(r, alive_tick(r->alive, uv_now(t->loop)));
}

/* A node that is alone has nobody to talk to. */
static void talk_if_wanted(struct roster *r)
{
    bool wanted = r->heartbeat && !r->paused && r->members.len > 1;
    if (!wanted)
        uv_timer_stop(&r->timer);
    else if (!uv_is_active((uv_handle_t *)&r->timer))
        uv_timer_start(&r->timer, on_timer, 0, ALIVE_BEAT_MS);
}

/* --- what the API says --- */

static struct ips addresses_of(const json_t *node)
{
    struct ips ips = {0};
    size_t i;
    json_t *address;
    struct ip ip;
    json_array_foreach(jget(node, "status.addresses"), i, address)
        if (streq(jstr_or(address, "type", ""), "InternalIP") && ip_parse(jstr_or(address, "address", ""), &ip) &&
            !ips_of(&ips, ip.family))
            ips.ip[ips.n++] = ip;
    return ips;
}

static void forget_address(struct roster *r, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    if (ip->family)
        free(map_del(&r->by_ip, ip_format(ip, text)));
}

static void set_address(struct roster *r, const char *name, struct member *m, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    if (m->ip.family == ip->family && (!ip->family || ip_equal(&m->ip, ip)))
        return;
    forget_address(r, &m->ip);
    alive_remove(r->alive, name); /* what was heard came from there */
    m->ip = *ip;
    if (ip->family)
        free(map_put(&r->by_ip, ip_format(ip, text), xstrdup(name)));
}

static void remove_member(struct roster *r, const char *name)
{
    struct member *m = map_del(&r->members, name);
    if (!m)
        return;
    if (m->lost && r->config.lost)
        r->config.lost(r->config.lost_arg, name, false);
    forget_address(r, &m->ip);
    alive_remove(r->alive, name);
    free(m);
}

static void put_member(struct roster *r, const char *name, const json_t *node)
{
    struct member *m = map_get(&r->members, name);
    if (!m)
        map_put(&r->members, name, m = NEW(struct member));
    m->ips = addresses_of(node);
    m->serves = node_takes_traffic(node);
    const struct ip none = {0}, *ip = ips_of(&m->ips, r->family);
    set_address(r, name, m, ip ? ip : &none);
    if (!streq(name, r->node_name))
        alive_put(r->alive, name, m->serves);
}

static void on_node(void *arg, struct object *old, struct object *obj)
{
    struct roster *r = arg;
    const char *name = (obj ? obj : old)->name;
    const struct member *m = map_get(&r->members, name);
    const struct member before = m ? *m : (struct member){0};
    _cleanup_json_ json_t *node = obj ? object_json(obj) : NULL;
    if (node)
        put_member(r, name, node);
    else
        remove_member(r, name);
    m = map_get(&r->members, name);
    tell_lost(r);
    talk_if_wanted(r);
    const struct member now = m ? *m : (struct member){0};
    if (before.serves != now.serves || memcmp(&before.ips, &now.ips, sizeof(now.ips)) != 0)
        r->config.changed(r->config.arg, false);
}

/* --- asking --- */

size_t roster_size(const struct roster *r)
{
    return r->members.len;
}

size_t roster_announcers(const struct roster *r, const struct cidr *network, bool settled, const char **ret)
{
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&r->members, e));) {
        const struct member *m = e->value;
        bool is_settled = alive_settled(r->alive, streq(e->key, r->node_name) ? NULL : e->key);
        const struct ip *ip = ips_of(&m->ips, network->ip.family);
        bool elsewhere = ip && !cidr_has(network, ip);
        if (m->serves && !elsewhere && is_settled == settled && !alive_lost(r->alive, e->key))
            ret[n++] = e->key;
    }
    return n;
}

/* --- life --- */

void roster_pause(struct roster *r, bool paused)
{
    r->paused = paused;
    if (!paused && r->heartbeat && r->members.len > 1) {
        heartbeat_drain(r->heartbeat);
        alive_return(r->alive, uv_now(r->timer.loop));
        tell_lost(r);
    }
    talk_if_wanted(r);
}

/* Without them it is as slow as the API, which is better than nobody announcing anything. */
static struct heartbeat *open_heartbeat(struct roster *r, uv_loop_t *loop)
{
    struct heartbeat_config config = {r->config.netns_fd, r->config.ifname, {0}, on_heard, r};
    struct err err;
    if (!r->config.node_ip || !ip_parse(r->config.node_ip, &config.own))
        return NULL;
    r->family = config.own.family;
    struct heartbeat *h = heartbeat_open(loop, &config, &err);
    if (!h)
        log_warn("node %s: %s; a lost node is noticed when the API says so", r->node_name, err.msg);
    return h;
}

struct roster *roster_new(uv_loop_t *loop, struct informer *nodes, const struct roster_config *config)
{
    struct roster *r = NEW(struct roster);
    *r = (struct roster){.config = *config, .node_name = xstrdup(config->node_name)};
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    r->alive = alive_new(uv_now(loop));
    r->heartbeat = open_heartbeat(r, loop);
    informer_on_change(nodes, on_node, r);
    return r;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct roster *r = h->data;
    alive_free(r->alive);
    map_done_with(&r->members, free);
    map_done_with(&r->by_ip, free);
    free(r->node_name);
    free(r);
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    heartbeat_close(r->heartbeat);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
