/* How many pods a measured resource asks for. Pure (upstream: pkg/controller/podautoscaler/replica_calculator.go). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* All amounts are thousandths of the resource's unit, as upstream's. */
struct hpa_pod {
    const char *name;
    bool leaving, pending;        /* deleted or failed; not yet begun */
    bool has_ready, ready;        /* the condition Ready */
    int64_t ready_since, started; /* microseconds; 0: unknown */
    bool measured;
    int64_t usage, measured_at, window; /* microseconds, these two */
    int64_t request;
    const char *no_request; /* the container that asks for none; NULL: all do */
};

struct hpa_target {
    const char *resource;
    bool utilization; /* amount is per cent of the requests; otherwise an average of thousandths */
    int64_t amount;
};

struct hpa_proposal {
    int64_t replicas;
    int64_t utilization; /* per cent; when the target is */
    int64_t average;
};

/* 0, or -1 with upstream's words. */
int hpa_propose(const struct hpa_pod *pods, size_t n, const struct hpa_target *t, int64_t current, int64_t now_usec,
                struct hpa_proposal *ret, struct err *err);
