/* Why a Service answers, or does not: what a person would look at one after the other, from objects alone and from a
 * few questions to the nodes. Pure; the command is cli/cmd_why.c. */
#pragma once
#include "base/buf.h"
#include "base/ip.h"
#include "json/json.h"
#include "service/model.h"

enum why_answer { WHY_NO, WHY_YES, WHY_UNKNOWN };

struct why {
    const char *ns, *name;
    /* Lists of documents, as the API gives them (.items): all Services, the namespace's slices and pods, all nodes. */
    const json_t *services, *slices, *pods, *nodes;
    const json_t *events;   /* of the namespace; may be NULL */
    const json_t *findings; /* of others, said with the rest: [{"level", "text"}]; may be NULL */
    const char *domain;     /* "cluster.local" */
    /* Asked of a node; both may be NULL. Is there a rule for this address, and does somebody listen there? */
    enum why_answer (*has_rule)(void *arg, const char *node, const struct ip *ip, enum svc_protocol p, uint16_t port);
    enum why_answer (*listens)(void *arg, const char *node, const struct ip *ip, uint16_t port);
    void *arg;
};
/* Appends one line a finding: "ok", "note" or "NO", and what was found. Returns how many are NO; the first of them,
 * which is where to begin, is put into `first` as well. */
int why_explain(const struct why *w, struct buf *out, struct buf *first);
