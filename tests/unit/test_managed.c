/* api/managed.h: who owns which fields after writes and applies. */
#include "api/managed.h"
#include "api/fieldwalk.h"
#include "base/str.h"
#include "json/json.h"
#include "doc.h"

#define SECOND 1000000

static int64_t now;

static struct writer writer(const char *manager)
{
    return (struct writer){manager, "", now += SECOND};
}

/* An ordinary write of `text` over *obj (NULL: created). */
static void update(json_t **obj, const char *manager, const char *text)
{
    struct writer w = writer(manager);
    json_t *next = t_doc(text), *list = managed_update(&kind_configmap, *obj, next, &w);
    jset(next, "metadata.managedFields", list);
    json_decref(*obj);
    *obj = next;
}

/* Message of the Status, or NULL after having applied. The caller frees. */
static char *apply_kind(const struct kind *k, json_t **obj, const char *manager, const char *text, bool force)
{
    struct writer w = writer(manager);
    _cleanup_json_ json_t *config = t_doc(text), *status = NULL;
    json_t *next = managed_apply(k, *obj, config, &w, force, &status);
    if (!next)
        return xstrdup(jstr(status, "message"));
    json_decref(*obj);
    *obj = next;
    return NULL;
}

static void applies(json_t **obj, const char *manager, const char *text)
{
    _cleanup_free_ char *why = apply_kind(&kind_configmap, obj, manager, text, false);
    T_STR(why, NULL);
}

static const json_t *owned(const json_t *obj, const char *manager)
{
    return jget(jfind(jget(obj, "metadata.managedFields"), "manager", manager), "fieldsV1");
}

#define DATA(members) "{\"metadata\":{\"name\":\"m\"},\"data\":{" members "}}"

TEST(ordinary_writers_own_what_they_change)
{
    json_t *obj = NULL;
    update(&obj, "a", DATA("\"x\":\"1\",\"y\":\"1\""));
    T_JSON(owned(obj, "a"), "{\"f:data\":{\".\":{},\"f:x\":{},\"f:y\":{}}}");
    T_STR(jstr(json_array_get(jget(obj, "metadata.managedFields"), 0), "apiVersion"), "v1");
    T_STR(jstr(json_array_get(jget(obj, "metadata.managedFields"), 0), "fieldsType"), "FieldsV1");
    update(&obj, "b", DATA("\"x\":\"2\",\"z\":\"1\""));
    T_JSON(owned(obj, "a"), "{\"f:data\":{}}");
    T_JSON(owned(obj, "b"), "{\"f:data\":{\"f:x\":{},\"f:z\":{}}}");
    _cleanup_json_ json_t *before = json_deep_copy(jget(obj, "metadata.managedFields"));
    update(&obj, "c", DATA("\"x\":\"2\",\"z\":\"1\""));
    T_TRUE(json_equal(before, jget(obj, "metadata.managedFields"))); /* nothing changed, no time either */
    json_decref(obj);
}

TEST(an_object_that_is_not_tracked_stays_so)
{
    json_t *obj = t_doc(DATA("\"x\":\"1\""));
    update(&obj, "a", DATA("\"x\":\"2\""));
    T_TRUE(!jget(obj, "metadata.managedFields"));
    applies(&obj, "b", DATA("\"y\":\"1\""));
    T_JSON(owned(obj, "before-first-apply"), "{\"f:data\":{\".\":{},\"f:x\":{}}}");
    T_JSON(owned(obj, "b"), "{\"f:data\":{\"f:y\":{}}}");
    json_decref(obj);
}

TEST(a_client_may_hand_over_or_clear_the_list)
{
    json_t *obj = NULL;
    update(&obj, "a", DATA("\"x\":\"1\""));
    update(&obj, "a",
           "{\"metadata\":{\"managedFields\":[{\"manager\":\"k\",\"operation\":\"Apply\",\"apiVersion\":\"v1\","
           "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:data\":{\"f:x\":{}}}}]},\"data\":{\"x\":\"1\"}}");
    T_JSON(owned(obj, "k"), "{\"f:data\":{\"f:x\":{}}}");
    update(&obj, "a", "{\"metadata\":{\"managedFields\":[{\"manager\":\"k\"}]},\"data\":{\"x\":\"1\"}}");
    T_JSON(owned(obj, "k"), "{\"f:data\":{\"f:x\":{}}}"); /* nonsense: the stored one counts */
    update(&obj, "a", "{\"metadata\":{\"managedFields\":[{}]},\"data\":{\"x\":\"1\"}}");
    T_TRUE(!jget(obj, "metadata.managedFields"));
    json_decref(obj);
}

