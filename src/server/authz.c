/* See authz.h. The order is upstream's: system:masters, Node, RBAC. */
#include "server/authz.h"

#include <string.h>

#include "api/status.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "server/pipeline.h"
#include "server/rbac.h"

/* Health is nobody's secret: whoever looks after us asks before there are any roles. */
static bool is_health(const struct action *a)
{
    return !a->is_resource && (streq(a->path, "/healthz") || streq(a->path, "/livez") || streq(a->path, "/readyz"));
}

const char *node_of_user(const struct user *u)
{
    const char *name = str_after(u->name, "system:node:");
    return name && *name && user_in_group(u, "system:nodes") ? name : NULL;
}

/* "RBAC: TEXT" or "RBAC: [TEXT, TEXT]"; NULL when there is nothing to say. */
static char *join_errors(const json_t *errors)
{
    struct buf out = BUF_INIT(0);
    size_t i, n = json_array_size(errors);
    const json_t *text;
    if (!n)
        return NULL;
    json_array_foreach(errors, i, text)
        buf_addf(&out, "%s%s", i ? ", " : n > 1 ? "RBAC: [" : "RBAC: ", json_string_value(text));
    buf_adds(&out, n > 1 ? "]" : "");
    return buf_take(&out);
}

bool authorized(struct server *s, const struct user *u, const struct action *a, char **ret_reason)
{
    _cleanup_free_ char *reason = NULL, *why = NULL;
    const char *node = node_of_user(u);
    bool allowed = (u->in_process && !node) || user_in_group(u, "system:masters") || is_health(a) ||
                   (node && node_allows(s, node, a, &why));
    if (!allowed) {
        json_t *errors = json_array();
        allowed = rbac_allows(s->rbac, u, a, &reason, errors);
        if (!allowed)
            reason = why ? TAKE(why) : join_errors(errors);
        json_decref(errors);
    }
    if (ret_reason)
        *ret_reason = TAKE(reason);
    return allowed;
}

json_t *forbidden_status(const struct user *u, const struct action *a, const char *reason)
{
    const char *colon = reason ? ": " : "";
    reason = str_or(reason, "");
    if (!a->is_resource)
        return status_new(STATUS_FORBIDDEN, "forbidden: User \"%s\" cannot %s path \"%s\"%s%s", u->name, a->verb,
                          a->path, colon, reason);
    _cleanup_free_ char *subject = *a->group ? xasprintf("%s.%s", a->resource, a->group) : xstrdup(a->resource);
    _cleanup_free_ char *object = *a->name ? xasprintf("%s \"%s\"", subject, a->name) : xstrdup(subject);
    _cleanup_free_ char *scope = *a->ns ? xasprintf("in the namespace \"%s\"", a->ns) : xstrdup("at the cluster scope");
    return status_for(STATUS_FORBIDDEN, a->group, a->resource, a->name,
                      "%s is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" %s%s%s", object,
                      u->name, a->verb, a->resource, *a->subresource ? "/" : "", a->subresource, a->group, scope, colon,
                      reason);
}
