/* The account of which revision of the EndpointSlices each node's rules follow, and who waits for all of them to follow
 * one. In memory only: it is about what proxies say now. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A proxy that has not been heard of for so long is not waited for: twice what proxies promise (ACKNOWLEDGE_MS). */
#define RULES_SILENT_MS 10000

struct rules;
struct rules *rules_new(void);
void rules_free(struct rules *r); /* the requests that wait are the server's to end */
void rules_set(struct rules *r, const char *node, uint64_t revision, int64_t now_ms);
bool rules_follow(const struct rules *r, uint64_t revision, int64_t now_ms);
