/* What a container learns about Services from its environment (pkg/kubelet/envvars): the Services of its own namespace
 * and, in every namespace, default/kubernetes. */
#pragma once
#include <jansson.h>

#include "service/model.h"

/* A new object, name -> value. links: enableServiceLinks; without it only default/kubernetes is told. */
json_t *service_env(struct model *m, const char *ns, bool links);
