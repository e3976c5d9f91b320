/* Questions about rights: may I, may they, what may I. Rules: pkg/apis/authorization/validation. */
#include <string.h>

#include "base/str.h"
#include "server/authz.h"
#include "server/rbac.h"
#include "server/reviews.h"

/* --- what is asked --- */

/* Borrows from the document. */
static struct action action_asked(const json_t *spec)
{
    const json_t *r = jget(spec, "resourceAttributes"), *p = jget(spec, "nonResourceAttributes");
    return (struct action){.verb = jstr_or(r ? r : p, "verb", ""),
                           .is_resource = r != NULL,
                           .group = jstr_or(r, "group", ""),
                           .resource = jstr_or(r, "resource", ""),
                           .subresource = jstr_or(r, "subresource", ""),
                           .ns = jstr_or(r, "namespace", ""),
                           .name = jstr_or(r, "name", ""),
                           .fields = jstr_or(r, "fieldSelector.rawSelector", ""),
                           .path = jstr_or(p, "path", "")};
}

static struct user *user_asked(const json_t *spec)
{
    const json_t *groups = jget(spec, "groups"), *group;
    const char **names = xcalloc(json_array_size(groups) + 1, sizeof(*names));
    size_t i;
    json_array_foreach(groups, i, group)
        names[i] = str_or(json_string_value(group), "");
    struct user *u = user_exactly(jstr_or(spec, "user", ""), names);
    free(names);
    return u;
}

/* --- whether it can be asked --- */

static void check_attributes(const json_t *spec, struct status_causes *c)
{
    const json_t *r = jget(spec, "resourceAttributes"), *p = jget(spec, "nonResourceAttributes");
    if (r && p)
        causes_add(c, CAUSE_INVALID, "spec.nonResourceAttributes", p,
                   "cannot be specified in combination with resourceAttributes");
    if (!r && !p)
        causes_add(c, CAUSE_INVALID, "spec.resourceAttributes", NULL,
                   "exactly one of nonResourceAttributes or resourceAttributes must be specified");
}

static void check_subject(const json_t *spec, struct status_causes *c)
{
    _cleanup_json_ json_t *nobody = json_string("");
    if (!*jstr_or(spec, "user", "") && !json_array_size(jget(spec, "groups")))
        causes_add(c, CAUSE_INVALID, "spec.user", nobody, "at least one of user or group must be specified");
}

/* A local question is about its own namespace. */
static void check_place(const struct request *r, const json_t *spec, struct status_causes *c)
{
    _cleanup_json_ json_t *ns = json_string(jstr_or(spec, "resourceAttributes.namespace", ""));
    if (!streq(json_string_value(ns), r->what.ns))
        causes_add(c, CAUSE_INVALID, "spec.resourceAttributes.namespace", ns, "must match metadata.namespace");
    if (jget(spec, "nonResourceAttributes"))
        causes_add(c, CAUSE_INVALID, "spec.nonResourceAttributes", jget(spec, "nonResourceAttributes"),
                   "disallowed on this kind of request");
}

static json_t *check_access_review(const struct request *r)
{
    struct status_causes c = {0};
    const json_t *spec = jget(r->body, "spec");
    check_attributes(spec, &c);
    if (r->kind != &kind_selfsubjectaccessreview)
        check_subject(spec, &c);
    if (r->kind == &kind_localsubjectaccessreview)
        check_place(r, spec, &c);
    json_t *status = causes_any(&c) ? status_invalid(r->kind->group, r->kind->kind, "", &c) : NULL;
    causes_done(&c);
    return status;
}

/* --- may I, may they --- */

static json_t *judge(struct server *s, const struct user *u, const struct action *a)
{
    _cleanup_free_ char *reason = NULL;
    bool allowed = authorized(s, u, a, &reason);
    json_t *answer = json_pack("{s:b}", "allowed", allowed);
    if (reason)
        jset_str(answer, "reason", reason);
    return answer;
}

void handle_access_review(struct request *r)
{
    json_t *status = review_decode(r);
    if (!status)
        status = check_access_review(r);
    if (status) {
        request_reply_status(r, status);
        return;
    }
    const json_t *spec = jget(r->body, "spec");
    const struct action a = action_asked(spec);
    struct user *other = r->kind == &kind_selfsubjectaccessreview ? NULL : user_asked(spec);
    json_t *answer = judge(r->server, other ? other : r->user, &a);
    user_free(other);
    review_reply(r, answer);
}

/* --- what may I --- */

struct listing {
    json_t *resource_rules, *path_rules;
};

static json_t *texts(const char *const *list)
{
    json_t *array = json_array();
    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

static bool list_rule(void *arg, const struct rbac_grant *g)
{
    struct listing *l = arg;
    const struct policy_rule *r = g->rule;
    if (*r->urls && !*g->binding_ns)
        json_array_append_new(l->path_rules,
                              json_pack("{s:o, s:o}", "verbs", texts(r->verbs), "nonResourceURLs", texts(r->urls)));
    if (!*r->resources)
        return true;
    json_t *rule = json_pack("{s:o, s:o, s:o}", "verbs", texts(r->verbs), "apiGroups", texts(r->groups), "resources",
                             texts(r->resources));
    if (*r->names)
        jset(rule, "resourceNames", texts(r->names));
    json_array_append_new(l->resource_rules, rule);
    return true;
}

static json_t *list_rights(struct server *s, const struct user *u, const char *ns)
{
    struct listing l = {json_array(), json_array()};
    _cleanup_json_ json_t *errors = json_array();
    rbac_each(s->rbac, u, ns, list_rule, &l, errors);
    const char *node = node_of_user(u) ? "node authorizer does not support user rule resolution" : NULL;
    json_t *answer = json_pack("{s:o, s:o, s:b}", "resourceRules", l.resource_rules, "nonResourceRules", l.path_rules,
                               "incomplete", node || json_array_size(errors));
    const char *error = node ? node : json_string_value(json_array_get(errors, 0));
    if (error)
        jset_str(answer, "evaluationError", error);
    return answer;
}

void handle_rules_review(struct request *r)
{
    json_t *status = review_decode(r);
    const char *ns = jstr_or(r->body, "spec.namespace", "");
    if (!status && !*ns)
        status = status_new(STATUS_BAD_REQUEST, "no namespace on request");
    if (status)
        request_reply_status(r, status);
    else
        review_reply(r, list_rights(r->server, r->user, ns));
}
