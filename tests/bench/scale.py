#!/usr/bin/env python3
"""Thousands of pods on simulated nodes: objects with a heartbeat and no agent behind them. How many pods a second get a node, and
what one more Deployment costs, in time and in the server's processor time, when all of them are there."""
import argparse
import json
import threading
import time

import first_light
from first_light import Api, Cluster

TAINT = {"key": "simulated", "effect": "NoSchedule"}
NAMESPACE = "/api/v1/namespaces/default"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
HEARTBEAT_SECONDS = 15  # for each node; without any for 40 s a node is given up
PATIENCE = 300  # seconds for each step


def make_nodes(api, names):
    for i, name in enumerate(names):
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"z{i % 3}", "simulated": "yes"}
        spec = {"taints": [TAINT], "podCIDR": f"100.{64 + i // 256}.{i % 256}.0/24"}  # outside of what the cluster gives away
        api("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}]}})


def beat(api, names, stop):
    """As the kubelets do: every node's lease in turn, evenly over the time."""
    known = set()
    while True:
        for name in names:
            if stop.wait(HEARTBEAT_SECONDS / len(names)):
                return
            now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
            lease = {"metadata": {"name": name}, "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}}
            api("PUT" if name in known else "POST", LEASES + (f"/{name}" if name in known else ""), lease)
            known.add(name)


def deployment(name, replicas):
    made = first_light.deployment(name, replicas)
    spec = made["spec"]["template"]["spec"]
    spec["nodeSelector"] = {"simulated": "yes"}
    spec["tolerations"] = [{"operator": "Exists"}]
    return made


class Placed:
    """Counts pods of the Deployments with a prefix that have a node, from now on."""

    def __init__(self, api, prefix):
        self.api, self.prefix, self.seen = api, prefix, set()
        self.version = api("GET", f"{NAMESPACE}/pods?limit=1")["metadata"]["resourceVersion"]

    def events(self):
        """The server cuts watchers who read too slowly, which happens when the processors are taken: each time goes on from there."""
        while True:
            connection = self.api.connect()
            connection.timeout = PATIENCE
            path = f"{NAMESPACE}/pods?watch=1&fieldSelector=spec.nodeName!%3D&resourceVersion={self.version}"
            connection.request("GET", path)
            for line in connection.getresponse():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise SystemExit(f"the watch has lost its place: {event['object']}")
                self.version = event["object"]["metadata"]["resourceVersion"]
                yield event["object"]

    def wait(self, n):
        end = time.monotonic() + PATIENCE
        for pod in self.events():
            if pod["metadata"].get("labels", {}).get("app", "").startswith(self.prefix):
                self.seen.add(pod["metadata"]["name"])
            if len(self.seen) == n:
                return
            if time.monotonic() > end:
                break
        raise SystemExit(f"{len(self.seen)} of {n} pods got a node within {PATIENCE} s")


def timed(api, pid, prefix, deployments, replicas):
    """Seconds from the first Deployment until the last pod has a node, and the server's processor seconds."""
    placed, used, start = Placed(api, prefix), first_light.cpu_seconds(pid), time.monotonic()
    for i in range(deployments):
        api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(f"{prefix}-{i}", replicas))
    placed.wait(deployments * replicas)
    return time.monotonic() - start, first_light.cpu_seconds(pid) - used


def measure(nodes, pods):
    cluster, stop = Cluster(), threading.Event()
    cluster.up()
    try:
        api, pid, names = Api(cluster), cluster.pid(), [f"sim-{i}" for i in range(nodes)]
        make_nodes(api, names)
        beats = threading.Thread(target=beat, args=(Api(cluster), names, stop), daemon=True)
        beats.start()
        seconds, cpu = timed(api, pid, "many", pods // 100, 100)
        more = [timed(api, pid, f"more{i}", 1, 1) for i in range(10)]
        memory, _ = first_light.rss_of_cluster(cluster)
        print(f"{nodes:6} {pods:7} {pods / seconds:12.0f}/s {1e6 * cpu / pods:12.0f} us {1000 * sorted(more)[5][0]:12.1f} ms "
              f"{1000 * sum(m[1] for m in more) / 10:12.1f} ms {memory:9.1f} MB", flush=True)
    finally:
        stop.set()
        cluster.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--pods", type=int, default=10000)
    options = parser.parse_args()
    print(" nodes    pods   given a node   cpu for each   one more pod  cpu for it       memory")
    for nodes in options.nodes:
        measure(nodes, options.pods)


if __name__ == "__main__":
    main()
