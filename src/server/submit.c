/* See submit.h. */
#define LOG_AREA "server"
#include "server/submit.h"

#include <stdio.h>

#include "base/log.h"

struct submission {
    struct list link;
    struct server *server; /* NULL: it is gone, and the numbers with it */
    struct object *obj;
    bool deletes;
    struct alloc_change change;
    submit_fn *done;
    void *arg;
};

static void on_durable(void *arg, const struct err *err)
{
    struct submission *sub = arg;
    list_remove(&sub->link);
    if (sub->server) {
        if (err) {
            log_error("write of %s %s failed: %s", sub->obj->kind->kind, sub->obj->name, err->msg);
            alloc_rollback(&sub->change);
        } else {
            alloc_commit(&sub->change);
        }
        sub->done(sub->arg, sub->obj, sub->deletes, err);
    }
    free(sub->change.items);
    object_unref(sub->obj);
    free(sub);
}

json_t *submit(struct server *s, const struct kind *k, json_t *doc, bool deletes, struct alloc_change *change,
               submit_fn *done, void *arg)
{
    char rv[24];
    snprintf(rv, sizeof(rv), "%llu", (unsigned long long)store_next_rv(s->store));
    jset_str(doc, "metadata.resourceVersion", rv);
    struct object *obj = object_adopt(k, doc);
    if (!obj || obj->len > OBJECT_SIZE_MAX) {
        alloc_rollback(change);
        object_unref(obj);
        return obj ? status_new(STATUS_TOO_LARGE, "Request entity too large: limit is %d", OBJECT_SIZE_MAX)
                   : status_new(STATUS_INTERNAL, "the object has no name");
    }
    struct submission *sub = NEW(struct submission);
    *sub =
        (struct submission){.server = s, .obj = obj, .deletes = deletes, .change = *change, .done = done, .arg = arg};
    *change = (struct alloc_change){0};
    list_append(&s->submissions, &sub->link);
    if (deletes)
        store_delete(s->store, obj, on_durable, sub);
    else
        store_put(s->store, obj, on_durable, sub);
    return NULL;
}

void submissions_orphan(struct server *s)
{
    LIST_EACH(it, &s->submissions) {
        struct submission *sub = container_of(it, struct submission, link);
        list_remove(it);
        sub->server = NULL;
    }
}
