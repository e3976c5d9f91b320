/* See list_options.h. */
#include "server/list_options.h"

#include <string.h>

#include "base/str.h"
#include "http/http.h"
#include "server/jwt.h"

#define RETRY_SECONDS 1 /* for a client that has seen a revision which this server has not */

/* --- continue tokens: base64url of {"v":"meta.k8s.io/v1","rv":N,"start":"ns/name"}, as upstream's --- */

#define TOKEN_VERSION "meta.k8s.io/v1"
#define RV_LATEST (-1) /* in a token: go on with the list as it is by then */

static char *make_token(int64_t rv, const char *ns, const char *name)
{
    _cleanup_free_ char *start = xasprintf("%s/%s", ns, name);
    _cleanup_json_ json_t *token =
        json_pack("{s:s, s:I, s:s}", "v", TOKEN_VERSION, "rv", (json_int_t)rv, "start", start);
    _cleanup_free_ char *text = jprint(token);
    return base64url_encode(text, strlen(text));
}

char *continue_token(uint64_t rv, const struct object *last)
{
    return make_token((int64_t)rv, last->ns, last->name);
}

/* NULL, or what is wrong with it. */
static const char *parse_token(const char *text, int64_t *ret_rv, struct list_options *ret)
{
    size_t len;
    struct err err;
    _cleanup_free_ char *bytes = base64url_decode(text, strlen(text), &len);
    _cleanup_json_ json_t *token = bytes ? jparse(bytes, len, &err) : NULL;
    const char *start = jstr_or(token, "start", ""), *slash = strchr(start, '/');
    if (!json_is_object(token))
        return "continue key is not valid: unable to read the token";
    if (!streq(jstr_or(token, "v", ""), TOKEN_VERSION))
        return "continue key is not valid: server does not recognize this encoded version";
    *ret_rv = jint(token, "rv", 0);
    if (*ret_rv < RV_LATEST || *ret_rv == 0)
        return "continue key is not valid: incorrect encoded start resourceVersion (version " TOKEN_VERSION ")";
    if (!slash)
        return "continue key is not valid: encoded start key empty (version " TOKEN_VERSION ")";
    ret->after_ns = xstrndup(start, (size_t)(slash - start));
    ret->after = xstrdup(slash + 1);
    return NULL;
}

/* --- revisions --- */

static json_t *too_large(uint64_t rv, uint64_t current)
{
    json_t *s = status_new(STATUS_TIMEOUT, "Timeout: Too large resource version: %llu, current: %llu",
                           (unsigned long long)rv, (unsigned long long)current);
    json_object_set_new(s, "details",
                        json_pack("{s:[{s:s,s:s}],s:i}", "causes", "reason", "ResourceVersionTooLarge", "message",
                                  "Too large resource version", "retryAfterSeconds", RETRY_SECONDS));
    return s;
}

json_t *check_revision(const struct request *r, uint64_t *ret_rv)
{
    int64_t rv;
    uint64_t current = store_rv(r->server->store);
    if (!query_int(r->query, "resourceVersion", 0, INT64_MAX, 0, &rv)) {
        _cleanup_free_ char *text = query_get(r->query, "resourceVersion", 0);
        return status_new(STATUS_BAD_REQUEST,
                          "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax",
                          text, text);
    }
    *ret_rv = (uint64_t)rv;
    return *ret_rv > current ? too_large(*ret_rv, current) : NULL;
}

static json_t *expired_list(void)
{
    return status_new(STATUS_EXPIRED, "The resourceVersion for the provided list is too old.");
}

static json_t *expired_token(const struct list_options *o)
{
    _cleanup_free_ char *token = make_token(RV_LATEST, o->after_ns, o->after);
    json_t *s = status_new(STATUS_EXPIRED,
                           "The provided continue parameter is too old to display a consistent list result. You can "
                           "start a new list without the continue parameter, or use the continue token in this "
                           "response to retrieve the remainder of the results. Continuing with the provided token "
                           "results in an inconsistent list - objects that were created, modified, or deleted between "
                           "the time the first chunk was returned and now may show up in the list.");
    jset_str(s, "metadata.continue", token);
    return s;
}

/* --- together --- */

static json_t *check_match(const char *rv, const char *match, bool continues, bool initial_events)
{
    static const char path[] = "resourceVersionMatch";
    struct status_causes c = {0};
    _cleanup_json_ json_t *value = json_string(match);
    bool exact = streq(match, "Exact");
    if (*match && !*rv)
        causes_add(&c, CAUSE_FORBIDDEN, path, NULL,
                   "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (*match && continues)
        causes_add(&c, CAUSE_FORBIDDEN, path, NULL, "resourceVersionMatch is forbidden when continue is provided");
    if (*match && !exact && !streq(match, "NotOlderThan"))
        causes_add(&c, CAUSE_NOT_SUPPORTED, path, value, "supported values: \"Exact\", \"NotOlderThan\", \"\"");
    if (exact && streq(rv, "0"))
        causes_add(&c, CAUSE_FORBIDDEN, path, NULL,
                   "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (initial_events)
        causes_add(&c, CAUSE_FORBIDDEN, "sendInitialEvents", NULL, "sendInitialEvents is forbidden for list");
    json_t *status = causes_any(&c) ? status_invalid("meta.k8s.io", "ListOptions", "", &c) : NULL;
    causes_done(&c);
    return status;
}

static json_t *go_on(const struct request *r, const char *token, const char *rv_text, struct list_options *ret)
{
    int64_t rv;
    uint64_t current = store_rv(r->server->store);
    const char *wrong = parse_token(token, &rv, ret);
    if (wrong)
        return status_new(STATUS_BAD_REQUEST, "invalid continue token: %s", wrong);
    if (*rv_text && !streq(rv_text, "0"))
        return status_new(STATUS_BAD_REQUEST, "specifying resource version is not allowed when using continue");
    ret->rv = rv == RV_LATEST ? current : (uint64_t)rv;
    if (ret->rv > current)
        return too_large(ret->rv, current);
    return store_remembers(r->server->store, r->kind, ret->rv) ? NULL : expired_token(ret);
}

json_t *list_options_parse(const struct request *r, struct list_options *ret)
{
    _cleanup_free_ char *token = query_get(r->query, "continue", 0);
    _cleanup_free_ char *rv_text = query_get(r->query, "resourceVersion", 0);
    _cleanup_free_ char *match = query_get(r->query, "resourceVersionMatch", 0);
    _cleanup_free_ char *initial = query_get(r->query, "sendInitialEvents", 0);
    uint64_t rv;
    int64_t limit;
    *ret = (struct list_options){0};
    if (!query_int(r->query, "limit", 0, INT32_MAX, 0, &limit))
        return status_new(STATUS_BAD_REQUEST, "limit: Invalid value: must be a number that is not negative");
    ret->limit = (size_t)limit;
    json_t *status = check_match(str_or(rv_text, ""), str_or(match, ""), token && *token, initial && *initial);
    if (status)
        return status;
    if (token && *token)
        return go_on(r, token, str_or(rv_text, ""), ret);
    status = check_revision(r, &rv);
    if (status)
        return status;
    /* A revision with a limit means that one exactly, as it did before resourceVersionMatch was there to say so. */
    bool exact = rv && (match && *match ? streq(match, "Exact") : limit != 0);
    ret->rv = exact ? rv : store_rv(r->server->store);
    return store_remembers(r->server->store, r->kind, ret->rv) ? NULL : expired_list();
}

void list_options_done(struct list_options *o)
{
    free(o->after_ns);
    free(o->after);
}
