/* Who somebody is: requests for tokens, and reviews, which are questions that are answered and never stored. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

#define GROUP "authentication.k8s.io"

/* --- TokenRequest: the body of serviceaccounts/token --- */

static const struct field bound_object_reference_fields[] = {
    {"kind", F_STR, OPT, .doc = "Pod."},
    {"apiVersion", F_STR, OPT, .doc = "v1."},
    {"name", F_STR, OPT, .doc = "Name of the object."},
    {"uid", F_STR, OPT, .doc = "Its uid: another object of the same name is not meant."},
    {0},
};

static const struct field token_request_spec_fields[] = {
    {"audiences", F_LIST, STRINGS, .doc = "For whom the token is meant; nobody else may take it."},
    {"expirationSeconds", F_INT64, .dflt = "3600", .doc = "Seconds for which the token is valid."},
    {"boundObjectRef", F_OBJECT, .sub = bound_object_reference_fields, .doc = "The token dies with this object."},
    {0},
};

static const struct field token_request_status_fields[] = {
    {"token", F_STR, .doc = "The token."},
    {"expirationTimestamp", F_TIME, .doc = "When it ends."},
    {0},
};

static const struct field token_request_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = token_request_spec_fields, .dflt = "{}", .doc = "What is asked for."},
    {"status", F_OBJECT, .sub = token_request_status_fields, .doc = "The answer."},
    {0},
};

const struct kind kind_tokenrequest = {
    .group = GROUP,
    .version = "v1",
    .kind = "TokenRequest",
    .fields = token_request_fields,
};

/* --- reviews --- */

static const struct field extra_item[] = {{.type = F_LIST, STRINGS}};

static const struct field user_info_fields[] = {
    {"username", F_STR, OPT, .doc = "The name."},
    {"uid", F_STR, OPT, .doc = "Tells users of one name apart over time."},
    {"groups", F_LIST, OPT, STRINGS, .doc = "The groups that the user is in."},
    {"extra", F_MAP, OPT, .sub = extra_item, .doc = "What else is known."},
    {0},
};

static const struct field token_review_spec_fields[] = {
    {"token", F_STR, OPT, .doc = "The token in question."},
    {"audiences", F_LIST, OPT, STRINGS, .doc = "As whom the asker would take it; none: as the API server."},
    {0},
};

static const struct field token_review_status_fields[] = {
    {"authenticated", F_BOOL, OPT, .doc = "Whether the token is good."},
    {"user", F_OBJECT, .sub = user_info_fields, .doc = "Whom it stands for."},
    {"audiences", F_LIST, OPT, STRINGS, .doc = "Those of the asked ones that the token is meant for."},
    {"error", F_STR, OPT, .doc = "Why it is not good."},
    {0},
};

static const struct field token_review_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = token_review_spec_fields, .doc = "The question."},
    {"status", F_OBJECT, .sub = token_review_status_fields, .doc = "The answer."},
    {0},
};

static const struct field self_subject_review_status_fields[] = {
    {"userInfo", F_OBJECT, .sub = user_info_fields, .doc = "Who asks."},
    {0},
};

static const struct field self_subject_review_fields[] = {
    FIELD_METADATA,
    {"status", F_OBJECT, .sub = self_subject_review_status_fields, .doc = "The answer."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_tokenreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "TokenReview",
    .plural = "tokenreviews",
    .singular = "tokenreview",
    .list_kind = "TokenReviewList",
    .verbs = V_CREATE,
    .is_review = true,
    .fields = token_review_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};

const struct kind kind_selfsubjectreview = {
    .group = GROUP,
    .version = "v1",
    .kind = "SelfSubjectReview",
    .plural = "selfsubjectreviews",
    .singular = "selfsubjectreview",
    .list_kind = "SelfSubjectReviewList",
    .verbs = V_CREATE,
    .is_review = true,
    .fields = self_subject_review_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
