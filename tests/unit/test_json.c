/* json: reading and setting by path. */
#include "json/json.h"
#include "t.h"

TEST(paths)
{
    static const char text[] = "{\"a\":{\"b\":[1],\"s\":\"x\",\"n\":null}}";
    struct err err;
    _cleanup_json_ json_t *o = jparse(text, strlen(text), &err);
    T_TRUE(o);
    T_STR(jstr(o, "a.s"), "x");
    T_TRUE(!jstr(o, "a.b") && !jget(o, "a.n") && jhas(o, "a.n") && !jget(o, "a.b.c"));
    jset_str(o, "a.c.d", "y");
    jset_str(o, "a.s", NULL);
    jset_str(o, "q.r", NULL);
    T_JSON(o, "{\"a\":{\"b\":[1],\"n\":null,\"c\":{\"d\":\"y\"}}}");
}

TEST(bad_text_is_refused_with_its_place)
{
    struct err err;
    T_TRUE(!jparse("{\"a\":1,\"a\":2}", 13, &err));
    T_TRUE(!jparse("{", 1, &err));
    T_TRUE(strstr(err.msg, "line 1"));
    char deep[400];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    T_TRUE(!jparse(deep, 400, &err));
}

/* What our own reader takes, and what it leaves to jansson. */
TEST(all_of_json_is_read)
{
    static const char *const texts[] = {
        " { \"a\" : [ 1 , -2 , 0 , 123456789012345678 ] , \"b\\n\\\"\" : { } , \"c\" : [ ] } ",
        "[true,false,null,\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[9223372036854775807,-9223372036854775808,1.5,1e3,-0]",
        "[\"\\u00e4\\ud83d\\ude00\",\"\303\244\"]",
        "\"text\"",
        "17",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err;
        _cleanup_json_ json_t *ours = jparse(texts[i], strlen(texts[i]), &err);
        _cleanup_json_ json_t *theirs = json_loads(texts[i], JSON_DECODE_ANY, NULL), *copy = jcopy(ours);
        T_TRUE(ours && json_equal(ours, theirs) && json_equal(copy, theirs));
        _cleanup_free_ char *text = jprint(copy), *expected = json_dumps(theirs, JSON_COMPACT | JSON_ENCODE_ANY);
        T_STR(text, expected);
    }
}

TEST(what_is_not_json)
{
    static const char *const texts[] = {
        "",
        "[",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "[01]",
        "[-]",
        "[1.]",
        "[+1]",
        "[tru]",
        "[\"a\nb\"]",
        "[\"\\x\"]",
        "[\"a\\\"\n\"]",
        "{a:1}",
        "[1] [2]",
        "[\"\377\"]",
        "[\"a",
        "[\"a\\",
        "[1e]",
        "{\"a\" 1}",
        "nul",
        "{\"\\n\":1,\"\\n\":2}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err;
        _cleanup_json_ json_t *j = jparse(texts[i], strlen(texts[i]), &err);
        if (j)
            T_FAIL("taken for JSON: %s", texts[i]);
    }
}

int main(void)
{
    RUN(all_of_json_is_read);
    RUN(what_is_not_json);
    RUN(paths);
    RUN(bad_text_is_refused_with_its_place);
    return DONE();
}
