/* The Pod Security Standards: what a pod does that a level does not allow. Pure. */
#pragma once
#include <jansson.h>

enum pod_security_level { POD_SECURITY_PRIVILEGED, POD_SECURITY_BASELINE, POD_SECURITY_RESTRICTED };

/* The text of a label; what is no level counts as the strictest, as upstream. */
enum pod_security_level pod_security_level(const char *text);
/* "privileged (container \"a\" must not set securityContext.privileged=true), …", or NULL: nothing. spec: of the pod or
 * of a template. The caller frees. */
char *pod_security_violations(enum pod_security_level level, const json_t *spec);
