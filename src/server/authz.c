/* See authz.h. The names and groups are upstream's; what an agent needs is what pods on its node need. */
#include "server/authz.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/status.h"
#include "base/alloc.h"
#include "base/str.h"

#define V_READ (V_GET | V_LIST | V_WATCH)
#define V_WRITE (V_CREATE | V_UPDATE | V_PATCH)

/* Lists are separated by blanks; "*" stands for everything, a path ending in '*' for all that begin so. A rule gives a
 * user or a group the verbs on the resources ("pods", "pods/status") of a group, or on paths. */
struct rule {
    const char *user, *group;
    unsigned verbs;
    const char *api_group, *resources;
    const char *paths;
};

static const struct rule rules[] = {
    {.group = "system:masters", .verbs = V_ALL, .api_group = "*", .resources = "*", .paths = "*"},
    {.user = "system:kube-controller-manager", .verbs = V_ALL, .api_group = "*", .resources = "*", .paths = "*"},
    {.user = "system:kube-scheduler", .verbs = V_ALL, .api_group = "*", .resources = "*", .paths = "*"},

    {.group = "system:nodes",
     .verbs = V_READ,
     .api_group = "",
     .resources = "pods services endpoints nodes namespaces configmaps secrets serviceaccounts"},
    {.group = "system:nodes", .verbs = V_READ, .api_group = "discovery.k8s.io", .resources = "endpointslices"},
    {.group = "system:nodes", .verbs = V_WRITE, .api_group = "", .resources = "events nodes nodes/status pods/status"},
    {.group = "system:nodes", .verbs = V_CREATE | V_DELETE, .api_group = "", .resources = "pods"},
    {.group = "system:nodes", .verbs = V_CREATE, .api_group = "", .resources = "serviceaccounts/token"},
    {.group = "system:nodes",
     .verbs = V_READ | V_WRITE | V_DELETE,
     .api_group = "coordination.k8s.io",
     .resources = "leases"},

    {.group = "system:authenticated", .verbs = V_GET, .paths = "/api /api/* /apis /apis/* /openapi/*"},
    {.group = "system:authenticated", .verbs = V_GET, .paths = "/version /healthz /livez /readyz"},
    {.group = "system:authenticated",
     .verbs = V_CREATE,
     .api_group = "authentication.k8s.io",
     .resources = "selfsubjectreviews"},
    {.group = "system:serviceaccounts", .verbs = V_GET, .paths = "/.well-known/openid-configuration /openid/v1/jwks"},
    {.group = "system:unauthenticated", .verbs = V_GET, .paths = "/version /healthz /livez /readyz"},
};

static bool listed(const char *list, const char *item)
{
    size_t len = strlen(item);
    for (const char *s = list; s && *s;) {
        size_t n = strcspn(s, " ");
        bool prefix = s[n - 1] == '*';
        if (prefix ? strncmp(s, item, n - 1) == 0 : n == len && memcmp(s, item, n) == 0)
            return true;
        s += n + (s[n] == ' ');
    }
    return false;
}

static bool is_for(const struct rule *r, const struct user *u)
{
    return r->user ? streq(r->user, u->name) : user_in_group(u, r->group);
}

/* A GET of a path is a list by its shape (no name); both read. */
static bool covers_path(const struct rule *r, unsigned verb, const char *path)
{
    bool reads = verb & V_READ;
    return r->paths && (reads ? (r->verbs & V_READ) != 0 : (r->verbs & verb) != 0) && listed(r->paths, path);
}

static bool covers_resource(const struct rule *r, unsigned verb, const char *api_group, const char *resource)
{
    return r->resources && (r->verbs & verb) && (streq(r->api_group, "*") || streq(r->api_group, api_group)) &&
           listed(r->resources, resource);
}

bool authorized(const struct user *u, unsigned verb, const struct request_path *what, const char *path)
{
    _cleanup_free_ char *resource =
        *what->subresource ? xasprintf("%s/%s", what->plural, what->subresource) : xstrdup(what->plural);
    for (const struct rule *r = rules; r < rules + ARRAY_LEN(rules); r++)
        if (is_for(r, u) &&
            (what->is_resource ? covers_resource(r, verb, what->group, resource) : covers_path(r, verb, path)))
            return true;
    return false;
}

json_t *forbidden_status(const struct user *u, unsigned verb, const char *method, const struct request_path *what,
                         const char *path)
{
    if (!what->is_resource) {
        char lower[16] = "";
        for (size_t i = 0; i < sizeof(lower) - 1 && method[i]; i++)
            lower[i] = (char)tolower((unsigned char)method[i]);
        return status_new(STATUS_FORBIDDEN, "forbidden: User \"%s\" cannot %s path \"%s\"", u->name, lower, path);
    }
    _cleanup_free_ char *subject = *what->group ? xasprintf("%s.%s", what->plural, what->group) : xstrdup(what->plural);
    _cleanup_free_ char *object = *what->name ? xasprintf("%s \"%s\"", subject, what->name) : xstrdup(subject);
    _cleanup_free_ char *scope =
        *what->ns ? xasprintf("in the namespace \"%s\"", what->ns) : xstrdup("at the cluster scope");
    return status_for(STATUS_FORBIDDEN, what->group, what->plural, what->name,
                      "%s is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" %s", object,
                      u->name, verb_name(verb), what->plural, *what->subresource ? "/" : "", what->subresource,
                      what->group, scope);
}
