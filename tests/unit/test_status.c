/* api/status.h: Status objects and causes. */
#include "api/status.h"
#include "base/alloc.h"
#include "json/json.h"
#include "t.h"

TEST(a_status_has_upstreams_shape)
{
    _cleanup_json_ json_t *s =
        status_for(STATUS_NOT_FOUND, "apps", "deployments", "web", "deployments.apps \"%s\" not found", "web");
    T_JSON(s, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
              "\"message\":\"deployments.apps \\\"web\\\" not found\",\"reason\":\"NotFound\","
              "\"details\":{\"name\":\"web\",\"group\":\"apps\",\"kind\":\"deployments\"},\"code\":404}");
    _cleanup_json_ json_t *core = status_for(STATUS_CONFLICT, "", "pods", "", "x");
    T_JSON(jget(core, "details"), "{\"kind\":\"pods\"}");
    _cleanup_json_ json_t *plain = status_new(STATUS_UNAUTHORIZED, "Unauthorized");
    T_TRUE(!jget(plain, "details"));
}

TEST(every_reason_has_a_name_and_a_code)
{
    for (enum status_reason r = 0; r < STATUS_REASON_N; r++)
        T_TRUE(status_name(r) && status_code(r) >= 400 && status_code(r) < 600);
}

TEST(causes_read_like_gos)
{
    static const struct {
        enum cause_type type;
        const char *value, *detail, *text;
    } rows[] = {
        {CAUSE_REQUIRED, NULL, "", "Required value"},
        {CAUSE_REQUIRED, NULL, "say it", "Required value: say it"},
        {CAUSE_INVALID, "-1", "too small", "Invalid value: -1: too small"},
        {CAUSE_INVALID, "\"a b\"", "no", "Invalid value: \"a b\": no"},
        {CAUSE_INVALID, NULL, "field is immutable", "Invalid value: null: field is immutable"},
        {CAUSE_INVALID, "{\"a\": 1}", "no", "Invalid value: {\"a\":1}: no"},
        {CAUSE_DUPLICATE, "\"x\"", "", "Duplicate value: \"x\""},
        {CAUSE_FORBIDDEN, "1", "never", "Forbidden: never"},
        {CAUSE_TOO_LONG, "\"aaaa\"", "may not be more than 3 bytes", "Too long: may not be more than 3 bytes"},
        {CAUSE_TOO_MANY, "4", "must have at most 3 items", "Too many: 4: must have at most 3 items"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status_causes c = {0};
        _cleanup_json_ json_t *value = rows[i].value ? json_loads(rows[i].value, JSON_DECODE_ANY, NULL) : NULL;
        causes_add(&c, rows[i].type, "spec.x", value, "%s", rows[i].detail);
        T_STR(jstr(json_array_get(c.list, 0), "message"), rows[i].text);
        causes_done(&c);
    }
}

TEST(invalid_joins_its_causes)
{
    struct status_causes c = {0};
    T_TRUE(!causes_any(&c));
    _cleanup_json_ json_t *minus = json_integer(-1);
    causes_add(&c, CAUSE_INVALID, "spec.replicas", minus, "must be greater than or equal to %d", 0);
    _cleanup_json_ json_t *one = status_invalid("apps", "Deployment", "web", &c);
    T_STR(jstr(one, "message"),
          "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0");
    causes_add(&c, CAUSE_REQUIRED, "metadata.name", NULL, "%s", "");
    _cleanup_json_ json_t *two = status_invalid("", "Pod", NULL, &c);
    T_STR(jstr(two, "message"), "Pod \"\" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal "
                                "to 0, metadata.name: Required value]");
    T_JSON(jget(two, "details"),
           "{\"kind\":\"Pod\",\"causes\":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: -1: must be "
           "greater than or equal to 0\",\"field\":\"spec.replicas\"},{\"reason\":\"FieldValueRequired\",\"message\":"
           "\"Required value\",\"field\":\"metadata.name\"}]}");
    T_INT(jint(two, "code", 0), 422);
    causes_done(&c);
}

TEST(causes_and_messages_end_somewhere)
{
    struct status_causes c = {0};
    for (int i = 0; i < 5000; i++)
        causes_add(&c, CAUSE_REQUIRED, "spec", NULL, "%s", "");
    T_INT(json_array_size(c.list), 1000);
    _cleanup_json_ json_t *s = status_invalid("", "Pod", "\xff", &c);
    T_TRUE(strlen(jstr(s, "message")) <= 64 * 1024);
    causes_done(&c);
}

int main(void)
{
    RUN(a_status_has_upstreams_shape);
    RUN(every_reason_has_a_name_and_a_code);
    RUN(causes_read_like_gos);
    RUN(invalid_joins_its_causes);
    RUN(causes_and_messages_end_somewhere);
    return DONE();
}
