/* A request's body as it came over HTTP: JSON, YAML or protobuf, into one document. */
#pragma once
#include "server/pipeline.h"

/* Sets r->body_type and, unless r's handler takes none, r->body. NULL: fine; otherwise the Status to answer. */
json_t *read_body(struct request *r, const char *content_type, const char *bytes, size_t len);
