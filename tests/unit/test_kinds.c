/* kinds: the tables agree with themselves, and the look-ups find every kind. */
#include "api/status.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "t.h"

#define PATH_SIZE 256

static void walk_fields(const char *where, const struct field *fields, int depth);

static const struct field *member(const struct field *fields, const char *name, size_t len)
{
    for (const struct field *f = fields; f && f->name; f++)
        if (strlen(f->name) == len && strncmp(f->name, name, len) == 0)
            return f;
    return NULL;
}

/* The row at a dotted path. */
static const struct field *row_at(const struct kind *k, const char *path)
{
    const struct field *fields = k->fields, *f = NULL;
    while (fields && *path) {
        size_t len = strcspn(path, ".");
        f = member(fields, path, len);
        fields = f ? f->sub : NULL;
        path += len + (path[len] == '.');
        if (!f)
            return NULL;
    }
    return *path ? NULL : f;
}

static bool type_fits(const struct field *f, const json_t *v)
{
    switch (f->type) {
    case F_INT:
    case F_INT64:
        return json_is_integer(v);
    case F_BOOL:
        return json_is_boolean(v);
    case F_NUMBER:
        return json_is_number(v);
    case F_INT_OR_STR:
        return json_is_integer(v) || json_is_string(v);
    case F_OBJECT:
    case F_MAP:
        return json_is_object(v);
    case F_LIST:
        return json_is_array(v);
    case F_RAW:
        return true;
    default:
        return json_is_string(v);
    }
}

static bool among(const char *const *list, const char *s)
{
    while (*list && !streq(*list, s))
        list++;
    return *list;
}

static void check_default(const char *where, const struct field *f)
{
    char scratch[CHECK_SCRATCH_SIZE];
    _cleanup_json_ json_t *v = json_loads(f->dflt, JSON_DECODE_ANY, NULL);
    if (!v || !type_fits(f, v)) {
        T_FAIL("%s: the default %s is no JSON of its type", where, f->dflt);
        return;
    }
    const char *s = json_string_value(v);
    if (s && f->oneof && !among(f->oneof, s))
        T_FAIL("%s: the default is none of the supported values", where);
    if (s && f->check && f->check(s, scratch))
        T_FAIL("%s: the default is refused: %s", where, f->check(s, scratch));
    if (json_is_integer(v) && (f->min || f->max) && (json_integer_value(v) < f->min || json_integer_value(v) > f->max))
        T_FAIL("%s: the default is out of range", where);
}

static void check_key_exists(const char *where, const struct field *list, const char *key, size_t len)
{
    if (len == 0) {
        if (list->sub->type == F_OBJECT)
            T_FAIL("%s: a list of objects needs named keys", where);
    } else if (!member(list->sub->sub, key, len)) {
        T_FAIL("%s: key %.*s is no member of the items", where, (int)len, key);
    }
}

static void check_keys(const char *where, const struct field *f)
{
    if (f->merge_key)
        check_key_exists(where, f, f->merge_key, strlen(f->merge_key));
    for (const char *key = f->list_keys; key; key = strchr(key, ',') ? strchr(key, ',') + 1 : NULL)
        check_key_exists(where, f, key, strcspn(key, ","));
}

static void walk_field(const char *where, const struct field *f, int depth)
{
    bool composed = f->type == F_OBJECT || f->type == F_LIST || f->type == F_MAP;
    if ((int)f->type < 0 || f->type >= F_TYPE_N)
        T_FAIL("%s: no type", where);
    if (composed != (f->sub != NULL))
        T_FAIL("%s: members, items and values need a table, others have none", where);
    if (f->name && f->dflt)
        check_default(where, f);
    if ((f->merge_key || f->list_keys) && f->type != F_LIST)
        T_FAIL("%s: keys of what is no list", where);
    if ((f->flags & REQ) && (f->flags & OPT))
        T_FAIL("%s: required and optional", where);
    if ((f->min || f->max) && f->type != F_INT && f->type != F_INT64)
        T_FAIL("%s: a range of what is no integer", where);
    if (!f->sub)
        return;
    if (f->type == F_OBJECT) {
        walk_fields(where, f->sub, depth + 1);
        return;
    }
    if (f->sub->name)
        T_FAIL("%s: an item has no name", where);
    if (f->type == F_LIST)
        check_keys(where, f);
    walk_field(where, f->sub, depth + 1);
}

