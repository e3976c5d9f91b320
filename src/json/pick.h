/* A few members out of a document that is known to be good JSON, without making a tree of the rest. */
#pragma once
#include <jansson.h>
#include <stddef.h>

/* A document with only what these paths name ("metadata.labels": members with dots between; NULL ends), new reference.
 * NULL when it cannot tell: no object, or a name written with escapes; parse the whole then. Any bytes are safe, but
 * only those that jparse() takes give an answer that means something: what is not picked is not checked. */
json_t *jpick(const char *text, size_t len, const char *const *paths);
