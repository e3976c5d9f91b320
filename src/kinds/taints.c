/* See taints.h. */
#include "kinds/taints.h"

#include "base/str.h"
#include "json/json.h"

static bool member_matches(const json_t *toleration, const json_t *taint, const char *name)
{
    return streq(jstr_or(toleration, name, ""), jstr_or(taint, name, ""));
}

bool toleration_matches(const json_t *toleration, const json_t *taint)
{
    if (*jstr_or(toleration, "effect", "") && !member_matches(toleration, taint, "effect"))
        return false;
    if (*jstr_or(toleration, "key", "") && !member_matches(toleration, taint, "key"))
        return false;
    return streq(jstr_or(toleration, "operator", "Equal"), "Exists") || member_matches(toleration, taint, "value");
}

bool taint_is_tolerated(const json_t *taint, const json_t *tolerations)
{
    for (size_t i = 0; i < json_array_size(tolerations); i++)
        if (toleration_matches(json_array_get(tolerations, i), taint))
            return true;
    return false;
}
