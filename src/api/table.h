/* Answers in other shapes: meta.k8s.io/v1 Table (and v1beta1), PartialObjectMetadata. Pure. */
#pragma once
#include "kinds/kind.h"
#include "kinds/object.h"

enum include_object { INCLUDE_METADATA, INCLUDE_NONE, INCLUDE_OBJECT };
/* Table for n objects; list_meta is what goes into .metadata (borrowed; may be NULL). version: "v1" or "v1beta1".
 * Definitions only when with_columns (watches send them in the first event only). New reference. */
json_t *table_new(const struct kind *k, const char *version, struct object *const *objs, size_t n,
                  const json_t *list_meta, enum include_object include, bool with_columns);
/* PartialObjectMetadata of one document. New reference. */
json_t *partial_metadata(const json_t *doc, const char *version);
