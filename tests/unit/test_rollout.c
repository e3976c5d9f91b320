/* control: the pure parts of workloads: numbers of a rollout, template hashes, ranking of pods to delete, patches. */
#include "base/alloc.h"
#include "base/str.h"
#include "control/meta.h"
#include "control/ranking.h"
#include "control/revision.h"
#include "control/rollout.h"
#include "json/json.h"
#include "t.h"

TEST(numbers_and_percents_round_as_upstream)
{
    static const struct {
        const char *value;
        int total;
        bool up;
        int want;
    } cases[] = {{"3", 10, true, 3},          {"\"25%\"", 3, true, 1},   {"\"25%\"", 3, false, 0},
                 {"\"25%\"", 10, true, 3},    {"\"25%\"", 10, false, 2}, {"\"100%\"", 7, true, 7},
                 {"\"0%\"", 7, true, 0},      {"\"50%\"", 1, false, 0},  {"\"50%\"", 1, true, 1},
                 {"\"nonsense\"", 9, true, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *v = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        T_INT(int_or_percent(v, cases[i].total, cases[i].up), cases[i].want);
    }
}

TEST(a_rollout_can_always_move)
{
    static const struct {
        int replicas;
        const char *surge, *unavailable;
        int want_surge, want_unavailable;
    } cases[] = {
        {3, "\"25%\"", "\"25%\"", 1, 0},
        {1, "\"25%\"", "\"25%\"", 1, 0},
        {10, "\"25%\"", "\"25%\"", 3, 2},
        {2, "0", "\"10%\"", 0, 1}, /* both round to nothing */
        {2, "1", "5", 1, 2},       /* no more than there are */
        {0, "\"25%\"", "\"25%\"", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *text = xasprintf("{\"spec\":{\"replicas\":%d,\"strategy\":{\"type\":\"RollingUpdate\","
                                              "\"rollingUpdate\":{\"maxSurge\":%s,\"maxUnavailable\":%s}}}}",
                                              cases[i].replicas, cases[i].surge, cases[i].unavailable);
        _cleanup_json_ json_t *d = json_loads(text, 0, NULL);
        struct rollout r;
        rollout_init(&r, d);
        T_INT(r.max_surge, cases[i].want_surge);
        T_INT(r.max_unavailable, cases[i].want_unavailable);
    }
}

/* sets: replicas, available of old ones (oldest first), the new one last; -1 replicas: not there. */
TEST(steps_of_a_rolling_update)
{
    static const struct {
        const char *what;
        int replicas, surge, unavailable;
        int old1, old1_available, old2, old2_available, new_, new_available;
        int to_old1, to_old2, to_new;
    } cases[] = {
        {"first surge", 10, 3, 2, 10, 10, -1, 0, 0, 0, 10, 0, 3},
        {"no room: shrink old by what may be missing", 10, 3, 2, 10, 10, -1, 0, 3, 0, 8, 0, 3},
        {"new ones are ready: shrink more", 10, 3, 2, 10, 10, -1, 0, 3, 3, 5, 0, 3},
        {"grow into the room", 10, 3, 2, 5, 5, -1, 0, 3, 3, 5, 0, 8},
        {"unhealthy old ones go first", 10, 0, 2, 10, 8, -1, 0, 0, 0, 8, 0, 0},
        {"unhealthy in the younger set", 10, 0, 2, 5, 5, 5, 3, 0, 0, 5, 3, 0},
        {"oldest first", 10, 0, 4, 5, 5, 5, 5, 0, 0, 1, 5, 0},
        {"nothing may be missing and nothing more is ready", 2, 1, 0, 2, 2, -1, 0, 1, 0, 2, 0, 1},
        {"one for one", 2, 1, 0, 2, 2, -1, 0, 1, 1, 1, 0, 1},
        {"new too large", 2, 1, 0, 0, 0, -1, 0, 3, 3, 0, 0, 2},
        {"done", 3, 1, 0, 0, 0, -1, 0, 3, 3, 0, 0, 3},
        {"late status of a shrunk set", 4, 1, 1, 3, 4, -1, 0, 2, 1, 2, 0, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rollout_set sets[3] = {
            {.name = "new",
             .is_new = true,
             .replicas = cases[i].new_,
             .available = cases[i].new_available,
             .created_usec = 9},
            {.name = "old1", .replicas = cases[i].old1, .available = cases[i].old1_available, .created_usec = 1},
            {.name = "old2", .replicas = cases[i].old2, .available = cases[i].old2_available, .created_usec = 2}};
        struct rollout r = {cases[i].replicas,        true, cases[i].surge, cases[i].unavailable, 0, sets,
                            cases[i].old2 < 0 ? 2 : 3};
        rollout_step(&r);
        if (sets[1].to != cases[i].to_old1 || sets[0].to != cases[i].to_new ||
            (r.n == 3 && sets[2].to != cases[i].to_old2))
            T_FAIL("%s: got old1 %d, old2 %d, new %d", cases[i].what, (int)sets[1].to, (int)sets[2].to,
                   (int)sets[0].to);
    }
}

TEST(scaling_in_the_middle_of_a_rollout_is_proportional)
{
    /* Upstream's example: 10 replicas with surge 3, 8 old and 5 new, scaled to 15. */
    struct rollout_set sets[2] = {
        {.name = "old", .replicas = 8, .desired_mark = 10, .max_mark = 13, .created_usec = 1},
        {.name = "new", .is_new = true, .replicas = 5, .desired_mark = 10, .max_mark = 13, .created_usec = 2}};
    struct rollout r = {15, true, 3, 2, 13, sets, 2};
    T_TRUE(rollout_is_scaled(&r));
    rollout_scale(&r);
    T_INT(sets[0].to, 11);
    T_INT(sets[1].to, 7);
    r.replicas = 0;
    r.max_surge = 0;
    rollout_scale(&r);
    T_INT(sets[0].to, 0);
    T_INT(sets[1].to, 0);
}

TEST(scaling_the_only_active_set)
{
    struct rollout_set sets[2] = {{.name = "old", .replicas = 0, .desired_mark = 3, .created_usec = 1},
                                  {.name = "new", .is_new = true, .replicas = 3, .desired_mark = 3, .created_usec = 2}};
    struct rollout r = {7, true, 2, 1, 3, sets, 2};
    rollout_scale(&r);
    T_INT(sets[0].to, 0);
    T_INT(sets[1].to, 7);
    sets[1].replicas = sets[1].available = sets[1].desired_mark = 7;
    sets[0].replicas = 2; /* saturated: the rest of the old one goes */
    rollout_scale(&r);
    T_INT(sets[0].to, 0);
}

/* Any state with consistent statuses: a step never plans more than max, nor takes away what must stay available. */
TEST(no_step_breaks_the_limits)
{
    srand(11);
    for (int n = 0; n < 20000; n++) {
        struct rollout_set sets[3] = {{.name = "a", .created_usec = 1},
                                      {.name = "b", .created_usec = 2},
                                      {.name = "c", .is_new = true, .created_usec = 3}};
        struct rollout r = {1 + rand() % 12, true, rand() % 4, rand() % 4, 0, sets, 3};
        if (!r.max_surge && !r.max_unavailable)
            r.max_unavailable = 1;
        if (r.max_unavailable > r.replicas)
            r.max_unavailable = r.replicas;
        int64_t left = r.replicas + r.max_surge, available = 0;
        for (int i = 0; i < 3; i++) {
            sets[i].replicas = rand() % (left + 1);
            left -= sets[i].replicas;
            sets[i].available = sets[i].replicas ? rand() % (sets[i].replicas + 1) : 0;
            available += sets[i].available;
        }
        rollout_step(&r);
        int64_t total = 0, lost = 0;
        for (int i = 0; i < 3; i++) {
            total += sets[i].to;
            T_TRUE(sets[i].to >= 0);
            if (sets[i].to < sets[i].available) /* unavailable ones go first */
                lost += sets[i].available - sets[i].to;
        }
        T_TRUE(total <= r.replicas + r.max_surge || total <= rollout_sum(&r, SUM_SPEC));
        T_TRUE(!lost || available - lost >= r.replicas - r.max_unavailable || sets[2].to < sets[2].replicas);
    }
}

TEST(hashes_name_templates)
{
    _cleanup_json_ json_t *a =
        json_loads("{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"spec\":{\"a\":1,\"b\":2}}", 0, NULL);
    _cleanup_json_ json_t *b = json_loads("{\"spec\":{\"b\":2,\"a\":1},\"metadata\":{\"labels\":{\"app\":\"x\","
                                          "\"pod-template-hash\":\"zzz\"}}}",
                                          0, NULL);
    _cleanup_json_ json_t *other =
        json_loads("{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"spec\":{\"a\":2}}", 0, NULL);
    T_TRUE(same_template(a, b));
    T_TRUE(!same_template(a, other));
    char one[TEMPLATE_HASH_SIZE], two[TEMPLATE_HASH_SIZE];
    template_hash(a, 0, one);
    template_hash(a, 1, two);
    T_TRUE(strcmp(one, two) != 0);
    T_TRUE(strspn(one, "bcdfghjklmnpqrstvwxz2456789") == strlen(one));
    _cleanup_json_ json_t *d =
        json_loads("{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\","
                   "\"namespace\":\"a\",\"uid\":\"u\"},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":"
                   "\"x\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"x\"}},\"spec\":{}}}}",
                   0, NULL);
    _cleanup_json_ json_t *rs = replica_set_new(d);
    const char *hash = jstr(rs, "metadata.labels.pod-template-hash");
    T_STR(jstr(rs, "spec.selector.matchLabels.pod-template-hash"), hash);
    T_STR(jstr(rs, "spec.template.metadata.labels.pod-template-hash"), hash);
    T_STR(str_after(jstr(rs, "metadata.name"), "web-"), hash);
    T_TRUE(same_template(jget(rs, "spec.template"), jget(d, "spec.template")));
}

TEST(annotations_are_inherited_but_for_the_private_ones)
{
    _cleanup_json_ json_t *d =
        json_loads("{\"metadata\":{\"annotations\":{\"note\":\"hi\",\"kubectl.kubernetes.io/"
                   "last-applied-configuration\":\"{}\",\"deployment.kubernetes.io/revision\":\"9\"}}}",
                   0, NULL);
    _cleanup_json_ json_t *rs =
        json_loads("{\"metadata\":{\"annotations\":{\"deployment.kubernetes.io/revision\":\"1\"}}}", 0, NULL);
    inherit_annotations(rs, d, 3);
    T_JSON(jget(rs, "metadata.annotations"), "{\"note\":\"hi\",\"deployment.kubernetes.io/revision\":\"3\","
                                             "\"deployment.kubernetes.io/revision-history\":\"1\"}");
    inherit_annotations(rs, d, 2); /* never back */
    T_INT(revision_of(rs), 3);
}

/* Each pod must go before the one below it. */
TEST(pods_to_delete_are_ranked)
{
    const int64_t now = 1000000LL * 100000;
    struct pod_state s[] = {
        {.phase = POD_RUNNING},                                                                /* 0: no node */
        {.phase = POD_PENDING},                                                                /* 1: pending */
        {.phase = POD_UNKNOWN},                                                                /* 2 */
        {.phase = POD_RUNNING},                                                                /* 3: not ready */
        {.phase = POD_RUNNING, .ready = true, .cost = -5},                                     /* 4: cheap */
        {.phase = POD_RUNNING, .ready = true, .ready_usec = now - 10},                         /* 5: doubled up */
        {.phase = POD_RUNNING, .ready = true, .ready_usec = now - 1000000},                    /* 6: ready a second */
        {.phase = POD_RUNNING, .ready = true, .ready_usec = now - 50000000000, .restarts = 3}, /* 7 */
        {.phase = POD_RUNNING, .ready = true, .ready_usec = now - 50000000000, .created_usec = now - 60000000},
        {.phase = POD_RUNNING, .ready = true, .ready_usec = now - 50000000000, .created_usec = now - 60000000000},
    };
    struct ranked_pod pods[ARRAY_LEN(s)];
    static const char *const uids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    srand(5);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < ARRAY_LEN(s); i++) {
            if (!round)
                s[i].facts = json_pack("{s:s}", "node", i ? "n1" : "");
            pods[i] = (struct ranked_pod){uids[i], uids[i], &s[i], i == 5 ? 2 : 1};
        }
        for (size_t i = ARRAY_LEN(s) - 1; i > 0; i--) {
            size_t j = (size_t)rand() % (i + 1);
            struct ranked_pod tmp = pods[i];
            pods[i] = pods[j];
            pods[j] = tmp;
        }
        rank_for_deletion(pods, ARRAY_LEN(s), now);
        for (size_t i = 0; i < ARRAY_LEN(s); i++)
            T_STR(pods[i].uid, uids[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(s); i++)
        json_decref(s[i].facts);
}

TEST(differences_are_merge_patches)
{
    static const char *const cases[][3] = {
        {"{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"a\":1,\"b\":{\"c\":2,\"d\":4}}", "{\"b\":{\"d\":4}}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":1}", "{\"b\":null}"},
        {"{}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"a\":[1,2]}", "{\"a\":[2]}", "{\"a\":[2]}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":5}", "{\"a\":5}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_json_ json_t *from = json_loads(cases[i][0], 0, NULL), *to = json_loads(cases[i][1], 0, NULL);
        _cleanup_json_ json_t *patch = merge_diff(from, to), *none = merge_diff(from, from);
        T_JSON(patch, cases[i][2]);
        T_TRUE(!none);
    }
}

int main(void)
{
    RUN(numbers_and_percents_round_as_upstream);
    RUN(a_rollout_can_always_move);
    RUN(steps_of_a_rolling_update);
    RUN(scaling_in_the_middle_of_a_rollout_is_proportional);
    RUN(scaling_the_only_active_set);
    RUN(no_step_breaks_the_limits);
    RUN(hashes_name_templates);
    RUN(annotations_are_inherited_but_for_the_private_ones);
    RUN(pods_to_delete_are_ranked);
    RUN(differences_are_merge_patches);
    return DONE();
}
