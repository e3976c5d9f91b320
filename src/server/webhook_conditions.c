/* See webhook_conditions.h. */
#include "server/webhook_conditions.h"

#include "json/json.h"
#include "server/expressions.h"

int webhook_conditions_hold(struct server *s, const json_t *webhook, const struct webhook_question *q,
                            const struct kind *as, struct err *err)
{
    const json_t *list = jget(webhook, "matchConditions");
    struct admission_expressions conditions = {0};
    struct admission_scope scope;
    struct status_causes known_already = {0};
    struct cel_value values[ADMISSION_ALL];
    if (!json_array_size(list))
        return 1;
    admission_conditions_compile(list, "", &conditions, &known_already);
    admission_scope_init(&scope, s, q, as);
    admission_values(&scope, NULL, values);
    int hold = admission_conditions_hold(&scope, &conditions, values, err);
    admission_scope_done(&scope);
    admission_expressions_done(&conditions);
    causes_done(&known_already);
    return hold;
}
