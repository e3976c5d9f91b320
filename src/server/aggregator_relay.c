/* Requests for what others serve, passed on with the name of who asks in the headers that all servers built on
 * upstream's apiserver read: X-Remote-User, -Group, -Uid, -Extra-KEY. */
#include "server/aggregator_impl.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "http/http.h"
#include "server/relay.h"
#include "server/service_address.h"

/* --- who asks --- */

struct identity {
    struct http_header *headers;
    size_t n;
    json_t *texts; /* what the headers point to: the user goes with the request */
    bool is_sound;
};

static const char *keep(struct identity *id, const char *text)
{
    json_t *kept = json_string(text);
    id->is_sound &= kept != NULL;
    json_array_append_new(id->texts, kept);
    return str_or(json_string_value(kept), "");
}

static void add(struct identity *id, const char *name, const char *value)
{
    for (const char *c = value; *c; c++)
        id->is_sound &= (unsigned char)*c >= ' ' && *c != 0x7f;
    value = keep(id, value);
    id->headers = xrealloc(id->headers, (id->n + 2) * sizeof(*id->headers));
    id->headers[id->n++] = (struct http_header){name, value};
    id->headers[id->n] = (struct http_header){0};
}

/* "X-Remote-Extra-KEY": what may not stand in the name of a header is percent-encoded. */
static const char *extra_name(struct identity *id, const char *key)
{
    struct buf name = BUF_INIT(4096);
    buf_adds(&name, "X-Remote-Extra-");
    for (const char *c = key; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("!#$&'*+-.^_`|~", *c))
            buf_addc(&name, *c);
        else
            buf_addf(&name, "%%%02X", (unsigned char)*c);
    id->is_sound &= !name.overflowed;
    const char *kept = keep(id, buf_str(&name));
    buf_done(&name);
    return kept;
}

struct http_header *identity_headers(const struct user *u, json_t **ret_texts)
{
    struct identity id = {.texts = json_array(), .is_sound = true};
    const char *key;
    json_t *values, *value;
    size_t i;
    add(&id, "X-Remote-User", u->name);
    for (char **g = u->groups; *g; g++)
        add(&id, "X-Remote-Group", *g);
    if (u->uid)
        add(&id, "X-Remote-Uid", u->uid);
    json_object_foreach(u->extra, key, values) {
        const char *name = extra_name(&id, key);
        json_array_foreach(values, i, value)
            add(&id, name, str_or(json_string_value(value), ""));
    }
    *ret_texts = id.texts;
    if (!id.is_sound)
        free(TAKE(id.headers));
    return id.headers;
}

/* --- passing on --- */

static void reply_unavailable(struct request *r)
{
    request_reply_status(r, status_new(STATUS_UNAVAILABLE, "the server is currently unable to handle the request"));
}

void aggregator_handle(struct request *r)
{
    const char *openapi = str_after(r->path, "/openapi/v3");
    const struct remote *remote = aggregator_find(r->server, openapi ? openapi : r->path);
    struct relay_target to = {.from_node = true};
    struct err err;
    json_t *texts = NULL;
    if (!remote || !remote->is_available || remote_address(remote, to.ip, &err) < 0) {
        reply_unavailable(r);
        return;
    }
    _cleanup_free_ struct http_header *identity = identity_headers(r->user, &texts);
    to.port = remote->port;
    to.tls = remote->tls;
    to.server_name = remote->server_name;
    to.identity = identity;
    _cleanup_free_ char *target = xasprintf("%s%s%s", r->path, *r->query ? "?" : "", r->query);
    if (identity)
        relay(r, &to, target, "");
    else
        request_reply_status(r, status_new(STATUS_BAD_REQUEST, "the user's name cannot be passed on"));
    json_decref(texts);
}
