#!/usr/bin/env python3
"""Thousands of pods on simulated nodes: objects without an agent behind them. How many pods a second get a node, and what one more
Deployment costs when all of them are there."""
import argparse
import json
import threading
import time

import first_light
from first_light import Api, Cluster

TAINT = {"key": "simulated", "effect": "NoSchedule"}
NAMESPACE = "/api/v1/namespaces/default"


def make_nodes(api, n):
    for i in range(n):
        labels = {"kubernetes.io/hostname": f"sim-{i}", "topology.kubernetes.io/zone": f"z{i % 3}", "simulated": "yes"}
        spec = {"taints": [TAINT], "podCIDR": f"100.{64 + i // 256}.{i % 256}.0/24"}  # outside of what the cluster gives away
        made = api("POST", "/api/v1/nodes", {"metadata": {"name": f"sim-{i}", "labels": labels}, "spec": spec})
        made["status"] = {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110"},
                          "conditions": [{"type": "Ready", "status": "True"}]}
        api("PUT", f"/api/v1/nodes/sim-{i}/status", made)


def deployment(name, replicas):
    made = first_light.deployment(name, replicas)
    spec = made["spec"]["template"]["spec"]
    spec["nodeSelector"] = {"simulated": "yes"}
    spec["tolerations"] = [{"operator": "Exists"}]
    return made


def wait_for_nodes(answer, n, prefix):
    """Reads a watch until n pods of the Deployments have a node."""
    seen = set()
    for line in answer:
        pod = json.loads(line)["object"]
        if pod["metadata"].get("labels", {}).get("app", "").startswith(prefix) and pod["spec"].get("nodeName"):
            seen.add(pod["metadata"]["name"])
            if len(seen) == n:
                return


def timed(api, prefix, deployments, replicas):
    """Seconds from the first Deployment until the last pod has a node."""
    version = api("GET", f"{NAMESPACE}/pods?limit=1")["metadata"]["resourceVersion"]
    connection = api.connect()
    connection.request("GET", f"{NAMESPACE}/pods?watch=1&resourceVersion={version}")
    waiting = threading.Thread(target=wait_for_nodes, args=(connection.getresponse(), deployments * replicas, prefix), daemon=True)
    waiting.start()
    start = time.monotonic()
    for i in range(deployments):
        api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(f"{prefix}-{i}", replicas))
    waiting.join(600)
    assert not waiting.is_alive(), "not all pods got a node"
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10000)
    options = parser.parse_args()
    cluster = Cluster()
    cluster.up()
    try:
        api = Api(cluster)
        make_nodes(api, options.nodes)
        seconds = timed(api, "many", options.pods // 100, 100)
        print(json.dumps({"nodes": options.nodes, "pods": options.pods, "pods_per_second": round(options.pods / seconds),
                          "one_more_pod_ms": round(1000 * min(timed(api, f"more{i}", 1, 1) for i in range(5)), 1)}))
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
