/* See context.h. libnftables opens its socket anew when a listing was interrupted, so every call is made inside the
 * node's namespace; and it makes no promise about several contexts at once, so one lock is around all of them. */
#include "nft/context.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <malloc.h>
#include <nftables/libnftables.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/netns.h"

/* Commands of that size leave so much garbage in the heap that returning it is worth the milliseconds. */
#define TRIM_ABOVE 262144

struct nft_context {
    int netns_fd;
    unsigned transactions;
    struct nft_ctx *nft;
};

static pthread_mutex_t nft_lock = PTHREAD_MUTEX_INITIALIZER;

static struct nft_ctx *open_nft(struct err *err)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft)
        return (void)err_set(err, 0, "nftables: no context"), NULL;
    nft_ctx_buffer_error(nft);
    nft_ctx_buffer_output(nft);
    return nft;
}

struct nft_context *nft_context_new(int netns_fd, struct err *err)
{
    struct nft_context *c = NEW(struct nft_context);
    c->netns_fd = netns_fd < 0 ? -1 : fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
    {
        NETNS_SCOPE(c->netns_fd);
        c->nft = open_nft(err);
    }
    if (c->nft)
        return c;
    nft_context_free(c);
    return NULL;
}

void nft_context_free(struct nft_context *c)
{
    if (!c)
        return;
    if (c->nft)
        nft_ctx_free(c->nft);
    if (c->netns_fd >= 0)
        close(c->netns_fd);
    free(c);
}

/* The first line of what nft says: the others repeat the command with marks under it. */
static int nft_error(struct nft_ctx *nft, struct err *err)
{
    const char *text = nft_ctx_get_error_buffer(nft);
    return err_set(err, 0, "nftables: %.*s", (int)strcspn(text, "\n"), *text ? text : "refused without a reason");
}

int nft_context_run(struct nft_context *c, const char *commands, struct err *err)
{
    NETNS_SCOPE(c->netns_fd);
    pthread_mutex_lock(&nft_lock);
    int r = nft_run_cmd_from_buffer(c->nft, commands);
    int result = r ? nft_error(c->nft, err) : 0;
    c->transactions += !r;
    pthread_mutex_unlock(&nft_lock);
    if (strlen(commands) > TRIM_ABOVE)
        malloc_trim(0);
    return result;
}

unsigned nft_context_transactions(const struct nft_context *c)
{
    return c->transactions;
}

/* Another nft_ctx: what it has read of the kernel would only be in the writer's way. */
static char *list_once(const char *command, struct err *err)
{
    struct nft_ctx *nft = open_nft(err);
    char *text = NULL;
    if (!nft)
        return NULL;
    nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
    if (nft_run_cmd_from_buffer(nft, command))
        nft_error(nft, err);
    else
        text = xstrdup(nft_ctx_get_output_buffer(nft));
    nft_ctx_free(nft);
    return text;
}

char *nft_context_list(struct nft_context *c, const char *command, struct err *err)
{
    NETNS_SCOPE(c->netns_fd);
    pthread_mutex_lock(&nft_lock);
    char *text = list_once(command, err);
    pthread_mutex_unlock(&nft_lock);
    return text;
}

/* One question to the kernel, where a context would read all that there is. */
bool nft_has_table(int netns_fd, int family, const char *name)
{
    char buf[4096] __attribute__((aligned(8)));
    NETNS_SCOPE(netns_fd);
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
    nfg->nfgen_family = (uint8_t)family;
    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
    bool found = nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
                 mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0 && mnl_socket_recvfrom(nl, buf, sizeof(buf)) > 0 &&
                 nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
    if (nl)
        mnl_socket_close(nl);
    return found;
}
