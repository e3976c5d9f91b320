/* Directories that are volumes of this node (control/localpath.c) go with their volume: a deleted one keeps its
 * finalizer until the agent has removed the directory. Whatever is interrupted is found again in the list of volumes.
 */
#define LOG_AREA "node"
#include "node/localpath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "kinds/binding.h"
#include "node/agent_impl.h"

struct localpath {
    struct agent *agent;
    struct informer *volumes;
    struct map busy; /* names whose directory is being removed */
};

struct removal {
    struct agent *agent;
    char *name, *path; /* path NULL: the data stays */
    json_t *doc;
    bool failed;
};

static bool has(const json_t *volume, const char *finalizer)
{
    const json_t *list = jget(volume, "metadata.finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (streq(json_string_value(json_array_get(list, i)) ?: "", finalizer))
            return true;
    return false;
}

static bool is_on_this_node(const struct agent *a, const json_t *volume)
{
    struct object *o = informer_get(a->node_informer, "", a->name);
    _cleanup_json_ json_t *node = o ? object_json(o) : NULL;
    return node && jget(volume, "spec.nodeAffinity") && volume_reaches(volume, a->name, jget(node, "metadata.labels"));
}

/* The path comes from an object that others can write: only what lies where it would have been put is removed. */
static char *path_to_remove(const struct agent *a, const json_t *volume)
{
    const char *path = jstr_or(volume, "spec.local.path", ""), *name = jstr_or(volume, "metadata.name", "");
    _cleanup_free_ char *start = xasprintf("%s/%s_", a->paths.volumes, name);
    const char *rest = str_after(path, start);
    bool goes = streq(jstr_or(volume, "spec.persistentVolumeReclaimPolicy", ""), "Delete");
    return goes && rest && !strchr(rest, '/') ? xstrdup(path) : NULL;
}

static void remove_work(void *arg)
{
    struct removal *r = arg;
    if (!r->path)
        return;
    remove_tree(r->path);
    r->failed = access(r->path, F_OK) == 0;
}

static void let_go(struct agent *a, const json_t *volume)
{
    json_t *kept = json_array(), *item;
    size_t i;
    json_array_foreach(jget(volume, "metadata.finalizers"), i, item)
        if (!streq(json_string_value(item) ?: "", LOCAL_PATH_PROVISIONER))
            json_array_append(kept, item);
    _cleanup_json_ json_t *patch = json_pack("{s{ss, so}}", "metadata", "resourceVersion",
                                             jstr_or(volume, "metadata.resourceVersion", ""), "finalizers", kept);
    client_patch(a->client, &kind_persistentvolume, NULL, jstr(volume, "metadata.name"), NULL, PATCH_MERGE, patch, NULL,
                 NULL);
}

static void remove_done(void *arg)
{
    struct removal *r = arg;
    struct localpath *l = r->agent->localpath;
    if (l) {
        map_del(&l->busy, r->name);
        if (r->failed)
            log_warn("volume %s: %s cannot be removed; trying again", r->name, r->path);
        else
            let_go(r->agent, r->doc);
    }
    free(r->name);
    free(r->path);
    json_decref(r->doc);
    free(r);
}

static void look_at(struct localpath *l, struct object *o)
{
    _cleanup_json_ json_t *volume = object_json(o);
    struct agent *a = l->agent;
    if (!jget(volume, "metadata.deletionTimestamp") || !has(volume, LOCAL_PATH_PROVISIONER) ||
        has(volume, VOLUME_PROTECTION) || map_get(&l->busy, o->name) || !is_on_this_node(a, volume))
        return;
    struct removal *r = NEW(struct removal);
    *r = (struct removal){
        .agent = a, .name = xstrdup(o->name), .path = path_to_remove(a, volume), .doc = json_deep_copy(volume)};
    map_put(&l->busy, o->name, l);
    agent_job(a, remove_work, remove_done, r);
}

static void on_volume(void *arg, struct object *old, struct object *obj)
{
    (void)old;
    if (obj)
        look_at(arg, obj);
}

void localpath_sweep(struct localpath *l)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(l->volumes, NULL, &cursor));)
        look_at(l, o);
}

struct localpath *localpath_new(struct agent *a)
{
    struct localpath *l = NEW(struct localpath);
    l->agent = a;
    l->volumes = informer_new(a->client, &kind_persistentvolume, NULL);
    informer_on_change(l->volumes, on_volume, l);
    informer_start(l->volumes);
    return l;
}

void localpath_free(struct localpath *l)
{
    if (!l)
        return;
    informer_free(l->volumes);
    map_done(&l->busy);
    free(l);
}
