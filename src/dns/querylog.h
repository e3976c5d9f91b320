/* One query and its answer as a line of text, as CoreDNS's plugin log has it. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The caller frees; NULL: that is no query. */
char *querylog_line(const struct sockaddr *from, const uint8_t *query, size_t len, bool tcp, const uint8_t *answer,
                    size_t answer_len, int64_t usec);
