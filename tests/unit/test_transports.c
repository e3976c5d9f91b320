/* client: a reader cannot tell the in-process transport from HTTPS: the same script through both, against the same
 * server, gives the same answers and the same changes in an informer. */
#include "client/https.h"
#include "client/informer.h"
#include "server_world.h"

struct reader {
    struct client *client;
    struct informer *informer;
    struct buf told; /* what it was told, a word each */
    bool synced, answered;
};

static void on_change(void *arg, struct object *old, struct object *obj)
{
    struct reader *r = arg;
    buf_addf(&r->told, "%c%s ", old ? obj ? '~' : '-' : '+', (obj ? obj : old)->name);
}

static void on_synced(void *arg)
{
    ((struct reader *)arg)->synced = true;
}

static void on_answer(void *arg, int code, const json_t *body)
{
    struct reader *r = arg;
    buf_addf(&r->told, "%d%s%s ", code, jstr(body, "reason") ? "/" : "", jstr_or(body, "reason", ""));
    r->answered = true;
}

static void wait_for(struct reader *r, const char *what)
{
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    while (!r->answered || !strstr(buf_str(&r->told), what))
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
    r->answered = false;
}

static json_t *map(const char *name, const char *value)
{
    return json_pack("{s:{s:s, s:s}, s:{s:s}}", "metadata", "name", name, "namespace", "default", "data", "key", value);
}

/* Each step waits for its answer and for its change, so that the words come in one order over any transport. */
static void run_script(struct reader *r)
{
    _cleanup_json_ json_t *one = map("one", "1"), *two = map("two", "1");
    _cleanup_json_ json_t *patch = json_pack("{s:{s:s}}", "data", "key", "2");
    r->informer =
        informer_new(r->client, &kind_configmap, "labelSelector=!hidden&fieldSelector=metadata.namespace%3Ddefault");
    informer_on_change(r->informer, on_change, r);
    informer_on_synced(r->informer, on_synced, r);
    informer_start(r->informer);
    run_until(&r->synced);
    client_create(r->client, &kind_configmap, "default", one, on_answer, r);
    wait_for(r, "+one");
    client_create(r->client, &kind_configmap, "default", one, on_answer, r);
    wait_for(r, "409/AlreadyExists");
    client_create(r->client, &kind_configmap, "default", two, on_answer, r);
    wait_for(r, "+two");
    client_patch(r->client, &kind_configmap, "default", "one", NULL, PATCH_MERGE, patch, on_answer, r);
    wait_for(r, "~one");
    jset_str(patch, "metadata.labels.hidden", "yes");
    client_patch(r->client, &kind_configmap, "default", "one", NULL, PATCH_STRATEGIC, patch, on_answer, r);
    wait_for(r, "-one"); /* it does not match any more */
    client_delete(r->client, &kind_configmap, "default", "two", NULL, on_answer, r);
    wait_for(r, "-two");
    client_get(r->client, &kind_configmap, "default", "two", on_answer, r);
    wait_for(r, "404/NotFound");
    client_delete(r->client, &kind_configmap, "default", "one", NULL, on_answer, r);
    wait_for(r, "404/NotFound 200");
}

static void end(struct reader *r)
{
    informer_free(r->informer);
    client_free(r->client);
    buf_done(&r->told);
}

/* An answer and its change may come in either order: words are counted by what they are. */
static void count_words(const char *told, size_t counts[4])
{
    _cleanup_free_ char **words = str_split(told, ' ', NULL);
    for (char **w = words; *w; w++)
        counts[**w == '+' ? 0 : **w == '~' ? 1 : **w == '-' ? 2 : 3]++;
}

TEST(both_transports_tell_the_same)
{
    static const char *const masters[] = {"system:masters", NULL};
    const struct client_https_config https = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = world.port, .server_name = "127.0.0.1", .tls = world.admin};
    struct reader readers[] = {{.client = server_local_client(world.server, "tester", masters)},
                               {.client = client_https_new(&world.loop, &https)}};
    size_t counts[2][4] = {0};
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        run_script(&readers[i]);
        count_words(buf_str(&readers[i].told), counts[i]);
    }
    T_TRUE(memcmp(counts[0], counts[1], sizeof(counts[0])) == 0);
    T_INT(counts[1][0], 2);
    T_INT(counts[1][1], 1);
    T_INT(counts[1][2], 2);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        end(&readers[i]);
}

TEST(https_needs_a_certificate_that_may)
{
    const struct client_https_config https = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = world.port, .server_name = "127.0.0.1", .tls = world.anonymous};
    struct reader r = {.client = client_https_new(&world.loop, &https)};
    client_get(r.client, &kind_configmap, "default", "x", on_answer, &r);
    wait_for(&r, "403/Forbidden");
    client_free(r.client);
    buf_done(&r.told);
}

int main(void)
{
    make_world();
    RUN(both_transports_tell_the_same);
    RUN(https_needs_a_certificate_that_may);
    end_world();
    return DONE();
}