static void walk_fields(const char *where, const struct field *fields, int depth)
{
    if (depth > 40) {
        T_FAIL("%s: endless", where);
        return;
    }
    for (const struct field *f = fields; f->name; f++) {
        char here[PATH_SIZE];
        snprintf(here, sizeof(here), "%s.%s", where, f->name);
        if (member(fields, f->name, strlen(f->name)) != f)
            T_FAIL("%s: twice", here);
        walk_field(here, f, depth);
    }
}

TEST(tables_agree_with_themselves)
{
    for (const struct kind *const *k = all_kinds; *k; k++)
        walk_fields((*k)->kind, (*k)->fields, 0);
}

TEST(every_kind_is_complete)
{
    for (const struct kind *const *at = all_kinds; *at; at++) {
        const struct kind *k = *at;
        if (!k->group || !k->version || !k->plural || !k->singular || !k->columns || !k->check_name || !k->verbs)
            T_FAIL("%s lacks something", k->kind);
        char list[80];
        snprintf(list, sizeof(list), "%sList", k->kind);
        T_STR(k->list_kind, list);
        T_TRUE(row_at(k, "metadata.managedFields"));
        if (k->verbs & V_CREATE) /* else it is computed, all of it */
            T_INT(k->has_status || k->is_review, row_at(k, "status") != NULL);
        for (const struct field *f = k->fields; f->name; f++)
            if (!f->doc)
                T_FAIL("%s.%s: nothing for `kubectl explain`", k->kind, f->name);
        for (const struct field_label *l = k->field_labels; l && l->label; l++)
            if (!row_at(k, l->path))
                T_FAIL("%s: field label %s leads nowhere", k->kind, l->label);
        if (k->scale) {
            const struct field *selector = row_at(k, k->scale->selector_path);
            T_TRUE(row_at(k, k->scale->replicas_path) && row_at(k, k->scale->status_replicas_path));
            T_INT(selector ? selector->type : F_TYPE_N, k->scale->selector_is_map ? F_MAP : F_OBJECT);
        }
    }
}

/* Hooks and columns see whatever a client sends; the emptiest of it must not bring them down. */
TEST(hooks_survive_empty_documents)
{
    static const char *const texts[] = {
        "{}",
        "{\"metadata\":{},\"spec\":{},\"status\":{}}",
        "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"template\":{\"spec\":{\"containers\":[{}]}},\"containers\":[{}],"
        "\"volumes\":[{}],\"ports\":[{}],\"taints\":[{}],\"tolerations\":[{}]},\"subsets\":[{}],\"ports\":[{}],"
        "\"endpoints\":[{}],\"data\":{},\"stringData\":{}}",
    };
    for (const struct kind *const *at = all_kinds; *at; at++)
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            const struct kind *k = *at;
            _cleanup_json_ json_t *doc = json_loads(texts[i], 0, NULL);
            for (const struct column *c = k->columns; c->name; c++) {
                _cleanup_json_ json_t *cell = c->cell(doc, 0);
                if (!json_is_string(cell) && !json_is_integer(cell) && !json_is_boolean(cell))
                    T_FAIL("%s: column %s has no cell", k->kind, c->name);
            }
            struct status_causes causes = {0};
            if (k->default_more)
                k->default_more(doc);
            if (k->prepare)
                k->prepare(doc, NULL);
            if (k->validate) {
                k->validate(doc, NULL, &causes);
                k->validate(doc, doc, &causes);
            }
            causes_done(&causes);
        }
}

