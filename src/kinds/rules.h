/* What the rules across fields (struct kind .validate) share. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

#define RULE_PATH_SIZE 512 /* paths are names of ours and numbers; map keys in them are cut */

/* Says what is wrong at a path that is printf-like: "%s.ports[%zu].name". `value` NULL where the type takes none. */
void rule_broken(struct status_causes *c, enum cause_type type, const json_t *value, const char *why,
                 const char *path_fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same for a value that is text. */
void rule_broken_text(struct status_causes *c, enum cause_type type, const char *value, const char *why,
                      const char *path_fmt, ...) __attribute__((format(printf, 5, 6)));
/* FieldValueInvalid with the message of the check, if it has one. */
void rule_check_text(struct status_causes *c, check_fn *check, const char *value, const char *path_fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A metav1.LabelSelector: keys, values and operators that fit each other. */
void rule_label_selector(struct status_causes *c, const json_t *selector, const char *path);
/* How a webhook is reached, at `path`: by a URL or a Service. webhooks.c */
void rule_webhook_client(struct status_causes *c, const json_t *config, const char *path);
/* A port of a Service or a probe: 1 to 65535 or a port name. */
void rule_port_or_name(struct status_causes *c, const json_t *port, const char *path);

/* spec.selector (a LabelSelector) and spec.template of ReplicaSets and Deployments. */
void rule_workload(struct status_causes *c, const json_t *obj);
/* The same for other kinds, as their messages name them ("DaemonSet", "daemonset"). */
void rule_workload_named(struct status_causes *c, const json_t *obj, const char *kind, const char *noun);
/* The template alone, whose pods must be made to run for ever; selected: whether the selector matches its labels. */
void rule_pod_template(struct status_causes *c, const json_t *template, bool selected, const char *kind);
/* A number of pods or a percentage of them: the number in front, or RULE_BAD_AMOUNT after saying so. */
#define RULE_BAD_AMOUNT -1
int64_t rule_amount(struct status_causes *c, const json_t *value, const char *path);
/* Says so when it is a percentage above 100. */
void rule_at_most_all(struct status_causes *c, const json_t *value, const char *path);