TEST(old_writers_become_one)
{
    json_t *obj = NULL;
    for (int i = 0; i < 15; i++) {
        char manager[16];
        snprintf(manager, sizeof(manager), "m%02d", i);
        _cleanup_json_ json_t *next = t_doc(DATA("\"k\":\"1\""));
        json_object_update(json_object_get(next, "data"), json_object_get(obj, "data"));
        json_object_set_new(json_object_get(next, "data"), manager, json_string("1"));
        _cleanup_free_ char *printed = jprint(next);
        update(&obj, manager, printed);
    }
    T_INT(json_array_size(jget(obj, "metadata.managedFields")), 10);
    T_JSON(owned(obj, "ancient-changes"), "{\"f:data\":{\".\":{},\"f:k\":{},\"f:m00\":{},\"f:m01\":{},\"f:m02\":{},"
                                          "\"f:m03\":{},\"f:m04\":{},\"f:m05\":{}}}");
    T_JSON(owned(obj, "m06"), "{\"f:data\":{\"f:m06\":{}}}");
    json_decref(obj);
}

TEST(what_is_no_longer_applied_goes)
{
    json_t *obj = NULL;
    applies(&obj, "a", DATA("\"x\":\"1\",\"y\":\"1\",\"z\":\"1\""));
    T_JSON(owned(obj, "a"), "{\"f:data\":{\"f:x\":{},\"f:y\":{},\"f:z\":{}}}");
    applies(&obj, "b", DATA("\"y\":\"1\"")); /* shared: the same value is no conflict */
    T_JSON(owned(obj, "b"), "{\"f:data\":{\"f:y\":{}}}");
    applies(&obj, "a", DATA("\"x\":\"1\""));
    T_JSON(jget(obj, "data"), "{\"x\":\"1\",\"y\":\"1\"}");
    applies(&obj, "b", "{\"metadata\":{\"name\":\"m\"}}");
    T_JSON(jget(obj, "data"), "{\"x\":\"1\"}");
    T_TRUE(!owned(obj, "b"));
    applies(&obj, "a", "{\"metadata\":{\"name\":\"m\"}}");
    T_TRUE(!jget(obj, "data"));
    T_TRUE(!jget(obj, "metadata.managedFields"));
    json_decref(obj);
}

TEST(conflicts_name_the_owners)
{
    json_t *obj = NULL;
    update(&obj, "first", DATA("\"x\":\"1\""));
    _cleanup_free_ char *one = apply_kind(&kind_configmap, &obj, "a", DATA("\"x\":\"2\""), false);
    T_STR(one, "Apply failed with 1 conflict: conflict with \"first\" using v1: .data.x");
    applies(&obj, "b", DATA("\"y\":\"1\""));
    _cleanup_free_ char *two = apply_kind(&kind_configmap, &obj, "a", DATA("\"x\":\"2\",\"y\":\"2\""), false);
    T_STR(two, "Apply failed with 2 conflicts: conflicts with \"b\":\n- .data.y\nconflicts with \"first\" using v1:\n- "
               ".data.x");
    _cleanup_free_ char *forced = apply_kind(&kind_configmap, &obj, "a", DATA("\"x\":\"2\",\"y\":\"2\""), true);
    T_STR(forced, NULL);
    T_JSON(jget(obj, "data"), "{\"x\":\"2\",\"y\":\"2\"}");
    T_TRUE(!owned(obj, "b"));
    T_JSON(owned(obj, "first"), "{\"f:data\":{}}");
    T_JSON(owned(obj, "a"), "{\"f:data\":{\"f:x\":{},\"f:y\":{}}}");
    json_decref(obj);
}

