/* node/eviction: thresholds, conditions, who goes and what is said; node/shutdown: how long pods get. */
#include "node/eviction.h"
#include "node/shutdown.h"
#include "t.h"

#define MI (INT64_C(1) << 20)

static struct eviction_thresholds parse(const char *text)
{
    struct eviction_thresholds t = {.transition_ms = 300000};
    struct err err;
    if (eviction_parse(text, &t, &err) < 0)
        T_FAIL("%s: %s", text, err.msg);
    return t;
}

TEST(thresholds_are_amounts_or_shares)
{
    struct eviction_thresholds t = parse(EVICTION_HARD_DEFAULT);
    struct err err;
    T_INT(t.of[SIGNAL_MEMORY].amount, 100 * MI);
    T_TRUE(t.of[SIGNAL_NODEFS].share > 0.09 && t.of[SIGNAL_NODEFS].share < 0.11);
    T_TRUE(!t.of[SIGNAL_PID].set);
    (void)parse(EVICTION_HARD_LOCAL);
    t = parse("");
    T_TRUE(!t.of[SIGNAL_MEMORY].set);
    static const char *const bad[] = {"memory.available",     "memory.available<",     "memory.available<x",
                                      "memory.available<1%%", "memory.available<101%", "memory.available>1Mi",
                                      "cpu.available<1",      "memory.available<-1",   "memory.available<1Mi,"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (eviction_parse(bad[i], &t, &err) == 0)
            T_FAIL("accepted: %s", bad[i]);
}

TEST(signals_are_met_below_their_thresholds)
{
    struct eviction_thresholds t = parse("memory.available<100Mi,imagefs.available<10%,pid.available<100");
    struct eviction_observation seen[SIGNAL_N] = {[SIGNAL_MEMORY] = {100 * MI, 1000 * MI},
                                                  [SIGNAL_IMAGEFS] = {99, 1000},
                                                  [SIGNAL_NODEFS] = {0, 1000},
                                                  [SIGNAL_PID] = {0, 0}};
    T_INT(eviction_signals(&t, seen), 1 << SIGNAL_IMAGEFS);
    T_INT(eviction_first(1 << SIGNAL_IMAGEFS), SIGNAL_IMAGEFS);
    seen[SIGNAL_MEMORY].available--;
    T_INT(eviction_first(eviction_signals(&t, seen)), SIGNAL_MEMORY);
    T_INT(eviction_first(0), SIGNAL_N);
}

TEST(a_condition_stays_for_a_while)
{
    struct eviction_thresholds t = parse("");
    struct eviction_memory m = {0};
    unsigned disk = 1 << PRESSURE_DISK, memory = 1 << PRESSURE_MEMORY;
    T_INT(eviction_conditions(&t, &m, 0, 1000), 0);
    T_INT(eviction_conditions(&t, &m, 1 << SIGNAL_NODEFS_INODES | 1 << SIGNAL_MEMORY, 1000), disk | memory);
    T_INT(eviction_conditions(&t, &m, 1 << SIGNAL_IMAGEFS, 200000), disk | memory);
    T_INT(eviction_conditions(&t, &m, 0, 301000), disk);
    T_INT(eviction_conditions(&t, &m, 0, 500000), 0);
    t.transition_ms = 0;
    T_INT(eviction_conditions(&t, &m, 1 << SIGNAL_MEMORY, 600000), memory);
    T_INT(eviction_conditions(&t, &m, 0, 600001), 0);
    char *names = eviction_condition_names(disk | memory);
    T_STR(names, "[MemoryPressure DiskPressure]");
    free(names);
}

static struct eviction_pod pod(void *who, int64_t priority, struct eviction_container *c)
{
    return (struct eviction_pod){.who = who, .priority = priority, .containers = c, .n_containers = 1};
}

TEST(who_uses_more_than_asked_for_goes_first)
{
    struct eviction_container modest = {.used = {100}, .request = {200}}, greedy = {.used = {100}, .request = {90}},
                              greedier = {.used = {100}, .request = {10}};
    char names[] = "mgGv";
    struct eviction_pod pods[] = {pod(&names[0], 0, &modest), pod(&names[1], 0, &greedy), pod(&names[2], 0, &greedier),
                                  pod(&names[3], 10, &greedier)};
    eviction_rank(pods, 4, STARVED_MEMORY);
    static const char order[] = "Ggvm";
    for (size_t i = 0; i < 4; i++)
        T_INT(*(char *)pods[i].who, order[i]);
    modest.used[STARVED_PIDS] = 5; /* nobody asks for processes: priority, then how many */
    eviction_rank(pods, 4, STARVED_PIDS);
    T_INT(*(char *)pods[0].who, 'm');
    T_INT(*(char *)pods[3].who, 'v');
}

TEST(what_lies_in_volumes_counts)
{
    struct eviction_container c = {.request = {[STARVED_DISK] = 10}};
    char names[] = "ab";
    struct eviction_pod pods[] = {pod(&names[0], 0, &c), pod(&names[1], 0, &c)};
    pods[1].shared[STARVED_DISK] = 11;
    eviction_rank(pods, 2, STARVED_DISK);
    T_INT(*(char *)pods[0].who, 'b');
}

TEST(the_message_names_who_used_more)
{
    struct eviction_thresholds t = parse("memory.available<100Mi,nodefs.inodesFree<5%");
    struct eviction_observation seen[SIGNAL_N] = {
        [SIGNAL_MEMORY] = {50 * MI + 1, 1000 * MI}, [SIGNAL_NODEFS_INODES] = {4, 100}};
    struct eviction_container c[] = {{.name = "eats", .used = {30 * MI}, .request = {20 * MI}},
                                     {.name = "fasts", .used = {1}, .request = {20 * MI}}};
    struct eviction_pod p = {.containers = c, .n_containers = 2};
    char *text = eviction_message(&p, SIGNAL_MEMORY, &t, seen);
    T_STR(text, "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52428801. "
                "Container eats was using 30Mi, request is 20Mi, has larger consumption of memory. ");
    free(text);
    text = eviction_message(&p, SIGNAL_NODEFS_INODES, &t, seen);
    T_STR(text, "The node was low on resource: inodes. Threshold quantity: 5, available: 4. ");
    free(text);
}

TEST(a_pod_has_limits_of_its_own)
{
    struct eviction_container c[] = {{.name = "a", .disk_limit = 2 * MI, .disk_limit_text = "2Mi"}, {.name = "b"}};
    struct eviction_volume v = {.name = "x", .limit = MI, .limit_text = "1Mi"};
    struct eviction_pod p = {.containers = c, .n_containers = 2, .volumes = &v, .n_volumes = 1};
    T_TRUE(!eviction_over_limit(&p));
    c[0].used[STARVED_DISK] = 2 * MI;
    v.used = MI;
    T_TRUE(!eviction_over_limit(&p));
    c[1].used[STARVED_DISK] = 1;
    char *text = eviction_over_limit(&p);
    T_STR(text, "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ");
    free(text);
    v.used++;
    text = eviction_over_limit(&p);
    T_STR(text, "Usage of EmptyDir volume \"x\" exceeds the limit \"1Mi\". ");
    free(text);
    v.used = c[1].used[STARVED_DISK] = 0;
    c[1].disk_limit = 10 * MI;
    c[0].used[STARVED_DISK] = 3 * MI;
    text = eviction_over_limit(&p);
    T_STR(text, "Container a exceeded its local ephemeral storage limit \"2Mi\". ");
    free(text);
}

TEST(what_a_shutdown_leaves_to_pods)
{
    const struct shutdown_grace g = {30000, 10000}, none = {0, 0};
    T_INT(shutdown_grace_of(&g, false, 5000), 5000);
    T_INT(shutdown_grace_of(&g, false, 30000), 20000);
    T_INT(shutdown_grace_of(&g, true, 30000), 10000);
    T_INT(shutdown_grace_of(&none, false, 30000), 0);
}

int main(void)
{
    RUN(thresholds_are_amounts_or_shares);
    RUN(signals_are_met_below_their_thresholds);
    RUN(a_condition_stays_for_a_while);
    RUN(who_uses_more_than_asked_for_goes_first);
    RUN(what_lies_in_volumes_counts);
    RUN(the_message_names_who_used_more);
    RUN(a_pod_has_limits_of_its_own);
    RUN(what_a_shutdown_leaves_to_pods);
    return DONE();
}
