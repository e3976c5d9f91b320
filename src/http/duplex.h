/* How server and client make the duplex streams of http.h out of their connections, and what the protocols above need.
 */
#pragma once
#include "base/list.h"
#include "http/conn.h"
#include "http/http.h"

/* Takes the connection; nothing is read before duplex_start(). */
struct duplex *duplex_new(struct conn *conn);
uv_loop_t *duplex_loop(const struct duplex *d);
/* Without waiting for what is queued; `closed` follows. */
void duplex_cut(struct duplex *d);
/* Keeps the duplex in a list for as long as it lives, so that whoever made it can end it. */
void duplex_track(struct duplex *d, struct list *all);
void duplex_cut_all(struct list *all);
