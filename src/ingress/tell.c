/* See tell.h. */
#include "ingress/tell.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

void tell_begin(struct tell *t)
{
    t->before = t->told;
    t->told = (struct map){0};
}

void tell(struct tell *t, const json_t *ingress, const char *reason, const char *text)
{
    _cleanup_free_ char *key = xasprintf("%s %s %s", jstr_or(ingress, "metadata.uid", ""), reason, text);
    bool known = map_get(&t->before, key) != NULL;
    if (!map_put(&t->told, key, t) && !known && t->events)
        events_send(t->events, ingress, NULL, "Warning", reason, "%s", text);
}

void tell_end(struct tell *t)
{
    map_done(&t->before);
}

void tell_done(struct tell *t)
{
    events_free(t->events);
    map_done(&t->told);
}
