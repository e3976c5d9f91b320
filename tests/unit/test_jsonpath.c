/* The JSONPath of printer columns. */
#include "json/json.h"
#include "json/jsonpath.h"
#include "t.h"

static const char text[] =
    "{\"spec\": {\"cron\": \"* * *\", \"replicas\": 3, \"a.b\": 1, \"items\": [10, 20, 30], \"on\": true},"
    " \"status\": {\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\", \"n\": 1},"
    "                              {\"type\": \"Old\", \"status\": \"False\", \"n\": 2}]}}";

TEST(values)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {".spec.cron", "\"* * *\""},
        {"{.spec.replicas}", "3"},
        {"$.spec.on", "true"},
        {".spec.a\\.b", "1"},
        {".spec['a.b']", "1"},
        {".spec.items[0]", "10"},
        {".spec.items[-1]", "30"},
        {".spec.items[*]", "10"},
        {".spec.items[1:]", "20"},
        {".spec.items[-1:]", "30"},
        {".status.conditions[?(@.type==\"Old\")].status", "\"False\""},
        {".status.conditions[?(@.type == 'Ready')].status", "\"True\""},
        {".status.conditions[?(@.n>1)].type", "\"Old\""},
        {".status.conditions[?(@.n<=1)].type", "\"Ready\""},
        {".status.conditions[?(@.type!=\"Ready\")].type", "\"Old\""},
        {".status.conditions[?(@.missing)].type", NULL},
        {".status.conditions[*].n", "1"},
        {".status.*[1].n", "2"},
        {".spec.items[3]", NULL},
        {".spec.items[-4]", NULL},
        {".spec.cron.more", NULL},
        {".nothing", NULL},
    };
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *v = jsonpath_first(doc, cases[i].path);
        T_TRUE(jsonpath_valid(cases[i].path));
        if (!cases[i].want && v)
            T_FAIL("%s leads somewhere", cases[i].path);
        else if (cases[i].want)
            T_JSON(v, cases[i].want);
    }
}

TEST(what_is_no_path)
{
    static const char *const wrong[] = {
        "", "spec", ".", ".a[", ".a[x]", ".a['b]", ".a[?(", ".a[?(b==1)", ".a[?(@.b==\"x)]", "..a", ".a[]"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (jsonpath_valid(wrong[i]))
            T_FAIL("%s is taken for a path", wrong[i]);
    T_TRUE(jsonpath_is_simple(".spec.a[0]") && !jsonpath_is_simple(".spec.a[*]") && !jsonpath_is_simple(".a[?(@.b)]"));
}

int main(void)
{
    RUN(values);
    RUN(what_is_no_path);
    return DONE();
}
