/* api/table.h over a small kind of the test's own. */
#include "api/table.h"
#include "json/json.h"
#include "t.h"

static json_t *cell_name(const json_t *o, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jstr(o, "metadata.name"));
}

static json_t *cell_size(const json_t *o, int64_t now_usec)
{
    return now_usec > 0 ? json_integer(jint(o, "size", 0)) : NULL;
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name}, {"Size", "integer", NULL, 1, cell_size}, {0}};
static const struct kind thing = {.group = "", .kind = "Thing", .version = "v1", .columns = columns};

static struct object *thing_new(const char *name, int size)
{
    _cleanup_json_ json_t *doc = json_pack("{s:s, s:s, s:{s:s, s:s}, s:i}", "apiVersion", "v1", "kind", "Thing",
                                           "metadata", "name", name, "resourceVersion", "7", "size", size);
    return object_new(&thing, doc);
}

#define PARTIAL                                                                                                        \
    "{\"kind\": \"PartialObjectMetadata\", \"apiVersion\": \"meta.k8s.io/v1\", \"metadata\": {\"name\": \"a\", "       \
    "\"resourceVersion\": \"7\"}}"

TEST(rows_are_cells_and_metadata)
{
    struct object *objs[] = {thing_new("a", 1), thing_new("b", 2)};
    _cleanup_json_ json_t *meta = json_pack("{s:s}", "resourceVersion", "9");
    _cleanup_json_ json_t *t = table_new(&thing, "v1", objs, 2, meta, INCLUDE_METADATA, true);
    T_STR(jstr(t, "kind"), "Table");
    T_STR(jstr(t, "apiVersion"), "meta.k8s.io/v1");
    T_STR(jstr(t, "metadata.resourceVersion"), "9");
    T_JSON(json_array_get(jget(t, "columnDefinitions"), 0),
           "{\"name\": \"Name\", \"type\": \"string\", \"format\": \"name\", \"description\": \"Name, unique among the "
           "objects of its kind and "
           "namespace.\", \"priority\": 0}");
    T_STR(jstr(json_array_get(jget(t, "columnDefinitions"), 1), "format"), "");
    T_JSON(json_array_get(jget(t, "rows"), 0), "{\"cells\": [\"a\", 1], \"object\": " PARTIAL "}");
    T_JSON(jget(json_array_get(jget(t, "rows"), 1), "cells"), "[\"b\", 2]");
    object_unref(objs[0]);
    object_unref(objs[1]);
}

TEST(the_object_comes_as_asked)
{
    struct object *obj = thing_new("a", 1);
    _cleanup_json_ json_t *none = table_new(&thing, "v1beta1", &obj, 1, NULL, INCLUDE_NONE, false);
    T_JSON(none, "{\"kind\": \"Table\", \"apiVersion\": \"meta.k8s.io/v1beta1\", \"metadata\": {}, "
                 "\"columnDefinitions\": null, \"rows\": "
                 "[{\"cells\": [\"a\", 1]}]}");
    _cleanup_json_ json_t *whole = table_new(&thing, "v1", &obj, 1, NULL, INCLUDE_OBJECT, false);
    T_INT(jint(json_array_get(jget(whole, "rows"), 0), "object.size", 0), 1);
    _cleanup_json_ json_t *doc = object_json(obj), *partial = partial_metadata(doc, "v1");
    T_JSON(partial, PARTIAL);
    object_unref(obj);
}

int main(void)
{
    RUN(rows_are_cells_and_metadata);
    RUN(the_object_comes_as_asked);
    return DONE();
}
