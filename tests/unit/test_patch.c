/* json/patch.h: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386). */
#include "base/str.h"
#include "json/patch.h"
#include "t.h"

TEST(operations_apply)
{
    static const struct {
        const char *doc, *ops, *want;
    } rows[] = {
        {"{\"a\":1}", "[]", "{\"a\":1}"},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":[1]}]", "{\"a\":1,\"b\":[1]}"},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}"},
        {"{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2,3]}"},
        {"{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":4}]", "{\"a\":[1,3,4]}"},
        {"{\"a\":[1,3]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":4}]", "{\"a\":[1,3,4]}"},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[]}]", "[]"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "[{\"op\":\"remove\",\"path\":\"/a/b\"}]", "{\"a\":{\"c\":2}}"},
        {"[1,2,3]", "[{\"op\":\"remove\",\"path\":\"/1\"}]", "[1,3]"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}"},
        {"{\"a/b\":1,\"c~d\":2}",
         "[{\"op\":\"replace\",\"path\":\"/a~1b\",\"value\":3},{\"op\":\"remove\",\"path\":\"/c~0d\"}]", "{\"a/b\":3}"},
        {"{\"\":1}", "[{\"op\":\"replace\",\"path\":\"/\",\"value\":2}]", "{\"\":2}"},
        {"{\"a\":{\"b\":1},\"c\":{}}", "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\"}]",
         "{\"a\":{},\"c\":{\"d\":1}}"},
        {"{\"a\":[1,2,3]}", "[{\"op\":\"move\",\"from\":\"/a/0\",\"path\":\"/a/2\"}]", "{\"a\":[2,3,1]}"},
        {"{\"a\":{\"b\":1}}",
         "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"remove\",\"path\":\"/a/b\"}]",
         "{\"a\":{},\"c\":{\"b\":1}}"},
        {"{\"a\":1}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0},{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]",
         "{\"a\":1}"},
        {"{\"a\":[{\"x\":1}]}",
         "[{\"op\":\"test\",\"path\":\"/a/0\",\"value\":{\"x\":1}},{\"op\":\"add\",\"path\":\"/a/0/y\",\"value\":2}]",
         "{\"a\":[{\"x\":1,\"y\":2}]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;
        _cleanup_json_ json_t *doc = json_loads(rows[i].doc, 0, NULL), *before = json_deep_copy(doc);
        _cleanup_json_ json_t *ops = json_loads(rows[i].ops, 0, NULL), *got = json_patch_apply(doc, ops, &err);
        if (!got)
            T_FAIL("%s: %s", rows[i].ops, err.msg);
        T_JSON(got, rows[i].want);
        T_TRUE(json_equal(doc, before));
    }
}

TEST(what_does_not_apply_is_explained)
{
    static const struct {
        const char *ops, *message;
    } rows[] = {
        {"{}", "a JSON patch is an array of operations"},
        {"[{}]", "an operation needs an op and a path"},
        {"[7]", "an operation needs an op and a path"},
        {"[{\"op\":\"add\",\"path\":\"/b\"}]", "add operation needs a value"},
        {"[{\"op\":\"move\",\"path\":\"/b\"}]", "move operation needs a from"},
        {"[{\"op\":\"frob\",\"path\":\"/b\"}]", "Unexpected kind: frob"},
        {"[{\"op\":\"add\",\"path\":\"b\",\"value\":1}]", "add operation does not apply: bad path: b"},
        {"[{\"op\":\"add\",\"path\":\"/x/y\",\"value\":1}]",
         "add operation does not apply: doc is missing path: \"/x/y\": missing value"},
        {"[{\"op\":\"add\",\"path\":\"/a/4\",\"value\":1}]",
         "add operation does not apply: error in index: \"/a/4\": invalid index referenced"},
        {"[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":1}]",
         "add operation does not apply: error in index: \"/a/01\": invalid index referenced"},
        {"[{\"op\":\"remove\",\"path\":\"/a/-\"}]",
         "remove operation does not apply: error in index: \"/a/-\": invalid index referenced"},
        {"[{\"op\":\"remove\",\"path\":\"/x\"}]",
         "remove operation does not apply: unable to remove nonexistent key: /x: missing value"},
        {"[{\"op\":\"replace\",\"path\":\"/x\",\"value\":1}]",
         "replace operation does not apply: doc is missing key: /x: missing value"},
        {"[{\"op\":\"test\",\"path\":\"/o/p\",\"value\":2}]", "testing value /o/p failed: test failed"},
        {"[{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/y\"}]",
         "copy operation does not apply: doc is missing key: /x: missing value"},
        {"[{\"op\":\"move\",\"from\":\"/o\",\"path\":\"/o/p\"}]", "move operation does not apply: /o/p is inside /o"},
        {"[{\"op\":\"remove\",\"path\":\"\"},{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]",
         "add operation does not apply: doc is missing path: \"/a\": missing value"},
    };
    _cleanup_json_ json_t *doc = json_loads("{\"a\": [1, 2], \"o\": {\"p\": 1}}", 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *ops = json_loads(rows[i].ops, 0, NULL), *got = json_patch_apply(doc, ops, &err);
        T_TRUE(!got);
        T_STR(err.msg, rows[i].message);
    }
}

