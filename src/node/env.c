/* See env.h. */
#include "node/env.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define NAMES_MAX 4096      /* of variables in a message */
#define VALUE_MAX (1 << 20) /* execve takes 128 KiB for one string; an object is at most 1.5 MB */

/* --- $(NAME) --- */

/* missing: gets the names without a value, or NULL. */
static void expand_into(struct buf *out, const char *text, const json_t *env, const json_t *more, struct buf *missing)
{
    for (const char *p = text; *p;) {
        if (p[0] != '$' || (p[1] != '$' && p[1] != '(')) {
            buf_addc(out, *p++);
            continue;
        }
        if (p[1] == '$') { /* an escaped dollar */
            buf_addc(out, '$');
            p += 2;
            continue;
        }
        const char *end = strchr(p, ')');
        if (!end) { /* an unfinished reference is text */
            buf_adds(out, "$(");
            p += 2;
            continue;
        }
        _cleanup_free_ char *name = xstrndup(p + 2, (size_t)(end - p - 2));
        const char *value = json_string_value(json_object_get(env, name));
        value = value ? value : json_string_value(json_object_get(more, name));
        if (value)
            buf_adds(out, value);
        else
            buf_add(out, p, (size_t)(end - p + 1));
        if (!value && missing)
            buf_addf(missing, "%s%s", missing->len ? ", " : "", name);
        p = end + 1;
    }
}

static char *expand(const char *text, const json_t *env, const json_t *more)
{
    struct buf out = BUF_INIT(VALUE_MAX);
    expand_into(&out, text, env, more, NULL);
    return out.data ? buf_take(&out) : xstrdup("");
}

char *env_expand(const char *text, const json_t *env)
{
    return expand(text, env, NULL);
}

char *env_expand_all(const char *text, const json_t *env, struct err *err)
{
    struct buf out = BUF_INIT(VALUE_MAX), missing = BUF_INIT(NAMES_MAX);
    expand_into(&out, text, env, NULL, &missing);
    char *expanded = out.data ? buf_take(&out) : xstrdup("");
    if (missing.len) {
        err_set(err, 0, "missing value for \"%s\"", buf_str(&missing));
        free(TAKE(expanded));
    }
    buf_done(&missing);
    return expanded;
}

/* --- ConfigMaps and Secrets --- */

const json_t *refs_get(const json_t *refs, const char *kind, const char *name)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", kind, name);
    const json_t *found = json_object_get(refs, key);
    return json_is_object(found) ? found : NULL;
}

void *refs_value(const json_t *object, const char *key, size_t *ret_len)
{
    const char *kind = jstr_or(object, "kind", "");
    const json_t *plain = json_object_get(jget(object, "data"), key);
    const json_t *coded = streq(kind, "Secret") ? plain : json_object_get(jget(object, "binaryData"), key);
    if (coded)
        return base64_decode(str_or(json_string_value(coded), ""), json_string_length(coded), ret_len);
    if (!json_is_string(plain))
        return NULL;
    *ret_len = json_string_length(plain);
    return xmemdup(json_string_value(plain), *ret_len + 1);
}

static void visit_volume_refs(const json_t *volume, void (*visit)(void *arg, const char *kind, const char *name),
                              void *arg)
{
    const char *name;
    size_t i;
    json_t *source;
    if ((name = jstr(volume, "configMap.name")))
        visit(arg, "configmap", name);
    if ((name = jstr(volume, "secret.secretName")))
        visit(arg, "secret", name);
    json_array_foreach(jget(volume, "projected.sources"), i, source) {
        if ((name = jstr(source, "configMap.name")))
            visit(arg, "configmap", name);
        if ((name = jstr(source, "secret.name")))
            visit(arg, "secret", name);
    }
}

static void visit_container_refs(const json_t *c, void (*visit)(void *arg, const char *kind, const char *name),
                                 void *arg)
{
    const char *name;
    size_t i;
    json_t *e;
    json_array_foreach(jget(c, "envFrom"), i, e) {
        if ((name = jstr(e, "configMapRef.name")))
            visit(arg, "configmap", name);
        if ((name = jstr(e, "secretRef.name")))
            visit(arg, "secret", name);
    }
    json_array_foreach(jget(c, "env"), i, e) {
        if ((name = jstr(e, "valueFrom.configMapKeyRef.name")))
            visit(arg, "configmap", name);
        if ((name = jstr(e, "valueFrom.secretKeyRef.name")))
            visit(arg, "secret", name);
    }
}

void volume_refs_each(const json_t *pod, void (*visit)(void *arg, const char *kind, const char *name), void *arg)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jget(pod, "spec.volumes"), i, volume)
        visit_volume_refs(volume, visit, arg);
}

