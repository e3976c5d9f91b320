/* OpenAPI documents from the kind tables: v2 whole (JSON and gnostic protobuf, which kubectl up to 1.2x asks for before
 * every create), v3 an index and one document a group version. */
#pragma once
#include "base/buf.h"
#include "kinds/kind.h"

json_t *openapi_v2(void);
/* openapi_v2.Document of github.com/google/gnostic in protobuf: what kubectl validates against. Appends to out.
 * Clients ask for "...spec.v2@v1.0+protobuf"; the answer's type is this one, as Go's MIME parser refuses the '@'. */
#define OPENAPI_V2_PROTOBUF_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
void openapi_v2_protobuf(const json_t *v2, struct buf *out);
json_t *openapi_v3_index(void);                             /* /openapi/v3 */
json_t *openapi_v3(const char *group, const char *version); /* NULL when there is none */
