/* Roles and bindings: rules, defaults and columns. */
#include "api/schema.h"
#include "api/status.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "doc.h"

#define META "'metadata':{'name':'system:x','namespace':'a'}"
#define CLUSTER_META "'metadata':{'name':'system:x'}"
#define REF "'roleRef':{'kind':'ClusterRole','name':'edit'}"

static const struct {
    const struct kind *kind;
    const char *text, *field, *message; /* field NULL: fine */
} cases[] = {
    {&kind_role, "{" META ",'rules':[{'verbs':['get'],'apiGroups':[''],'resources':['pods']}]}", NULL, NULL},
    {&kind_role, "{" META "}", NULL, NULL},
    {&kind_role, "{'metadata':{'name':'a/b','namespace':'a'}}", "metadata.name",
     "Invalid value: \"a/b\": may not contain '/'"},
    {&kind_role, "{" META ",'rules':[{'verbs':[],'apiGroups':[''],'resources':['pods']}]}", "rules[0].verbs",
     "Required value: verbs must contain at least one value"},
    {&kind_role, "{" META ",'rules':[{'verbs':['get'],'resources':['pods']}]}", "rules[0].apiGroups",
     "Required value: resource rules must supply at least one api group"},
    {&kind_role, "{" META ",'rules':[{'verbs':['get'],'apiGroups':['']}]}", "rules[0].resources",
     "Required value: resource rules must supply at least one resource"},
    {&kind_role, "{" META ",'rules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}", "rules[0].nonResourceURLs",
     "Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs"},
    {&kind_clusterrole, "{" CLUSTER_META ",'rules':[{'verbs':['get'],'nonResourceURLs':['/x']}]}", NULL, NULL},
    {&kind_clusterrole, "{" CLUSTER_META ",'rules':[{'verbs':['get'],'nonResourceURLs':['/x'],'resources':['a']}]}",
     "rules[0].nonResourceURLs",
     "Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs"},
    {&kind_clusterrole, "{" CLUSTER_META ",'aggregationRule':{}}", "aggregationRule.clusterRoleSelectors",
     "Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"},
    {&kind_rolebinding, "{" META "," REF ",'subjects':[{'kind':'User','name':'x'}]}", NULL, NULL},
    {&kind_rolebinding, "{" META ",'roleRef':{'kind':'Role','name':'r'}}", NULL, NULL},
    {&kind_clusterrolebinding, "{" CLUSTER_META ",'roleRef':{'kind':'Role','name':'r'}}", "roleRef.kind",
     "Unsupported value: \"Role\": supported values: \"ClusterRole\""},
    {&kind_rolebinding, "{" META ",'roleRef':{'kind':'Role','name':''}}", "roleRef.name", "Required value"},
    {&kind_rolebinding, "{" META "," REF ",'subjects':[{'kind':'Robot','name':'x'}]}", "subjects[0].kind",
     "Unsupported value: \"Robot\": supported values: \"Group\", \"ServiceAccount\", \"User\""},
    {&kind_rolebinding, "{" META "," REF ",'subjects':[{'kind':'ServiceAccount','name':'x'}]}", NULL, NULL},
    {&kind_clusterrolebinding, "{" CLUSTER_META "," REF ",'subjects':[{'kind':'ServiceAccount','name':'x'}]}",
     "subjects[0].namespace", "Required value"},
    {&kind_rolebinding, "{" META "," REF ",'subjects':[{'kind':'Group','apiGroup':'x','name':'x'}]}",
     "subjects[0].apiGroup", "Unsupported value: \"x\": supported values: \"rbac.authorization.k8s.io\""},
};

static void check(const struct status_causes *causes, const char *field, const char *message)
{
    const json_t *first = json_array_get(causes->list, 0);
    T_STR(jstr_or(first, "field", "fine"), field ? field : "fine");
    T_STR(jstr_or(first, "message", "fine"), field ? message : "fine");
}

TEST(rules)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *obj = t_doc(cases[i].text);
        struct status_causes causes = {0};
        schema_default(cases[i].kind, obj);
        schema_validate(cases[i].kind, obj, NULL, &causes);
        check(&causes, cases[i].field, cases[i].message);
        causes_done(&causes);
    }
}

TEST(a_binding_keeps_its_role)
{
    _cleanup_json_ json_t *old = t_doc("{" META "," REF "}");
    _cleanup_json_ json_t *obj = t_doc("{" META ",'roleRef':{'kind':'ClusterRole','name':'admin'}}");
    struct status_causes causes = {0};
    schema_default(&kind_rolebinding, old);
    schema_default(&kind_rolebinding, obj);
    T_STR(jstr(obj, "roleRef.apiGroup"), "rbac.authorization.k8s.io");
    schema_validate(&kind_rolebinding, obj, old, &causes);
    check(&causes, "roleRef",
          "Invalid value: {\"kind\":\"ClusterRole\",\"name\":\"admin\",\"apiGroup\":\"rbac.authorization.k8s.io\"}: "
          "cannot change roleRef");
    causes_done(&causes);
}

TEST(columns)
{
    static const char *const want[] = {"x", "ClusterRole/edit", "<unknown>", "u, v", "g", "ns/sa"};
    _cleanup_json_ json_t *obj =
        t_doc("{'metadata':{'name':'x'}," REF ",'subjects':[{'kind':'User','name':'u'},{'kind':'Group','name':'g'},"
              "{'kind':'User','name':'v'},{'kind':'ServiceAccount','namespace':'ns','name':'sa'}]}");
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        _cleanup_json_ json_t *cell = kind_rolebinding.columns[i].cell(obj, 0);
        T_STR(json_string_value(cell), want[i]);
    }
}

int main(void)
{
    RUN(rules);
    RUN(a_binding_keeps_its_role);
    RUN(columns);
    return DONE();
}
