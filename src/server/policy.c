/* See policy.h. */
#include "server/policy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

static const char *const members[] = {"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"};

/* --- making --- */

/* The lists of a rule, in the order of members. */
static const char ***list_of(struct policy_rule *r, size_t member)
{
    const char ***const lists[] = {&r->verbs, &r->groups, &r->resources, &r->names, &r->urls};
    return lists[member];
}

/* Where the lists and texts of the next rule go. */
struct room {
    const char **pointer;
    char *text;
};

static void measure(const json_t *rule, size_t *n_pointers, size_t *n_bytes)
{
    for (size_t m = 0; m < ARRAY_LEN(members); m++) {
        size_t i;
        const json_t *item;
        json_array_foreach(json_object_get(rule, members[m]), i, item) {
            *n_pointers += 1;
            *n_bytes += json_string_length(item) + 1;
        }
        *n_pointers += 1;
    }
}

static void fill(struct policy_rule *r, const json_t *rule, struct room *room)
{
    for (size_t m = 0; m < ARRAY_LEN(members); m++) {
        size_t i;
        const json_t *item;
        *list_of(r, m) = room->pointer;
        json_array_foreach(json_object_get(rule, members[m]), i, item) {
            *room->pointer++ = room->text;
            room->text = stpcpy(room->text, str_or(json_string_value(item), "")) + 1;
        }
        *room->pointer++ = NULL;
    }
}

struct policy *policy_new(const json_t *rules)
{
    size_t n = json_array_size(rules), n_pointers = 0, n_bytes = 0, i;
    const json_t *rule;
    json_array_foreach(rules, i, rule)
        measure(rule, &n_pointers, &n_bytes);
    struct policy *p = xmalloc(sizeof(*p) + n * sizeof(p->rules[0]) + n_pointers * sizeof(char *) + n_bytes);
    struct room room = {.pointer = (const char **)(p->rules + n)};
    room.text = (char *)(room.pointer + n_pointers);
    p->n = n;
    json_array_foreach(rules, i, rule)
        fill(&p->rules[i], rule, &room);
    return p;
}

/* --- asking --- */

static bool has(const char *const *list, const char *item)
{
    for (; *list; list++)
        if (streq(*list, "*") || streq(*list, item))
            return true;
    return false;
}

/* "pods/log" is log of pods, or "*" + "/log". */
static bool is_subresource(const char *listed, const char *resource, const char *subresource)
{
    const char *rest = str_after(listed, resource);
    if (!rest || *rest != '/')
        rest = str_after(listed, "*");
    return rest && *rest == '/' && streq(rest + 1, subresource);
}

static bool has_resource(const char *const *list, const struct action *a)
{
    for (; *list; list++)
        if (streq(*list, "*") ||
            (*a->subresource ? is_subresource(*list, a->resource, a->subresource) : streq(*list, a->resource)))
            return true;
    return false;
}

static bool has_name(const char *const *list, const char *name)
{
    if (!*list)
        return true;
    for (; *list; list++)
        if (streq(*list, name))
            return true;
    return false;
}

static bool has_path(const char *const *list, const char *path)
{
    for (; *list; list++) {
        size_t len = strlen(*list);
        bool prefix = len && (*list)[len - 1] == '*';
        if (prefix ? strncmp(*list, path, len - 1) == 0 : streq(*list, path))
            return true;
    }
    return false;
}

bool rule_allows(const struct policy_rule *r, const struct action *a)
{
    if (!has(r->verbs, a->verb))
        return false;
    if (!a->is_resource)
        return has_path(r->urls, a->path);
    return has(r->groups, a->group) && has_resource(r->resources, a) && has_name(r->names, a->name);
}

/* --- taking apart --- */

static bool each_name(const struct policy_rule *r, struct action *a, policy_visit_fn *visit, void *arg)
{
    a->name = "";
    if (!*r->names)
        return visit(arg, a);
    for (const char **name = r->names; *name; name++) {
        a->name = *name;
        if (!visit(arg, a))
            return false;
    }
    return true;
}

/* Splits "pods/log" for the visit. */
static bool each_resource(const struct policy_rule *r, struct action *a, policy_visit_fn *visit, void *arg)
{
    for (const char **resource = r->resources; *resource; resource++) {
        _cleanup_free_ char *text = xstrdup(*resource);
        char *slash = strchr(text, '/');
        if (slash)
            *slash++ = '\0';
        a->resource = text;
        a->subresource = slash ? slash : "";
        if (!each_name(r, a, visit, arg))
            return false;
    }
    return true;
}

void rule_each_right(const struct policy_rule *r, policy_visit_fn *visit, void *arg)
{
    struct action a = {.is_resource = true, .ns = "", .fields = "", .path = ""};
    for (const char **group = r->groups; *group; group++)
        for (const char **verb = r->verbs; *verb; verb++) {
            a.group = *group;
            a.verb = *verb;
            if (!each_resource(r, &a, visit, arg))
                return;
        }
    struct action p = {.group = "", .resource = "", .subresource = "", .ns = "", .name = "", .fields = ""};
    for (const char **url = r->urls; *url; url++)
        for (const char **verb = r->verbs; *verb; verb++) {
            p.path = *url;
            p.verb = *verb;
            if (!visit(arg, &p))
                return;
        }
}

void right_print(struct buf *out, const struct action *a, const char *verbs)
{
    if (!a->is_resource) {
        buf_addf(out, "{NonResourceURLs:[\"%s\"], Verbs:[%s]}", a->path, verbs);
        return;
    }
    buf_addf(out, "{APIGroups:[\"%s\"], Resources:[\"%s%s%s\"], ", a->group, a->resource, *a->subresource ? "/" : "",
             a->subresource);
    if (*a->name)
        buf_addf(out, "ResourceNames:[\"%s\"], ", a->name);
    buf_addf(out, "Verbs:[%s]}", verbs);
}
