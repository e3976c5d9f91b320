/* POST: a new object. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "server/customresources.h"
#include "server/manager.h"
#include "server/webhooks.h"

#define NAME_SUFFIX_LEN 5
#define NAME_BASE_MAX (63 - NAME_SUFFIX_LEN)
#define NAME_ATTEMPTS_MAX 8 /* as upstream (RetryGenerateName): by then something else is wrong */

/* The namespace must exist and stay. */
static json_t *check_namespace(const struct request *r, const json_t *created)
{
    if (!r->kind->namespaced)
        return NULL;
    const char *ns = r->what.ns;
    const struct object *o = store_latest(r->server->store, &kind_namespace, "", ns);
    if (!o)
        return not_found_status(&kind_namespace, ns);
    _cleanup_json_ json_t *doc = object_json(o);
    if (!jget(doc, "metadata.deletionTimestamp"))
        return NULL;
    char resource[RESOURCE_TEXT_SIZE];
    const char *name = jstr_or(created, "metadata.name", "");
    json_t *status =
        status_for(STATUS_FORBIDDEN, r->kind->group, r->kind->plural, name,
                   "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is being "
                   "terminated",
                   resource_text(r->kind, resource), name, ns);
    char why[400];
    snprintf(why, sizeof(why), "namespace %s is being terminated", ns);
    jset(status, "details.causes",
         json_pack("[{s:s, s:s, s:s}]", "reason", "NamespaceTerminating", "message", why, "field",
                   "metadata.namespace"));
    return status;
}

/* Fills in metadata.name from generateName: a name that is free. */
static void generate_name(const struct request *r, json_t *doc)
{
    const char *base = jstr_or(doc, "metadata.generateName", "");
    if (*jstr_or(doc, "metadata.name", "") || !*base)
        return;
    char name[NAME_BASE_MAX + NAME_SUFFIX_LEN + 1];
    size_t len = strnlen(base, NAME_BASE_MAX);
    memcpy(name, base, len);
    for (int attempt = 0; attempt < NAME_ATTEMPTS_MAX; attempt++) {
        rand_name(name + len, NAME_SUFFIX_LEN);
        if (!store_latest(r->server->store, r->kind, r->what.ns, name))
            break;
    }
    jset_str(doc, "metadata.name", name);
}

/* Metadata that only the server writes. */
static void stamp(const struct kind *k, json_t *doc)
{
    static const char *const owned[] = {"deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"};
    char uid[37], now[TIME_TEXT_SIZE];
    json_t *metadata = jget(doc, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        json_object_del(metadata, owned[i]);
    rand_uuid(uid);
    jset_str(metadata, "uid", uid);
    jset_str(metadata, "creationTimestamp", time_format(clock_wall_usec(), now));
    if (k->has_generation)
        jset_int(metadata, "generation", 1);
    /* Agents register their node with its status; everybody else's first status is the server's to say. */
    if (k->has_status && k != &kind_node)
        json_object_del(doc, "status");
}

static json_t *check_name_is_free(const struct request *r, const json_t *doc)
{
    const char *name = jstr_or(doc, "metadata.name", "");
    if (!store_latest(r->server->store, r->kind, r->what.ns, name))
        return NULL;
    char resource[RESOURCE_TEXT_SIZE];
    return status_for(STATUS_ALREADY_EXISTS, r->kind->group, r->kind->plural, name, "%s \"%s\" already exists",
                      resource_text(r->kind, resource), name);
}

static json_t *prepare(struct request *r, json_t *doc)
{
    json_t *status = check_identity(r, doc);
    if (!status && *jstr_or(doc, "metadata.resourceVersion", ""))
        status = status_new(STATUS_BAD_REQUEST, "resourceVersion should not be set on objects to be created");
    if (!status)
        status = check_namespace(r, doc);
    if (!status)
        status = customresources_check_create(r);
    if (status)
        return status;
    if (!json_is_object(jget(doc, "metadata")))
        jset(doc, "metadata", json_object());
    generate_name(r, doc);
    stamp(r->kind, doc);
    schema_default(r->rules, doc);
    track_managers(r, NULL, doc);
    return admit_change(r, doc, NULL, UPDATE_MAIN);
}

static void decide(struct request *r, json_t *doc)
{
    struct alloc_change change = {0};
    json_t *status = check_name_is_free(r, doc);
    if (!status)
        status = admit_decide(r, doc, NULL, UPDATE_MAIN, &change);
    if (status)
        request_reply_status(r, status);
    else
        request_write(r, doc, false, &change);
}

/* Time has gone by: the namespace may be on its way out. */
static void resume(struct request *r, json_t *doc, uint64_t seen_rv, enum update_part part)
{
    (void)seen_rv, (void)part;
    json_t *status = check_namespace(r, doc);
    if (!status)
        status = customresources_check_create(r);
    if (!status)
        status = check_identity(r, doc);
    if (status)
        request_reply_status(r, status);
    else
        decide(r, doc);
    json_decref(doc);
}

void request_create(struct request *r, json_t *doc)
{
    json_t *status = prepare(r, doc);
    r->code = 201;
    if (status)
        request_reply_status(r, status);
    else if (!webhooks_ask(r, "CREATE", doc, NULL, UPDATE_MAIN, resume))
        decide(r, doc);
}

void handle_create(struct request *r)
{
    json_t *status = check_manager_options(r, false);
    if (!status)
        status = read_document(r, r->body);
    if (status)
        request_reply_status(r, status);
    else
        request_create(r, r->body);
}
