/* See webhook_conditions.h. What is compiled is kept under its own text: webhooks come and go, and every write asks. */
#include "server/webhook_conditions.h"

#include "base/alloc.h"
#include "json/json.h"
#include "server/expressions.h"

/* Lists of conditions; there are about as many as webhooks. With more all are forgotten and begin anew. */
#define COMPILED_MAX 256

struct compiled {
    json_t *list; /* the expressions' texts are parts of it */
    struct admission_expressions conditions;
};

static void compiled_free(void *arg)
{
    struct compiled *c = arg;
    admission_expressions_done(&c->conditions);
    json_decref(c->list);
    free(c);
}

void webhook_conditions_forget(struct server *s)
{
    map_done_with(&s->conditions, compiled_free);
}

static const struct admission_expressions *compiled(struct server *s, json_t *list)
{
    _cleanup_free_ char *text = jprint(list);
    struct compiled *c = map_get(&s->conditions, text);
    if (c)
        return &c->conditions;
    if (s->conditions.len >= COMPILED_MAX)
        webhook_conditions_forget(s);
    struct status_causes known_already = {0};
    c = NEW(struct compiled);
    c->list = json_incref(list);
    admission_conditions_compile(list, "", &c->conditions, &known_already);
    causes_done(&known_already);
    map_put(&s->conditions, text, c);
    return &c->conditions;
}

int webhook_conditions_hold(struct server *s, const json_t *webhook, const struct webhook_question *q,
                            const struct kind *as, struct err *err)
{
    json_t *list = jget(webhook, "matchConditions");
    struct admission_scope scope;
    struct cel_value values[ADMISSION_ALL];
    if (!json_array_size(list))
        return 1;
    admission_scope_init(&scope, s, q, as);
    admission_values(&scope, NULL, values);
    int hold = admission_conditions_hold(&scope, compiled(s, list), values, err);
    admission_scope_done(&scope);
    return hold;
}
