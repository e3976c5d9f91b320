/* See probe.h. */
#include "podnet/probe.h"

#include <errno.h>
#include <linux/udp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define LOG_AREA "tunnel"
#include "base/alloc.h"
#include "base/datagram.h"
#include "base/log.h"
#include "base/netns.h"
#include "base/rand.h"
#include "base/str.h"
#include "podnet/tunnel.h"

#define INTERVAL_MS 2000
#define PACE_MS 20       /* between two peers: with more than a hundred of them rounds become rarer, not packets more */
#define BURST 256        /* datagrams read in one go: a flood does not keep the loop */
#define PACKET_MAX 65536 /* of any device */
#define SNMP "/proc/thread-self/net/snmp" /* of the namespace that the thread is in */

struct peer {
    char *name;
    struct ip node_ip, tunnel_ip;
    bool ready;
    struct reach reach;
    enum reach_fault in, out; /* as last told */
    uint32_t round;
};

struct line {
    uv_poll_t poll;
    struct probe *probe; /* NULL: freed */
    int fd;
};

struct probe {
    uv_timer_t timer;
    struct probe_config config;
    struct line *bare, *tunnel; /* NULL: closed */
    unsigned ifindex;           /* of the tunnel that it is bound to */
    uint32_t life;
    struct peer *peers;
    size_t n_peers, next;
    uint64_t corrupt; /* packets with wrong checksums, when they were last counted; 0: they were not */
    bool complained;
};

static uint64_t now_of(const struct probe *p)
{
    return uv_now(p->timer.loop);
}

/* --- what follows from it --- */

static void look(struct probe *p, struct peer *peer)
{
    enum reach_fault in = reach_in(&peer->reach, now_of(p)), out = reach_out(&peer->reach);
    if (in == peer->in && out == peer->out)
        return;
    peer->in = in;
    peer->out = out;
    p->config.changed(p->config.arg);
}

/* UDP's InCsumErrors: what the kernel dropped for a wrong checksum, of the tunnel or in it. */
static uint64_t count_corrupt(int netns_fd)
{
    NETNS_SCOPE(netns_fd);
    char line[512];
    unsigned long long errors = 0;
    FILE *f = fopen(SNMP, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Udp: %*u %*u %*u %*u %*u %*u %llu", &errors) == 1)
            break;
    if (f)
        fclose(f);
    return errors;
}

/* Counted only while something is missing. */
static void look_for_corrupt(struct probe *p)
{
    bool missing = false, more = false;
    for (size_t i = 0; i < p->n_peers; i++)
        missing |= reach_is_missing(&p->peers[i].reach, now_of(p));
    uint64_t count = missing ? 1 + count_corrupt(p->config.netns_fd) : 0;
    more = p->corrupt && count > p->corrupt;
    p->corrupt = count;
    for (size_t i = 0; i < p->n_peers && more; i++)
        p->peers[i].reach.corrupt |= reach_is_missing(&p->peers[i].reach, now_of(p));
}

/* --- what arrives --- */

static struct peer *find(const struct probe *p, const struct ip *ip, bool in_tunnel)
{
    for (size_t i = 0; i < p->n_peers; i++)
        if (ip_equal(ip, in_tunnel ? &p->peers[i].tunnel_ip : &p->peers[i].node_ip))
            return &p->peers[i];
    return NULL;
}

/* In the tunnel nodes are next to each other, and whoever is further away is a pod. False: there is nothing more. */
static bool receive(const struct line *l)
{
    unsigned char data[REACH_PACKET_SIZE];
    struct reach_note note;
    struct ip from;
    int hops;
    struct probe *p = l->probe;
    bool in_tunnel = l == p->tunnel;
    ssize_t n = datagram_receive(l->fd, data, sizeof(data), &from, &hops);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED; /* a node that does not listen (yet) */
    struct peer *peer = find(p, &from, in_tunnel);
    if (!peer || !reach_read(data, (size_t)n, &note) || in_tunnel != (note.kind != REACH_BARE) ||
        (in_tunnel && hops != DATAGRAM_HOPS))
        return true;
    reach_heard(&peer->reach, &note, now_of(p));
    look(p, peer);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct line *l = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < BURST && l->probe && receive(l); i++)
        ;
}

/* --- sockets --- */

static void on_closed(uv_handle_t *handle)
{
    struct line *l = handle->data;
    close(l->fd);
    free(l);
}

