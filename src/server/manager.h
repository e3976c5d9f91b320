/* Who a writer is in metadata.managedFields: ?fieldManager, else the program by its User-Agent; the parts of the
 * cluster by their user. */
#pragma once
#include "api/managed.h"
#include "server/pipeline.h"

/* For the request; the texts live in `manager` and r. */
struct writer request_writer(const struct request *r, char manager[MANAGER_NAME_MAX + 1]);

/* Refuses what ?fieldManager and ?force cannot be, as upstream's validation of options; apply: for server-side apply.
 * NULL: fine. */
json_t *check_manager_options(const struct request *r, bool apply);
