/* See webhook_match.h. Upstream: apiserver pkg/admission/plugin/webhook. */
#include "server/webhook_match.h"

#include <string.h>

#include "api/status.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"

#define PATCH_MAX (3 << 20) /* bytes: no object is larger */

/* --- rules --- */

static bool has(const json_t *list, const char *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        const char *text = str_or(json_string_value(item), "");
        if (streq(text, "*") || streq(text, value))
            return true;
    }
    return false;
}

/* "pods", "pods/status", a star for either part or for both. */
static bool resource_fits(const char *pattern, const char *plural, const char *sub)
{
    const char *slash = strchr(pattern, '/');
    size_t len = slash ? (size_t)(slash - pattern) : strlen(pattern);
    bool any = len == 1 && *pattern == '*';
    if (!any && (strlen(plural) != len || strncmp(pattern, plural, len) != 0))
        return false;
    return slash ? streq(slash + 1, "*") || streq(slash + 1, sub) : !*sub;
}

/* Rules of policies may be about some objects only. */
static bool name_fits(const json_t *rule, const struct webhook_question *q)
{
    size_t i;
    json_t *name, *names = jget(rule, "resourceNames");
    json_array_foreach(names, i, name)
        if (streq(str_or(json_string_value(name), ""), q->name))
            return true;
    return !json_array_size(names);
}

static bool rule_fits(const json_t *rule, const struct kind *k, const struct webhook_question *q)
{
    const char *scope = jstr_or(rule, "scope", "*");
    bool in_namespace = *q->ns && k->namespaced;
    size_t i;
    json_t *pattern;
    if (!has(jget(rule, "operations"), q->operation) || !has(jget(rule, "apiGroups"), k->group) ||
        !has(jget(rule, "apiVersions"), k->version) || !name_fits(rule, q))
        return false;
    if (!streq(scope, "*") && streq(scope, "Namespaced") != in_namespace)
        return false;
    json_array_foreach(jget(rule, "resources"), i, pattern)
        if (resource_fits(str_or(json_string_value(pattern), ""), k->plural, q->sub))
            return true;
    return false;
}

static bool rules_fit(const json_t *rules, const struct kind *k, const struct webhook_question *q)
{
    size_t i;
    json_t *rule;
    json_array_foreach((json_t *)rules, i, rule)
        if (rule_fits(rule, k, q))
            return true;
    return false;
}

/* `match`: a webhook, or what a policy says; its matchPolicy decides whether other versions of the kind count. */
static const struct kind *matching_version(const json_t *match, const json_t *rules, const struct webhook_question *q)
{
    if (rules_fit(rules, q->version, q))
        return q->version;
    if (!streq(jstr_or(match, "matchPolicy", ""), "Equivalent"))
        return NULL;
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (kind_stored(*k) == kind_stored(q->version) && rules_fit(rules, *k, q))
            return *k;
    return NULL;
}

/* --- selectors --- */

static const json_t *labels_of(const json_t *doc)
{
    return doc ? jget(doc, "metadata.labels") : NULL;
}

static bool namespace_fits(const json_t *webhook, const struct webhook_question *q)
{
    const json_t *selector = jget(webhook, "namespaceSelector");
    if (kind_stored(q->version) == &kind_namespace)
        return label_selector_matches(selector, labels_of(q->doc ? q->doc : q->old));
    return !q->version->namespaced || label_selector_matches(selector, labels_of(q->namespace));
}

static bool is_empty(const json_t *selector)
{
    return !json_object_size(jget(selector, "matchLabels")) && !json_array_size(jget(selector, "matchExpressions"));
}

/* What has no metadata, as the options of a connection, is not even matched by the absence of a label. */
static bool has_labels(const json_t *selector, const json_t *doc)
{
    return jget(doc, "metadata") && label_selector_matches(selector, labels_of(doc));
}

static bool object_fits(const json_t *webhook, const struct webhook_question *q)
{
    const json_t *selector = jget(webhook, "objectSelector");
    return is_empty(selector) || has_labels(selector, q->doc) || has_labels(selector, q->old);
}

const struct kind *webhook_match(const json_t *webhook, const struct webhook_question *q)
{
    const struct kind *as = matching_version(webhook, jget(webhook, "rules"), q);
    return as && namespace_fits(webhook, q) && object_fits(webhook, q) ? as : NULL;
}

const struct kind *admission_match(const json_t *match, const struct webhook_question *q)
{
    const json_t *rules = jget(match, "resourceRules");
    const struct kind *as = json_array_size(rules) ? matching_version(match, rules, q) : q->version;
    bool excluded = as && matching_version(match, jget(match, "excludeResourceRules"), q);
    return as && !excluded && namespace_fits(match, q) && object_fits(match, q) ? as : NULL;
}

/* --- the question --- */

static json_t *resource_of(const struct kind *k)
{
    return json_pack("{s:s, s:s, s:s}", "group", k->group, "version", k->version, "resource", k->plural);
}

static json_t *kind_of(const struct webhook_question *q, const struct kind *k)
{
    struct webhook_type own = {k->group, k->version, k->kind};
    const struct webhook_type *t = q->type ? q->type : &own;
    return json_pack("{s:s, s:s, s:s}", "group", t->group, "version", t->version, "kind", t->kind);
}

static json_t *shown(const struct webhook_question *q, const json_t *doc, const struct kind *as)
{
    if (!doc)
        return json_null();
    json_t *copy = json_deep_copy(doc);
    if (!q->type)
        kind_from_stored(as, copy);
    return copy;
}

