/* What the server says about itself, from the kind tables: APIVersions, APIGroupList, APIGroup, APIResourceList, the
 * aggregated form (apidiscovery.k8s.io/v2 and v2beta1). New references. */
#pragma once
#include "kinds/kind.h"

json_t *discovery_api_versions(const char *server_address);          /* /api */
json_t *discovery_groups(void);                                      /* /apis */
json_t *discovery_group(const char *group);                          /* /apis/GROUP; NULL when there is none */
json_t *discovery_resources(const char *group, const char *version); /* NULL when there is none */
/* path "/api" or "/apis"; version "v2" or "v2beta1". */
json_t *discovery_aggregated(bool core, const char *version);
