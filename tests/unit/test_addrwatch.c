/* podnet: addresses that come and go are noticed. Needs root: a network namespace of its own. */
#include "podnet/addrwatch.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "t.h"

static uv_loop_t loop;
static int n_told;

static void on_changed(void *arg)
{
    (void)arg;
    n_told++;
    uv_stop(&loop);
}

static void on_too_late(uv_timer_t *t)
{
    T_FAIL("nobody has told");
    uv_stop(t->loop);
}

/* Runs the command and waits until it has been noticed. */
static void noticed(const char *command)
{
    uv_timer_t limit;
    uv_timer_init(&loop, &limit);
    uv_timer_start(&limit, on_too_late, 10000, 0);
    n_told = 0;
    T_INT(system(command), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_TRUE(n_told > 0);
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(addresses_are_watched)
{
    struct err err;
    struct addrwatch *w = addrwatch_new(&loop, -1, on_changed, NULL, &err);
    T_TRUE(w);
    noticed("ip addr add 192.0.2.1/32 dev lo");
    noticed("ip addr del 192.0.2.1/32 dev lo");
    noticed("ip addr add fd00:192::1/128 dev lo");
    addrwatch_free(w);
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        perror("test_addrwatch needs root and a namespace of its own");
        return 1;
    }
    uv_loop_init(&loop);
    RUN(addresses_are_watched);
    uv_loop_close(&loop);
    return DONE();
}
