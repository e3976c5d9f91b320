/* api/fieldset.h and api/fieldwalk.h. */
#include "api/fieldset.h"
#include "api/fieldwalk.h"
#include "base/str.h"
#include "json/json.h"
#include "doc.h"

/* --- sets --- */

TEST(sets_from_outside_are_brought_to_one_form)
{
    static const struct {
        const char *text, *want; /* want NULL: refused */
    } rows[] = {
        {"{}", "{}"},
        {"{\"f:a\":{\".\":{}}}", "{\"f:a\":{}}"},
        {"{\"f:a\":{\".\":{},\"f:b\":{}}}", "{\"f:a\":{\".\":{},\"f:b\":{}}}"},
        {"{\"k:{ \\\"b\\\":2, \\\"a\\\":1}\":{}}", "{\"k:{\\\"a\\\":1,\\\"b\\\":2}\":{}}"},
        {"{\"v:\\\"x\\\"\":{},\"i:7\":{}}", "{\"v:\\\"x\\\"\":{},\"i:7\":{}}"},
        {"{\".\":{}}", NULL},
        {"{\"a\":{}}", NULL},
        {"{\"f:a\":true}", NULL},
        {"{\"k:{}\":{}}", NULL},
        {"{\"k:{\":{}}", NULL},
        {"{\"v:\":{}}", NULL},
        {"{\"i:-1\":{}}", NULL},
        {"[]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ json_t *in = t_doc(rows[i].text), *out = fieldset_parse(in);
        if (rows[i].want)
            T_JSON(out, rows[i].want);
        else
            T_TRUE(!out);
    }
}

static void join(void *arg, const char *path)
{
    buf_addf(arg, "%s ", path);
}

TEST(paths_are_printed_as_upstream_does)
{
    struct buf out = BUF_INIT(0);
    _cleanup_json_ json_t *set =
        t_doc("{\"f:spec\":{\"f:template\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"web\\\"}\":{\".\":{},"
              "\"f:image\":{},\"f:ports\":{\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":"
              "{}}}}},\"f:replicas\":{}},\"f:finalizers\":{\"v:\\\"a\\\"\":{},\"i:2\":{}}}");
    fieldset_each(set, join, &out);
    T_STR(buf_str(&out), ".finalizers[2] .finalizers[=\"a\"] .spec.replicas "
                         ".spec.template.containers[name=\"web\"] .spec.template.containers[name=\"web\"].image "
                         ".spec.template.containers[name=\"web\"].ports[containerPort=80,protocol=\"TCP\"] ");
    buf_done(&out);
}

static unsigned random_state = 7;

static int below(int n)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % n;
}

static json_t *random_node(int depth)
{
    static const char *const steps[] = {"f:a", "f:b", "k:{\"n\":1}", "k:{\"n\":2}", "v:\"x\""};
    json_t *node = json_object();
    for (size_t i = 0; depth && i < ARRAY_LEN(steps); i++)
        if (below(2))
            json_object_set_new(node, steps[i], random_node(below(depth + 1) ? depth - 1 : 0));
    if (json_object_size(node) && below(2))
        json_object_set_new(node, ".", json_object());
    return node;
}

static json_t *random_set(void)
{
    json_t *set = random_node(3);
    json_object_del(set, ".");
    return set;
}

