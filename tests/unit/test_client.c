/* client: the work queue, informers, the controllers' frame, events. */
#include "client/controller.h"
#include "client/events.h"
#include "client/informer.h"
#include "client/workqueue.h"
#include "fake_client.h"
#include "t.h"

static uv_loop_t *loop;
static struct fake *fake;
static int64_t fake_now;

static int64_t now_usec(void)
{
    return fake_now;
}

static void setup(unsigned seed)
{
    loop = NEW(uv_loop_t);
    uv_loop_init(loop);
    fake = fake_new(loop, seed);
    fake_now = 1800000000LL * 1000000;
    fake->now_usec = now_usec;
}

static void teardown(void)
{
    client_free(&fake->client);
    uv_run(loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(loop), 0);
    free(loop);
}

/* --- work queue --- */

TEST(back_off_doubles_to_a_minute)
{
    static const struct {
        unsigned failures;
        int64_t ms;
    } cases[] = {{1, 5}, {2, 10}, {3, 20}, {14, 40960}, {15, 60000}, {1000, 60000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_INT(work_backoff_ms(cases[i].failures), cases[i].ms);
}

TEST(a_key_is_queued_once_and_held_once)
{
    struct workqueue q;
    workqueue_init(&q);
    workqueue_add(&q, NULL, "a", "x");
    workqueue_add(&q, NULL, "a", "x");
    workqueue_add(&q, NULL, "b", "x");
    struct work *ax = workqueue_take(&q, 0);
    T_STR(ax->ns, "a");
    workqueue_add(&q, NULL, "a", "x"); /* while held */
    struct work *bx = workqueue_take(&q, 0);
    T_STR(bx->ns, "b");
    T_TRUE(!workqueue_take(&q, 0));
    workqueue_release(&q, bx, false, 0);
    workqueue_release(&q, ax, false, 0);
    ax = workqueue_take(&q, 0);
    T_STR(ax->ns, "a");
    workqueue_release(&q, ax, false, 0);
    T_TRUE(!workqueue_take(&q, 0));
    T_INT(q.works.len, 0);
    workqueue_done(&q);
}

TEST(failed_keys_come_back_later_and_success_forgives)
{
    struct workqueue q;
    workqueue_init(&q);
    workqueue_add(&q, NULL, "", "x");
    int64_t now = 100;
    for (unsigned n = 1; n <= 3; n++) {
        struct work *w = workqueue_take(&q, now);
        T_TRUE(w != NULL);
        workqueue_release(&q, w, true, now);
        T_INT(workqueue_next_due(&q), now + work_backoff_ms(n));
        T_TRUE(!workqueue_take(&q, now));
        now = workqueue_next_due(&q);
    }
    struct work *w = workqueue_take(&q, now);
    T_INT(w->failures, 3);
    workqueue_release(&q, w, false, now);
    T_INT(workqueue_next_due(&q), -1);
    T_INT(q.works.len, 0);
    workqueue_done(&q);
}

TEST(delays_end_when_the_clock_was_set)
{
    struct workqueue q;
    workqueue_init(&q);
    workqueue_add_at(&q, NULL, "", "x", 1000);
    workqueue_add_at(&q, NULL, "", "y", 500);
    workqueue_hurry(&q);
    T_INT(workqueue_next_due(&q), -1);
    struct work *y = workqueue_take(&q, 0), *x = workqueue_take(&q, 0);
    T_STR(y->name, "y");
    T_STR(x->name, "x");
    workqueue_release(&q, y, false, 0);
    workqueue_release(&q, x, false, 0);
    T_INT(q.works.len, 0);
    workqueue_done(&q);
}

TEST(delays_end_in_order_and_the_earliest_wins)
{
    struct workqueue q;
    workqueue_init(&q);
    srand(3);
    int64_t due[200];
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "%d", i);
        int64_t one = 1 + rand() % 1000, two = 1 + rand() % 1000;
        workqueue_add_at(&q, NULL, "", name, one);
        workqueue_add_at(&q, NULL, "", name, two);
        due[i] = one < two ? one : two;
    }
    for (int64_t now = 0; now <= 1000; now++) {
        struct work *w;
        while ((w = workqueue_take(&q, now))) {
            int64_t n = -1;
            T_TRUE(str_to_i64(w->name, 0, 199, &n));
            T_INT(due[n], now);
            workqueue_release(&q, w, false, now);
        }
    }
    T_INT(q.works.len, 0);
    workqueue_done(&q);
}

/* --- informers --- */

struct seen {
    int added, modified, deleted;
    char last[64];
};

