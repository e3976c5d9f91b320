/* Startup, readiness and liveness probes of one running container (upstream: pkg/kubelet/prober). Loop thread. */
#pragma once
#include "json/json.h"

struct container;
struct probes;

/* Sets started and ready to what they are before the first result. */
struct probes *probes_start(struct container *c, const json_t *spec);
void probes_stop(struct probes *p); /* no effect follows; NULL is fine */
