/* See negotiate.h. Clauses are taken in the order given: clients of Kubernetes list what they prefer first and set no
 * q. */
#include "server/negotiate.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/http.h"

/* A clause "type/subtype;a=b;c=d" cut out of a header. */
struct clause {
    char type[80];
    char params[160]; /* ";a=b;c=d" without blanks */
};

/* The next clause; NULL when the header has no more. Clauses too long to be ours come out cut, and match nothing. */
static const char *next_clause(const char *s, struct clause *ret)
{
    while (*s == ',' || *s == ' ' || *s == '\t')
        s++;
    if (!*s)
        return NULL;
    char *out = ret->type, *end = ret->type + sizeof(ret->type) - 1;
    ret->params[0] = '\0';
    for (; *s && *s != ','; s++) {
        if (*s == ' ' || *s == '\t')
            continue;
        if (*s == ';' && end < ret->params) {
            *out = '\0';
            out = ret->params;
            end = ret->params + sizeof(ret->params) - 1;
        }
        if (out < end)
            *out++ = *s;
    }
    *out = '\0';
    return s;
}

/* The value of a parameter is `value`. */
static bool param_is(const struct clause *c, const char *name, const char *value)
{
    size_t n = strlen(name), m = strlen(value);
    for (const char *p = strchr(c->params, ';'); p; p = strchr(p + 1, ';'))
        if (strncasecmp(p + 1, name, n) == 0 && p[1 + n] == '=' && strncmp(p + 2 + n, value, m) == 0 &&
            (p[2 + n + m] == ';' || !p[2 + n + m]))
            return true;
    return false;
}

static bool has_param(const struct clause *c, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strchr(c->params, ';'); p; p = strchr(p + 1, ';'))
        if (strncasecmp(p + 1, name, n) == 0 && p[1 + n] == '=')
            return true;
    return false;
}

static bool is_json_range(const char *type)
{
    return strcasecmp(type, "application/json") == 0 || streq(type, "*/*") || strcasecmp(type, "application/*") == 0;
}

static bool match_clause(const struct clause *c, struct negotiated *ret)
{
    static const struct {
        const char *as;
        enum representation repr;
    } forms[] = {
        {"Table", REPR_TABLE},
        {"PartialObjectMetadata", REPR_PARTIAL_METADATA},
        {"PartialObjectMetadataList", REPR_PARTIAL_METADATA},
    };
    static const char *const versions[] = {"v1", "v1beta1"};
    if (!is_json_range(c->type))
        return false;
    if (!has_param(c, "as")) {
        *ret = (struct negotiated){REPR_JSON, "v1"};
        return true;
    }
    if (!param_is(c, "g", "meta.k8s.io"))
        return false;
    for (size_t f = 0; f < ARRAY_LEN(forms); f++)
        for (size_t v = 0; v < ARRAY_LEN(versions); v++)
            if (param_is(c, "as", forms[f].as) && param_is(c, "v", versions[v])) {
                *ret = (struct negotiated){forms[f].repr, versions[v]};
                return true;
            }
    return false;
}

bool negotiate(const char *accept, struct negotiated *ret)
{
    *ret = (struct negotiated){REPR_JSON, "v1"};
    if (!accept || !*accept)
        return true;
    struct clause c;
    for (const char *s = accept; (s = next_clause(s, &c));)
        if (match_clause(&c, ret))
            return true;
    return false;
}

bool negotiate_plain(const char *accept)
{
    struct negotiated form;
    struct clause c;
    bool any = accept && *accept, fits = !any;
    for (const char *s = accept; any && !fits && (s = next_clause(s, &c));)
        fits = match_clause(&c, &form) && form.repr == REPR_JSON;
    return fits;
}

bool negotiate_discovery(const char *accept, const char **ret_version)
{
    static const char *const versions[] = {"v2", "v2beta1"};
    *ret_version = NULL;
    if (!accept || !*accept)
        return true;
    struct clause c;
    for (const char *s = accept; (s = next_clause(s, &c));) {
        if (!is_json_range(c.type))
            continue;
        if (!has_param(&c, "as"))
            return true;
        for (size_t v = 0; v < ARRAY_LEN(versions); v++)
            if (param_is(&c, "as", "APIGroupDiscoveryList") && param_is(&c, "g", "apidiscovery.k8s.io") &&
                param_is(&c, "v", versions[v])) {
                *ret_version = versions[v];
                return true;
            }
    }
    return false;
}

bool accepts_first(const char *accept, const char *media_type)
{
    struct clause c;
    for (const char *s = str_or(accept, ""); (s = next_clause(s, &c));) {
        if (strcasecmp(c.type, media_type) == 0)
            return true;
        if (is_json_range(c.type))
            return false;
    }
    return false;
}

bool wants_indent(const char *query, const char *user_agent)
{
    static const char *const people[] = {"curl", "Wget", "Mozilla/5.0"};
    _cleanup_free_ char *pretty = query_get(query, "pretty", 0);
    if (pretty && *pretty)
        return query_bool(query, "pretty");
    for (size_t i = 0; user_agent && i < ARRAY_LEN(people); i++)
        if (str_after(user_agent, people[i]))
            return true;
    return false;
}

enum body_type body_type(const char *content_type)
{
    static const struct {
        const char *media;
        enum body_type type;
    } types[] = {
        {"application/json", BODY_JSON},
        {"application/yaml", BODY_YAML},
        {"application/vnd.kubernetes.protobuf", BODY_PROTOBUF},
        {"application/json-patch+json", BODY_JSON_PATCH},
        {"application/merge-patch+json", BODY_MERGE_PATCH},
        {"application/strategic-merge-patch+json", BODY_STRATEGIC_PATCH},
        {"application/apply-patch+yaml", BODY_APPLY_PATCH},
    };
    struct clause c;
    if (!content_type || !next_clause(content_type, &c))
        return BODY_JSON;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcasecmp(c.type, types[i].media) == 0)
            return types[i].type;
    return BODY_UNSUPPORTED;
}
