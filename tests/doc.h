/* Documents in tests, readable: ' stands for " in a text that has no " of its own. */
#pragma once
#include "base/alloc.h"
#include "json/json.h"
#include "t.h"

/* Any JSON value; the caller frees it. A bad text fails the test. */
static json_t *t_doc(const char *text)
{
    _cleanup_free_ char *copy = xstrdup(text);
    struct err err;
    for (char *c = strchr(copy, '"') ? NULL : strchr(copy, '\''); c; c = strchr(c, '\''))
        *c = '"';
    json_t *doc = jparse(copy, strlen(copy), &err);
    if (!doc)
        T_FAIL("bad test document: %s in %s", err.msg, copy);
    return doc;
}
