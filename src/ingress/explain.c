/* See explain.h. */
#include "ingress/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "ingress/plan.h"
#include "ingress/secrets.h"
#include "json/json.h"

#define TEXT_SIZE 1000

struct answer {
    const struct ingress_question *q;
    const struct ingress_plan *plan;
    const json_t *ingress;
    const char *name; /* the Ingress's */
    bool leads_here;
    json_t *findings;
};

static void say(struct answer *a, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct answer *a, const char *level, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_array_append_new(a->findings, json_pack("{s:s, s:s+}", "level", level, "text", "Ingress ", text));
}

static const json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *doc;
    json_array_foreach((json_t *)list, i, doc) {
        if (streq(jstr_or(doc, "metadata.name", ""), name))
            return doc;
    }
    return NULL;
}

static const char *class_controller(void *arg, const char *name)
{
    const struct ingress_question *q = arg;
    return jstr(named(q->classes, name), "spec.controller");
}

static const json_t *find_secret(void *arg, const char *ns, const char *name)
{
    const struct ingress_question *q = arg;
    const json_t *secret = named(q->secrets, name);
    (void)ns; /* there are Secrets of one namespace */
    return streq(jstr_or(secret, "type", ""), SECRETS_TYPE) ? secret : NULL;
}

/* --- one Ingress --- */

static bool has_port(const json_t *service, const json_t *port)
{
    size_t i;
    json_t *own;
    const char *name = jstr(port, "name");
    json_array_foreach(jget(service, "spec.ports"), i, own) {
        if (name ? streq(jstr_or(own, "name", ""), name) : jint(own, "port", 0) == jint(port, "number", -1))
            return true;
    }
    return false;
}

static bool is_for(const struct answer *a, const json_t *backend)
{
    return streq(jstr_or(backend, "service.name", ""), jstr_or(a->q->service, "metadata.name", ""));
}

static void explain_backend(struct answer *a, const json_t *backend, const char *host, const char *path)
{
    const json_t *port = jget(backend, "service.port");
    const char *port_name = jstr(port, "name");
    if (!is_for(a, backend))
        return;
    a->leads_here = true;
    if (has_port(a->q->service, port))
        say(a, "ok", "%s: %s%s leads here", a->name, host, path);
    else if (port_name)
        say(a, "NO", "%s: %s%s leads to port \"%s\", which the Service does not have", a->name, host, path, port_name);
    else
        say(a, "NO", "%s: %s%s leads to port %d, which the Service does not have", a->name, host, path,
            (int)jint(port, "number", 0));
}

static void explain_backends(struct answer *a)
{
    size_t i, k;
    json_t *rule, *path;
    explain_backend(a, jget(a->ingress, "spec.defaultBackend"), "what no other rule is for", "");
    json_array_foreach(jget(a->ingress, "spec.rules"), i, rule) {
        json_array_foreach(jget(rule, "http.paths"), k, path)
            explain_backend(a, jget(path, "backend"), jstr_or(rule, "host", "any host"), jstr_or(path, "path", "/"));
    }
}

static void explain_class(struct answer *a)
{
    const char *class = ingress_class(a->ingress);
    const char *controller = class ? class_controller((void *)(uintptr_t)a->q, class) : NULL;
    if (class && !controller)
        say(a, "NO", "%s: there is no IngressClass %s, so nobody serves it", a->name, class);
    else if (class && !ingress_is_ours(a->ingress, class_controller, (void *)(uintptr_t)a->q))
        say(a, "note", "%s: IngressClass %s leaves it to another program (%s)", a->name, class, controller);
    else if (!json_array_size(jget(a->ingress, "status.loadBalancer.ingress")))
        say(a, "NO", "%s has no address yet: it is not served so far", a->name);
}

static void explain_problems(struct answer *a)
{
    for (size_t i = 0; i < a->plan->n_problems; i++)
        if (a->plan->problems[i].ingress == a->ingress)
            say(a, "NO", "%s: %s", a->name, a->plan->problems[i].text);
}

static void explain(struct answer *a)
{
    a->name = jstr_or(a->ingress, "metadata.name", "");
    a->leads_here = false;
    explain_backends(a);
    if (!a->leads_here)
        return;
    explain_class(a);
    explain_problems(a);
}

json_t *ingress_explain(const struct ingress_question *q)
{
    size_t n = json_array_size(q->ingresses), n_ours = 0, i;
    const json_t **ours = xcalloc(n + 1, sizeof(*ours));
    struct ingress_plan plan = {0};
    struct answer a = {.q = q, .plan = &plan, .findings = json_array()};
    json_t *doc;
    json_array_foreach((json_t *)q->ingresses, i, doc) {
        if (ingress_is_ours(doc, class_controller, (void *)(uintptr_t)q))
            ours[n_ours++] = doc;
    }
    ingress_plan_make(&plan, ours, n_ours, find_secret, (void *)(uintptr_t)q);
    json_array_foreach((json_t *)q->ingresses, i, doc) {
        a.ingress = doc;
        explain(&a);
    }
    ingress_plan_done(&plan);
    free(ours);
    return a.findings;
}
