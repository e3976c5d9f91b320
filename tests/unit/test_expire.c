/* server/expire: Events are forgotten an hour after they last happened and were first written, other
 * objects never. */
#include "base/clock.h"
#include "base/str.h"
#include "server/expire.h"
#include "server_world.h"

#define EVENTS "/api/v1/namespaces/default/events"

static void post_event(const char *name, int64_t last_usec)
{
    char when[TIME_TEXT_SIZE];
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"%s\"},\"involvedObject\":{\"namespace\":\"default\"},"
                  "\"lastTimestamp\":\"%s\"}",
                  name, time_format(last_usec, when));
    T_INT(post(EVENTS, body), 201);
}

TEST(old_news_is_forgotten)
{
    int64_t now = clock_wall_usec(), minute = INT64_C(60000000);
    post_event("late", now - 61 * minute); /* told of long after */
    post_event("young", now + 2 * minute);
    T_INT(expire_sweep(world.server, now), 0);
    T_INT(expire_sweep(world.server, now + 61 * minute), 1);
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"after\"}}"), 201); /* durable later than the deletion */
    T_INT(get(EVENTS "/late"), 404);
    T_INT(get(EVENTS "/young"), 200);
    T_INT(expire_sweep(world.server, now + 61 * minute), 0);
    T_INT(expire_sweep(world.server, now + 63 * minute), 1);
}

int main(void)
{
    make_world();
    RUN(old_news_is_forgotten);
    end_world();
    return DONE();
}
