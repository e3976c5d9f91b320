/* api/strategic.h. */
#include "api/strategic.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

#define STRINGS                                                                                                        \
    .sub = (const struct field[])                                                                                      \
    {                                                                                                                  \
        {                                                                                                              \
            .type = F_STR                                                                                              \
        }                                                                                                              \
    }

static const struct field port_fields[] = {
    {"port", F_INT}, {"name", F_STR}, {"tags", F_LIST, STRINGS, .merge_key = ""}, {0}};
static const struct field strategy_fields[] = {{"type", F_STR}, {"rolling", F_OBJECT, .sub = port_fields}, {0}};
static const struct field spec_fields[] = {
    {"ports", F_LIST, .sub = (const struct field[]){{.type = F_OBJECT, .sub = port_fields}}, .merge_key = "port"},
    {"args", F_LIST, STRINGS},
    {"finalizers", F_LIST, STRINGS, .merge_key = ""},
    {"strategy", F_OBJECT, RETAIN, .sub = strategy_fields},
    {"labels", F_MAP, STRINGS},
    {"byName", F_MAP, .sub = (const struct field[]){{.type = F_OBJECT, .sub = port_fields}}},
    {0}};
static const struct kind thing = {.fields = spec_fields};

TEST(patches_merge)
{
    static const struct {
        const char *doc, *patch, *want;
    } rows[] = {
        /* maps */
        {"{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"labels\":{\"a\":null,\"c\":\"3\"}}",
         "{\"labels\":{\"b\":\"2\",\"c\":\"3\"}}"},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"$patch\":\"replace\",\"c\":\"3\"}}",
         "{\"labels\":{\"c\":\"3\"}}"},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"$patch\":\"delete\"}}", "{\"labels\":{}}"},
        {"{\"labels\":{\"a\":\"1\"}}", "{\"labels\":null}", "{}"},
        {"{}", "{\"labels\":{\"a\":null,\"b\":\"1\"}}", "{\"labels\":{\"b\":\"1\"}}"},
        {"{}", "{\"labels\":{\"$patch\":\"delete\"}}", "{}"},
        {"{\"unknown\":{\"a\":[1],\"b\":1}}", "{\"unknown\":{\"a\":[2]}}", "{\"unknown\":{\"a\":[2],\"b\":1}}"},
        {"{\"byName\":{\"x\":{\"tags\":[\"a\"]}}}", "{\"byName\":{\"x\":{\"tags\":[\"b\"]}}}",
         "{\"byName\":{\"x\":{\"tags\":[\"b\",\"a\"]}}}"},
        /* lists that are replaced, lists of scalars that merge */
        {"{\"args\":[\"a\",\"b\"]}", "{\"args\":[\"c\"]}", "{\"args\":[\"c\"]}"},
        {"{\"finalizers\":[\"a\",\"b\"]}", "{\"finalizers\":[\"c\",\"a\"]}", "{\"finalizers\":[\"c\",\"a\",\"b\"]}"},
        {"{\"finalizers\":[\"a\",\"b\",\"c\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"b\"]}",
         "{\"finalizers\":[\"a\",\"c\"]}"},
        {"{}", "{\"$deleteFromPrimitiveList/finalizers\":[\"b\"]}", "{}"},
        {"{\"finalizers\":[\"a\",\"b\",\"c\"]}",
         "{\"$setElementOrder/finalizers\":[\"c\",\"d\",\"a\"],\"finalizers\":[\"d\"],\"$deleteFromPrimitiveList/"
         "finalizers\":[\"b\"]}",
         "{\"finalizers\":[\"c\",\"d\",\"a\"]}"},
        /* lists of objects */
        {"{\"ports\":[{\"port\":1,\"name\":\"a\"},{\"port\":2}]}", "{\"ports\":[{\"port\":2,\"name\":\"b\"}]}",
         "{\"ports\":[{\"port\":1,\"name\":\"a\"},{\"port\":2,\"name\":\"b\"}]}"},
        {"{\"ports\":[{\"port\":1}]}", "{\"ports\":[{\"port\":3}]}", "{\"ports\":[{\"port\":3},{\"port\":1}]}"},
        {"{\"ports\":[{\"port\":1,\"name\":\"a\"}]}", "{\"ports\":[{\"port\":1,\"name\":null}]}",
         "{\"ports\":[{\"port\":1}]}"},
        {"{\"ports\":[{\"port\":1},{\"port\":2}]}", "{\"ports\":[{\"port\":1,\"$patch\":\"delete\"}]}",
         "{\"ports\":[{\"port\":2}]}"},
        {"{\"ports\":[{\"port\":1},{\"port\":2}]}", "{\"ports\":[{\"port\":3},{\"$patch\":\"replace\"}]}",
         "{\"ports\":[{\"port\":3}]}"},
        {"{\"ports\":[{\"port\":1},{\"port\":2}]}", "{\"ports\":[{\"$patch\":\"replace\"}]}", "{\"ports\":[]}"},
        {"{}", "{\"ports\":[{\"port\":1,\"$patch\":\"delete\"},{\"port\":2,\"name\":null}]}",
         "{\"ports\":[{\"port\":2}]}"},
        {"{\"ports\":[{\"port\":1,\"tags\":[\"x\"]}]}", "{\"ports\":[{\"port\":1,\"tags\":[\"y\"]}]}",
         "{\"ports\":[{\"port\":1,\"tags\":[\"y\",\"x\"]}]}"},
        {"{\"ports\":[{\"port\":1},{\"port\":2},{\"port\":3}]}",
         "{\"$setElementOrder/ports\":[{\"port\":3},{\"port\":1}]}",
         "{\"ports\":[{\"port\":2},{\"port\":3},{\"port\":1}]}"},
        {"{\"ports\":[{\"port\":1},{\"port\":2}]}",
         "{\"$setElementOrder/ports\":[{\"port\":4},{\"port\":2}],\"ports\":[{\"port\":4}]}",
         "{\"ports\":[{\"port\":4},{\"port\":1},{\"port\":2}]}"},
        {"{}", "{\"$setElementOrder/ports\":[{\"port\":4}],\"ports\":[{\"port\":4}]}", "{\"ports\":[{\"port\":4}]}"},
        /* a union of which one branch stays */
        {"{\"strategy\":{\"type\":\"Rolling\",\"rolling\":{\"port\":1}}}",
         "{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\",\"rolling\":null}}",
         "{\"strategy\":{\"type\":\"Recreate\"}}"},
        {"{}", "{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}",
         "{\"strategy\":{\"type\":\"Recreate\"}}"},
        /* other types take over */
        {"{\"ports\":{}}", "{\"ports\":[{\"port\":1}]}", "{\"ports\":[{\"port\":1}]}"},
        {"{\"labels\":[1]}", "{\"labels\":{\"a\":\"1\"}}", "{\"labels\":{\"a\":\"1\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;
        _cleanup_json_ json_t *doc = json_loads(rows[i].doc, 0, NULL), *before = json_deep_copy(doc);
        _cleanup_json_ json_t *patch = json_loads(rows[i].patch, 0, NULL),
                              *got = strategic_merge(&thing, doc, patch, &err);
        if (!got)
            T_FAIL("%s: %s", rows[i].patch, err.msg);
        T_JSON(got, rows[i].want);
        T_TRUE(json_equal(doc, before));
    }
}

