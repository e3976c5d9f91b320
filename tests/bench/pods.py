#!/usr/bin/env python3
"""Pods on one node: how long a Deployment of 1, 20 and 100 takes until all are Ready, and what 200 pods take in memory beyond
their own programs."""
import argparse
import time

import first_light
from first_light import Api, Cluster, condition

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
PATIENCE = 240  # seconds until a step has failed


def deployment(name, replicas, node=None):
    """The smallest program there is, so that what is measured is ours. With a node's name no scheduler is asked, and so there may be
    more pods than a node takes."""
    made = first_light.deployment(name, replicas)
    made["spec"]["template"]["spec"] |= {"terminationGracePeriodSeconds": 0, "containers": [
        {"name": "sleep", "image": "busybox:latest", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000000"]}]}
    if node:
        made["spec"]["template"]["spec"]["nodeName"] = node
    return made


def until(events, done):
    end = time.monotonic() + PATIENCE
    for event in events:
        if done(event):
            return
        if time.monotonic() > end:
            break
    raise SystemExit(f"pods: not done within {PATIENCE} s")


def start(api, name, replicas, node=None):
    """Seconds from the Deployment's creation until the last of its pods is Ready."""
    events, ready = iter(api.watch(f"{PODS}?labelSelector=app%3D{name}")), set()
    began = time.monotonic()
    api("POST", DEPLOYMENTS, deployment(name, replicas, node))

    def count(event):
        if condition(event["object"], "Ready") == "True":
            ready.add(event["object"]["metadata"]["name"])
        return len(ready) == replicas
    until(events, count)
    return time.monotonic() - began


def end(api, name):
    """Until the last of its pods is gone."""
    left = {pod["metadata"]["name"] for pod in api("GET", f"{PODS}?labelSelector=app%3D{name}")["items"]}
    events = iter(api.watch(f"{PODS}?labelSelector=app%3D{name}"))
    began = time.monotonic()
    api("DELETE", f"{DEPLOYMENTS}/{name}?propagationPolicy=Background")

    def count(event):
        if event["type"] == "DELETED":
            left.discard(event["object"]["metadata"]["name"])
        return not left
    until(events, count)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=200, help="pods for the memory row")
    many = parser.parse_args().many
    cluster = Cluster(["busybox"])
    try:
        cluster.up()
        api, pid = Api(cluster), cluster.pid()
        before, _ = first_light.rss_of_cluster(cluster)
        start(api, "warm", 1)
        end(api, "warm")
        for replicas, budget in ((1, "200 ms"), (20, "2,000 ms"), (100, "-")):
            used = first_light.cpu_seconds(pid)
            seconds = start(api, f"n{replicas}", replicas)
            cpu = first_light.cpu_seconds(pid) - used
            print(f"{f'deployment of {replicas} to all Ready':44} {1000 * seconds:9.0f} ms   {1000 * cpu / replicas:6.1f} ms of our "
                  f"processor time a pod   (budget {budget}); gone in {1000 * end(api, f'n{replicas}'):.0f} ms", flush=True)
        seconds = start(api, "many", many, api("GET", "/api/v1/nodes")["items"][0]["metadata"]["name"])
        total, parts = first_light.rss_of_cluster(cluster)
        print(f"{f'deployment of {many} to all Ready':44} {1000 * seconds:9.0f} ms")
        print(f"{f'memory with {many} pods, apps not counted':44} {total:9.1f} MB   {(total - before) / many:.2f} MB a pod, of which conmon "
              f"{parts.get('conmon', 0) / many:.2f}   (budget 2.5 MB)", flush=True)
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
