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