TEST(bad_patches_are_explained)
{
    static const struct {
        const char *patch, *message;
    } rows[] = {
        {"[]", "a strategic merge patch is an object"},
        {"{\"labels\":{\"$patch\":\"merge\"}}", "unknown patch type: merge"},
        {"{\"labels\":{\"$patch\":7}}", "unknown patch type: "},
        {"{\"ports\":[{\"name\":\"x\"}]}", "map: {\"name\":\"x\"} does not contain declared merge key: port"},
        {"{\"ports\":[7]}", "map: 7 does not contain declared merge key: port"},
        {"{\"ports\":[{\"$patch\":\"delete\"}]}", "delete patch type with no merge key defined"},
        {"{\"ports\":[{\"port\":1,\"$patch\":\"merge\"}]}", "merging lists cannot yet be specified in the patch"},
        {"{\"ports\":[{\"port\":1,\"$patch\":\"x\"}]}", "unknown patch type: x"},
        {"{\"strategy\":{\"$retainKeys\":[\"a\"],\"type\":\"x\"}}",
         "invalid patch format of retainKeys: type is not among them"},
        {"{\"strategy\":{\"$retainKeys\":{}}}", "$retainKeys is not a list"},
        {"{\"$setElementOrder/ports\":7}", "$setElementOrder/ports is not a list"},
        {"{\"$setElementOrder/ports\":[],\"ports\":[{\"port\":1}]}",
         "The order in patch list: ports doesn't match $setElementOrder/ports list"},
        {"{\"$setElementOrder/ports\":[{\"port\":2},{\"port\":1}],\"ports\":[{\"port\":1},{\"port\":2}]}",
         "The order in patch list: ports doesn't match $setElementOrder/ports list"},
        {"{\"$deleteFromPrimitiveList/args\":7}", "$deleteFromPrimitiveList/args is not a list"},
    };
    _cleanup_json_ json_t *doc =
        json_loads("{\"ports\":[{\"port\":1}],\"labels\":{\"a\":\"1\"},\"strategy\":{}}", 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *patch = json_loads(rows[i].patch, 0, NULL),
                              *got = strategic_merge(&thing, doc, patch, &err);
        T_TRUE(!got);
        T_STR(err.msg, rows[i].message);
    }
}

