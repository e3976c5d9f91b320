/* The verbs of the API over a transport's one request function: paths from the kind tables, bodies as they are. */
#include "client/client.h"

#include "base/alloc.h"
#include "json/json.h"
#include "kinds/kind.h"

#define JSON_TYPE "application/json"

void client_free(struct client *c)
{
    if (c)
        c->ops->free(c);
}

static void ignore_answer(void *arg, int code, const json_t *body)
{
    (void)arg;
    (void)code;
    (void)body;
}

static void request(struct client *c, const char *method, const struct kind *k, const char *ns, const char *name,
                    const char *sub, const char *content_type, const json_t *body, client_done_fn *done, void *arg)
{
    _cleanup_free_ char *path = kind_path(k, k->namespaced && ns && *ns ? ns : NULL, name, sub);
    c->ops->request(c, method, path, body ? content_type : NULL, body, done ? done : ignore_answer, arg);
}

void client_get(struct client *c, const struct kind *k, const char *ns, const char *name, client_done_fn *done,
                void *arg)
{
    request(c, "GET", k, ns, name, NULL, NULL, NULL, done, arg);
}

void client_create(struct client *c, const struct kind *k, const char *ns, const json_t *obj, client_done_fn *done,
                   void *arg)
{
    request(c, "POST", k, ns, NULL, NULL, JSON_TYPE, obj, done, arg);
}

void client_update(struct client *c, const struct kind *k, const char *sub, const json_t *obj, client_done_fn *done,
                   void *arg)
{
    request(c, "PUT", k, jstr(obj, "metadata.namespace"), jstr(obj, "metadata.name"), sub, JSON_TYPE, obj, done, arg);
}

void client_patch(struct client *c, const struct kind *k, const char *ns, const char *name, const char *sub,
                  const char *patch_type, const json_t *patch, client_done_fn *done, void *arg)
{
    request(c, "PATCH", k, ns, name, sub, patch_type, patch, done, arg);
}

void client_delete(struct client *c, const struct kind *k, const char *ns, const char *name, const json_t *options,
                   client_done_fn *done, void *arg)
{
    request(c, "DELETE", k, ns, name, NULL, JSON_TYPE, options, done, arg);
}