static void close_line(struct line *l)
{
    if (!l)
        return;
    l->probe = NULL;
    uv_close((uv_handle_t *)&l->poll, on_closed);
}

/* As large as it is or not at all: without fragments, whatever was heard of the path. Set for what is sent in the
 * tunnel; its own packets may be cut into pieces on the way. */
static void never_fragment(int fd, int family)
{
    const int probing = IP_PMTUDISC_PROBE, yes = 1;
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probing, sizeof(probing));
        (void)setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &yes, sizeof(yes));
    } else {
        (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probing, sizeof(probing));
    }
}

static int open_socket(const struct probe *p, const struct ip *own, const char *ifname, struct err *err)
{
    NETNS_SCOPE(p->config.netns_fd);
    char text[IP_TEXT_SIZE];
    union sockaddr_any address;
    socklen_t len = sockaddr_set(&address, own, PROBE_PORT);
    _cleanup_close_ int fd = socket(own->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || datagram_set_hops(fd, own->family) < 0 ||
        (ifname && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname)) < 0) ||
        bind(fd, &address.any, len) < 0)
        return err_set(err, errno, "UDP %s port %d", ip_format(own, text), PROBE_PORT);
    if (ifname)
        never_fragment(fd, own->family);
    return TAKE_FD(fd);
}

static struct line *open_line(struct probe *p, const struct ip *own, const char *ifname, struct err *err)
{
    int fd = open_socket(p, own, ifname, err);
    if (fd < 0)
        return NULL;
    struct line *l = NEW(struct line);
    *l = (struct line){.probe = p, .fd = fd};
    l->poll.data = l;
    uv_poll_init(p->timer.loop, &l->poll, fd);
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    return l;
}

static unsigned tunnel_index(const struct probe *p)
{
    NETNS_SCOPE(p->config.netns_fd);
    return if_nametoindex(TUNNEL_IFNAME);
}

/* A device that somebody has deleted and we have made again is another one. */
static void open_lines(struct probe *p)
{
    struct err err;
    unsigned ifindex = tunnel_index(p);
    if (p->tunnel && ifindex != p->ifindex) {
        close_line(TAKE(p->tunnel));
        if (p->config.lost)
            p->config.lost(p->config.arg);
        if (!p->n_peers) /* it was made anew without a tunnel */
            return;
        ifindex = tunnel_index(p);
    }
    p->ifindex = ifindex;
    if (!p->bare)
        p->bare = open_line(p, &p->config.node_ip, NULL, &err);
    if (!p->tunnel && ifindex)
        p->tunnel = open_line(p, &p->config.tunnel_ip, TUNNEL_IFNAME, &err);
    bool failed = !p->bare || !p->tunnel;
    if (failed && !p->complained)
        log_warn("the tunnel is not tried: %s", ifindex ? err.msg : "there is none");
    p->complained = failed;
}

/* --- what is sent --- */

