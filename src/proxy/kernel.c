/* See kernel.h. */
#include "proxy/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_AREA "proxy"
#include "base/alloc.h"
#include "base/log.h"
#include "base/netns.h"
#include "base/str.h"
#include "json/json.h"
#include "nft/context.h"
#include "proxy/affinity.h"
#include "proxy/affinity_rules.h"
#include "proxy/conntrack.h"

struct kernel {
    int netns_fd;
    int family;
    unsigned remembered; /* transactions beside those of nft */
    struct nft_context *nft;
};

/* A window that conntrack thinks exceeded must not make a packet pass untranslated (kubernetes#74839). A connection
 * that one side has closed may go on for an hour, one on which nothing comes for a day: kube-proxy's
 * --conntrack-tcp-timeout-*. Where a setting cannot be written, the kernel's is what there is. */
static void set_timeouts(void)
{
    static const struct {
        const char *name, *value;
    } settings[] = {{"tcp_be_liberal", "1"}, {"tcp_timeout_close_wait", "3600"}, {"tcp_timeout_established", "86400"}};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        _cleanup_free_ char *path = xasprintf("/proc/sys/net/netfilter/nf_conntrack_%s", settings[i].name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, settings[i].value, strlen(settings[i].value)) < 0) {
            /* see above */
        }
    }
}

/* kube-proxy's --conntrack-max-per-core and --conntrack-min: a small machine's own limit, a few ten thousand
 * connections, is soon "table full, dropping packet". Never lowered; other network namespaces than the machine's have
 * no say. */
static void raise_limit(void)
{
    static const char path[] = "/proc/sys/net/netfilter/nf_conntrack_max";
    int64_t wanted = 32768 * (int64_t)sysconf(_SC_NPROCESSORS_ONLN), now;
    char text[24] = "";
    if (wanted < 131072)
        wanted = 131072;
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (!str_to_i64(text, 0, INT64_MAX, &now) || now >= wanted)
        return;
    snprintf(text, sizeof(text), "%lld", (long long)wanted);
    if (pwrite(fd, text, strlen(text), 0) < 0)
        log_debug("%s stays as it is: %s", path, strerror(errno));
}

struct kernel *kernel_new(int netns_fd, int family, struct err *err)
{
    struct kernel *k = NEW(struct kernel);
    k->netns_fd = netns_fd < 0 ? -1 : fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
    k->family = family;
    k->nft = nft_context_new(netns_fd, err);
    {
        NETNS_SCOPE(k->netns_fd);
        set_timeouts();
        raise_limit();
    }
    if (!k->nft ||
        kernel_run(k, family == AF_INET6 ? "add table ip6 " TABLE "\n" : "add table ip " TABLE "\n", err) < 0) {
        kernel_free(k);
        return NULL;
    }
    return k;
}

void kernel_free(struct kernel *k)
{
    if (!k)
        return;
    nft_context_free(k->nft);
    if (k->netns_fd >= 0)
        close(k->netns_fd);
    free(k);
}

int kernel_run(struct kernel *k, const char *commands, struct err *err)
{
    return nft_context_run(k->nft, commands, err);
}

/* The kernel acknowledges the rule, or says what it has against any part of the transaction. */
static int exchange(struct mnl_socket *nl, const char *message, size_t len)
{
    char answer[4096] __attribute__((aligned(8)));
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, message, len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
    if (n < 0 || mnl_cb_run(answer, (size_t)n, AFFINITY_SEQUENCE, mnl_socket_get_portid(nl), NULL, NULL) < 0)
        return -errno;
    return 0;
}

static int add_rule(struct kernel *k, const char *message, size_t len, struct err *err)
{
    NETNS_SCOPE(k->netns_fd);
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!nl)
        return err_set(err, errno, "nftables: open netlink");
    int r = exchange(nl, message, len);
    mnl_socket_close(nl);
    k->remembered += r == 0;
    return r < 0 ? err_set(err, -r, "nftables: rule of session affinity") : 0;
}

int kernel_follow(struct kernel *k, struct err *err)
{
    char message[AFFINITY_MESSAGE_SIZE] __attribute__((aligned(8)));
    return add_rule(k, message, affinity_follow_message(k->family, message), err);
}

int kernel_remember(struct kernel *k, int seconds, struct err *err)
{
    char message[AFFINITY_MESSAGE_SIZE] __attribute__((aligned(8)));
    return add_rule(k, message, affinity_remember_message(k->family, seconds, message), err);
}

unsigned kernel_transactions(const struct kernel *k)
{
    return nft_context_transactions(k->nft) + k->remembered;
}

static json_t *list_map(struct kernel *k, const char *name, struct err *err)
{
    _cleanup_free_ char *command = xasprintf("list map %s " TABLE " %s", k->family == AF_INET6 ? "ip6" : "ip", name);
    _cleanup_free_ char *text = nft_context_list(k->nft, command, err);
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !list)
        err_set(err, 0, "nftables: unreadable list of map %s", name);
    return list;
}

static int forget_affinities_once(struct kernel *k, const struct recheck_list *l, struct err *err)
{
    struct buf commands = BUF_INIT(0);
    json_t *list = list_map(k, "affinity", err);
    if (!list)
        return -1;
    affinity_render_stale(k->family, list, l, &commands);
    json_decref(list);
    int result = commands.len ? kernel_run(k, commands.data, err) : 0;
    buf_done(&commands);
    return result;
}

/* An element that times out between the listing and the deletion makes all of the deletion fail. */
static int forget_affinities(struct kernel *k, const struct recheck_list *l, struct err *err)
{
    int result = -1;
    for (int tries = 0; tries < 3 && result < 0; tries++)
        result = forget_affinities_once(k, l, err);
    return result;
}

struct kernel_affinities {
    json_t *affinities, *fronts;
};

void kernel_affinities_free(struct kernel_affinities *a)
{
    if (!a)
        return;
    json_decref(a->affinities);
    json_decref(a->fronts);
    free(a);
}

struct kernel_affinities *kernel_save_affinities(struct kernel *k)
{
    struct kernel_affinities *a = NEW(struct kernel_affinities);
    struct err none_yet;
    a->affinities = list_map(k, "affinity", &none_yet);
    a->fronts = a->affinities ? list_map(k, "affine", &none_yet) : NULL;
    if (a->fronts)
        return a;
    kernel_affinities_free(a);
    return NULL;
}

int kernel_restore_affinities(struct kernel *k, const struct kernel_affinities *saved, struct err *err)
{
    struct buf commands = BUF_INIT(0);
    _cleanup_json_ json_t *now = list_map(k, "affine", err);
    if (now)
        affinity_render_kept(k->family, saved->affinities, saved->fronts, now, &commands);
    int result = !now ? -1 : commands.len ? kernel_run(k, commands.data, err) : 0;
    buf_done(&commands);
    return result;
}

int kernel_clear_stale(struct kernel *k, struct rechecks *r, struct err *err)
{
    recheck_sort(&r->flows);
    recheck_sort(&r->affinities);
    if (r->affinities.n && forget_affinities(k, &r->affinities, err) < 0)
        return err_wrap(err, "forget session affinities");
    if (!r->flows.n)
        return 0;
    NETNS_SCOPE(k->netns_fd);
    return conntrack_clear(k->family, &r->flows, err);
}
