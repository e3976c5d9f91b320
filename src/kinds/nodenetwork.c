/* See nodenetwork.h. */
#include "kinds/nodenetwork.h"

#include "base/str.h"
#include "json/json.h"

bool node_network_is_trouble(const char *reason)
{
    return str_after(reason, NODE_NETWORK_REASON) && !streq(reason, NODE_NETWORK_WELL) &&
           !streq(reason, NODE_NETWORK_NOT_NEEDED) && !streq(reason, NODE_NETWORK_MISSING);
}

const char *node_network_trouble(const json_t *node)
{
    const json_t *condition = jfind(jget(node, "status.conditions"), "type", NODE_NETWORK);
    return node_network_is_trouble(jstr_or(condition, "reason", "")) ? jstr_or(condition, "message", "") : NULL;
}
