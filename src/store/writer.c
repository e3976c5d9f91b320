/* See writer.h. */
#include "store/writer.h"

#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"

#define TRANSACTION_MAX 1024 /* writes: bounds how long the first of them waits for the last */

struct writer {
    struct db *db;
    void (*wake)(void *arg);
    void *arg;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t to_thread, to_loop;
    struct list queue, durable, failed;
    bool writing; /* a transaction is under way */
    bool stop;
    struct err err; /* why `failed` is not empty; the thread rests until the loop has taken note */
};

/* Moves up to max items (0: all) from the front of one list to the end of another. */
static void move_items(struct list *from, struct list *to, size_t max)
{
    size_t n = 0;
    LIST_EACH(it, from) {
        if (max && n++ == max)
            break;
        list_remove(it);
        list_append(to, it);
    }
}

static int commit(struct db *db, const struct list *batch, struct err *err)
{
    uint64_t rv = 0;
    if (db_begin(db, err) < 0)
        return -1;
    LIST_EACH(it, batch) {
        const struct write *write = container_of(it, struct write, link);
        if ((write->deleted ? db_delete : db_put)(db, write->obj, err) < 0)
            return -1;
        rv = write->obj->rv;
    }
    return db_commit(db, rv, err);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct list batch;
    list_init(&batch);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->stop && (list_empty(&w->queue) || !list_empty(&w->failed)))
            pthread_cond_wait(&w->to_thread, &w->lock);
        if (w->stop)
            break;
        move_items(&w->queue, &batch, TRANSACTION_MAX);
        w->writing = true;
        pthread_mutex_unlock(&w->lock);

        struct err err;
        int r = commit(w->db, &batch, &err);
        if (r < 0)
            db_rollback(w->db);

        pthread_mutex_lock(&w->lock);
        w->writing = false;
        if (r < 0)
            w->err = err;
        move_items(&batch, r < 0 ? &w->failed : &w->durable, 0);
        pthread_cond_signal(&w->to_loop);
        w->wake(w->arg);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer *writer_start(struct db *db, void (*wake)(void *arg), void *arg)
{
    struct writer *w = NEW(struct writer);
    w->db = db;
    w->wake = wake;
    w->arg = arg;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->to_thread, NULL);
    pthread_cond_init(&w->to_loop, NULL);
    list_init(&w->queue);
    list_init(&w->durable);
    list_init(&w->failed);

    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&w->thread, NULL, writer_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        abort(); /* as out of memory: a program without its writer can do nothing */
    return w;
}

void writer_submit(struct writer *w, struct write *write)
{
    pthread_mutex_lock(&w->lock);
    bool idle = list_empty(&w->queue);
    list_append(&w->queue, &write->link);
    if (idle)
        pthread_cond_signal(&w->to_thread);
    pthread_mutex_unlock(&w->lock);
}

void writer_take(struct writer *w, struct list *ret_durable, struct list *ret_failed, struct err *err)
{
    pthread_mutex_lock(&w->lock);
    move_items(&w->durable, ret_durable, 0);
    if (!list_empty(&w->failed)) {
        move_items(&w->failed, ret_failed, 0);
        move_items(&w->queue, ret_failed, 0);
        *err = w->err;
    }
    pthread_mutex_unlock(&w->lock);
}

void writer_wait(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (list_empty(&w->durable) && list_empty(&w->failed) && (w->writing || !list_empty(&w->queue)))
        pthread_cond_wait(&w->to_loop, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->to_thread);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->to_loop);
    pthread_cond_destroy(&w->to_thread);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