static void count_change(void *arg, struct object *old, struct object *obj)
{
    struct seen *s = arg;
    s->added += !old;
    s->modified += old && obj;
    s->deleted += !obj;
    snprintf(s->last, sizeof(s->last), "%s", (obj ? obj : old)->name);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void by_app(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *app = jstr(doc, "metadata.labels.app");
    if (app)
        emit(emit_arg, app);
}

static size_t count_indexed(struct informer *i, int index, const char *key)
{
    size_t n = 0;
    for (void *cursor = NULL; informer_by_index(i, index, key, &cursor);)
        n++;
    return n;
}

static void configmap(const char *ns, const char *name, const char *app)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"labels\":{\"app\":\"%s\"}}}", ns, name, app);
    fake_set(fake, &kind_configmap, text);
}

/* Runs until the fake has nothing on its way and the informer watches. */
static void settle(void)
{
    do
        uv_run(loop, UV_RUN_NOWAIT);
    while (!fake_idle(fake));
}

TEST(an_informer_follows_list_and_watch)
{
    setup(1);
    configmap("a", "one", "web");
    configmap("b", "two", "web");
    struct informer *i = informer_new(&fake->client, &kind_configmap, NULL);
    int index = informer_add_index(i, by_app);
    struct seen s = {0};
    bool synced = false;
    informer_on_change(i, count_change, &s);
    informer_on_synced(i, set_flag, &synced);
    informer_start(i);
    T_TRUE(!synced);
    settle();
    T_TRUE(synced && informer_synced(i));
    T_INT(s.added, 2);
    T_INT(count_indexed(i, index, "web"), 2);
    configmap("a", "one", "db");
    configmap("a", "three", "db");
    settle();
    T_INT(s.modified, 1);
    T_INT(count_indexed(i, index, "web"), 1);
    T_INT(count_indexed(i, index, "db"), 2);
    fake_delete(fake, &kind_configmap, "b", "two");
    settle();
    T_INT(s.deleted, 1);
    T_INT(count_indexed(i, index, "web"), 0);
    T_TRUE(!informer_get(i, "b", "two") && informer_get(i, "a", "three"));
    size_t n = 0;
    for (void *cursor = NULL; informer_next(i, "a", &cursor);)
        n++;
    T_INT(n, 2);
    T_INT(informer_rv(i), fake->rv);
    struct seen late = {0};
    informer_on_change(i, count_change, &late);
    T_INT(late.added, 2);
    informer_free(i);
    teardown();
}

TEST(after_a_lost_watch_the_differences_are_told)
{
    setup(2);
    configmap("a", "stays", "x");
    configmap("a", "changes", "x");
    configmap("a", "goes", "x");
    struct informer *i = informer_new(&fake->client, &kind_configmap, NULL);
    informer_start(i);
    settle();
    struct seen s = {0};
    informer_on_change(i, count_change, &s);
    s.added = 0;
    fake_end_watches(fake, 410);
    configmap("a", "changes", "y");
    configmap("a", "comes", "x");
    fake_delete(fake, &kind_configmap, "a", "goes");
    settle();
    T_INT(s.added, 1);
    T_INT(s.modified, 1);
    T_INT(s.deleted, 1);
    T_INT(informer_count(i), 3);
    informer_free(i);
    teardown();
}

static int digests_made;

static void *make_digest(const struct object *o)
{
    digests_made++;
    return xstrdup(o->name);
}

TEST(a_digest_is_made_once_a_version)
{
    setup(3);
    configmap("a", "one", "x");
    struct informer *i = informer_new(&fake->client, &kind_configmap, NULL);
    int digest = informer_add_digest(i, make_digest, free);
    T_INT(informer_add_digest(i, make_digest, free), digest);
    informer_start(i);
    settle();
    digests_made = 0;
    for (int n = 0; n < 3; n++)
        T_STR(informer_digest(i, digest, informer_get(i, "a", "one")), "one");
    T_INT(digests_made, 1);
    configmap("a", "one", "y");
    settle();
    T_STR(informer_digest(i, digest, informer_get(i, "a", "one")), "one");
    T_INT(digests_made, 2);
    informer_free(i);
    teardown();
}

/* --- the frame --- */

static struct {
    int reconciles, running;
    int64_t counted; /* what the informer showed */
    bool fail;
} probe;

/* Brings data.n of a ConfigMap from what it is to 5, one step a reconcile: each step must see the one before. */
static void count_up(struct controller *c, const char *ns, const char *name)
{
    probe.reconciles++;
    struct object *o = informer_get(controller_informer(c, &kind_configmap), ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    probe.counted = jint(doc, "data.n", 0);
    if (probe.counted >= 5)
        return;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:I}}", "data", "n", probe.counted + 1);
    controller_patch(c, &kind_configmap, ns, name, NULL, PATCH_MERGE, patch);
}

static const struct controller_watch count_watches[] = {{&kind_configmap, NULL}, {NULL, NULL}};
static const struct controller_def counter = {.name = "counter", .watches = count_watches, .reconcile = count_up};

static void run_frame(struct controllers *cs)
{
    do
        uv_run(loop, UV_RUN_NOWAIT);
    while (!fake_idle(fake) || !controllers_idle(cs));
}