/* A random document of the kind; also usable as a patch. */
static json_t *random_document(bool as_patch)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    json_t *doc = json_object(), *ports = json_array(), *labels = json_object(), *finalizers = json_array();
    int first = rand() % 5;
    for (int i = 0; i < 5; i++)
        if (rand() % 2) {
            json_t *port = json_pack("{s:i}", "port", (first + i * 2) % 5);
            if (rand() % 2)
                json_object_set_new(port, "name", json_string(names[rand() % 4]));
            if (as_patch && rand() % 4 == 0)
                json_object_set_new(port, "$patch", json_string("delete"));
            json_array_append_new(ports, port);
        }
    for (int i = 0; i < 4; i++) {
        if (rand() % 2)
            json_array_append_new(finalizers, json_string(names[i]));
        if (rand() % 2)
            json_object_set_new(labels, names[i],
                                as_patch && rand() % 3 == 0 ? json_null() : json_string(names[rand() % 4]));
    }
    json_object_set_new(doc, "ports", ports);
    json_object_set_new(doc, "labels", labels);
    json_object_set_new(doc, "finalizers", finalizers);
    return doc;
}

TEST(a_patch_applied_twice_is_a_patch_applied_once)
{
    srand(9);
    for (int i = 0; i < 20000; i++) {
        struct err err;
        _cleanup_json_ json_t *doc = random_document(false), *patch = random_document(true);
        _cleanup_json_ json_t *once = strategic_merge(&thing, doc, patch, &err);
        _cleanup_json_ json_t *twice = once ? strategic_merge(&thing, once, patch, &err) : NULL;
        if (!twice || !json_equal(once, twice)) {
            _cleanup_free_ char *d = jprint(doc), *p = jprint(patch);
            T_FAIL("%s with %s", d, p);
        }
    }
}

TEST(real_kinds_merge_as_kubectl_expects)
{
    struct err err;
    _cleanup_json_ json_t *doc =
        json_loads("{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x\",\"env\":[{"
                   "\"name\":\"E\",\"value\":\"1\"}]},{\"name\":\"b\"}]}}}}",
                   0, NULL);
    _cleanup_json_ json_t *patch =
        json_loads("{\"spec\":{\"replicas\":3,\"template\":{\"spec\":{\"$setElementOrder/"
                   "containers\":[{\"name\":\"a\"},{\"name\":\"b\"}],"
                   "\"containers\":[{\"name\":\"a\",\"image\":\"y\",\"env\":[{\"name\":\"F\",\"value\":\"2\"}]}]}}}}",
                   0, NULL);
    _cleanup_json_ json_t *got = strategic_merge(&kind_deployment, doc, patch, &err);
    T_JSON(got, "{\"spec\":{\"replicas\":3,\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"y\","
                "\"env\":[{\"name\":\"F\","
                "\"value\":\"2\"},{\"name\":\"E\",\"value\":\"1\"}]},{\"name\":\"b\"}]}}}}");
}

int main(void)
{
    RUN(patches_merge);
    RUN(bad_patches_are_explained);
    RUN(a_patch_applied_twice_is_a_patch_applied_once);
    RUN(real_kinds_merge_as_kubectl_expects);
    return DONE();
}
