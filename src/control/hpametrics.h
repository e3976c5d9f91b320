/* The metrics of an autoscaler's spec, one by one: how many pods each asks for, what of it goes into the status, and
 * why one cannot be had. Pure. */
#pragma once
#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

/* Which of the metrics decides, or which was missing first. */
struct hpa_verdict {
    int64_t replicas;
    char name[160];        /* "cpu resource utilization (percentage of request)" */
    size_t invalid;        /* how many could not be had */
    const char *failed;    /* reason of the first of those: "FailedGetResourceMetric" */
    struct err metric_err; /* its own words */
    struct err first_err;  /* the same with which metric it is */
};

/* pods, metrics: as for hpa_pods_read(). *ret_current: status.currentMetrics. */
void hpa_judge(const json_t *spec, const json_t *pods, const json_t *metrics, int64_t current, int64_t now_usec,
               struct hpa_verdict *ret, json_t **ret_current);