void refs_each(const json_t *pod, void (*visit)(void *arg, const char *kind, const char *name), void *arg)
{
    size_t i;
    json_t *item;
    volume_refs_each(pod, visit, arg);
    json_array_foreach(jget(pod, "spec.initContainers"), i, item)
        visit_container_refs(item, visit, arg);
    json_array_foreach(jget(pod, "spec.containers"), i, item)
        visit_container_refs(item, visit, arg);
    json_array_foreach(jget(pod, "spec.imagePullSecrets"), i, item)
        visit(arg, "secret", jstr_or(item, "name", ""));
}

/* --- the container's own --- */

/* Upstream's IsEnvVarName: what a shell and more can name. */
static bool is_env_name(const char *name)
{
    return *name && !isdigit((unsigned char)*name) && !strchr(name, '=');
}

static int add_from(json_t *env, const json_t *refs, const json_t *source, const char *kind, const json_t *ref,
                    struct err *err)
{
    const char *name = jstr_or(ref, "name", ""), *prefix = jstr_or(source, "prefix", ""), *key;
    const json_t *object = refs_get(refs, kind, name);
    json_t *value;
    if (!object)
        return jbool(ref, "optional", false) ? 0 : err_set(err, 0, "%s \"%s\" not found", kind, name);
    json_object_foreach(jget(object, "data"), key, value) {
        size_t len;
        _cleanup_free_ char *variable = xasprintf("%s%s", prefix, key);
        _cleanup_free_ char *text = refs_value(object, key, &len);
        if (text && is_env_name(variable))
            json_object_set_new(env, variable, json_string(text));
    }
    return 0;
}

static int add_env_from(json_t *env, const struct env_input *in, struct err *err)
{
    size_t i;
    json_t *source, *ref;
    json_array_foreach(jget(in->container, "envFrom"), i, source) {
        if ((ref = jget(source, "configMapRef")) && add_from(env, in->refs, source, "configmap", ref, err) < 0)
            return -1;
        if ((ref = jget(source, "secretRef")) && add_from(env, in->refs, source, "secret", ref, err) < 0)
            return -1;
    }
    return 0;
}

/* *ret_value stays NULL for an optional reference that leads nowhere. */
static int key_ref_value(const struct env_input *in, const char *kind, const json_t *ref, char **ret_value,
                         struct err *err)
{
    const char *name = jstr_or(ref, "name", ""), *key = jstr_or(ref, "key", "");
    const json_t *object = refs_get(in->refs, kind, name);
    bool optional = jbool(ref, "optional", false);
    size_t len;
    if (!object)
        return optional ? 0 : err_set(err, 0, "%s \"%s\" not found", kind, name);
    *ret_value = refs_value(object, key, &len);
    if (*ret_value || optional)
        return 0;
    return err_set(err, 0, "couldn't find key %s in %s %s/%s", key, streq(kind, "secret") ? "Secret" : "ConfigMap",
                   jstr_or(in->pod, "metadata.namespace", ""), name);
}

static int value_from(const struct env_input *in, const json_t *from, char **ret_value, struct err *err)
{
    const json_t *ref;
    *ret_value = NULL;
    if ((ref = jget(from, "fieldRef")))
        *ret_value = fieldref_value(in->pod, in->facts, jstr_or(ref, "fieldPath", ""), false, err);
    else if ((ref = jget(from, "resourceFieldRef")))
        *ret_value = resource_field_value(in->pod, in->container, in->facts, ref, err);
    else if ((ref = jget(from, "configMapKeyRef")))
        return key_ref_value(in, "configmap", ref, ret_value, err);
    else if ((ref = jget(from, "secretKeyRef")))
        return key_ref_value(in, "secret", ref, ret_value, err);
    else
        return 0;
    return *ret_value ? 0 : -1;
}

static int add_variables(json_t *env, const struct env_input *in, struct err *err)
{
    size_t i;
    json_t *e;
    json_array_foreach(jget(in->container, "env"), i, e) {
        const json_t *from = jget(e, "valueFrom");
        _cleanup_free_ char *value = NULL;
        if (!from)
            value = expand(jstr_or(e, "value", ""), env, in->services);
        else if (value_from(in, from, &value, err) < 0)
            return -1;
        if (value)
            json_object_set_new(env, jstr_or(e, "name", ""), json_string(value));
    }
    return 0;
}

json_t *env_build(const struct env_input *in, struct err *err)
{
    _cleanup_json_ json_t *env = json_object();
    if (add_env_from(env, in, err) < 0 || add_variables(env, in, err) < 0)
        return NULL;
    json_object_update_missing(env, (json_t *)in->services);
    return TAKE(env);
}
