/* See subject.h. Upstream: apiserver pkg/endpoints/handlers (create.go of named creaters, rest.go ConnectResource), the
 * options' types: k8s.io/api/core/v1. */
#include "server/subject.h"

#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "server/admission_policies.h"
#include "server/relay.h"
#include "server/webhooks.h"

const struct webhook_type subject_binding = {"", "v1", "Binding"};
const struct webhook_type subject_eviction = {"policy", "v1", "Eviction"};
const struct webhook_type subject_token = {"authentication.k8s.io", "v1", "TokenRequest"};
const struct webhook_type subject_exec = {"", "v1", "PodExecOptions"};
const struct webhook_type subject_attach = {"", "v1", "PodAttachOptions"};
const struct webhook_type subject_portforward = {"", "v1", "PodPortForwardOptions"};
const struct webhook_type subject_pod_proxy = {"", "v1", "PodProxyOptions"};
const struct webhook_type subject_service_proxy = {"", "v1", "ServiceProxyOptions"};
const struct webhook_type subject_node_proxy = {"", "v1", "NodeProxyOptions"};

/* --- the options of a connection --- */

enum option_type { OPTION_END, OPTION_BOOL, OPTION_TEXT, OPTION_TEXTS, OPTION_NUMBERS };

struct option {
    const char *name;
    enum option_type type;
};

#define STREAM_OPTIONS                                                                                                 \
    {"stdin", OPTION_BOOL}, {"stdout", OPTION_BOOL}, {"stderr", OPTION_BOOL}, {"tty", OPTION_BOOL},                    \
    {                                                                                                                  \
        "container", OPTION_TEXT                                                                                       \
    }
static const struct option exec_options[] = {STREAM_OPTIONS, {"command", OPTION_TEXTS}, {0}};
static const struct option attach_options[] = {STREAM_OPTIONS, {0}};
static const struct option portforward_options[] = {{"ports", OPTION_NUMBERS}, {0}};
static const struct option proxy_options[] = {{0}}; /* the path is all they have */

static const struct option *options_of(const struct webhook_type *type)
{
    return type == &subject_exec          ? exec_options
           : type == &subject_attach      ? attach_options
           : type == &subject_portforward ? portforward_options
                                          : proxy_options;
}

static json_t *read_texts(const struct option *o, const char *query)
{
    json_t *list = json_array();
    for (size_t i = 0;; i++) {
        int64_t number;
        _cleanup_free_ char *text = query_get(query, o->name, i);
        if (!text)
            break;
        if (o->type == OPTION_TEXTS)
            json_array_append_new(list, json_string(text));
        else if (str_to_i64(text, INT32_MIN, INT32_MAX, &number))
            json_array_append_new(list, json_integer(number));
    }
    if (json_array_size(list))
        return list;
    json_decref(list);
    return NULL;
}

/* NULL: not said, or said to be what it is anyway. */
static json_t *read_option(const struct option *o, const char *query)
{
    if (o->type == OPTION_BOOL)
        return query_bool(query, o->name) ? json_true() : NULL;
    if (o->type != OPTION_TEXT)
        return read_texts(o, query);
    _cleanup_free_ char *text = query_get(query, o->name, 0);
    return text && *text ? json_string(text) : NULL;
}

json_t *connect_options(const struct webhook_type *type, const char *query, const char *path)
{
    json_t *doc = json_pack("{s:s, s:s}", "kind", type->kind, "apiVersion", type->version);
    for (const struct option *o = options_of(type); o->name; o++)
        jset(doc, o->name, read_option(o, query));
    if (options_of(type) == proxy_options && *path)
        jset_str(doc, "path", path);
    return doc;
}

static void write_option(struct buf *out, const char *name, const json_t *value)
{
    char number[24];
    const char *text = json_is_true(value) ? "true" : json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text = number;
    }
    _cleanup_free_ char *encoded = text ? url_encode(text) : NULL;
    if (encoded)
        buf_addf(out, "%s%s=%s", out->len ? "&" : "", name, encoded);
}

char *connect_query(const struct webhook_type *type, const char *query, const json_t *options)
{
    const char *names[8] = {0};
    struct buf out = BUF_INIT(0);
    const struct option *known = options_of(type);
    for (size_t i = 0; known[i].name; i++)
        names[i] = known[i].name;
    _cleanup_free_ char *rest = query_without(query, names);
    buf_adds(&out, rest);
    for (const struct option *o = known; o->name; o++) {
        const json_t *value = jget(options, o->name);
        size_t i;
        json_t *item;
        json_array_foreach((json_t *)value, i, item)
            write_option(&out, o->name, item);
        write_option(&out, o->name, value);
    }
    char *text = buf_take(&out);
    return text ? text : xstrdup("");
}

/* --- asking --- */

/* What webhooks have made of it is what the handler sees. A proxied path stays: it was what the rights were asked for.
 */
static void resume(struct request *r, json_t *doc, uint64_t seen_rv, enum update_part part)
{
    (void)seen_rv, (void)part;
    if (r->handler->connects) {
        char *query = connect_query(r->handler->subject, r->query, doc);
        free(r->query);
        r->query = query;
        json_decref(doc);
    } else {
        json_decref(r->body);
        r->body = doc;
    }
    r->handler->run(r);
}

/* What a body may leave out because the path says it. */
static json_t *complete(const struct request *r, const struct webhook_type *type)
{
    json_t *doc = json_deep_copy(r->body);
    _cleanup_free_ char *version = xasprintf("%s%s%s", type->group, *type->group ? "/" : "", type->version);
    if (!*jstr_or(doc, "kind", ""))
        jset_str(doc, "kind", type->kind);
    if (!*jstr_or(doc, "apiVersion", ""))
        jset_str(doc, "apiVersion", version);
    if (!json_is_object(jget(doc, "metadata")))
        jset(doc, "metadata", json_object());
    if (!*jstr_or(doc, "metadata.namespace", ""))
        jset_str(doc, "metadata.namespace", r->what.ns);
    return doc;
}

bool subject_review(struct request *r)
{
    const struct webhook_type *type = r->handler->subject;
    bool connects = r->handler->connects;
    if (!type || !(webhooks_any(r->server) || policies_any(r->server)) || (!connects && !json_is_object(r->body)))
        return false;
    _cleanup_free_ char *path = connects ? url_decode(proxy_path(r), strlen(proxy_path(r)), false) : NULL;
    _cleanup_json_ json_t *doc = connects ? connect_options(type, r->query, str_or(path, "")) : complete(r, type);
    const char *operation = connects ? "CONNECT" : "CREATE";
    json_t *refusal = policies_decide_about(r, operation, type, doc);
    if (refusal) {
        request_reply_status(r, refusal);
        return true;
    }
    if (!webhooks_ask_about(r, operation, type, doc, resume))
        return false;
    if (r->exchange)
        http_body_hold(r->exchange);
    return true;
}
