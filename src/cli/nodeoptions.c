/* See nodeoptions.h. */
#include "cli/nodeoptions.h"

int node_options_read(const struct node_options *o, struct eviction_thresholds *ret, struct err *err)
{
    ret->transition_ms = (int64_t)o->eviction_transition_s * 1000;
    return eviction_parse(o->eviction_hard, ret, err) < 0 ? err_wrap(err, "--eviction-hard") : 0;
}
