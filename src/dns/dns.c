/* See dns.h. */
#include "dns/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "dns/address.h"
#include "dns/resolver.h"
#include "dns/tcp.h"
#include "dns/udp.h"

#define PORT 53
#define TRY_MS 1500
#define RESOLV_CONF "/etc/resolv.conf"

struct dns {
    struct ips ips;
    int netns_fd; /* ours, to take the addresses away again */
    struct resolver *resolver;
    struct site { /* one of the addresses */
        bool is_ours;
        struct udp_server *udp;
        struct tcp_server *tcp;
    } sites[FAMILIES_MAX];
    struct metrics_server *metrics; /* NULL: nobody wants them */
};

static bool is_loopback(const struct ip *ip)
{
    return ip->family == AF_INET ? ip->bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&ip->v6);
}

/* FREEBIND: also where the address could not be put on an interface, packets may be led here. */
static int bound_socket(int netns_fd, const struct ip *ip, int port, int type, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    const int on = 1;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = ip->v4};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = ip->v6};
    const struct sockaddr *addr = ip->family == AF_INET ? (const void *)&sin : (const void *)&sin6;
    socklen_t size = ip->family == AF_INET ? sizeof(sin) : sizeof(sin6);
    char text[IP_TEXT_SIZE];
    _cleanup_close_ int fd = socket(ip->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
        return err_set(err, errno, "DNS socket");
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return err_set(err, errno, "DNS socket");
    if (bind(fd, addr, size) < 0)
        return err_set(err, errno, "DNS address %s port %d", ip_format(ip, text), port);
    return TAKE_FD(fd);
}

static int start_site(struct dns *d, uv_loop_t *loop, int i, const struct dns_config *config, struct err *err)
{
    const struct ip *ip = &d->ips.ip[i];
    struct site *s = &d->sites[i];
    int port = config->port ? config->port : PORT;
    if (!is_loopback(ip)) {
        if (address_add(config->netns_fd, ip, err) < 0)
            return -1;
        s->is_ours = true;
    }
    int udp = bound_socket(config->netns_fd, ip, port, SOCK_DGRAM, err);
    if (udp < 0)
        return -1;
    s->udp = udp_server_new(loop, udp, d->resolver);
    int tcp = bound_socket(config->netns_fd, ip, port, SOCK_STREAM, err);
    if (tcp < 0)
        return -1;
    s->tcp = tcp_server_new(loop, tcp, d->resolver, err);
    return s->tcp ? 0 : -1;
}

static int start(struct dns *d, uv_loop_t *loop, struct model *m, const struct dns_config *config, struct err *err)
{
    struct zone zone;
    char first[IP_TEXT_SIZE];
    if (!ips_parse(config->ips, &d->ips))
        return err_set(err, 0, "\"%s\" is no address for DNS", config->ips);
    if (!zone_init(&zone, config->domain, &d->ips))
        return err_set(err, 0, "\"%s\" is no domain for DNS", config->domain);
    const struct forward_config forward = {
        .netns_fd = config->upstream_netns_fd,
        .upstreams = config->upstreams,
        .resolv_conf = RESOLV_CONF,
        .own = d->ips,
        .try_ms = TRY_MS,
    };
    d->netns_fd = config->netns_fd < 0 ? -1 : dup(config->netns_fd);
    d->resolver = resolver_new(loop, &zone, m, &forward);
    resolver_set_partial(d->resolver, config->partial);
    for (int i = 0; i < d->ips.n; i++)
        if (start_site(d, loop, i, config, err) < 0)
            return -1;
    if (!config->metrics_port)
        return 0;
    d->metrics = metrics_server_new(loop, config->netns_fd, ips_first(config->ips, first), config->metrics_port,
                                    resolver_metrics(d->resolver), err);
    return d->metrics ? 0 : -1;
}

struct dns *dns_new(uv_loop_t *loop, struct model *m, const struct dns_config *config, struct err *err)
{
    struct dns *d = NEW(struct dns);
    d->netns_fd = -1;
    if (start(d, loop, m, config, err) == 0)
        return d;
    dns_free(d);
    return NULL;
}

void dns_set_complete(struct dns *d)
{
    resolver_set_partial(d->resolver, false);
}

void dns_configure(struct dns *d, struct settings *s)
{
    resolver_set(d->resolver, s);
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    metrics_server_free(d->metrics);
    for (int i = 0; i < d->ips.n; i++) {
        tcp_server_close(d->sites[i].tcp);
        udp_server_close(d->sites[i].udp);
    }
    resolver_free(d->resolver);
    for (int i = 0; i < d->ips.n; i++)
        if (d->sites[i].is_ours)
            address_del(d->netns_fd, &d->ips.ip[i]);
    if (d->netns_fd >= 0)
        close(d->netns_fd);
    free(d);
}