TEST(a_key_waits_for_its_writes_to_come_back)
{
    for (unsigned seed = 0; seed < 50; seed++) {
        setup(seed);
        probe.reconciles = 0;
        configmap("a", "x", "web");
        struct controllers *cs = controllers_new(&fake->client);
        controllers_set_clock(cs, now_usec);
        controllers_add(cs, &counter);
        controllers_start(cs);
        run_frame(cs);
        T_INT(probe.counted, 5);
        T_INT(fake->writes, 5);        /* no step was taken twice */
        T_TRUE(probe.reconciles <= 6); /* and none for nothing */
        controllers_free(cs);
        teardown();
    }
}

TEST(failed_writes_are_retried_after_the_back_off)
{
    setup(4);
    probe.reconciles = 0;
    fake->fail_percent = 100;
    configmap("a", "x", "web");
    struct controllers *cs = controllers_new(&fake->client);
    controllers_set_clock(cs, now_usec);
    controllers_add(cs, &counter);
    controllers_start(cs);
    run_frame(cs);
    T_TRUE(probe.reconciles >= 1);
    int before = probe.reconciles;
    controllers_tick(cs);
    run_frame(cs);
    T_INT(probe.reconciles, before); /* not before its time */
    fake->fail_percent = 0;
    fake_now += 60 * 1000000;
    controllers_tick(cs);
    run_frame(cs);
    T_INT(probe.counted, 5);
    controllers_free(cs);
    teardown();
}

static void delete_all(struct controller *c, const char *ns, const char *name)
{
    probe.reconciles++;
    if (informer_get(controller_informer(c, &kind_configmap), ns, name))
        controller_delete(c, &kind_configmap, ns, name, NULL);
}

static const struct controller_def deleter = {.name = "deleter", .watches = count_watches, .reconcile = delete_all};

TEST(a_deletion_is_over_when_the_object_is_gone)
{
    for (unsigned seed = 0; seed < 20; seed++) {
        setup(seed);
        configmap("a", "x", "web");
        configmap("a", "y", "web");
        struct controllers *cs = controllers_new(&fake->client);
        controllers_add(cs, &deleter);
        controllers_start(cs);
        run_frame(cs);
        T_INT(fake->writes, 2);
        T_INT(fake_count(fake, &kind_configmap), 0);
        controllers_free(cs);
        teardown();
    }
}

TEST(freeing_the_frame_with_requests_on_their_way_is_fine)
{
    setup(5);
    configmap("a", "x", "web");
    struct controllers *cs = controllers_new(&fake->client);
    controllers_add(cs, &counter);
    controllers_start(cs);
    while (!fake->writes)
        uv_run(loop, UV_RUN_NOWAIT);
    controllers_free(cs);
    teardown();
}

/* --- events --- */

TEST(repeated_events_are_counted_and_have_a_budget)
{
    setup(6);
    struct events *e = events_new(&fake->client, "tester", "n1");
    _cleanup_json_ json_t *obj = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "apiVersion", "v1", "kind", "Pod",
                                           "metadata", "name", "web", "namespace", "a", "uid", "u1");
    for (int i = 0; i < 3; i++)
        events_send(e, obj, "spec.containers{c}", "Normal", "Pulled", "Image %s", "x");
    settle();
    T_INT(fake_count(fake, &kind_event), 1);
    struct map_entry *cursor = NULL;
    _cleanup_json_ json_t *ev = object_json(fake_next(fake, &kind_event, &cursor));
    T_INT(jint(ev, "count", 0), 3);
    T_STR(jstr(ev, "message"), "Image x");
    T_STR(jstr(ev, "involvedObject.fieldPath"), "spec.containers{c}");
    T_STR(jstr(ev, "source.host"), "n1");
    for (int i = 0; i < 100; i++)
        events_send(e, obj, NULL, "Normal", "Other", "number %d", i);
    settle();
    T_INT(fake_count(fake, &kind_event), 1 + 22);
    events_send(e, obj, NULL, "Normal", "Other", "number %d", 0);
    events_free(e);
    teardown();
}

int main(void)
{
    RUN(back_off_doubles_to_a_minute);
    RUN(a_key_is_queued_once_and_held_once);
    RUN(failed_keys_come_back_later_and_success_forgives);
    RUN(delays_end_when_the_clock_was_set);
    RUN(delays_end_in_order_and_the_earliest_wins);
    RUN(an_informer_follows_list_and_watch);
    RUN(after_a_lost_watch_the_differences_are_told);
    RUN(a_digest_is_made_once_a_version);
    RUN(a_key_waits_for_its_writes_to_come_back);
    RUN(failed_writes_are_retried_after_the_back_off);
    RUN(a_deletion_is_over_when_the_object_is_gone);
    RUN(freeing_the_frame_with_requests_on_their_way_is_fine);
    RUN(repeated_events_are_counted_and_have_a_budget);
    return DONE();
}
