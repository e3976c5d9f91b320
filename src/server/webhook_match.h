/* Which webhooks are asked about a request, and in what words. Pure. */
#pragma once
#include <jansson.h>

#include "base/err.h"
#include "kinds/kind.h"
#include "server/authn.h"

/* What a request carries when that is no object of the kind it is sent to: a Binding, a Scale, PodExecOptions. */
struct webhook_type {
    const char *group, *version, *kind;
};

struct webhook_question {
    const char *operation;           /* "CREATE", "UPDATE", "DELETE", "CONNECT" */
    const struct kind *version;      /* as it was asked for */
    const char *ns, *name, *sub;     /* "" where absent */
    const json_t *namespace;         /* document of the namespace, or NULL */
    const struct webhook_type *type; /* of doc and old; NULL: `version`, and they are as they are kept */
    const json_t *doc, *old;         /* NULL where there is none */
    const json_t *options;           /* DeleteOptions as they came, or NULL */
    const struct user *user;
    bool dry_run;
};

/* The version of the kind about which the webhook wants to be asked; NULL: it does not. */
const struct kind *webhook_match(const json_t *webhook, const struct webhook_question *q);
/* The same for what policies and their bindings say (MatchResources); without rules it is about everything. */
const struct kind *admission_match(const json_t *match, const struct webhook_question *q);
/* An AdmissionReview in the best version that the webhook knows. as: from webhook_match(). New reference. */
json_t *webhook_review(const json_t *webhook, const struct kind *as, const struct webhook_question *q, const char *uid);

struct webhook_answer {
    json_t *refusal;  /* a Status, or NULL: allowed */
    json_t *patch;    /* JSON patch operations, or NULL */
    json_t *warnings; /* array of texts, or NULL */
};
/* Reads what came back to `review`. -1: it is no answer. */
int webhook_answer_read(const char *webhook_name, const json_t *review, const char *text, size_t len,
                        struct webhook_answer *ret, struct err *err);
void webhook_answer_done(struct webhook_answer *a);
