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

int main(void)
{
    RUN(paths);
    RUN(bad_text_is_refused_with_its_place);
    return DONE();
}
