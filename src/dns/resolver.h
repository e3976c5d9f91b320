/* What one query is answered with: from the model, from what is remembered of other servers' answers, or by asking
 * them. The transports (udp.h, tcp.h) bring queries here and carry answers back. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "dns/answer.h"
#include "dns/forward.h"
#include "dns/metrics.h"

struct resolver;
/* config: of the servers that are asked as long as the settings name no others; what it points to stays the caller's.
 */
struct resolver *resolver_new(uv_loop_t *loop, const struct zone *zone, struct model *m,
                              const struct forward_config *config);
/* From now on; questions on their way go on as they were asked. */
void resolver_set(struct resolver *r, struct settings *s);
/* Questions on their way end with an answer (SERVFAIL) before this returns. */
void resolver_free(struct resolver *r);
const struct metrics *resolver_metrics(const struct resolver *r);
/* While the model is still being filled, nothing is denied (SERVFAIL instead). */
void resolver_set_partial(struct resolver *r, bool partial);

/* from: who asks, here as below. True when `out` (ANSWER_UDP_MAX bytes, tcp: WIRE_MAX) holds the answer; *ret_len 0:
 * there is none to give. False: others must be asked, with resolver_ask(). */
bool resolver_answer(struct resolver *r, const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp,
                     uint8_t *out, size_t *ret_len);
/* Called once, perhaps from inside this call. Nobody may have more than its share on its way. */
typedef void resolver_done_fn(void *arg, const uint8_t *answer, size_t len);
void resolver_ask(struct resolver *r, const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp,
                  resolver_done_fn *done, void *arg);
