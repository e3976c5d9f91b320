/* What expressions of admission see of a request: shared by policies and by the conditions of webhooks. */
#pragma once
#include "kinds/admissionexpr.h"
#include "server/webhook_match.h"

struct server;

struct admission_scope {
    struct server *server;
    const struct user *user;
    const json_t *namespace; /* or NULL; borrowed */
    json_t *request;         /* of an AdmissionReview, object and oldObject included */
    struct cel_access own;   /* what the request itself is about */
    struct cel_run run;
};
/* as: from webhook_match(). The question must live as long. */
void admission_scope_init(struct admission_scope *s, struct server *server, const struct webhook_question *q,
                          const struct kind *as);
void admission_scope_done(struct admission_scope *s);
/* params may be NULL. The policy's own variables stay empty. They live until the scope's run is done. */
void admission_values(struct admission_scope *s, const json_t *params, struct cel_value values[ADMISSION_ALL]);

/* All are true: 1; one is not: 0; that cannot be said: -1 with the reason. With a budget of their own. */
int admission_conditions_hold(struct admission_scope *s, const struct admission_expressions *conditions,
                              const struct cel_value *values, struct err *err);
/* "expression 'E' resulted in error: WHY". Returns -1. */
int admission_failed(const char *text, struct cel_value error, struct err *err);
