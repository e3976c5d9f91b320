/* What an applier is told that touches fields of others. Pure. */
#pragma once
#include <jansson.h>

/* conflicts: [{"entry": of managedFields, "fields": set}], at least one. New reference: a Status, 409. Texts:
 * apimachinery pkg/util/managedfields/internal/conflict.go. */
json_t *conflict_of_managers(const json_t *conflicts);
