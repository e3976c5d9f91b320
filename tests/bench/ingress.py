#!/usr/bin/env python3
"""Ingress beside a HAProxy configuration as an experienced person writes it for the same 1,000 rules, in turns in the same run; and how long
a change of endpoints takes to be seen. The client (h2load), the backend (a HAProxy that answers by itself) and both under test share
the machine. Arguments: rounds, requests of each."""
import http.client
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness
from first_light import Api, cpu_seconds, milliseconds, row
from harness import run
from test_ingress import ADDRESS, ask

HOSTS, PATHS = 50, 20
HOST = "172.28.128.1"
HAND_PORT = 8080
DEFAULTS = "defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n"
BACKEND = DEFAULTS + "".join(f"frontend f{p}\n    bind {HOST}:{p}\n    http-request return status 200 content-type text/plain string {p}\n" for p in (9001, 9002))


def hand_written(folder):
    """A map from host and path, the headers that everybody sets, a backend a rule."""
    rules = [(f"h{h}.bench", f"/p{p}", f"b{h}-{p}") for h in range(HOSTS) for p in range(PATHS)]
    (folder / "rules.map").write_text("".join(f"{host}{path}/ {backend}\n" for host, path, backend in rules))
    return (DEFAULTS + f"frontend hand\n    bind {ADDRESS}:{HAND_PORT}\n    option forwardfor\n"
            "    http-request set-header X-Forwarded-Proto http unless { ssl_fc }\n    http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
            "    http-request set-header X-Forwarded-Port %[dst_port]\n"
            "    http-request set-var(txn.host) req.hdr(host),field(1,:),lower\n    http-request set-var-fmt(txn.at) %[var(txn.host)]%[path]/\n"
            f"    use_backend %[var(txn.at),map_beg({folder}/rules.map)]\n"
            + "".join(f"backend {backend}\n    server s {HOST}:9001\n" for _, _, backend in rules))


def start(text, path, node=None):
    path.write_text(text)
    argv = ["haproxy", "-db", "-f", str(path)]
    # A session of its own: the kernel shares the processor between sessions, and c8s has one.
    return subprocess.Popen(["ip", "netns", "exec", node, *argv] if node else argv, start_new_session=True)


def objects():
    port = [{"name": "web", "port": 80}]
    ingresses = [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": f"i{h}"}, "spec": {"rules": [
        {"host": f"h{h}.bench", "http": {"paths": [{"path": f"/p{p}", "pathType": "Prefix", "backend": {
            "service": {"name": f"s{p}", "port": {"number": 80}}}} for p in range(PATHS)]}}]}} for h in range(HOSTS)]
    services = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{p}"}, "spec": {"ports": port}} for p in range(PATHS)]
    slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {"name": f"s{p}", "labels": {"kubernetes.io/service-name": f"s{p}"}}, "ports": [{"name": "web", "port": 9001}],
               "endpoints": [{"addresses": [HOST]}]} for p in range(PATHS)]
    return {"apiVersion": "v1", "kind": "List", "items": services + slices + ingresses}


def workers(master):
    return [int(pid) for pid in run("pgrep", "-P", str(master)).stdout.split()]


def one_round(port, pids, requests, folder):
    """Requests a second, p99 in milliseconds, microseconds of processor time for each."""
    paths, log = folder / "paths", folder / "log"
    paths.write_text("".join(f"http://h25.bench:{port}/p{p}\n" for p in range(PATHS)))
    log.unlink(missing_ok=True)
    used = sum(map(cpu_seconds, pids))
    began = time.monotonic()
    run("h2load", "--h1", "-t1", "-c32", f"-n{requests}", f"--connect-to={ADDRESS}:{port}", "-i", paths, f"--log-file={log}")
    seconds = time.monotonic() - began
    used = sum(map(cpu_seconds, pids)) - used
    lines = [line.split() for line in log.read_text().splitlines()]
    assert len(lines) == requests and all(line[1] == "200" for line in lines), "a request failed"
    took = sorted(int(line[2]) for line in lines)
    return len(took) / seconds, took[len(took) * 99 // 100] / 1000, used * 1e6 / len(took)


def measure_changes(api, n):
    """PATCH of an EndpointSlice sent -> the first answer of the new endpoint."""
    figures = []
    for i in range(n):
        port = 9002 - i % 2
        began = time.monotonic()
        api.connection.request("PATCH", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/s3",
                               json.dumps({"ports": [{"name": "web", "port": port}]}), {"Content-Type": "application/merge-patch+json"})
        answer = api.connection.getresponse()
        answer.read()
        while first_bytes() != str(port):
            pass
        figures.append(milliseconds(began))
    return figures


def first_bytes():
    c = http.client.HTTPConnection(ADDRESS, timeout=5)
    c.request("GET", "/p3", headers={"Host": "h25.bench"})
    body = c.getresponse().read().decode()
    c.close()
    return body


def main():
    rounds, requests = (int(x) for x in (sys.argv[1:] + ["5", "20000"][len(sys.argv) - 1:]))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="c8s-bench-"))
    cluster, started = harness.Cluster([]), []
    try:
        cluster.up()
        started.append(start(BACKEND, folder / "backend.cfg"))
        started.append(start(hand_written(folder), folder / "hand.cfg", "k8s-master"))
        cluster.kubectl("new")("create", "-f", "-", input=json.dumps(objects()), timeout=300)
        harness.eventually(lambda: ask(f"h{HOSTS - 1}.bench", f"/p{PATHS - 1}")[0] == 200)
        served = "{range .items[*]}{.status.loadBalancer.ingress[0].ip}{\"\\n\"}{end}"  # an address comes with the load that serves it
        harness.eventually(lambda: len(cluster.kubectl("new")("get", "ingresses", "-o", f"jsonpath={served}").split()) == HOSTS)
        master = run("pgrep", "-P", str(cluster.pid()), "-f", "haproxy -W").stdout.split()[0]
        harness.eventually(lambda: len(workers(master)) == 1)  # what the last reload left behind has ended
        sides = {"c8s": (80, workers(master)), "by hand": (HAND_PORT, [started[1].pid])}
        found = {name: [] for name in sides}
        for _ in range(rounds):
            for name, (port, pids) in sides.items():
                found[name].append(one_round(port, pids, requests, folder))
        middle = {name: [statistics.median(values) for values in zip(*rows)] for name, rows in found.items()}
        for name, (rate, p99, cpu) in middle.items():
            print(f"Ingress, 1,000 rules, {name:10} {rate:10.0f} requests/s   p99 {p99:7.2f} ms   {cpu:6.1f} µs of processor time each")
        for what, ours, theirs in zip(("requests/s", "p99", "processor time"), middle["c8s"], middle["by hand"]):
            print(f"    {what:15} {100 * (ours / theirs - 1):+5.1f} %   (budget 5 %)")
        row("EndpointSlice changed -> first answer of the new endpoint", measure_changes(Api(cluster), 100), "10 ms")
    finally:
        for process in started:
            process.kill()
            process.wait()
        cluster.remove()
        shutil.rmtree(folder)


main()
