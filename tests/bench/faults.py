#!/usr/bin/env python3
"""What clients notice of accidents: three nodes, six pods behind a Service, new connections all the time (each client asks, waits 10 ms,
gives up after 250 ms). A line for each accident and each place clients are in: failed connections, the longest time without a single
good one, and how long after the accident the last one failed, which is how long something dead still got connections."""
import contextlib
import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import C8S, Cluster, condition, eventually, on_node, run
from test_ingress import ADDRESS as INGRESS, haproxy_workers
from test_node_faults import CUT, DEAD, Client, announcer

NODES = ("k8s-master", CUT, DEAD)
OPTIONS = ("--nodes", "3", "--schedule-on-master")
ANNOUNCED = [f"172.28.128.{n}" for n in range(200, 206)]  # enough for each node to announce one
CLIENTS = 3  # in each place
STEADY = 50  # connections of each client in a row, before the accident and after all is well again
LINE = "{:38} {:38} {:>13} {:>9} {:>10}"


def deployment(name, replicas, **more):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "terminationGracePeriodSeconds": 1, **more, "containers": [{"name": "web", "image": "nginx", "imagePullPolicy": "IfNotPresent"}],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
                                           "labelSelector": {"matchLabels": labels}}]}}}}


def service(name, app, **more):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": app}, "ports": [{"port": 80}], **more}}


def objects():
    """`web` is on all nodes; what the load balancers lead to is on the master alone, so that only their own takeover is seen there."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    items = [deployment("web", 6), service("web", "web"), deployment("home", 1, nodeName="k8s-master"),
             {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {"defaultBackend": backend}}]
    items += [service(f"lb-{n}", "home", type="LoadBalancer", loadBalancerIP=ip) for n, ip in enumerate(ANNOUNCED)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


class Place:
    """Clients in one place that ask one address."""

    def __init__(self, what, ip, node=None):
        self.what, self.clients = what, [Client(ip, node) for _ in range(CLIENTS)]

    def settled(self, since):
        """Everybody has connected often enough since then, and without a failure lately."""
        return all(c.settled(STEADY) and c.tries[-STEADY][0] > since for c in self.clients)

    def tries(self):
        return sorted(t for c in self.clients for t in c.tries)

    def row(self, accident, began):
        tries = [t for t in self.tries() if t[0] >= began]
        good, bad = [at for at, ok in tries if ok], [at for at, ok in tries if not ok]
        gap = max((b - a for a, b in zip([began, *good], good)), default=0) if bad else 0
        last = f"{max(bad) - began:.2f} s" if bad else "-"
        print(LINE.format(accident, self.what, f"{len(bad)} of {len(tries)}", f"{gap:.2f} s" if bad else "-", last), flush=True)

    def end(self):
        for c in self.clients:
            c.end()


class Bench:
    def __init__(self, cluster):
        self.cluster, self.kubectl = cluster, cluster.kubectl("new")
        self.kubectl("create", "-f", "-", input=json.dumps(objects()))
        self.kubectl.ready_pods("app=web", 6)
        self.kubectl.ready_pods("app=home", 1)
        eventually(lambda: all(len(announcer(ip)) == 1 for ip in ANNOUNCED), "each address is announced by one")
        self.web = self.kubectl.json("get", "service", "web")["spec"]["clusterIP"]

    def announced_by(self, name):
        return eventually(lambda: [ip for ip in ANNOUNCED if announcer(ip) == [name]], f"{name} announces")[0]

    def usual_places(self):
        return [Place("host, ClusterIP", self.web), Place("node, ClusterIP", self.web, "k8s-master")]

    @staticmethod
    def settle(places):
        since = time.monotonic()
        eventually(lambda: all(p.settled(since) for p in places), "steady connections", timeout=90)

    @contextlib.contextmanager
    def accident(self, name, places):
        """Inside, it happens and is seen; afterwards all must be well again without help."""
        try:
            self.settle(places)
            began = time.monotonic()
            yield
            self.settle(places)
            for p in places:
                p.row(name, began)
        finally:
            for p in places:
                p.end()

    def endpoints(self):
        slices = self.kubectl.json("get", "endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
        return {e["nodeName"] for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"]}

    # --- accidents ---

    def lose_node(self, verb, back, name):
        places = [*self.usual_places(), Place("host, load balancer it announced", self.announced_by(name))]
        with self.accident(f"node {verb}", places):
            run(C8S, "node", verb, name)
            eventually(lambda: name not in self.endpoints(), "its endpoints leave the API", timeout=90)
        run(C8S, "node", back, name)
        eventually(lambda: all(condition(n, "Ready") == "True" for n in self.kubectl.json("get", "nodes")["items"]), "it is back")
        self.kubectl.ready_pods("app=web", 6)
        eventually(lambda: self.endpoints() == set(NODES), "its endpoints are back")

    def kill_program(self):
        places = [*self.usual_places(), Place("host, load balancer", self.announced_by(CUT))]
        with self.accident("program killed, started 1 s later", places):
            self.cluster.kill()
            goal = time.monotonic() + 1
            eventually(lambda: time.monotonic() > goal, "it is away")
            self.cluster.up(*OPTIONS)
        self.kubectl.ready_pods("app=web", 6)

    def flush_rules(self):
        places = [*self.usual_places(), Place("host, load balancer", self.announced_by(CUT))]
        with self.accident("nft flush ruleset on all nodes", places):
            for name in NODES:
                on_node(name, "nft", "flush", "ruleset")

    def kill_haproxy(self):
        before = haproxy_workers(self.cluster)
        with self.accident("HAProxy killed", [Place("host, Ingress", INGRESS)]):
            for pid in before:
                os.kill(int(pid), 9)
            eventually(lambda: haproxy_workers(self.cluster) and not set(before) & set(haproxy_workers(self.cluster)), "another one")

    def kill_pod(self):
        container = self.kubectl.pods("app=web")[0]["status"]["containerStatuses"][0]["containerID"].split("//")[1]
        monitor = run("pgrep", "-f", f"conmon .*{container}").stdout.split()[0]
        with self.accident("a pod's process killed", self.usual_places()):
            os.kill(int(run("pgrep", "-P", monitor).stdout.split()[0]), 9)
            eventually(lambda: any(p["status"]["containerStatuses"][0]["restartCount"] for p in self.kubectl.pods("app=web")), "it restarts")
            self.kubectl.ready_pods("app=web", 6)


def main():
    began, cluster = time.monotonic(), Cluster(["nginx"])
    try:
        cluster.up(*OPTIONS)
        bench = Bench(cluster)
        print(LINE.format("accident", "clients", "failed", "longest", "last after"))
        bench.kill_pod()
        bench.kill_haproxy()
        bench.flush_rules()
        bench.kill_program()
        bench.lose_node("cut", "heal", CUT)
        bench.lose_node("stop", "start", DEAD)
        print(f"({time.monotonic() - began:.0f} s)")
    finally:
        cluster.remove()


main()
