/* server: requests of one user at a time. */
#include "server/inflight.h"
#include "t.h"

TEST(each_user_has_so_many)
{
    struct map counts = {0};
    static const char *const masters[] = {"system:masters", NULL};
    struct user *a = user_new("a", NULL), *b = user_new("b", NULL), *admin = user_new("admin", masters);
    for (int i = 0; i < INFLIGHT_MAX; i++)
        T_TRUE(inflight_enter(&counts, a));
    T_TRUE(!inflight_enter(&counts, a));
    T_TRUE(inflight_enter(&counts, b));
    inflight_leave(&counts, a);
    T_TRUE(inflight_enter(&counts, a));
    for (int i = 0; i < 2 * INFLIGHT_MAX; i++)
        T_TRUE(inflight_enter(&counts, admin));
    for (int i = 0; i < 2 * INFLIGHT_MAX; i++)
        inflight_leave(&counts, admin);
    T_INT(counts.len, 2);
    map_done(&counts);
    user_free(a);
    user_free(b);
    user_free(admin);
}

int main(void)
{
    RUN(each_user_has_so_many);
    return DONE();
}
