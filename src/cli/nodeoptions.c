/* See nodeoptions.h. */
#include "cli/nodeoptions.h"

int node_options_read(const struct node_options *o, struct node_policy *ret, struct err *err)
{
    struct agent_policy *agent = &ret->agent;
    agent->eviction.transition_ms = (int64_t)o->eviction_transition_s * 1000;
    agent->shutdown = (struct shutdown_grace){(int64_t)o->shutdown_s * 1000, (int64_t)o->shutdown_critical_s * 1000};
    if (o->shutdown_critical_s > o->shutdown_s)
        return err_set(err, 0, "--shutdown-grace-period-critical-pods is a part of --shutdown-grace-period");
    if (eviction_parse(o->eviction_hard, &agent->eviction, err) < 0)
        return err_wrap(err, "--eviction-hard");
    if (!ways_mode_parse(o->pod_network, &ret->pod_network))
        return err_set(err, 0, "--pod-network takes auto, direct or vxlan");
    return nodeport_addresses_parse(o->nodeport_addresses, &ret->nodeports, err);
}
