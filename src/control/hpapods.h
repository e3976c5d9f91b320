/* The pods of an autoscaler's target with what they ask for and use, out of documents. Pure. */
#pragma once
#include <jansson.h>

#include "control/hparatio.h"

/* pods: documents of Pods; metrics: PodMetrics by name. container: only that one; NULL: all. Names are borrowed from
 * the documents. The caller frees. */
struct hpa_pod *hpa_pods_read(const json_t *pods, const json_t *metrics, const char *resource, const char *container);
