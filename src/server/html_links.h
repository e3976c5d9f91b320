/* A page that is passed on: links in it that begin at the root of its server are made to lead through us. Pages come in
 * pieces and leave in pieces; what is not a link is never touched. Pure. */
#pragma once
#include <stddef.h>

#include "base/buf.h"

/* The new text of a link, or NULL: as it is. The caller frees. */
typedef char *html_link_fn(void *arg, const char *link);

struct html_links;
struct html_links *html_links_new(html_link_fn *link, void *arg);
void html_links_free(struct html_links *h);
/* Appends to out. len 0: the page is over. */
void html_links_feed(struct html_links *h, const char *bytes, size_t len, struct buf *out);
