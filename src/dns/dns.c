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
    struct ip ip;
    int netns_fd; /* ours, to take the address away again */
    bool has_address;
    struct resolver *resolver;
    struct udp_server *udp;
    struct tcp_server *tcp;
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

static int start(struct dns *d, uv_loop_t *loop, struct model *m, const struct dns_config *config, struct err *err)
{
    struct zone zone;
    int port = config->port ? config->port : PORT;
    if (!ip_parse(config->ip, &d->ip))
        return err_set(err, 0, "\"%s\" is no address for DNS", config->ip);
    if (!zone_init(&zone, config->domain, &d->ip))
        return err_set(err, 0, "\"%s\" is no domain for DNS", config->domain);
    if (!is_loopback(&d->ip)) {
        if (address_add(config->netns_fd, &d->ip, err) < 0)
            return -1;
        d->has_address = true;
        d->netns_fd = config->netns_fd < 0 ? -1 : dup(config->netns_fd);
    }
    const struct forward_config forward = {
        .netns_fd = config->upstream_netns_fd,
        .upstreams = config->upstreams,
        .resolv_conf = RESOLV_CONF,
        .own = d->ip,
        .try_ms = TRY_MS,
    };
    d->resolver = resolver_new(loop, &zone, m, &forward);
    resolver_set_partial(d->resolver, config->partial);
    int udp = bound_socket(config->netns_fd, &d->ip, port, SOCK_DGRAM, err);
    if (udp < 0)
        return -1;
    d->udp = udp_server_new(loop, udp, d->resolver);
    int tcp = bound_socket(config->netns_fd, &d->ip, port, SOCK_STREAM, err);
    if (tcp < 0)
        return -1;
    d->tcp = tcp_server_new(loop, tcp, d->resolver, err);
    if (!d->tcp)
        return -1;
    if (!config->metrics_port)
        return 0;
    d->metrics = metrics_server_new(loop, config->netns_fd, config->ip, config->metrics_port,
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
    tcp_server_close(d->tcp);
    udp_server_close(d->udp);
    resolver_free(d->resolver);
    if (d->has_address)
        address_del(d->netns_fd, &d->ip);
    if (d->netns_fd >= 0)
        close(d->netns_fd);
    free(d);
}
