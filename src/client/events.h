/* Writes core/v1 Events for `kubectl describe`. The same (object, reason, message, source) again within ten minutes
 * updates count and lastTimestamp of the Event there is; each object has a budget (client-go: burst 25, one more every
 * 5 minutes). */
#pragma once
#include "client/client.h"

struct events;
/* component and host fill source; host NULL for controllers. */
struct events *events_new(struct client *c, const char *component, const char *host);
void events_free(struct events *e);
/* field_path: involvedObject.fieldPath ("spec.containers{web}") or NULL. */
void events_send(struct events *e, const json_t *obj, const char *field_path, const char *type, const char *reason,
                 const char *fmt, ...) __attribute__((format(printf, 6, 7)));
