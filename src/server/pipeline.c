/* See pipeline.h. Here: which handler serves what. */
#include "server/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/http.h"
#include "server/aggregator.h"
#include "server/authz.h"
#include "server/conversion.h"
#include "server/subject.h"

#define V_CONNECT (V_GET | V_CREATE)
#define V_PROXY (V_GET | V_CREATE | V_UPDATE | V_PATCH | V_DELETE)

static const struct handler handlers[] = {
    {"", V_GET | V_LIST, &kind_componentstatus, BODY_NONE, false, handle_computed},
    {"", V_GET | V_LIST, &kind_nodemetrics, BODY_NONE, false, handle_metrics},
    {"", V_GET | V_LIST, &kind_podmetrics, BODY_NONE, false, handle_metrics},
    {"", V_GET, NULL, BODY_NONE, false, handle_get},
    {"", V_LIST, NULL, BODY_NONE, false, handle_list},
    {"", V_WATCH, NULL, BODY_NONE, false, handle_watch},
    {"", V_CREATE, &kind_tokenreview, BODY_OBJECT, false, handle_token_review},
    {"", V_CREATE, &kind_selfsubjectreview, BODY_OBJECT, false, handle_self_review},
    {"", V_CREATE, &kind_selfsubjectaccessreview, BODY_OBJECT, false, handle_access_review},
    {"", V_CREATE, &kind_subjectaccessreview, BODY_OBJECT, false, handle_access_review},
    {"", V_CREATE, &kind_localsubjectaccessreview, BODY_OBJECT, false, handle_access_review},
    {"", V_CREATE, &kind_selfsubjectrulesreview, BODY_OBJECT, false, handle_rules_review},
    {"", V_CREATE, NULL, BODY_OBJECT, false, handle_create},
    {"", V_UPDATE, NULL, BODY_OBJECT, false, handle_update},
    {"", V_PATCH, NULL, BODY_PATCH, false, handle_patch},
    {"", V_DELETE, NULL, BODY_OPTIONS, false, handle_delete},
    {"", V_DELETECOLLECTION, NULL, BODY_OPTIONS, false, handle_delete_collection},
    {"status", V_GET, NULL, BODY_NONE, false, handle_get},
    {"status", V_UPDATE, NULL, BODY_OBJECT, false, handle_update_status},
    {"status", V_PATCH, NULL, BODY_PATCH, false, handle_patch_status},
    {"scale", V_GET, NULL, BODY_NONE, false, handle_get_scale},
    {"scale", V_UPDATE, NULL, BODY_OBJECT, false, handle_update_scale},
    {"scale", V_PATCH, NULL, BODY_PATCH, false, handle_patch_scale},
    {"finalize", V_UPDATE, &kind_namespace, BODY_OBJECT, false, handle_finalize},
    {"approval", V_GET, &kind_certificatesigningrequest, BODY_NONE, false, handle_get},
    {"approval", V_UPDATE, &kind_certificatesigningrequest, BODY_OBJECT, false, handle_update_approval},
    {"approval", V_PATCH, &kind_certificatesigningrequest, BODY_PATCH, false, handle_patch_approval},
    {"binding", V_CREATE, &kind_pod, BODY_OBJECT, false, handle_bind, &subject_binding},
    {"ephemeralcontainers", V_GET, &kind_pod, BODY_NONE, false, handle_get},
    {"ephemeralcontainers", V_UPDATE, &kind_pod, BODY_OBJECT, false, handle_update_ephemeral},
    {"ephemeralcontainers", V_PATCH, &kind_pod, BODY_PATCH, false, handle_patch_ephemeral},
    {"eviction", V_CREATE, &kind_pod, BODY_OBJECT, false, handle_evict, &subject_eviction},
    {"token", V_CREATE, &kind_serviceaccount, BODY_OBJECT, false, handle_token_request, &subject_token},
    {"rules", V_UPDATE, &kind_node, BODY_NONE, false, handle_put_rules},
    {"rules", V_GET, &kind_node, BODY_NONE, false, handle_await_rules},
    {"log", V_GET, &kind_pod, BODY_NONE, true, handle_log},
    {"exec", V_CONNECT, &kind_pod, BODY_NONE, true, handle_exec, &subject_exec},
    {"attach", V_CONNECT, &kind_pod, BODY_NONE, true, handle_attach, &subject_attach},
    {"portforward", V_CONNECT, &kind_pod, BODY_NONE, true, handle_port_forward, &subject_portforward},
    {"proxy", V_PROXY, &kind_pod, BODY_NONE, true, handle_proxy_pod, &subject_pod_proxy},
    {"proxy", V_PROXY, &kind_service, BODY_NONE, true, handle_proxy_service, &subject_service_proxy},
    {"proxy", V_PROXY, &kind_node, BODY_NONE, true, handle_proxy_node, &subject_node_proxy},
};

