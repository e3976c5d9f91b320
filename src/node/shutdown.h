/* A node that is being switched off lets its pods end first, those that the system needs last (upstream:
 * pkg/kubelet/nodeshutdown). What each may take is pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct shutdown_grace {
    int64_t all_ms;      /* from the beginning to the end; 0: nobody is waited for */
    int64_t critical_ms; /* of it, the part that is kept for critical pods */
};
#define SHUTDOWN_GRACE_DEFAULT_S 30
#define SHUTDOWN_CRITICAL_DEFAULT_S 10
#define SHUTDOWN_REASON "Terminated"
#define SHUTDOWN_MESSAGE "Pod was terminated in response to imminent node shutdown."

/* How long a pod of that kind gets that would take own_ms. */
int64_t shutdown_grace_of(const struct shutdown_grace *g, bool critical, int64_t own_ms);
