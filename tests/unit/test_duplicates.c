/* json: members that are named twice. */
#include "json/duplicates.h"
#include "json/json.h"
#include "t.h"

TEST(the_last_counts_and_the_place_is_told)
{
    static const struct {
        const char *text, *value, *places;
    } cases[] = {
        {"{\"a\":1,\"b\":{\"a\":2}}", "{\"a\":1,\"b\":{\"a\":2}}", NULL},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}", "[\"a\"]"},
        {"{\"a\":1, \"\\u0061\" : 2 , \"a\":3}", "{\"a\":3}", "[\"a\"]"},
        {"{\"s\":{\"c\":[{},{\"i\":\"x\\\"}\",\"i\":[1,{}]}],\"r\":1,\"r\":-2.5e3}}",
         "{\"s\":{\"c\":[{},{\"i\":[1,{}]}],\"r\":-2.5e3}}", "[\"s.c[1].i\",\"s.r\"]"},
        {"[ [ ] , { } , {\"a\":null,\"a\":true} ]", "[[],{},{\"a\":true}]", "[\"[2].a\"]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err err;
        json_t *places;
        _cleanup_json_ json_t *j = jparse_last(cases[i].text, strlen(cases[i].text), &places, &err);
        T_JSON(j, cases[i].value);
        if (cases[i].places)
            T_JSON(places, cases[i].places);
        else
            T_TRUE(!places);
        json_decref(places);
    }
}

TEST(what_is_wrong_otherwise_stays_wrong)
{
    struct err err;
    json_t *places;
    char deep[500] = "{\"a\":1,\"a\":";
    memset(deep + 11, '[', 200);
    memset(deep + 211, ']', 200);
    strcpy(deep + 411, "}");
    const char *const texts[] = {"", "{\"a\":1,\"a\":2", "{\"a\":1,\"a\":2}}", "{\"a\":1,\"a\"}", deep};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        T_TRUE(!jparse_last(texts[i], strlen(texts[i]), &places, &err));
        T_TRUE(!places);
    }
    T_TRUE(strstr(err.msg, "levels deep") || strstr(err.msg, "line 1"));
}

int main(void)
{
    RUN(the_last_counts_and_the_place_is_told);
    RUN(what_is_wrong_otherwise_stays_wrong);
    return DONE();
}
