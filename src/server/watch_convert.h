/* The events of a watch whose objects somebody else converts (conversion.h): each waits for its object and for those
 * before it. */
#pragma once
#include "client/client.h"
#include "server/pipeline.h"

struct watch_convert;
typedef void watch_convert_event_fn(void *arg, enum client_event type, struct object *obj, uint64_t rv,
                                    bool initial_end);
struct watch_convert_handler {
    watch_convert_event_fn *event;                   /* its turn has come; may free */
    void (*failed)(void *arg, const json_t *status); /* once; nothing follows. May free */
};
struct watch_convert *watch_convert_new(struct server *s, const struct kind *version,
                                        const struct watch_convert_handler *h, void *arg);
void watch_convert_free(struct watch_convert *c); /* NULL is fine */
/* False: it need not wait. obj NULL for bookmarks. */
bool watch_convert_take(struct watch_convert *c, enum client_event type, struct object *obj, uint64_t rv,
                        bool initial_end);
size_t watch_convert_pending(const struct watch_convert *c); /* bytes of objects that wait */
