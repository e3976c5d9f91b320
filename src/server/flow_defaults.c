/* See flow_defaults.h. */
#include "server/flow_defaults.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

/* A level that limits; without queues it rejects. */
static const struct level {
    const char *name;
    int shares, lendable, queues, hand, length;
} levels[] = {
    {"catch-all", 5, 0},
    {"global-default", 20, 50, 128, 6, 50},
    {"leader-election", 10, 0, 16, 4, 50},
    {"node-high", 40, 25, 64, 6, 50},
    {"system", 30, 33, 64, 6, 50},
    {"workload-high", 40, 50, 128, 6, 50},
    {"workload-low", 100, 90, 128, 6, 50},
};

/* Subjects: user:NAME, group:NAME, account:NAMESPACE/NAME. Words are separated by blanks; "core" is the group "". */
static const struct schema {
    const char *name, *level;
    int precedence;
    const char *by, *subjects;
} schemas[] = {
    {"exempt", "exempt", 1, NULL, "group:system:masters"},
    {"probes", "exempt", 2, NULL, "group:system:unauthenticated group:system:authenticated"},
    {"system-leader-election", "leader-election", 100, "ByUser",
     "user:system:kube-controller-manager user:system:kube-scheduler account:kube-system/*"},
    {"endpoint-controller", "workload-high", 150, "ByUser",
     "user:system:kube-controller-manager account:kube-system/endpoint-controller "
     "account:kube-system/endpointslicemirroring-controller"},
    {"workload-leader-election", "leader-election", 200, "ByUser", "account:kube-system/*"},
    {"system-node-high", "node-high", 400, "ByUser", "group:system:nodes"},
    {"system-nodes", "system", 500, "ByUser", "group:system:nodes"},
    {"kube-controller-manager", "workload-high", 800, "ByNamespace", "user:system:kube-controller-manager"},
    {"kube-scheduler", "workload-high", 800, "ByNamespace", "user:system:kube-scheduler"},
    {"kube-system-service-accounts", "workload-high", 900, "ByNamespace", "account:kube-system/*"},
    {"service-accounts", "workload-low", 9000, "ByUser", "group:system:serviceaccounts"},
    {"global-default", "global-default", 9900, "ByUser", "group:system:unauthenticated group:system:authenticated"},
    {"catch-all", "catch-all", 10000, "ByUser", "group:system:unauthenticated group:system:authenticated"},
};

/* What requests a schema is about, unless it is about all of them. */
static const struct rule {
    const char *schema, *verbs, *groups, *resources;
    bool cluster;
    const char *paths;
} rules[] = {
    {"probes", "get", .paths = "/healthz /readyz /livez"},
    {"system-leader-election", "get create update", "coordination.k8s.io", "leases"},
    {"endpoint-controller", "get create update", "core", "endpoints"},
    {"workload-leader-election", "get create update", "core", "configmaps endpoints"},
    {"workload-leader-election", "get create update", "coordination.k8s.io", "leases"},
    {"system-node-high", "*", "core", "nodes nodes/status", true},
    {"system-node-high", "*", "coordination.k8s.io", "leases"},
};
static const struct rule everything[] = {{NULL, "*", "*", "*", true}, {NULL, "*", .paths = "*"}};

static json_t *words(const char *text)
{
    size_t n;
    json_t *list = json_array();
    _cleanup_free_ char **parts = str_split(text, ' ', &n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(streq(parts[i], "core") ? "" : parts[i]));
    return list;
}

static json_t *metadata(const char *name)
{
    return json_pack("{s:s, s:{s:s}}", "name", name, "annotations", "apf.kubernetes.io/autoupdate-spec", "true");
}

static json_t *level_document(const struct level *l)
{
    json_t *response = json_pack("{s:s}", "type", l->queues ? "Queue" : "Reject");
    if (l->queues)
        jset(response, "queuing",
             json_pack("{s:i, s:i, s:i}", "queues", l->queues, "handSize", l->hand, "queueLengthLimit", l->length));
    return json_pack("{s:o, s:{s:s, s:{s:i, s:i, s:o}}}", "metadata", metadata(l->name), "spec", "type", "Limited",
                     "limited", "nominalConcurrencyShares", l->shares, "lendablePercent", l->lendable, "limitResponse",
                     response);
}

static json_t *exempt_level(void)
{
    return json_pack("{s:o, s:{s:s, s:{s:i, s:i}}}", "metadata", metadata("exempt"), "spec", "type", "Exempt", "exempt",
                     "nominalConcurrencyShares", 0, "lendablePercent", 0);
}

static json_t *subject(const char *text)
{
    const char *user = str_after(text, "user:"), *group = str_after(text, "group:");
    if (user)
        return json_pack("{s:s, s:{s:s}}", "kind", "User", "user", "name", user);
    if (group)
        return json_pack("{s:s, s:{s:s}}", "kind", "Group", "group", "name", group);
    const char *ns = str_after(text, "account:"), *slash = strchr(ns, '/');
    return json_pack("{s:s, s:{s:s%, s:s}}", "kind", "ServiceAccount", "serviceAccount", "namespace", ns,
                     (size_t)(slash - ns), "name", slash + 1);
}

static json_t *subjects(const char *text)
{
    size_t n;
    json_t *list = json_array();
    _cleanup_free_ char **parts = str_split(text, ' ', &n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, subject(parts[i]));
    return list;
}

static void add_rule(json_t *doc, const struct rule *r)
{
    const char *member = r->paths ? "nonResourceRules" : "resourceRules";
    json_t *rule = json_pack("{s:o}", "verbs", words(r->verbs));
    if (r->paths) {
        jset(rule, "nonResourceURLs", words(r->paths));
    } else {
        jset(rule, "apiGroups", words(r->groups));
        jset(rule, "resources", words(r->resources));
        if (r->cluster)
            jset(rule, "clusterScope", json_true());
        jset(rule, "namespaces", words("*"));
    }
    if (!jget(doc, member))
        jset(doc, member, json_array());
    json_array_append_new(jget(doc, member), rule);
}

static json_t *schema_document(const struct schema *s)
{
    json_t *rule = json_pack("{s:o}", "subjects", subjects(s->subjects));
    bool narrow = false;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (streq(rules[i].schema, s->name)) {
            add_rule(rule, &rules[i]);
            narrow = true;
        }
    for (size_t i = 0; i < ARRAY_LEN(everything) && !narrow; i++)
        add_rule(rule, &everything[i]);
    json_t *doc =
        json_pack("{s:o, s:{s:{s:s}, s:i, s:[o]}}", "metadata", metadata(s->name), "spec", "priorityLevelConfiguration",
                  "name", s->level, "matchingPrecedence", s->precedence, "rules", rule);
    if (s->by)
        jset_str(doc, "spec.distinguisherMethod.type", s->by);
    return doc;
}

json_t *flow_default(size_t i, const struct kind **ret_kind)
{
    *ret_kind = i <= ARRAY_LEN(levels) ? &kind_prioritylevelconfiguration : &kind_flowschema;
    if (i == 0)
        return exempt_level();
    if (i <= ARRAY_LEN(levels))
        return level_document(&levels[i - 1]);
    i -= ARRAY_LEN(levels) + 1;
    return i < ARRAY_LEN(schemas) ? schema_document(&schemas[i]) : NULL;
}
