/* kinds: object versions. */
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/object.h"
#include "t.h"

static struct object *make(const char *text)
{
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
    return object_new(&kind_pod, doc);
}

TEST(new_object_has_header_and_type)
{
    _cleanup_object_ struct object *o =
        make("{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u-1\",\"resourceVersion\":\"42\"}}");
    T_STR(o->name, "web");
    T_STR(o->ns, "default");
    T_STR(o->uid, "u-1");
    T_INT(o->rv, 42);
    T_INT(o->len, strlen(o->bytes));
    T_STR(o->bytes, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"namespace\":\"default\","
                    "\"uid\":\"u-1\",\"resourceVersion\":\"42\"}}");
    _cleanup_free_ char *key = object_key(o);
    T_STR(key, "default/web");
}

TEST(cluster_scoped_key)
{
    _cleanup_json_ json_t *doc = json_loads("{\"metadata\":{\"name\":\"n1\",\"resourceVersion\":\"1\"}}", 0, NULL);
    _cleanup_object_ struct object *o = object_new(&kind_node, doc);
    _cleanup_free_ char *key = object_key(o);
    T_STR(o->ns, "");
    T_STR(o->uid, "");
    T_STR(key, "n1");
}

TEST(selectors_find_what_they_compare_in_the_header)
{
    _cleanup_object_ struct object *o =
        make("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\",\"labels\":{\"app\":\"web\",\"empty\":\"\","
             "\"web\":\"x\"}},"
             "\"spec\":{\"nodeName\":\"n1\",\"hostNetwork\":true},\"status\":{\"phase\":\"Running\"}}");
    T_STR(object_label(o, "app"), "web");
    T_STR(object_label(o, "empty"), "");
    T_STR(object_label(o, "web"), "x");
    T_TRUE(!object_label(o, "x") && !object_label(o, ""));
    static const char *const want[] = {"n1", "n1", "", "", "", "true", "Running", "", ""};
    for (size_t i = 0; kind_pod.field_labels[i].label; i++)
        T_STR(object_field(o, i), want[i]);
    _cleanup_object_ struct object *plain = make("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}");
    T_TRUE(!object_label(plain, "app"));
}

TEST(bytes_are_kept_as_they_are)
{
    static const char text[] =
        "{\"kind\":\"Pod\", "
        "\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"resourceVersion\":\"7\"}}";
    _cleanup_object_ struct object *o = object_from_bytes(&kind_pod, text, strlen(text));
    T_STR(o->bytes, text);
    T_INT(o->rv, 7);
}

/* Reading only the header and making the whole tree tell the same. */
TEST(stored_bytes_give_the_same_header)
{
    static const char *const texts[] = {
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"uid\":\"u\","
        "\"labels\":{\"x.y/z\":"
        "\"1\",\"q\":\"\\\"\"},\"resourceVersion\":\"7\"},\"spec\":{\"containers\":[{\"name\":\"}\"}],\"nodeName\":"
        "\"n\",\"hostNetwork\":true},"
        "\"status\":{\"phase\":\"Running\"}}",
        "{\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"a\"},\"spec\":null,\"status\":[]}",
        "{\"m\\u0065tadata\":{\"resourceVersion\":\"7\",\"name\":\"a\"}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t len = strlen(texts[i]);
        _cleanup_object_ struct object *a = object_from_stored(&kind_pod, texts[i], len);
        _cleanup_object_ struct object *b = object_from_bytes(&kind_pod, texts[i], len);
        T_TRUE(a && b && a->rv == b->rv && a->len == b->len);
        size_t header = (size_t)(b->bytes - b->name);
        T_TRUE((size_t)(a->bytes - a->name) == header && memcmp(a->name, b->name, header + len + 1) == 0);
    }
    T_TRUE(!object_from_stored(&kind_pod, "{\"metadata\":{", 13));
}

TEST(what_is_no_object)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"metadata\":{\"name\":\"a\"}}",
        "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"x\"}}",
        "{\"metadata\":{\"name\":\"\",\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"resourceVersion\":\"1\"}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct object *o = object_from_bytes(&kind_pod, texts[i], strlen(texts[i]));
        if (o)
            T_FAIL("taken for an object: %s", texts[i]);
        object_unref(o);
    }
}

TEST(parsed_documents_are_remembered)
{
    _cleanup_object_ struct object *o = make("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}");
    _cleanup_json_ json_t *first = object_json(o), *again = object_json(o);
    T_TRUE(first == again);
    T_STR(jstr(first, "metadata.name"), "a");
    object_cache_clear();
    _cleanup_json_ json_t *fresh = object_json(o);
    T_TRUE(fresh != first && json_equal(fresh, first));
    object_cache_clear();
    T_INT(o->refs, 1);
}

/* The tree that a version was printed from is what is read next, type included. */
TEST(adopted_documents_are_remembered)
{
    _cleanup_json_ json_t *doc = json_loads("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", 0, NULL);
    _cleanup_object_ struct object *o = object_adopt(&kind_pod, doc);
    _cleanup_json_ json_t *read = object_json(o);
    T_TRUE(jget(read, "metadata") == jget(doc, "metadata"));
    _cleanup_free_ char *text = jprint(read);
    T_STR(text, o->bytes);
    object_cache_clear();
    T_INT(o->refs, 1);
}

/* However many are asked for, each answer is its own object's, also when addresses are used again. */
TEST(the_cache_never_mixes_objects_up)
{
    for (int i = 0; i < 200; i++) {
        char text[128], name[16];
        snprintf(name, sizeof(name), "p%d", i);
        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"%s\",\"resourceVersion\":\"%d\"}}", name, i + 1);
        _cleanup_object_ struct object *o = make(text);
        _cleanup_json_ json_t *doc = object_json(o);
        T_STR(jstr(doc, "metadata.name"), name);
    }
    object_cache_clear();
}

TEST(large_documents_are_not_remembered)
{
    _cleanup_json_ json_t *doc = json_loads("{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", 0, NULL);
    _cleanup_free_ char *big = xcalloc(1, 100001);
    memset(big, 'x', 100000);
    jset_str(doc, "data", big);
    _cleanup_object_ struct object *o = object_new(&kind_pod, doc);
    _cleanup_json_ json_t *parsed = object_json(o);
    T_INT(o->refs, 1);
}

int main(void)
{
    RUN(new_object_has_header_and_type);
    RUN(cluster_scoped_key);
    RUN(selectors_find_what_they_compare_in_the_header);
    RUN(bytes_are_kept_as_they_are);
    RUN(stored_bytes_give_the_same_header);
    RUN(what_is_no_object);
    RUN(parsed_documents_are_remembered);
    RUN(adopted_documents_are_remembered);
    RUN(the_cache_never_mixes_objects_up);
    RUN(large_documents_are_not_remembered);
    return DONE();
}