TEST(algebra_holds_for_random_sets)
{
    for (int i = 0; i < 3000; i++) {
        _cleanup_json_ json_t *a = random_set(), *b = random_set(), *c = random_set();
        _cleanup_json_ json_t *ab = fieldset_union(a, b), *ba = fieldset_union(b, a), *bc = fieldset_union(b, c);
        _cleanup_json_ json_t *abc = fieldset_union(ab, c), *abc2 = fieldset_union(a, bc);
        _cleanup_json_ json_t *only_a = fieldset_minus(a, b), *both = fieldset_common(a, b);
        _cleanup_json_ json_t *both2 = fieldset_minus(a, only_a), *whole = fieldset_union(only_a, both);
        _cleanup_json_ json_t *none = fieldset_common(only_a, b), *a_less_bc = fieldset_minus(a, bc);
        _cleanup_json_ json_t *a_less_b_less_c = fieldset_minus(only_a, c), *read = fieldset_parse(a);
        T_TRUE(json_equal(ab, ba));
        T_TRUE(json_equal(abc, abc2));
        T_TRUE(json_equal(both, both2));
        T_TRUE(json_equal(whole, a));
        T_TRUE(fieldset_is_empty(none));
        T_TRUE(json_equal(a_less_bc, a_less_b_less_c));
        T_TRUE(json_equal(read, a));
        if (t_this_failed)
            break;
    }
}

/* --- documents --- */

#define WEB                                                                                                            \
    "{\"apiVersion\":\"apps/"                                                                                          \
    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\",\"labels\":{\"app\":\"web\"}},"                       \
    "\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{"           \
    "\"labels\":"                                                                                                      \
    "{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"args\":[\"x\"],\"resources\":{},"  \
    "\"ports\":[{\"containerPort\":80}]}]}}}}"

TEST(a_document_sets_its_leaves_and_items)
{
    _cleanup_json_ json_t *web = t_doc(WEB), *set = fields_of(&kind_deployment, web);
    T_JSON(
        set,
        "{\"f:metadata\":{\"f:labels\":{\"f:app\":{}}},\"f:spec\":{\"f:replicas\":{},\"f:selector\":{},\"f:template\":"
        "{\"f:metadata\":{\"f:labels\":{\"f:app\":{}}},\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"c\\\"}\":{"
        "\".\":{},\"f:name\":{},\"f:image\":{},\"f:args\":{},\"f:resources\":{},\"f:ports\":{"
        "\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:containerPort\":{}}}}}}}}}");
}

TEST(what_is_new_is_owned_with_what_holds_it)
{
    _cleanup_json_ json_t *web = t_doc(WEB);
    struct field_changes c = fields_compare(&kind_deployment, NULL, web);
    T_JSON(c.set,
           "{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:app\":{}}},\"f:spec\":{\"f:replicas\":{},\"f:selector\":{},\"f:"
           "template\":"
           "{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:app\":{}}},\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":"
           "\\\"c\\\"}\":{"
           "\".\":{},\"f:name\":{},\"f:image\":{},\"f:args\":{},\"f:resources\":{},\"f:ports\":{\".\":{},"
           "\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:containerPort\":{}}}}}}}}}");
    T_TRUE(fieldset_is_empty(c.removed));
    field_changes_done(&c);
}

static void changes(const struct kind *k, const char *a, const char *b, const char *set, const char *removed)
{
    _cleanup_json_ json_t *x = t_doc(a), *y = t_doc(b);
    struct field_changes c = fields_compare(k, x, y);
    T_JSON(c.set, set);
    T_JSON(c.removed, removed);
    field_changes_done(&c);
}

TEST(documents_are_compared_field_by_field)
{
    changes(&kind_configmap, "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"data\":{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}}",
            "{\"f:data\":{\"f:b\":{},\"f:c\":{}}}", "{}");
    changes(&kind_configmap, "{\"data\":{\"a\":\"1\"},\"metadata\":{\"resourceVersion\":\"1\"}}",
            "{\"metadata\":{\"resourceVersion\":\"2\"}}", "{}", "{\"f:data\":{\".\":{},\"f:a\":{}}}");
    changes(
        &kind_service, "{\"spec\":{\"selector\":{\"a\":\"1\"},\"ports\":[{\"port\":53,\"protocol\":\"TCP\"}]}}",
        "{\"spec\":{\"selector\":{\"a\":\"2\"},\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]}}",
        "{\"f:spec\":{\"f:selector\":{},\"f:ports\":{\"k:{\\\"port\\\":53,\\\"protocol\\\":\\\"UDP\\\"}\":{\".\":{},"
        "\"f:port\":{},\"f:protocol\":{}}}}}",
        "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":53,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{},"
        "\"f:protocol\":{}}}}}");
    changes(&kind_configmap, "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
            "{\"metadata\":{\"finalizers\":[\"b\",\"c\"]}}", "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"c\\\"\":{}}}}",
            "{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a\\\"\":{}}}}");
}

