/* See guard.h. Two sockets: one listens, one asks for the generation (NFT_MSG_GETGEN), so that answers and
 * notifications do not mix and each is used by one thread at a time. */
#include "nft/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"

/* What one read may take: the kernel packs the notifications of a transaction into one message of at most this. */
#define NOTIFICATION_SIZE 65536

struct guard {
    int refs;
    uv_poll_t poll;
    struct mnl_socket *listener, *asker;
    struct list watches;
    uint32_t generation; /* when listening stopped */
};

/* The table's name is attribute 1 of every message but those about generations. */
bool guard_concerns(const struct nlmsghdr *nlh, int family, const char *table)
{
    if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
        mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
        return false;
    const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;
    if (nfg->nfgen_family != family)
        return false;
    mnl_attr_for_each(attr, nlh, sizeof(*nfg)) {
        if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
            return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 && streq(mnl_attr_get_str(attr), table);
    }
    return false;
}

static bool any_concerns(const struct guard_watch *w, const char *bytes, int len)
{
    for (const struct nlmsghdr *nlh = (const void *)bytes; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
        if (guard_concerns(nlh, w->family, w->table))
            return true;
    return false;
}

static void tell_concerned(struct guard *g, const char *bytes, int len)
{
    LIST_EACH(it, &g->watches) {
        const struct guard_watch *w = container_of(it, struct guard_watch, link);
        if (any_concerns(w, bytes, len))
            w->touched(w->arg);
    }
}

void guard_suspect(struct guard *g, const struct guard_watch *but)
{
    LIST_EACH(it, &g->watches) {
        const struct guard_watch *w = container_of(it, struct guard_watch, link);
        if (w != but)
            w->touched(w->arg);
    }
}

/* A full socket (ENOBUFS) has lost notifications: who knows whose. */
static void on_notified(uv_poll_t *poll, int status, int events)
{
    struct guard *g = poll->data;
    static char buf[NOTIFICATION_SIZE] __attribute__((aligned(8)));
    ssize_t n;
    (void)status;
    (void)events;
    while ((n = recv(mnl_socket_get_fd(g->listener), buf, sizeof(buf), MSG_DONTWAIT)) > 0 ||
           (n < 0 && (errno == ENOBUFS || errno == EINTR))) {
        if (n > 0)
            tell_concerned(g, buf, (int)n);
        else if (errno == ENOBUFS)
            guard_suspect(g, NULL);
    }
}

void guard_watch(struct guard *g, struct guard_watch *w)
{
    list_append(&g->watches, &w->link);
}

void guard_unwatch(struct guard_watch *w)
{
    if (w->link.next)
        list_remove(&w->link);
}

/* --- the generation --- */

static int read_generation(const struct nlattr *attr, void *data)
{
    if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
        *(uint32_t *)data = ntohl(mnl_attr_get_u32(attr));
    return MNL_CB_OK;
}

/* 0: it cannot be told. */
static uint32_t generation(const struct guard *g)
{
    char buf[512] __attribute__((aligned(8)));
    uint32_t id = 0;
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
    if (mnl_socket_sendto(g->asker, nlh, nlh->nlmsg_len) < 0)
        return 0;
    ssize_t n = mnl_socket_recvfrom(g->asker, buf, sizeof(buf));
    int len = (int)n;
    nlh = (struct nlmsghdr *)buf;
    if (n > 0 && mnl_nlmsg_ok(nlh, len) && nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
        mnl_attr_parse(nlh, sizeof(struct nfgenmsg), read_generation, &id);
    return id;
}

static void listen_to(struct guard *g, bool on)
{
    int group = NFNLGRP_NFTABLES;
    mnl_socket_setsockopt(g->listener, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group, sizeof(group));
}

/* The generation is read while the listener is on, before and after: a foreign change is heard, counted, or both. */
void guard_begin(struct guard *g)
{
    g->generation = generation(g);
    listen_to(g, false);
}

bool guard_end(struct guard *g, unsigned transactions)
{
    listen_to(g, true);
    uint32_t now = generation(g);
    return g->generation && now && now - g->generation != transactions;
}

/* --- life --- */

static void close_sockets(struct guard *g)
{
    if (g->listener)
        mnl_socket_close(g->listener);
    if (g->asker)
        mnl_socket_close(g->asker);
    free(g);
}

static int open_sockets(struct guard *g, int netns_fd, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    g->listener = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    g->asker = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!g->listener || !g->asker || mnl_socket_bind(g->listener, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_bind(g->asker, 0, MNL_SOCKET_AUTOPID) < 0)
        return err_set(err, errno, "listen to nftables");
    return 0;
}

struct guard *guard_new(uv_loop_t *loop, int netns_fd, struct err *err)
{
    struct guard *g = NEW(struct guard);
    g->refs = 1;
    list_init(&g->watches);
    if (open_sockets(g, netns_fd, err) < 0 || uv_poll_init(loop, &g->poll, mnl_socket_get_fd(g->listener)) < 0) {
        close_sockets(g);
        return NULL;
    }
    g->poll.data = g;
    uv_poll_start(&g->poll, UV_READABLE, on_notified);
    uv_unref((uv_handle_t *)&g->poll); /* what others do is no work of ours that a loop would wait for */
    listen_to(g, true);
    return g;
}

struct guard *guard_ref(struct guard *g)
{
    g->refs++;
    return g;
}

static void on_closed(uv_handle_t *h)
{
    close_sockets(h->data);
}

void guard_unref(struct guard *g)
{
    if (g && --g->refs == 0)
        uv_close((uv_handle_t *)&g->poll, on_closed);
}