static const char *review_version(const json_t *webhook)
{
    size_t i;
    json_t *v;
    json_array_foreach(jget(webhook, "admissionReviewVersions"), i, v)
        if (streq(str_or(json_string_value(v), ""), "v1") || streq(str_or(json_string_value(v), ""), "v1beta1"))
            return streq(json_string_value(v), "v1") ? "admission.k8s.io/v1" : "admission.k8s.io/v1beta1";
    return "admission.k8s.io/v1";
}

static json_t *options_of(const struct webhook_question *q)
{
    const char *kind = streq(q->operation, "CREATE")   ? "CreateOptions"
                       : streq(q->operation, "DELETE") ? "DeleteOptions"
                                                       : "UpdateOptions";
    if (streq(q->operation, "CONNECT"))
        return json_null();
    json_t *options = json_is_object(q->options) ? json_deep_copy(q->options) : json_object();
    jset_str(options, "kind", kind);
    jset_str(options, "apiVersion", "meta.k8s.io/v1");
    if (q->dry_run)
        jset(options, "dryRun", json_pack("[s]", "All"));
    return options;
}

json_t *webhook_review(const json_t *webhook, const struct kind *as, const struct webhook_question *q, const char *uid)
{
    json_t *request = json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:o}", "uid", uid, "kind",
                                kind_of(q, as), "resource", resource_of(as), "requestKind", kind_of(q, q->version),
                                "requestResource", resource_of(q->version), "operation", q->operation, "userInfo",
                                user_info(q->user), "object", shown(q, q->doc, as), "oldObject", shown(q, q->old, as),
                                "dryRun", q->dry_run, "options", options_of(q));
    if (*q->name)
        jset_str(request, "name", q->name);
    if (*q->ns)
        jset_str(request, "namespace", q->ns);
    if (*q->sub) {
        jset_str(request, "subResource", q->sub);
        jset_str(request, "requestSubResource", q->sub);
    }
    return json_pack("{s:s, s:s, s:o}", "kind", "AdmissionReview", "apiVersion", review_version(webhook), "request",
                     request);
}

/* --- the answer --- */

/* The webhook's own Status with our words in front; never one that looks like success. */
static json_t *refusal_of(const char *name, const json_t *given)
{
    const char *message = jstr_or(given, "message", ""), *reason = jstr_or(given, "reason", "");
    json_t *status = json_is_object(given) ? json_deep_copy(given) : json_object();
    const char *why = *message ? message : reason;
    jset_str(status, "kind", "Status");
    jset_str(status, "apiVersion", "v1");
    jset(status, "metadata", json_object());
    jset_str(status, "status", "Failure");
    jset(status, "message",
         *why ? json_sprintf("admission webhook \"%s\" denied the request: %s", name, why)
              : json_sprintf("admission webhook \"%s\" denied the request without explanation", name));
    int64_t code = jint(status, "code", 0);
    jset_int(status, "code", code < 400 || code > 599 ? 400 : code);
    return status;
}

static int read_patch(const json_t *response, struct webhook_answer *ret, struct err *err)
{
    const char *text = jstr(response, "patch"), *type = jstr_or(response, "patchType", "");
    if (!text || !*text)
        return 0;
    if (!*type)
        return err_set(err, 0, "webhook returned response.patch but not response.patchType");
    if (!streq(type, "JSONPatch"))
        return err_set(err, 0, "webhook returned invalid response.patchType of \"%.100s\"", type);
    size_t len = 0;
    if (strlen(text) > PATCH_MAX)
        return err_set(err, 0, "the patch is too long");
    _cleanup_free_ char *bytes = base64_decode(text, strlen(text), &len);
    if (!bytes)
        return err_set(err, 0, "the patch is not in base64");
    ret->patch = jparse(bytes, len, err);
    return ret->patch ? 0 : -1;
}

int webhook_answer_read(const char *webhook_name, const json_t *review, const char *text, size_t len,
                        struct webhook_answer *ret, struct err *err)
{
    *ret = (struct webhook_answer){0};
    _cleanup_json_ json_t *doc = jparse(text, len, err);
    const json_t *response = doc ? jget(doc, "response") : NULL;
    bool is_v1 = streq(jstr(review, "apiVersion"), "admission.k8s.io/v1");
    const char *uid = jstr_or(response, "uid", ""), *asked = jstr(review, "request.uid");
    if (!doc)
        return -1;
    if (is_v1 && (!streq(jstr_or(doc, "apiVersion", ""), "admission.k8s.io/v1") ||
                  !streq(jstr_or(doc, "kind", ""), "AdmissionReview")))
        return err_set(
            err, 0, "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got %.100s, Kind=%.100s",
            jstr_or(doc, "apiVersion", ""), jstr_or(doc, "kind", ""));
    if (!json_is_object(response))
        return err_set(err, 0, "webhook response was absent");
    if (is_v1 && !streq(uid, asked))
        return err_set(err, 0, "expected response.uid=\"%s\", got \"%.100s\"", asked, uid);
    if (!jbool(response, "allowed", false))
        ret->refusal = refusal_of(webhook_name, jget(response, "status"));
    else if (read_patch(response, ret, err) < 0)
        return -1;
    ret->warnings = json_is_array(jget(response, "warnings")) ? json_incref(jget(response, "warnings")) : NULL;
    return 0;
}

void webhook_answer_done(struct webhook_answer *a)
{
    json_decref(a->refusal);
    json_decref(a->patch);
    json_decref(a->warnings);
    *a = (struct webhook_answer){0};
}
