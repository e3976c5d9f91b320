/* See manager.h. */
#include "server/manager.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/http.h"
#include "server/write.h"

/* Printable text, up to the end or a slash, never too long; "unknown" when nothing is left. */
static void from_user_agent(const char *agent, char out[MANAGER_NAME_MAX + 1])
{
    size_t n = 0;
    for (; *agent && *agent != '/' && n < MANAGER_NAME_MAX; agent++)
        if (*agent >= ' ' && *agent < 0x7f)
            out[n++] = *agent;
    snprintf(out + n, MANAGER_NAME_MAX + 1 - n, "%s", n ? "" : "unknown");
}

static void from_user(const char *user, char out[MANAGER_NAME_MAX + 1])
{
    const char *component = str_after(user, "system:");
    if (str_after(user, "system:node:"))
        component = "kubelet";
    snprintf(out, MANAGER_NAME_MAX + 1, "%s", str_or(component, user));
}

struct writer request_writer(const struct request *r, char manager[MANAGER_NAME_MAX + 1])
{
    _cleanup_free_ char *named = query_get(r->query, "fieldManager", 0);
    if (named && *named)
        snprintf(manager, MANAGER_NAME_MAX + 1, "%s", named);
    else if (r->exchange)
        from_user_agent(str_or(http_get_header(r->exchange, "User-Agent"), ""), manager);
    else
        from_user(r->user->name, manager);
    return (struct writer){manager, r->what.subresource, clock_wall_usec()};
}

/* --- options --- */

static void check_name(const char *name, struct status_causes *causes)
{
    if (strlen(name) > MANAGER_NAME_MAX)
        causes_add(causes, CAUSE_TOO_LONG, "fieldManager", NULL, "may not be more than %d bytes", MANAGER_NAME_MAX);
    for (size_t i = 0; name[i]; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) {
            _cleanup_json_ json_t *value = json_string(name);
            causes_add(causes, CAUSE_INVALID, "fieldManager", value, "invalid character U+%04X (at position %zu)",
                       (unsigned)name[i], i);
            return;
        }
}

json_t *check_manager_options(const struct request *r, bool apply)
{
    _cleanup_free_ char *name = query_get(r->query, "fieldManager", 0), *force = query_get(r->query, "force", 0);
    struct status_causes causes = {0};
    if (!apply && force && r->verb == V_PATCH)
        causes_add(&causes, CAUSE_FORBIDDEN, "force", NULL, "may not be specified for non-apply patch");
    if (apply && (!name || !*name))
        causes_add(&causes, CAUSE_REQUIRED, "fieldManager", NULL, "is required for apply patch");
    check_name(str_or(name, ""), &causes);
    const char *kind = r->verb == V_CREATE ? "CreateOptions" : r->verb == V_UPDATE ? "UpdateOptions" : "PatchOptions";
    json_t *status = causes_any(&causes) ? status_invalid("meta.k8s.io", kind, "", &causes) : NULL;
    causes_done(&causes);
    return status;
}

/* --- tracking --- */

/* The status is tracked where it is written: at its subresource. */
static json_t *without_status(const struct kind *k, const json_t *doc)
{
    json_t *copy = json_copy((json_t *)doc);
    if (k->has_status)
        json_object_del(copy, "status");
    return copy;
}

void track_managers(struct request *r, const json_t *old, json_t *doc)
{
    char manager[MANAGER_NAME_MAX + 1];
    json_t *list = NULL;
    if (r->applied)
        return;
    bool tracked =
        old ? jget(old, "metadata.managedFields") || jget(doc, "metadata.managedFields") : r->exchange != NULL;
    if (!tracked) {
        jset(doc, "metadata.managedFields", NULL);
        return;
    }
    const struct writer w = request_writer(r, manager);
    _cleanup_json_ json_t *created = old ? NULL : without_status(r->kind, doc);
    list = managed_update(r->kind, old, old ? doc : created, &w);
    jset(doc, "metadata.managedFields", list);
}
