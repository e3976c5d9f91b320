/* DNS messages as bytes (RFC 1035, 4.1), as far as they pass through without being taken apart: answers of other
 * servers, and short errors. Everything here reads what strangers sent. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER_SIZE 12
#define WIRE_MAX 65535

/* Where the one question ends: behind the header, a name without pointers, type and class. 0: there is no such thing.
 */
size_t wire_question_end(const uint8_t *message, size_t len);
/* Do both ask the same, letters' case aside? */
bool wire_same_question(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* An answer that says only `rcode`, with the question where there is one. out: at least len bytes. Returns its size; 0
 * for what is no query at all. */
size_t wire_error(const uint8_t *query, size_t len, unsigned rcode, uint8_t *out);
/* Where the TTLs are; false when the message is broken or has more than max of them. OPT's place of a TTL means
 * something else and is left out. */
bool wire_ttl_offsets(const uint8_t *message, size_t len, uint16_t *offsets, size_t max, size_t *ret_n);
/* For how many seconds an answer may be remembered; 0: not at all. */
uint32_t wire_cache_seconds(const uint8_t *message, size_t len);
uint16_t wire_u16(const uint8_t *p);
uint32_t wire_u32(const uint8_t *p);
void wire_put_u32(uint8_t *p, uint32_t v);
