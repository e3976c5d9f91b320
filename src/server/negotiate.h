/* Which form an answer takes (Accept) and which a body has (Content-Type). Pure. */
#pragma once
#include <stdbool.h>

enum representation {
    REPR_JSON,             /* the object itself */
    REPR_TABLE,            /* as=Table */
    REPR_PARTIAL_METADATA, /* as=PartialObjectMetadata, for lists as=PartialObjectMetadataList */
};

struct negotiated {
    enum representation repr;
    const char *version; /* of meta.k8s.io: "v1" or "v1beta1" */
};

/* accept NULL or "": JSON. False: nothing we have is acceptable (406). */
bool negotiate(const char *accept, struct negotiated *ret);

/* For answers that have no metadata and so only the first form. */
bool negotiate_plain(const char *accept);

/* Discovery in one document: "v2" or "v2beta1" of apidiscovery.k8s.io, NULL for the plain form. False: 406. */
bool negotiate_discovery(const char *accept, const char **ret_version);

/* Does the header name this media type (parameters aside) before any other we could answer? */
bool accepts_first(const char *accept, const char *media_type);

/* Is the reader a person? ?pretty= says so; without it, curl and browsers (user_agent may be NULL). */
bool wants_indent(const char *query, const char *user_agent);

enum body_type {
    BODY_JSON,
    BODY_YAML,
    BODY_PROTOBUF,
    BODY_JSON_PATCH,
    BODY_MERGE_PATCH,
    BODY_STRATEGIC_PATCH,
    BODY_APPLY_PATCH,
    BODY_UNSUPPORTED,
};
enum body_type body_type(const char *content_type); /* NULL or "": JSON */
