/* A ConversionReview: what a webhook is asked, and what its answer makes of the objects. Pure. */
#pragma once
#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* how: spec.conversion; objects: an array, taken. New reference. */
json_t *conversion_question(const json_t *how, const char *to, json_t *objects_new, const char *uid);
/* The question's objects as of the other version, in their order: what the webhook may not touch of their metadata is
 * put back. NULL: it is no answer, or says that it cannot. New reference. */
json_t *conversion_answer(const json_t *question, const char *text, size_t len, struct err *err);
