/* Questions about rights, answered and never stored: may I, may they, what may I. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

#define GROUP "authorization.k8s.io"

static const struct field requirement_fields[] = {
    {"key", F_STR, .doc = "Label or field."},
    {"operator", F_STR, .doc = "In, NotIn, Exists or DoesNotExist."},
    {"values", F_LIST, OPT, STRINGS, .doc = "Values, for In and NotIn."},
    {0},
};

static const struct field selector_attributes_fields[] = {
    {"rawSelector", F_STR, OPT, .doc = "The selector as text."},
    {"requirements", F_LIST, OPT, LIST_OF(requirement_fields), .doc = "The selector, taken apart."},
    {0},
};

static const struct field resource_attributes_fields[] = {
    {"namespace", F_STR, OPT, .doc = "Where; empty: across namespaces, or an object of the cluster."},
    {"verb", F_STR, OPT, .doc = "What is to be done."},
    {"group", F_STR, OPT, .doc = "API group of the resource."},
    {"version", F_STR, OPT, .doc = "API version of the resource."},
    {"resource", F_STR, OPT, .doc = "The resource."},
    {"subresource", F_STR, OPT, .doc = "Part of it: log, exec, status."},
    {"name", F_STR, OPT, .doc = "Name of one object; empty: all."},
    {"fieldSelector", F_OBJECT, .sub = selector_attributes_fields, .doc = "Narrows a list by fields."},
    {"labelSelector", F_OBJECT, .sub = selector_attributes_fields, .doc = "Narrows a list by labels."},
    {0},
};

static const struct field non_resource_attributes_fields[] = {
    {"path", F_STR, OPT, .doc = "The path."},
    {"verb", F_STR, OPT, .doc = "The HTTP method, in small letters."},
    {0},
};

static const struct field extra_item[] = {{.type = F_LIST, STRINGS}};

#define FIELDS_ATTRIBUTES                                                                                              \
    {"resourceAttributes", F_OBJECT, .sub = resource_attributes_fields, .doc = "The question is about a resource."},   \
    {                                                                                                                  \
        "nonResourceAttributes", F_OBJECT, .sub = non_resource_attributes_fields,                                      \
                                           .doc = "The question is about a path that is no resource."                  \
    }

static const struct field subject_spec_fields[] = {
    FIELDS_ATTRIBUTES,
    {"user", F_STR, OPT, .doc = "Who is asked about."},
    {"groups", F_LIST, OPT, STRINGS, .doc = "The groups of the user."},
    {"extra", F_MAP, OPT, .sub = extra_item, .doc = "What else the authenticator knows."},
    {"uid", F_STR, OPT, .doc = "Tells users of one name apart over time."},
    {0},
};

static const struct field self_spec_fields[] = {FIELDS_ATTRIBUTES, {0}};

static const struct field access_status_fields[] = {
    {"allowed", F_BOOL, .doc = "Whether it may be done."},
    {"denied", F_BOOL, OPT, .doc = "Whether somebody has said no, and no rule can help."},
    {"reason", F_STR, OPT, .doc = "Why."},
    {"evaluationError", F_STR, OPT, .doc = "What went wrong while looking; the answer may still hold."},
    {0},
};

#define FIELD_ACCESS_STATUS                                                                                            \
    {                                                                                                                  \
        "status", F_OBJECT, .sub = access_status_fields, .doc = "The answer."                                          \
    }
#define FIELD_SPEC(table)                                                                                              \
    {                                                                                                                  \
        "spec", F_OBJECT, .sub = (table), .doc = "The question."                                                       \
    }

static const struct field subject_fields[] = {
    FIELD_METADATA, FIELD_SPEC(subject_spec_fields), FIELD_ACCESS_STATUS, {0}};
static const struct field self_fields[] = {FIELD_METADATA, FIELD_SPEC(self_spec_fields), FIELD_ACCESS_STATUS, {0}};

/* --- SelfSubjectRulesReview --- */

static const struct field rules_spec_fields[] = {
    {"namespace", F_STR, OPT, .doc = "In which namespace."},
    {0},
};

static const struct field resource_rule_fields[] = {
    {"verbs", F_LIST, STRINGS, .doc = "What may be done."},
    {"apiGroups", F_LIST, OPT, STRINGS, .doc = "In these groups."},
    {"resources", F_LIST, OPT, STRINGS, .doc = "To these resources."},
    {"resourceNames", F_LIST, OPT, STRINGS, .doc = "To objects of these names; none: to all."},
    {0},
};

static const struct field non_resource_rule_fields[] = {
    {"verbs", F_LIST, STRINGS, .doc = "What may be done."},
    {"nonResourceURLs", F_LIST, OPT, STRINGS, .doc = "To these paths."},
    {0},
};

static const struct field rules_status_fields[] = {
    {"resourceRules", F_LIST, LIST_OF(resource_rule_fields), .doc = "Rules about resources."},
    {"nonResourceRules", F_LIST, LIST_OF(non_resource_rule_fields), .doc = "Rules about paths."},
    {"incomplete", F_BOOL, .doc = "Whether there are rights that rules cannot tell."},
    {"evaluationError", F_STR, OPT, .doc = "What went wrong while looking."},
    {0},
};

static const struct field rules_fields[] = {
    FIELD_METADATA,
    FIELD_SPEC(rules_spec_fields),
    {"status", F_OBJECT, .sub = rules_status_fields, .doc = "The answer."},
    {0},
};

/* --- the kinds --- */

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_subjectaccessreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "SubjectAccessReview",
    .plural = "subjectaccessreviews",
    .singular = "subjectaccessreview",
    .list_kind = "SubjectAccessReviewList",
    .verbs = V_CREATE,
    .is_review = true,
    .fields = subject_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};

const struct kind kind_localsubjectaccessreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "LocalSubjectAccessReview",
    .plural = "localsubjectaccessreviews",
    .singular = "localsubjectaccessreview",
    .list_kind = "LocalSubjectAccessReviewList",
    .namespaced = true,
    .verbs = V_CREATE,
    .is_review = true,
    .fields = subject_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};

const struct kind kind_selfsubjectaccessreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "SelfSubjectAccessReview",
    .plural = "selfsubjectaccessreviews",
    .singular = "selfsubjectaccessreview",
    .list_kind = "SelfSubjectAccessReviewList",
    .verbs = V_CREATE,
    .is_review = true,
    .fields = self_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};

const struct kind kind_selfsubjectrulesreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "SelfSubjectRulesReview",
    .plural = "selfsubjectrulesreviews",
    .singular = "selfsubjectrulesreview",
    .list_kind = "SelfSubjectRulesReviewList",
    .verbs = V_CREATE,
    .is_review = true,
    .fields = rules_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
