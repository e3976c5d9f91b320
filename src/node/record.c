/* See record.h. */
#include "node/record.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

#define RECORD_MAX 16384

char *record_dir(const struct node_paths *p, const char *uid, const char *cid)
{
    _cleanup_free_ char *rest = xasprintf("containers/%s", cid);
    return pod_run_path(p, uid, rest);
}

int record_write(const struct node_paths *p, const char *uid, const struct record *r, struct err *err)
{
    _cleanup_free_ char *dir = record_dir(p, uid, r->cid);
    _cleanup_free_ char *path = xasprintf("%s/record.json", dir);
    _cleanup_json_ json_t *j =
        json_pack("{ss, ss, ss, ss, si, si, si, sI, sI}", "cid", r->cid, "container", r->container, "image", r->image,
                  "imageID", r->image_id, "attempt", r->attempt, "stopSignal", r->stop_signal, "pid", (int)r->pid,
                  "pidStart", (json_int_t)r->pid_start, "startedUsec", (json_int_t)r->started_usec);
    _cleanup_free_ char *text = jprint(j);
    int result = write_file_atomically(path, text, strlen(text), 0600);
    return result < 0 ? err_set(err, -result, "write %s", path) : 0;
}

static bool read_one(const char *dir, const char *cid, struct record *ret)
{
    struct err ignored;
    _cleanup_free_ char *path = xasprintf("%s/%s/record.json", dir, cid);
    _cleanup_free_ char *text = read_small_file(path, RECORD_MAX);
    _cleanup_json_ json_t *j = text ? jparse(text, strlen(text), &ignored) : NULL;
    if (!j || strlen(cid) >= CID_SIZE || !jstr(j, "container"))
        return false;
    *ret = (struct record){.container = xstrdup(jstr(j, "container")),
                           .image = xstrdup(jstr_or(j, "image", "")),
                           .image_id = xstrdup(jstr_or(j, "imageID", "")),
                           .attempt = (int)jint(j, "attempt", 0),
                           .stop_signal = (int)jint(j, "stopSignal", 0),
                           .pid = (pid_t)jint(j, "pid", 0),
                           .pid_start = (uint64_t)jint(j, "pidStart", 0),
                           .started_usec = jint(j, "startedUsec", 0)};
    memcpy(ret->cid, cid, strlen(cid) + 1);
    return true;
}

static int by_attempt(const void *a, const void *b)
{
    return ((const struct record *)a)->attempt - ((const struct record *)b)->attempt;
}

struct record *records_read(const struct node_paths *p, const char *uid, size_t *ret_n)
{
    _cleanup_free_ char *dir = pod_run_path(p, uid, "containers");
    struct record *all = NULL;
    DIR *d = opendir(dir);
    *ret_n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct record r;
        if (e->d_name[0] == '.' || !read_one(dir, e->d_name, &r))
            continue;
        all = xrealloc(all, (*ret_n + 1) * sizeof(*all));
        all[(*ret_n)++] = r;
    }
    if (d)
        closedir(d);
    if (all)
        qsort(all, *ret_n, sizeof(*all), by_attempt);
    return all;
}

void records_free(struct record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(records[i].container);
        free(records[i].image);
        free(records[i].image_id);
    }
    free(records);
}
