/* Whether NetworkPolicies keep clients from one Service: the part of `c8s why` that is theirs. Pure. */
#pragma once
#include <jansson.h>

struct netpol_question {
    const json_t *service;
    /* Lists of documents: EndpointSlices and pods of the Service's namespace, all policies and namespaces. */
    const json_t *slices, *pods, *policies, *namespaces;
    const json_t *from;      /* the pod that asks; NULL: whoever it is */
    const char *cluster_dns; /* address */
};
/* [{"level": "ok", "note" or "NO", "text"}]; the caller frees it. */
json_t *netpol_explain(const struct netpol_question *q);