/* Payload of the largest packet that the tunnel takes. */
static size_t largest(const struct probe *p)
{
    struct ifreq request = {.ifr_name = TUNNEL_IFNAME};
    size_t heads = p->config.tunnel_ip.family == AF_INET6 ? 40 + 8 : 20 + 8;
    bool known = ioctl(p->tunnel->fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > (int)heads + REACH_PACKET_SIZE &&
                 request.ifr_mtu <= PACKET_MAX;
    return known ? (size_t)request.ifr_mtu - heads : REACH_PACKET_SIZE;
}

static void set_checksum(const struct line *l, int family, bool wanted)
{
    const int none = !wanted;
    (void)setsockopt(l->fd, family == AF_INET6 ? (int)IPPROTO_UDP : SOL_SOCKET,
                     family == AF_INET6 ? UDP_NO_CHECK6_TX : SO_NO_CHECK, &none, sizeof(none));
}

/* What cannot be sent is lost, as on the wire. */
static void send_one(const struct line *l, const struct ip *to, struct reach_note *note, enum reach_kind kind,
                     size_t size)
{
    static unsigned char packet[PACKET_MAX]; /* zero behind the note */
    union sockaddr_any address;
    socklen_t len = sockaddr_set(&address, to, PROBE_PORT);
    note->kind = kind;
    reach_write(note, packet);
    (void)sendto(l->fd, packet, size, 0, &address.any, len);
}

static void send_round(struct probe *p, struct peer *peer)
{
    struct reach_note note = reach_tell(&peer->reach, now_of(p));
    note.life = p->life;
    note.round = ++peer->round;
    if (p->tunnel) {
        set_checksum(p->tunnel, peer->tunnel_ip.family, false);
        send_one(p->tunnel, &peer->tunnel_ip, &note, REACH_PLAIN, REACH_PACKET_SIZE);
        set_checksum(p->tunnel, peer->tunnel_ip.family, true);
        send_one(p->tunnel, &peer->tunnel_ip, &note, REACH_SUMMED, REACH_PACKET_SIZE);
        send_one(p->tunnel, &peer->tunnel_ip, &note, REACH_FULL, largest(p));
    }
    if (p->bare)
        send_one(p->bare, &peer->node_ip, &note, REACH_BARE, REACH_PACKET_SIZE);
}

/* Never in step with the others: a quarter more or less. */
static uint64_t pause_ms(const struct probe *p)
{
    size_t interval = p->config.interval_ms ? (size_t)p->config.interval_ms : INTERVAL_MS;
    uint32_t pause = (uint32_t)(interval / p->n_peers < PACE_MS ? PACE_MS : interval / p->n_peers);
    return pause - pause / 4 + rand_below(pause / 2 + 1);
}

static void on_timer(uv_timer_t *t)
{
    struct probe *p = t->data;
    if (p->next >= p->n_peers)
        p->next = 0;
    if (p->next == 0) {
        open_lines(p);
        look_for_corrupt(p);
    }
    if (!p->n_peers)
        return;
    struct peer *peer = &p->peers[p->next++];
    reach_set_ready(&peer->reach, peer->ready && p->config.heard(p->config.arg), now_of(p));
    send_round(p, peer);
    uv_timer_start(t, on_timer, pause_ms(p), 0);
    look(p, peer);
}

/* --- peers --- */

static struct peer *find_named(const struct probe *p, const char *name)
{
    for (size_t i = 0; i < p->n_peers; i++)
        if (streq(p->peers[i].name, name))
            return &p->peers[i];
    return NULL;
}

void probe_set_peers(struct probe *p, const struct probe_peer *peers, size_t n)
{
    struct peer *list = xcalloc(n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        const struct peer *known = find_named(p, peers[i].name);
        if (known && ip_equal(&known->node_ip, &peers[i].node_ip) && ip_equal(&known->tunnel_ip, &peers[i].tunnel_ip))
            list[i] = *known;
        list[i].name = xstrdup(peers[i].name);
        list[i].node_ip = peers[i].node_ip;
        list[i].tunnel_ip = peers[i].tunnel_ip;
        list[i].ready = peers[i].ready;
    }
    for (size_t i = 0; i < p->n_peers; i++)
        free(p->peers[i].name);
    free(p->peers);
    p->peers = list;
    p->n_peers = n;
    if (!n) {
        uv_timer_stop(&p->timer);
        close_line(TAKE(p->bare));
        close_line(TAKE(p->tunnel));
    } else if (!uv_is_active((uv_handle_t *)&p->timer)) {
        uv_timer_start(&p->timer, on_timer, 0, 0);
    }
}

void probe_set_ready(struct probe *p, const char *name, bool ready)
{
    struct peer *peer = find_named(p, name);
    if (peer)
        peer->ready = ready;
}

bool probe_is_idle(const struct probe *p)
{
    return p->n_peers == 0;
}

bool probe_has(const struct probe *p, const char *name)
{
    return find_named(p, name);
}

enum reach_fault probe_in(const struct probe *p, const char *name)
{
    const struct peer *peer = find_named(p, name);
    return peer ? reach_in(&peer->reach, now_of(p)) : REACH_NOT_KNOWN;
}

enum reach_fault probe_out(const struct probe *p, const char *name)
{
    const struct peer *peer = find_named(p, name);
    return peer ? reach_out(&peer->reach) : REACH_NOT_KNOWN;
}

/* --- life --- */

struct probe *probe_new(uv_loop_t *loop, const struct probe_config *config)
{
    struct probe *p = NEW(struct probe);
    *p = (struct probe){.config = *config};
    rand_bytes(&p->life, sizeof(p->life));
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    return p;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    probe_set_peers(p, NULL, 0);
    free(TAKE(p->peers));
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
