#!/usr/bin/env python3
"""Start-up, idle memory, and how long it takes until what was asked for answers. Each figure: median and 99th percentile of N.

The client is a Python process on the same two cores that watches the API and connects in a tight loop, so small figures include
its own share of the processor."""
import argparse
import http.client
import json
import os
import pathlib
import re
import select
import socket
import ssl
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
from harness import Cluster, condition


IDLE_SECONDS = 20  # long enough for two heartbeats


class Api:
    """One kept connection to the API, with the admin certificate of the cluster."""

    def __init__(self, cluster):
        pki = cluster.data / "pki"
        self.context = ssl.create_default_context(cafile=pki / "ca.crt")
        self.context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.connection = self.connect()

    def connect(self):
        return http.client.HTTPSConnection("172.28.128.10", 6443, context=self.context, timeout=30)

    def __call__(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        data = json.loads(answer.read())
        assert answer.status < 300, data
        return data

    def watch(self, path):
        """Events of a collection from now on."""
        connection = self.connect()
        version = self("GET", path)["metadata"]["resourceVersion"]
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=1&resourceVersion={version}")
        answer = connection.getresponse()
        for line in answer:
            yield json.loads(line)


def deployment(name, replicas):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                    {"name": "web", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent",
                     "ports": [{"containerPort": 80}]}]}}}}


def service(name, selector):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": selector}, "ports": [{"port": 80}]}}


def first_answer(ip, patience=20):
    """Connects to ip:80 until it works; the kernel's refusal or silence (3 ms) means: again."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            with socket.create_connection((ip, 80), timeout=0.003) as s:
                s.settimeout(2)
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if s.recv(12).startswith(b"HTTP/1."):
                    return
        except OSError:
            pass
    raise SystemExit(f"{ip} did not answer")


def milliseconds(since):
    return (time.monotonic() - since) * 1000


def measure_start(n):
    figures = []
    for _ in range(n):
        cluster = Cluster(["python-web"])
        began = time.monotonic()
        cluster.up()
        figures.append(milliseconds(began))
        cluster.remove()
    return figures


def rss_of_cluster(cluster):
    """Resident megabytes of every process of the cluster (not of the containers' own programs)."""
    pids, total, parts = [cluster.pid()], 0, {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if (entry / "comm").read_text().strip() == "conmon" and str(cluster.data).encode() in (entry / "cmdline").read_bytes():
                pids.append(int(entry.name))
        except OSError:  # no process, or gone meanwhile
            continue
    for pid in pids:
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        size = int(resident[1]) / 1024 if resident else 0  # a process that ends has none
        name = re.search(r"Name:\s+(\S+)", status)[1]
        parts[name] = parts.get(name, 0) + size
        total += size
    return total, parts


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_deployments(api, n):
    """create deployment -> its pod Ready, and -> first answer through the ClusterIP of a Service made at the same moment."""
    ready, answer = [], []
    for i in range(n):
        name = f"bench-{i}"
        ip = api("POST", "/api/v1/namespaces/default/services", service(name, name))["spec"]["clusterIP"]
        events = api.watch(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{name}")
        next_event = iter(events)
        began = time.monotonic()
        api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(name, 1))
        for event in next_event:
            if condition(event["object"], "Ready") == "True":
                break
        ready.append(milliseconds(began))
        first_answer(ip)
        answer.append(milliseconds(began))
        events.close()
        api("DELETE", f"/apis/apps/v1/namespaces/default/deployments/{name}")
        api("DELETE", f"/api/v1/namespaces/default/services/{name}")
    return ready, answer


def measure_scale(api, replicas):
    """create deployment of many -> all Ready."""
    began = time.monotonic()
    api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("many", replicas))
    path = "/apis/apps/v1/namespaces/default/deployments/many"
    while api("GET", path)["status"].get("readyReplicas", 0) < replicas:
        pass
    return milliseconds(began)


def measure_services(api, n):
    """create Service for a running pod -> first answer through its ClusterIP."""
    api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment("target", 1))
    events = api.watch("/api/v1/namespaces/default/pods?labelSelector=app%3Dtarget")
    while condition(next(events)["object"], "Ready") != "True":
        pass
    ip = api("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dtarget")["items"][0]["status"]["podIP"]
    first_answer(ip)
    figures = []
    for i in range(n):
        began = time.monotonic()
        ip = api("POST", "/api/v1/namespaces/default/services", service(f"s{i}", "target"))["spec"]["clusterIP"]
        first_answer(ip)
        figures.append(milliseconds(began))
        api("DELETE", f"/api/v1/namespaces/default/services/s{i}")
    return figures


def row(what, figures, budget):
    ordered = sorted(figures)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    print(f"{what:62} median {statistics.median(ordered):8.1f} ms   p99 {p99:8.1f} ms   ({len(ordered)}; budget {budget})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20)
    n = parser.parse_args().n
    row("c8s up: exec to node Ready and API answering", measure_start(n), "500 ms")
    cluster = Cluster(["python-web"])
    try:
        cluster.up()
        api, pid = Api(cluster), cluster.pid()
        api("GET", "/api/v1/nodes")
        used, since = cpu_seconds(pid), time.monotonic()
        select.select([], [], [], IDLE_SECONDS)
        print(f"{'idle processor time':62} {100 * (cpu_seconds(pid) - used) / (time.monotonic() - since):.2f} % of a core   (budget 0.2 %)")
        total, parts = rss_of_cluster(cluster)
        print(f"{'idle memory, all processes, no pod':62} {total:.1f} MB RSS   {({k: round(v, 1) for k, v in parts.items()})}   (budget 20 MB)")
        ready, answer = measure_deployments(api, n)
        row("create deployment to its pod Ready", ready, "200 ms")
        row("create deployment to first answer through the ClusterIP", answer, "-")
        row("create Service to first answer through the ClusterIP", measure_services(api, n), "-")
        print(f"{'create deployment of 20 to all Ready':62} {measure_scale(api, 20):8.1f} ms   (budget 2000 ms)")
        total, parts = rss_of_cluster(cluster)
        print(f"{'memory with 21 pods, apps not counted':62} {total:.1f} MB RSS   {({k: round(v, 1) for k, v in parts.items()})}")
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