TEST(lookups)
{
    char text[API_VERSION_SIZE];
    for (const struct kind *const *k = all_kinds; *k; k++) {
        T_TRUE(kind_by_resource((*k)->group, (*k)->version, (*k)->plural) == *k);
        T_TRUE(kind_by_api_version(kind_api_version(*k, text), (*k)->kind) == *k);
    }
    T_TRUE(kind_by_resource("", "v1", "pods") == &kind_pod);
    T_TRUE(!kind_by_resource("apps", "v1", "pods"));
    T_TRUE(!kind_by_resource("", "v1", "deployments"));
    T_TRUE(!kind_by_resource("", "v2", "pods"));
    T_TRUE(kind_by_api_version("apps/v1", "Deployment") == &kind_deployment);
    T_TRUE(!kind_by_api_version("v1", "Deployment"));
}

TEST(kinds_come_and_go)
{
    struct kind *kept = kind_reserve("example.com", "widgets", NULL),
                *v1 = kind_reserve("example.com", "widgets", "v1");
    T_TRUE(kept != v1 && kind_reserve("example.com", "widgets", NULL) == kept);
    T_STR(kept->stored_as, "example.com/widgets");
    T_TRUE(kind_reserved("example.com/widgets") == kept && !kind_reserved("example.com/gadgets"));
    T_TRUE(!kind_by_resource("example.com", "v1", "widgets"));
    unsigned long before = kinds_generation();
    v1->version = "v1";
    v1->kind = "Widget";
    kind_list(v1);
    kind_list(v1);
    T_TRUE(kind_by_resource("example.com", "v1", "widgets") == v1);
    T_TRUE(kind_by_api_version("example.com/v1", "Widget") == v1);
    T_TRUE(kind_by_resource("", "v1", "pods") == &kind_pod && kinds_generation() != before);
    struct kind *v1beta1 = kind_reserve("example.com", "widgets", "v1beta1"), *v10;
    v10 = kind_reserve("example.com", "widgets", "v10");
    kept->version = "v2alpha1";
    v1beta1->version = "v1beta1";
    v10->version = "v10";
    v10->kind = v1beta1->kind = kept->kind = "Widget";
    v1->stored = v10->stored = v1beta1->stored = kept;
    kind_list(kept);
    kind_list(v1beta1);
    kind_list(v10);
    const struct kind *const *at = all_kinds;
    while (*at != v10)
        at++;
    T_TRUE(at[1] == v1 && at[2] == v1beta1 && at[3] == kept && !at[4]);
    kind_unlist(kept);
    kind_unlist(v1beta1);
    kind_unlist(v10);
    kind_unlist(v1);
    T_TRUE(!kind_by_resource("example.com", "v1", "widgets") && !kind_by_api_version("example.com/v1", "Widget"));
    for (const struct kind *const *k = all_kinds; *k; k++)
        T_TRUE(*k != v1);
}

TEST(paths)
{
    static const struct {
        const struct kind *kind;
        const char *ns, *name, *sub, *path;
    } cases[] = {
        {&kind_pod, "default", "web", NULL, "/api/v1/namespaces/default/pods/web"},
        {&kind_pod, "default", "web", "log", "/api/v1/namespaces/default/pods/web/log"},
        {&kind_pod, NULL, NULL, NULL, "/api/v1/pods"},
        {&kind_node, NULL, "n1", "status", "/api/v1/nodes/n1/status"},
        {&kind_node, "", NULL, NULL, "/api/v1/nodes"},
        {&kind_deployment, "a", NULL, NULL, "/apis/apps/v1/namespaces/a/deployments"},
        {&kind_lease, "a", "b", NULL, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *path = kind_path(cases[i].kind, cases[i].ns, cases[i].name, cases[i].sub);
        T_STR(path, cases[i].path);
    }
}

int main(void)
{
    RUN(tables_agree_with_themselves);
    RUN(every_kind_is_complete);
    RUN(hooks_survive_empty_documents);
    RUN(lookups);
    RUN(kinds_come_and_go);
    RUN(paths);
    return DONE();
}
