/* /portForward/NS/POD: connections to ports inside a pod's network namespace. */
#include <unistd.h>

#include "base/str.h"
#include "http/portforward.h"
#include "node/agent_impl.h"
#include "node/pod.h"

void forward_serve(struct agent *a, struct http_exchange *x, struct pod *p)
{
    _cleanup_json_ json_t *doc = pod_json(p);
    bool of_node = pod_host_network(doc);
    _cleanup_free_ char *netns = of_node ? xasprintf("/run/netns/%s", a->name) : pod_run_path(&a->paths, p->uid, "net");
    bool here = of_node && access(netns, F_OK) != 0; /* the node is the machine */
    const struct forward_target target = {.netns = here ? NULL : netns, .pod = p->name, .uid = p->uid};
    portforward_serve(x, &target);
}
