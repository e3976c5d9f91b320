/* The environment of a container as its pod asks for it: envFrom, env with references, and those of the Services
 * that exist (upstream: kubelet_pods.go makeEnvironmentVariables). Pure. */
#pragma once
#include "node/fieldref.h"

struct env_input {
    const json_t *pod, *container;
    const struct pod_facts *facts;
    const json_t *services; /* service/envvars.h */
    const json_t *refs;     /* "configmap/NAME" and "secret/NAME" -> the object; absent or null: there is none */
};

/* An object NAME -> value in the order of definition; NULL with err set when a reference leads nowhere. New reference.
 */
json_t *env_build(const struct env_input *in, struct err *err);

/* Replaces $(NAME) by values of env; $$(NAME) stays as $(NAME), unknown names stay as they are. The caller frees. */
char *env_expand(const char *text, const json_t *env);
/* The same where every name must have a value: NULL with err set when one has none. */
char *env_expand_all(const char *text, const json_t *env, struct err *err);

/* Calls visit for every ConfigMap and Secret the pod names, anywhere: kind is "configmap" or "secret". */
void refs_each(const json_t *pod, void (*visit)(void *arg, const char *kind, const char *name), void *arg);
/* The same for those that volumes show. */
void volume_refs_each(const json_t *pod, void (*visit)(void *arg, const char *kind, const char *name), void *arg);
/* refs' member, or NULL. */
const json_t *refs_get(const json_t *refs, const char *kind, const char *name);
/* The value of one key of a ConfigMap or Secret, decoded; NULL when it has no such key. The caller frees. */
void *refs_value(const json_t *object, const char *key, size_t *ret_len);