TEST(patches_have_limits)
{
    struct err err;
    _cleanup_json_ json_t *doc = json_pack("{s:[s]}", "a", "some text that is long enough to matter after doubling");
    _cleanup_json_ json_t *many = json_array(), *doubling = json_array();
    for (int i = 0; i <= JSON_PATCH_OPS_MAX; i++)
        json_array_append_new(many, json_pack("{s:s, s:s, s:i}", "op", "test", "path", "/x", "value", 1));
    T_TRUE(!json_patch_apply(doc, many, &err));
    T_STR(err.msg, "The allowed maximum operations in a JSON patch is 10000, got 10001");
    for (int i = 0; i < 64; i++)
        json_array_append_new(doubling, json_pack("{s:s, s:s, s:s}", "op", "copy", "from", "/a", "path", "/a/-"));
    T_TRUE(!json_patch_apply(doc, doubling, &err));
    T_TRUE(str_after(err.msg, "copy operation does not apply: more than"));
    _cleanup_json_ json_t *deeper = json_loads("[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/b\"}]", 0, NULL);
    _cleanup_json_ json_t *deep = json_object();
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        json_t *next = json_patch_apply(deep, deeper, &err);
        T_TRUE((next != NULL) == (i < JSON_DEPTH_MAX - 1));
        if (next) {
            json_decref(deep);
            deep = next;
        }
    }
    T_STR(err.msg, "copy operation does not apply: more than 96 levels deep");
}

TEST(merge_patches_are_rfc_7386s)
{
    static const struct {
        const char *doc, *patch, *want;
    } rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ json_t *doc = json_loads(rows[i].doc, 0, NULL), *before = json_deep_copy(doc);
        _cleanup_json_ json_t *patch = json_loads(rows[i].patch, 0, NULL), *got = json_merge_patch(doc, patch);
        T_JSON(got, rows[i].want);
        T_TRUE(json_equal(doc, before));
    }
}

static json_t *random_document(int depth)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    int what = rand() % (depth ? 6 : 3);
    json_t *j = what < 2 ? json_integer(rand() % 4) : what == 2 ? json_string(names[rand() % 4]) : json_object();
    if (what == 5) {
        json_decref(j);
        j = json_pack("[i, i]", rand() % 3, rand() % 3);
    }
    for (int n = json_is_object(j) ? rand() % 4 : 0; n > 0; n--)
        json_object_set_new(j, names[rand() % 4], random_document(depth - 1));
    return j;
}

/* The patch that makes `to` of `from`. */
static json_t *difference(const json_t *from, const json_t *to)
{
    const char *key;
    json_t *v;
    if (!json_is_object(from) || !json_is_object(to))
        return json_deep_copy(to);
    json_t *patch = json_object();
    json_object_foreach((json_t *)from, key, v)
        if (!json_object_get(to, key))
            json_object_set_new(patch, key, json_null());
    json_object_foreach((json_t *)to, key, v)
        if (!json_equal(v, json_object_get(from, key)))
            json_object_set_new(patch, key, difference(json_object_get(from, key), v));
    return patch;
}

TEST(a_difference_merged_gives_the_other_document)
{
    srand(5);
    for (int i = 0; i < 20000; i++) {
        _cleanup_json_ json_t *from = random_document(4), *to = random_document(4), *patch = difference(from, to);
        /* An object replaces what is none by merging into an empty one; nulls cannot be in `to`. */
        _cleanup_json_ json_t *got = json_merge_patch(from, patch);
        if (!json_equal(got, to)) {
            _cleanup_free_ char *f = json_dumps(from, JSON_ENCODE_ANY), *t = json_dumps(to, JSON_ENCODE_ANY);
            T_FAIL("from %s to %s", f, t);
        }
    }
}

int main(void)
{
    RUN(operations_apply);
    RUN(what_does_not_apply_is_explained);
    RUN(patches_have_limits);
    RUN(merge_patches_are_rfc_7386s);
    RUN(a_difference_merged_gives_the_other_document);
    return DONE();
}
