/* Pulling images, see agent_impl.h. */
#define LOG_AREA "node"
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/image.h"

#define IMAGE_INDEX "index.json" /* renamed into place by every import and pull */
#define REST_FIRST_MS 10000
#define REST_MAX_MS 300000

struct pull {
    char *ref;
    json_t *docker_config;
    bool queued, running;
    char *message;
    int64_t rest_ms, retry_ms;
};

struct pulls {
    struct agent *agent;
    struct map by_key; /* struct pull */
    bool busy;
    uv_fs_event_t *watch; /* on the images' folder: an import ends every rest */
};

struct pull_job {
    struct agent *agent;
    char *data_dir, *ref, *key;
    json_t *docker_config; /* its own */
    int result;
    struct err err;
};

static void free_pull(void *arg)
{
    struct pull *p = arg;
    free(p->ref);
    json_decref(p->docker_config);
    free(p->message);
    free(p);
}

static void pull_next(struct pulls *p);

static void pull_work(void *arg)
{
    struct pull_job *job = arg;
    job->result = image_pull(job->data_dir, job->ref, job->docker_config, &job->err);
}

static void pull_done(void *arg)
{
    struct pull_job *job = arg;
    struct pulls *all = job->agent->closing ? NULL : job->agent->pulls;
    struct pull *p = all ? map_get(&all->by_key, job->key) : NULL;
    if (p) {
        p->running = all->busy = false;
        free(p->message);
        p->message = job->result < 0 ? xstrdup(job->err.msg) : NULL;
        p->rest_ms = job->result < 0 ? (p->rest_ms ? p->rest_ms * 2 : REST_FIRST_MS) : 0;
        if (p->rest_ms > REST_MAX_MS)
            p->rest_ms = REST_MAX_MS;
        p->retry_ms = clock_mono_ms() + p->rest_ms;
        agent_kick_all(job->agent);
        pull_next(all);
    }
    free(job->data_dir);
    free(job->ref);
    free(job->key);
    json_decref(job->docker_config);
    free(job);
}

static void pull_next(struct pulls *all)
{
    for (struct map_entry *e = NULL; !all->busy && (e = map_next(&all->by_key, e));) {
        struct pull *p = e->value;
        if (!p->queued)
            continue;
        struct pull_job *job = NEW(struct pull_job);
        *job = (struct pull_job){.agent = all->agent,
                                 .data_dir = xstrdup(all->agent->paths.data),
                                 .ref = xstrdup(p->ref),
                                 .key = xstrdup(e->key),
                                 .docker_config = json_deep_copy(p->docker_config)};
        p->queued = false;
        p->running = all->busy = true;
        agent_job(all->agent, pull_work, pull_done, job);
    }
}

static char *key_of(const struct pull_what *what)
{
    _cleanup_free_ char *config = what->docker_config ? jprint_sorted(what->docker_config) : NULL;
    return xasprintf("%s %s", what->ref, str_or(config, ""));
}

void pulls_start(struct pulls *all, const struct pull_what *what)
{
    _cleanup_free_ char *key = key_of(what);
    struct pull *p = map_get(&all->by_key, key);
    if (!p) {
        p = NEW(struct pull);
        p->ref = xstrdup(what->ref);
        p->docker_config = json_deep_copy(what->docker_config);
        map_put(&all->by_key, key, p);
    }
    p->queued = !p->running;
    pull_next(all);
}

enum pull_state pulls_state(struct pulls *all, const struct pull_what *what, const char **ret_message,
                            int64_t *ret_retry_ms)
{
    _cleanup_free_ char *key = key_of(what);
    const struct pull *p = map_get(&all->by_key, key);
    *ret_message = p ? p->message : NULL;
    *ret_retry_ms = p ? p->retry_ms : 0;
    if (!p)
        return PULL_IDLE;
    if (p->queued || p->running)
        return PULL_RUNNING;
    return p->message && clock_mono_ms() < p->retry_ms ? PULL_FAILED : PULL_IDLE;
}

/* Something in the images' folder has changed: what was missing may be there. */
static void on_images_changed(uv_fs_event_t *w, const char *file, int events, int status)
{
    (void)events, (void)status;
    struct pulls *all = w->data;
    if (!file || !streq(file, IMAGE_INDEX))
        return;
    for (struct map_entry *e = NULL; (e = map_next(&all->by_key, e));) {
        struct pull *p = e->value;
        p->retry_ms = p->rest_ms = 0;
    }
    agent_images_changed(all->agent);
}

struct pulls *pulls_new(struct agent *a)
{
    struct pulls *p = NEW(struct pulls);
    p->agent = a;
    p->watch = NEW(uv_fs_event_t);
    p->watch->data = p;
    _cleanup_free_ char *dir = xasprintf("%s/images", a->paths.data);
    (void)make_dirs(dir, 0755);
    uv_fs_event_init(a->loop, p->watch);
    int r = uv_fs_event_start(p->watch, on_images_changed, dir, 0);
    if (r < 0)
        log_warn("watch %s: %s; imported images are noticed at the next attempt", dir, uv_strerror(r));
    return p;
}

void pulls_free(struct pulls *p)
{
    if (!p)
        return;
    handle_free((uv_handle_t *)p->watch);
    map_done_with(&p->by_key, free_pull);
    free(p);
}
