/* Pruning and defaulting of custom resources (upstream: apiextensions-apiserver pkg/apiserver/schema/{pruning,
 * defaulting}). The root's and embedded resources' apiVersion, kind and metadata are always specified. */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"

#define PATH_MAX_BYTES (16 * 1024) /* keys are the client's; a longer path is cut */
#define UNKNOWN_MAX 100            /* as for built-in kinds */

static bool is_type_member(const char *name)
{
    return streq(name, "apiVersion") || streq(name, "kind") || streq(name, "metadata");
}

/* --- pruning --- */

struct pruning {
    struct buf path;
    json_t *unknown;
};

static void prune(struct pruning *p, const json_t *schema, json_t *v, bool is_resource);

static void note_unknown(struct pruning *p)
{
    if (p->unknown && json_array_size(p->unknown) < UNKNOWN_MAX)
        json_array_append_new(p->unknown, json_sprintf("unknown field \"%s\"", buf_str(&p->path)));
}

static void prune_members(struct pruning *p, const json_t *schema, json_t *o, bool is_resource)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    bool preserve = jbool(schema, "x-kubernetes-preserve-unknown-fields", false);
    const char *name;
    json_t *v;
    void *tmp;
    json_object_foreach_safe(o, tmp, name, v)
    {
        size_t len = p->path.len;
        const json_t *member = json_object_get(properties, name);
        if (is_resource && is_type_member(name))
            continue;
        buf_addf(&p->path, "%s%s", len ? "." : "", name);
        if (member || json_is_object(others)) {
            prune(p, member ? member : others, v, false);
        } else if (!preserve && !json_is_true(others)) {
            note_unknown(p);
            json_object_del(o, name);
        }
        buf_cut(&p->path, len);
    }
}

static void prune(struct pruning *p, const json_t *schema, json_t *v, bool is_resource)
{
    size_t i, len = p->path.len;
    json_t *item;
    if (json_is_object(v)) {
        prune_members(p, schema, v, is_resource || jbool(schema, "x-kubernetes-embedded-resource", false));
        return;
    }
    const json_t *items = json_object_get(schema, "items");
    if (!items && jbool(schema, "x-kubernetes-preserve-unknown-fields", false))
        return;
    json_array_foreach(v, i, item) {
        buf_addf(&p->path, "[%zu]", i);
        prune(p, items, item, false);
        buf_cut(&p->path, len);
    }
}

void custom_prune(const json_t *schema, json_t *doc, json_t *unknown)
{
    struct pruning p = {.path = BUF_INIT(PATH_MAX_BYTES), .unknown = unknown};
    prune(&p, schema, doc, true);
    buf_done(&p.path);
}

/* --- defaulting --- */

void custom_default(const json_t *schema, json_t *doc)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties"), *items = json_object_get(schema, "items");
    const char *name;
    json_t *member, *v;
    size_t i;
    if (json_is_object(doc)) {
        json_object_foreach((json_t *)properties, name, member) {
            const json_t *otherwise = json_object_get(member, "default");
            v = json_object_get(doc, name);
            if (otherwise && (!v || (json_is_null(v) && !jbool(member, "nullable", false))))
                json_object_set_new(doc, name, json_deep_copy(otherwise));
        }
        json_object_foreach(doc, name, v) {
            const json_t *of = json_object_get(properties, name);
            custom_default(of ? of : others, v);
        }
    } else if (items) {
        json_array_foreach(doc, i, v)
            custom_default(items, v);
    }
}