static void merges(const struct kind *k, const char *live, const char *config, const char *want)
{
    _cleanup_json_ json_t *a = t_doc(live), *b = t_doc(config), *m = fields_merge(k, a, b);
    T_JSON(m, want);
}

TEST(documents_merge)
{
    merges(&kind_configmap, "{\"data\":{\"a\":\"1\"}}", "{\"data\":{\"b\":\"2\"}}",
           "{\"data\":{\"a\":\"1\",\"b\":\"2\"}}");
    merges(
        &kind_service,
        "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"TCP\",\"name\":\"t\"}],\"selector\":{\"a\":\"1\"}}}",
        "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53,\"name\":\"x\"}],\"selector\":{\"b\":"
        "\"1\"}}}",
        "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53,\"protocol\":\"TCP\",\"name\":\"x\"}],"
        "\"selector\":{\"b\":\"1\"}}}");
    merges(&kind_configmap, "{\"metadata\":{\"finalizers\":[\"a\",\"b\",\"c\",\"d\"]}}",
           "{\"metadata\":{\"finalizers\":[\"d\",\"b\",\"e\"]}}",
           "{\"metadata\":{\"finalizers\":[\"a\",\"d\",\"b\",\"c\",\"e\"]}}");
}

TEST(fields_are_removed_with_what_is_empty_then)
{
    _cleanup_json_ json_t *web = t_doc(WEB);
    _cleanup_json_ json_t *set =
        t_doc("{\"f:metadata\":{\"f:labels\":{\"f:app\":{}}},\"f:spec\":{\"f:replicas\":{},\"f:"
              "template\":{\"f:spec\":{\"f:containers\":"
              "{\"k:{\\\"name\\\":\\\"c\\\"}\":{\"f:args\":{},\"f:ports\":{\"k:{"
              "\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{}},"
              "\"f:nothing\":{}},\"k:{\\\"name\\\":\\\"other\\\"}\":{}}}}}}");
    fields_remove(&kind_deployment, web, set);
    T_JSON(web, "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},"
                "\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":"
                "{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{}}]}}}}");
}

TEST(what_cannot_be_applied_is_told)
{
    static const struct {
        const char *doc, *want;
    } rows[] = {
        {"{\"spec\":{\"replicas\":1}}", NULL},
        {"{\"spec\":{\"foo\":1}}", ".spec.foo: field not declared in schema"},
        {"{\"foo\":1,\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"x\":1}]}}}}",
         "errors:\n  .foo: field not declared in schema\n"
         "  .spec.template.spec.containers[name=\"c\"].x: field not declared in schema"},
        {"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\"},{\"name\":\"c\"}]}}}}",
         ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]"},
        {"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"c\"}]}}}}",
         ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "
         "\"name\" (and doesn't have default value)"},
        {"{\"spec\":{\"selector\":{\"matchLabel\":{}}}}", ".spec.selector.matchLabel: field not declared in schema"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_json_ json_t *d = t_doc(rows[i].doc);
        _cleanup_free_ char *why = fields_check(&kind_deployment, d);
        T_STR(why, rows[i].want);
    }
}

int main(void)
{
    RUN(sets_from_outside_are_brought_to_one_form);
    RUN(paths_are_printed_as_upstream_does);
    RUN(algebra_holds_for_random_sets);
    RUN(a_document_sets_its_leaves_and_items);
    RUN(what_is_new_is_owned_with_what_holds_it);
    RUN(documents_are_compared_field_by_field);
    RUN(documents_merge);
    RUN(fields_are_removed_with_what_is_empty_then);
    RUN(what_cannot_be_applied_is_told);
    return DONE();
}
