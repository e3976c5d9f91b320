/* server: which revision the rules of all nodes follow, and who waits for it. */
#include "base/err.h"
#include "server/rules.h"
#include "server_world.h"

#define RULES(node, n) "/api/v1/nodes/" node "/rules?revision=" #n

TEST(all_nodes_that_are_heard_count)
{
    struct rules *r = rules_new();
    T_TRUE(rules_follow(r, 7, 1000)); /* nobody has rules */
    rules_set(r, "a", 7, 1000);
    rules_set(r, "b", 6, 1000);
    T_TRUE(rules_follow(r, 6, 1000));
    T_TRUE(!rules_follow(r, 7, 1000));
    rules_set(r, "b", 8, 1000);
    T_TRUE(rules_follow(r, 7, 1000));
    T_TRUE(!rules_follow(r, 8, 1000 + RULES_SILENT_MS - 1));
    rules_set(r, "b", 8, 1000 + RULES_SILENT_MS);
    T_TRUE(rules_follow(r, 8, 1000 + RULES_SILENT_MS)); /* a has gone */
    rules_set(r, "b", 2, 1000 + RULES_SILENT_MS);       /* b begins anew */
    T_TRUE(!rules_follow(r, 8, 1000 + RULES_SILENT_MS));
    rules_free(r);
}

TEST(who_asks_is_answered_when_the_last_node_follows)
{
    struct reply waits = {0}, first = {0};
    T_INT(put(RULES("a", 10), NULL), 200);
    T_INT(put(RULES("b", 9), NULL), 200);
    T_INT(get(RULES("a", 9)), 200);
    call(&waits, world.admin, "GET", RULES("a", 11), NULL, NULL, NULL);
    call(&first, world.admin, "GET", RULES("b", 10), NULL, NULL, NULL);
    T_INT(put(RULES("a", 11), NULL), 200);
    T_TRUE(!waits.done && !first.done);
    T_INT(put(RULES("b", 10), NULL), 200);
    run_until(&first.done);
    T_INT(first.code, 200);
    T_TRUE(!waits.done);
    T_INT(put(RULES("b", 12), NULL), 200);
    run_until(&waits.done);
    T_INT(waits.code, 200);
    buf_done(&waits.body);
    buf_done(&first.body);
}

TEST(a_revision_is_a_number)
{
    T_INT(put("/api/v1/nodes/a/rules", NULL), 400);
    T_INT(put(RULES("a", x), NULL), 400);
    T_INT(get(RULES("a", 0)), 400);
    T_INT(post(RULES("a", 1), NULL), 405);
}

/* The server may go while somebody waits. */
TEST(nobody_is_left_waiting)
{
    struct reply waits = {.may_be_cut = true};
    T_INT(put(RULES("a", 20), NULL), 200);
    T_INT(put(RULES("b", 20), NULL), 200);
    call(&waits, world.admin, "GET", RULES("a", 30), NULL, NULL, NULL);
    T_INT(get(RULES("a", 20)), 200);
    end_world();
    T_TRUE(waits.done);
    buf_done(&waits.body);
}

int main(void)
{
    make_world();
    RUN(all_nodes_that_are_heard_count);
    RUN(who_asks_is_answered_when_the_last_node_follows);
    RUN(a_revision_is_a_number);
    RUN(nobody_is_left_waiting);
    return DONE();
}
