/* See impersonate.h. Rules: apiserver pkg/endpoints/filters/impersonation. */
#include "server/impersonate.h"

#include <string.h>
#include <strings.h>

#include "api/status.h"
#include "base/alloc.h"
#include "base/str.h"
#include "http/http.h"
#include "server/account_token.h"
#include "server/authz.h"

#define GROUPS_MAX 256 /* more than anybody is in; each is a question to the authorizer */
#define EXTRA_PREFIX "Impersonate-Extra-"
#define AUTHN_GROUP "authentication.k8s.io"

/* The headers of one request. */
struct wish {
    const char *user, *uid; /* NULL where absent */
    const char *groups[GROUPS_MAX + 3];
    size_t n_groups;
    json_t *extra; /* key -> array of texts */
};

/* --- reading --- */

static void read_extra(struct wish *w, const struct http_header *h)
{
    size_t len = strlen(h->name + strlen(EXTRA_PREFIX));
    _cleanup_free_ char *key = url_decode(h->name + strlen(EXTRA_PREFIX), len, false);
    for (char *c = key; c && *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    if (!key)
        return;
    if (!json_object_get(w->extra, key))
        json_object_set_new(w->extra, key, json_array());
    json_array_append_new(json_object_get(w->extra, key), json_string(h->value));
}

/* False: too much of it. */
static bool read_wish(struct wish *w, const struct http_exchange *x)
{
    w->user = http_get_header(x, "Impersonate-User");
    w->uid = http_get_header(x, "Impersonate-Uid");
    for (const char *g; (g = http_get_header_nth(x, "Impersonate-Group", w->n_groups));) {
        if (w->n_groups == GROUPS_MAX)
            return false;
        w->groups[w->n_groups++] = g;
    }
    for (const struct http_header *h = http_headers(x); h->name; h++)
        if (strncasecmp(h->name, EXTRA_PREFIX, strlen(EXTRA_PREFIX)) == 0)
            read_extra(w, h);
    return true;
}

/* --- asking whether it is allowed --- */

/* "system:serviceaccount:NS:NAME" in two; the caller frees *ret_ns. NULL: it is none. */
static const char *account_of(const char *user, char **ret_ns)
{
    const char *rest = str_after(user, ACCOUNT_USER_PREFIX), *colon = rest ? strchr(rest, ':') : NULL;
    *ret_ns = colon ? xstrndup(rest, (size_t)(colon - rest)) : NULL;
    return colon ? colon + 1 : NULL;
}

static json_t *check(struct server *s, const struct user *u, const char *group, const char *resource,
                     const char *subresource, const char *ns, const char *name)
{
    const struct action a = {.verb = "impersonate",
                             .is_resource = true,
                             .group = group,
                             .resource = resource,
                             .subresource = subresource,
                             .ns = ns,
                             .name = name,
                             .fields = "",
                             .path = ""};
    _cleanup_free_ char *reason = NULL;
    return authorized(s, u, &a, &reason) ? NULL : forbidden_status(u, &a, reason);
}

static json_t *check_extra(struct server *s, const struct user *u, const struct wish *w)
{
    const char *key;
    json_t *values, *value, *status = NULL;
    size_t i;
    json_object_foreach(w->extra, key, values)
        json_array_foreach(values, i, value)
            if (!status)
                status = check(s, u, AUTHN_GROUP, "userextras", key, "", json_string_value(value));
    return status;
}

static json_t *check_wish(struct server *s, const struct user *u, const struct wish *w)
{
    _cleanup_free_ char *ns = NULL;
    const char *account = account_of(w->user, &ns);
    json_t *status =
        account ? check(s, u, "", "serviceaccounts", "", ns, account) : check(s, u, "", "users", "", "", w->user);
    for (size_t i = 0; i < w->n_groups && !status; i++)
        status = check(s, u, "", "groups", "", "", w->groups[i]);
    if (!status && w->uid)
        status = check(s, u, AUTHN_GROUP, "uids", "", "", w->uid);
    return status ? status : check_extra(s, u, w);
}

/* --- becoming --- */

static bool has_group(const struct wish *w, const char *group)
{
    for (size_t i = 0; i < w->n_groups; i++)
        if (streq(w->groups[i], group))
            return true;
    return false;
}

static struct user *become(struct wish *w)
{
    _cleanup_free_ char *ns = NULL, *of_ns = NULL;
    bool anonymous = streq(w->user, "system:anonymous") || has_group(w, "system:unauthenticated");
    if (account_of(w->user, &ns) && !w->n_groups) {
        of_ns = xasprintf("system:serviceaccounts:%s", ns);
        w->groups[w->n_groups++] = "system:serviceaccounts";
        w->groups[w->n_groups++] = of_ns;
    }
    const char *everybody = anonymous ? "system:unauthenticated" : "system:authenticated";
    if (!has_group(w, everybody))
        w->groups[w->n_groups++] = everybody;
    struct user *u = user_exactly(w->user, w->groups);
    u->uid = xstrdup_or_null(w->uid);
    u->extra = json_object_size(w->extra) ? json_incref(w->extra) : NULL;
    return u;
}

json_t *impersonate(struct server *s, const struct http_exchange *x, struct user **who)
{
    struct wish w = {.extra = json_object()};
    json_t *status = NULL;
    if (!read_wish(&w, x))
        status = status_new(STATUS_BAD_REQUEST, "more than %d groups to impersonate", GROUPS_MAX);
    else if (w.user)
        status = check_wish(s, *who, &w);
    else if (w.n_groups || w.uid || json_object_size(w.extra))
        status = status_new(STATUS_INTERNAL, "Internal error occurred: requested groups, uid or extra without "
                                             "impersonating a user");
    if (!status && w.user) {
        struct user *other = become(&w);
        user_free(*who);
        *who = other;
    }
    json_decref(w.extra);
    return status;
}
