/* See upgrade.h. Source of the rules: k8s.io/apimachinery/pkg/util/httpstream, RFC 6455 4.2. */
#include "http/upgrade.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/h1.h"
#include "http/ws.h"

/* The client's order counts. Its offers may come in several headers, in one, or both. */
static const struct stream_protocol *choose(const struct http_exchange *x, const char *header,
                                            const struct stream_protocol *ours, bool *ret_offered)
{
    const char *value;
    *ret_offered = false;
    for (size_t nth = 0; (value = http_get_header_nth(x, header, nth)); nth++) {
        _cleanup_free_ char **offers = str_split(value, ',', NULL);
        *ret_offered = true;
        for (char **offer = offers; *offer; offer++) {
            const char *name = *offer + strspn(*offer, " \t");
            size_t len = strcspn(name, " \t");
            for (const struct stream_protocol *p = ours; p->name; p++)
                if (len && strlen(p->name) == len && strncmp(name, p->name, len) == 0)
                    return p;
        }
    }
    return NULL;
}

static const struct stream_protocol *nameless(const struct stream_protocol *ours)
{
    for (; ours->name; ours++)
        if (!*ours->name)
            return ours;
    return NULL;
}

static bool refuse(struct http_exchange *x, int code, const char *why)
{
    _cleanup_free_ char *text = xasprintf("unable to upgrade: %s\n", why);
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
    return false;
}

static bool accept_spdy(struct http_exchange *x, const struct stream_protocol *ours, struct upgrade *ret)
{
    static const char header[] = "X-Stream-Protocol-Version";
    bool offered;
    const struct stream_protocol *p = choose(x, header, ours, &offered);
    if (!p) {
        for (; offered && ours->name; ours++)
            http_add_header(x, "X-Accepted-Stream-Protocol-Versions", ours->name);
        return offered ? refuse(x, 403, "no known subprotocol was offered")
                       : refuse(x, 400, "X-Stream-Protocol-Version is required");
    }
    const struct http_header headers[] = {
        {"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {header, p->name}, {NULL, NULL}};
    *ret = (struct upgrade){http_upgrade(x, headers), p, false};
    return true;
}

static bool accept_ws(struct http_exchange *x, const struct stream_protocol *ours, struct upgrade *ret)
{
    char accept[WS_ACCEPT_SIZE];
    bool offered;
    const struct stream_protocol *p = choose(x, "Sec-WebSocket-Protocol", ours, &offered);
    if (!p && !offered)
        p = nameless(ours);
    if (!p)
        return refuse(x, 403, "no known subprotocol was offered");
    if (!streq(str_or(http_get_header(x, "Sec-WebSocket-Version"), ""), "13") || !streq(http_method(x), "GET") ||
        !ws_accept_key(str_or(http_get_header(x, "Sec-WebSocket-Key"), ""), accept))
        return refuse(x, 400, "not a WebSocket handshake");
    const struct http_header headers[] = {{"Connection", "Upgrade"},
                                          {"Upgrade", "websocket"},
                                          {"Sec-WebSocket-Accept", accept},
                                          {*p->name ? "Sec-WebSocket-Protocol" : NULL, p->name},
                                          {NULL, NULL}};
    *ret = (struct upgrade){http_upgrade(x, headers), p, true};
    return true;
}

bool upgrade_accept(struct http_exchange *x, const struct stream_protocol *over_spdy,
                    const struct stream_protocol *over_ws, struct upgrade *ret)
{
    const char *wanted = str_or(http_get_header(x, "Upgrade"), "");
    if (!h1_has_token(str_or(http_get_header(x, "Connection"), ""), "Upgrade"))
        return refuse(x, 400, "missing upgrade headers in request");
    if (strcasecmp(wanted, "SPDY/3.1") == 0)
        return accept_spdy(x, over_spdy, ret);
    if (strcasecmp(wanted, "websocket") == 0)
        return accept_ws(x, over_ws, ret);
    return refuse(x, 400, "unknown protocol in Upgrade");
}