TEST(items_belong_to_who_applies_them)
{
    static const char *const both = "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53}]}}";
    json_t *obj = NULL;
    _cleanup_free_ char *why = apply_kind(&kind_service, &obj, "a", both, false);
    T_STR(why, NULL);
    T_JSON(owned(obj, "a"),
           "{\"f:spec\":{\"f:ports\":{\"k:{\\\"port\\\":53,\\\"protocol\\\":\\\"UDP\\\"}\":{\".\":{},\"f:port\":{},"
           "\"f:protocol\":{}},\"k:{\\\"port\\\":53,\\\"protocol\\\":\\\"TCP\\\"}\":{\".\":{},\"f:port\":{}}}}}");
    _cleanup_free_ char *less =
        apply_kind(&kind_service, &obj, "a", "{\"spec\":{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]}}", false);
    T_STR(less, NULL);
    T_JSON(jget(obj, "spec.ports"), "[{\"port\":53,\"protocol\":\"UDP\"}]");
    json_decref(obj);
}

TEST(kubectl_takes_over_from_client_side_apply)
{
    json_t *obj = NULL;
    update(&obj, "kubectl-client-side-apply",
           "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
           "\"{\\\"data\\\":{\\\"x\\\":\\\"1\\\",\\\"y\\\":\\\"0\\\"}}\"}},\"data\":{\"x\":\"1\",\"y\":\"1\"}}");
    _cleanup_free_ char *other = apply_kind(&kind_configmap, &obj, "other", DATA("\"x\":\"2\""), false);
    T_TRUE(other && strstr(other, "Apply failed with 1 conflict"));
    _cleanup_free_ char *drifted = apply_kind(&kind_configmap, &obj, "kubectl", DATA("\"x\":\"2\",\"y\":\"2\""), false);
    T_STR(drifted, "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.y");
    applies(&obj, "kubectl", DATA("\"x\":\"2\""));
    T_STR(jstr(obj, "data.x"), "2");
    T_STR(json_string_value(
              json_object_get(jget(obj, "metadata.annotations"), "kubectl.kubernetes.io/last-applied-configuration")),
          "{\"data\":{\"x\":\"2\"},\"metadata\":{\"name\":\"m\"}}\n");
    json_decref(obj);
}

/* --- properties --- */

static unsigned random_state = 3;

static int below(int n)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % n;
}

static json_t *random_config(void)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    json_t *config = json_object();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (below(2))
            jset(config, below(2) ? "metadata.labels" : "data", json_pack("{s:s}", names[i], below(2) ? "1" : "2"));
        if (below(3))
            continue;
        if (!jget(config, "metadata.finalizers"))
            jset(config, "metadata.finalizers", json_array());
        json_array_append_new(jget(config, "metadata.finalizers"), json_string(names[i]));
    }
    return config;
}

/* Whatever happened before: what is applied is there and owned, and applying it again changes nothing. */
TEST(applying_twice_is_applying_once)
{
    static const char *const managers[] = {"a", "b", "c"};
    json_t *obj = NULL;
    for (int i = 0; i < 2000 && !t_this_failed; i++) {
        const char *manager = managers[below(3)];
        _cleanup_json_ json_t *config = random_config();
        _cleanup_free_ char *text = jprint(config);
        if (obj && below(4) == 0) {
            update(&obj, manager, text);
            continue;
        }
        _cleanup_free_ char *why = apply_kind(&kind_configmap, &obj, manager, text, true);
        T_STR(why, NULL);
        _cleanup_json_ json_t *set = fields_of(&kind_configmap, config), *has = fields_of(&kind_configmap, obj);
        _cleanup_json_ json_t *missing = fieldset_minus(set, has), *once = json_deep_copy(obj);
        T_TRUE(fieldset_is_empty(missing));
        _cleanup_free_ char *again = apply_kind(&kind_configmap, &obj, manager, text, false);
        T_STR(again, NULL);
        T_TRUE(json_equal(once, obj));
    }
    json_decref(obj);
}

int main(void)
{
    RUN(ordinary_writers_own_what_they_change);
    RUN(an_object_that_is_not_tracked_stays_so);
    RUN(a_client_may_hand_over_or_clear_the_list);
    RUN(old_writers_become_one);
    RUN(what_is_no_longer_applied_goes);
    RUN(conflicts_name_the_owners);
    RUN(items_belong_to_who_applies_them);
    RUN(kubectl_takes_over_from_client_side_apply);
    RUN(applying_twice_is_applying_once);
    return DONE();
}
