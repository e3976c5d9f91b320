/* What Ingresses do for one Service, or fail to do: the part of `c8s why` that is theirs. Pure, over the very plan that
 * HAProxy is configured from. */
#pragma once
#include <jansson.h>

/* Lists of documents: Ingresses and Secrets of the Service's namespace, and all IngressClasses. */
struct ingress_question {
    const json_t *service, *ingresses, *classes, *secrets;
};
/* [{"level": "ok", "note" or "NO", "text"}]; the caller frees it. */
json_t *ingress_explain(const struct ingress_question *q);
