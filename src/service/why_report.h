/* What the parts of `why` share. Inside the room only. */
#pragma once
#include "service/why.h"

struct report {
    const struct why *w;
    struct buf *out, *first;
    int n_bad;
    const json_t *doc; /* the Service */
    const struct svc *svc;
};

void report_line(struct report *r, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define SAY_OK(r, ...) report_line(r, "ok", __VA_ARGS__)
#define SAY_NOTE(r, ...) report_line(r, "note", __VA_ARGS__)
#define SAY_NO(r, ...) report_line(r, "NO", __VA_ARGS__)

/* The newest warning about an object of the namespace, or NULL; reason NULL: of any. */
const char *report_warning(const struct report *r, const char *kind, const char *name, const char *reason);

void explain_pods(struct report *r);
/* Nobody answers at the endpoint: what the pod says it answers at. */
void explain_silence(struct report *r, const struct svc_endpoint *e);
