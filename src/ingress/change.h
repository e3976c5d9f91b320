/* From one rendering to the next without a reload: certificates can be changed, added and taken away by commands. Pure.
 */
#pragma once
#include "base/buf.h"
#include "ingress/render.h"

/* Appends the commands that bring a HAProxy which has the files `before` to `now`. False: they don't suffice. */
bool ingress_change(const struct ingress_files *before, const struct ingress_files *now, const char *dir,
                    struct buf *commands);
