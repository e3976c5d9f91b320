/* Names and addresses given by hand, in the form of /etc/hosts. */
#pragma once
#include <libknot/dname.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"

struct hosts;
/* NULL when a line is not "ADDRESS NAME…"; err says which. */
struct hosts *hosts_new(const char *text, struct err *err);
void hosts_free(struct hosts *h);
/* name: in lower case. NULL: not here. */
const struct ip *hosts_addresses(const struct hosts *h, const knot_dname_t *name, size_t *ret_n);
/* The n-th name of an address, as it was written first; NULL: no more. */
const knot_dname_t *hosts_name(const struct hosts *h, const struct ip *ip, size_t n);