/* What an APIService leads to somebody else, whatever is asked of it there. */
static const struct handler of_others = {.takes = BODY_NONE, .connects = true, .run = aggregator_handle};

static bool serves(const struct handler *h, const struct kind *k, const char *subresource)
{
    if (!streq(h->subresource, subresource) || (h->kind && h->kind != k))
        return false;
    if (streq(subresource, "status"))
        return k->has_status;
    return !streq(subresource, "scale") || k->scale;
}

/* Creating is asked of a collection, changing of one object; only reads go across namespaces. */
static bool fits_name(const struct request *r)
{
    bool named = *r->what.name;
    if (r->kind->namespaced && !*r->what.ns && !(r->verb & (V_LIST | V_WATCH)))
        return false;
    return *r->what.subresource || (r->verb == V_CREATE ? !named : named || !(r->verb & (V_UPDATE | V_PATCH)));
}

/* Sets handler; 404 when nothing at all serves this subresource, 405 when it does with other verbs. */
static json_t *find_handler(struct request *r)
{
    bool known = false;
    for (const struct handler *h = handlers; h < handlers + ARRAY_LEN(handlers); h++) {
        if (!serves(h, r->kind, r->what.subresource))
            continue;
        known = true;
        bool listed = *h->subresource || (r->kind->verbs & r->verb);
        if (streq(r->method, "HEAD") && !streq(h->subresource, "proxy"))
            continue; /* as upstream: only what is passed on knows it */
        if ((h->verbs & r->verb) && listed && fits_name(r) && (!h->connects || r->exchange)) {
            r->handler = h;
            return NULL;
        }
    }
    return known ? status_new(STATUS_METHOD_NOT_ALLOWED,
                              "the server does not allow this method on the requested resource")
                 : status_new(STATUS_NOT_FOUND, "the server could not find the requested resource");
}

/* The path must have the shape that the kind's scope asks for. */
static bool shape_fits(const struct request *r)
{
    const struct request_path *w = &r->what;
    if (w->goes_on && !streq(w->subresource, "proxy"))
        return false;
    if (!r->kind->namespaced)
        return !*w->ns;
    return *w->ns || !*w->name;
}

static json_t *read_options(struct request *r)
{
    static const char *const modes[] = {"Ignore", "Warn", "Strict"};
    _cleanup_free_ char *dry_run = query_get(r->query, "dryRun", 0);
    _cleanup_free_ char *validation = query_get(r->query, "fieldValidation", 0);
    r->validation = VALIDATION_WARN;
    if (dry_run && *dry_run && !streq(dry_run, "All"))
        return status_new(STATUS_BAD_REQUEST, "dryRun: Unsupported value: \"%s\": supported values: \"All\"", dry_run);
    r->dry_run = dry_run && *dry_run;
    if (!validation || !*validation)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (streq(validation, modes[i])) {
            r->validation = (enum field_validation)i;
            return NULL;
        }
    return status_new(STATUS_BAD_REQUEST,
                      "fieldValidation: Unsupported value: \"%s\": supported values: \"Ignore\", \"Strict\", \"Warn\"",
                      validation);
}

/* --- rights --- */

/* Lists that select one name ask for that object alone; a right to it by name is enough. */
static void read_selection(struct request *r)
{
    if (!(r->verb & (V_LIST | V_WATCH | V_DELETECOLLECTION)) || !r->what.is_resource)
        return;
    r->fields = query_get(r->query, "fieldSelector", 0);
    const char *name = r->fields ? str_after(r->fields, "metadata.name=") : NULL;
    if (name && *name && !strpbrk(name, ",=!"))
        r->selected = xstrdup(name);
}

/* The method of a path that is no resource, in small letters. */
static const char *method_verb(unsigned verb)
{
    static const char *const verbs[][2] = {{"get", "get"},     {"list", "get"},   {"watch", "get"},
                                           {"create", "post"}, {"update", "put"}, {"deletecollection", "delete"}};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (streq(verbs[i][0], verb_name(verb)))
            return verbs[i][1];
    return verb_name(verb);
}

struct action request_action(const struct request *r)
{
    const struct request_path *w = &r->what;
    if (!w->is_resource)
        return (struct action){.verb = method_verb(r->verb),
                               .group = "",
                               .resource = "",
                               .subresource = "",
                               .ns = "",
                               .name = "",
                               .fields = "",
                               .path = r->path};
    return (struct action){.verb = verb_name(r->verb),
                           .is_resource = true,
                           .group = w->group,
                           .resource = w->plural,
                           .subresource = w->subresource,
                           .ns = w->ns,
                           .name = r->selected ? r->selected : w->name,
                           .fields = str_or(r->fields, ""),
                           .path = ""};
}

