/* See nft.h. */
#include "base/nft.h"

#include <nftables/libnftables.h>

#include "base/netns.h"

int nft_run(int netns_fd, const char *commands, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!ctx)
        return err_set(err, 0, "no nftables in this kernel");
    nft_ctx_buffer_output(ctx);
    nft_ctx_buffer_error(ctx);
    int result =
        nft_run_cmd_from_buffer(ctx, commands) ? err_set(err, 0, "nftables: %s", nft_ctx_get_error_buffer(ctx)) : 0;
    nft_ctx_free(ctx);
    return result;
}