static json_t *check_rights(struct request *r)
{
    const struct action a = request_action(r);
    _cleanup_free_ char *reason = NULL;
    return authorized(r->server, r->user, &a, &reason) ? NULL : forbidden_status(r->user, &a, reason);
}

json_t *request_begin(struct request *r)
{
    list_append(&r->server->requests, &r->link);
    if (!request_path_parse(r->path, &r->what))
        return status_new(STATUS_BAD_REQUEST, "the path is not properly encoded");
    r->verb = request_verb(r->method, *r->what.name, query_bool(r->query, "watch"));
    if (!r->verb && streq(r->method, "OPTIONS") && streq(r->what.subresource, "proxy"))
        r->verb = V_GET; /* as every method that means nothing to us, but something to who is behind */
    if (!r->verb)
        return status_new(STATUS_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
    read_selection(r);
    json_t *status = check_rights(r);
    bool aggregated = !status && r->exchange && aggregator_has(r->server, r->path);
    if (aggregated)
        r->handler = &of_others;
    if (status || aggregated || !r->what.is_resource)
        return status;
    r->version = kind_by_resource(r->what.group, r->what.version, r->what.plural);
    r->kind = kind_stored(r->version);
    r->rules = r->kind && r->kind->schema ? r->version : r->kind;
    if (!r->kind || !shape_fits(r))
        return status_new(STATUS_NOT_FOUND, "the server could not find the requested resource");
    if (r->version->deprecation)
        r->warnings = json_pack("[s]", r->version->deprecation);
    status = find_handler(r);
    return status || r->handler->connects ? status : read_options(r);
}

void request_handle(struct request *r)
{
    if (!conversion_of_body(r) && !subject_review(r))
        r->handler->run(r);
}

void request_free(struct request *r)
{
    list_remove(&r->link);
    conversion_forget(r);
    request_path_done(&r->what);
    json_decref(r->body);
    json_decref(r->repeated);
    json_decref(r->warnings);
    free(r->method);
    free(r->path);
    free(r->query);
    free(r->fields);
    free(r->selected);
    r->door->free(r);
}

struct http_exchange *request_take_exchange(struct request *r)
{
    struct http_exchange *x = TAKE(r->exchange);
    request_free(r);
    return x;
}

static void count(struct request *r, int code)
{
    if (code >= 100 && code < 600)
        r->server->counters.requests[code / 100]++;
}

void request_reply_object(struct request *r, int code, struct object *obj)
{
    if (conversion_of_reply(r, code, obj))
        return;
    count(r, code);
    r->door->object(r, code, obj);
    request_free(r);
}

void request_reply_document(struct request *r, int code, json_t *doc)
{
    count(r, code);
    r->door->document(r, code, doc);
    json_decref(doc);
    request_free(r);
}

void request_reply_status(struct request *r, json_t *status)
{
    request_reply_document(r, (int)jint(status, "code", 500), status);
}

void request_reply_page(struct request *r, const struct page *page)
{
    if (conversion_of_page(r, page))
        return;
    count(r, 200);
    r->door->page(r, page);
    request_free(r);
}

void page_done(struct page *p)
{
    for (size_t i = 0; i < p->n; i++)
        object_unref(p->objs[i]);
    free(TAKE(p->objs));
    free(TAKE(p->continue_token));
    p->n = 0;
}

char *resource_text(const struct kind *k, char out[RESOURCE_TEXT_SIZE])
{
    snprintf(out, RESOURCE_TEXT_SIZE, "%s%s%s", k->plural, *k->group ? "." : "", k->group);
    return out;
}

json_t *not_found_status(const struct kind *k, const char *name)
{
    char resource[RESOURCE_TEXT_SIZE];
    return status_for(STATUS_NOT_FOUND, k->group, k->plural, name, "%s \"%s\" not found", resource_text(k, resource),
                      name);
}

json_t *conflict_status(const struct kind *k, const char *name, const char *why)
{
    char resource[RESOURCE_TEXT_SIZE];
    return status_for(STATUS_CONFLICT, k->group, k->plural, name, "Operation cannot be fulfilled on %s \"%s\": %s",
                      resource_text(k, resource), name, why);
}

struct object *request_latest(struct request *r)
{
    struct object *obj = store_latest(r->server->store, r->kind, r->what.ns, r->what.name);
    if (!obj)
        request_reply_status(r, not_found_status(r->kind, r->what.name));
    return obj;
}
