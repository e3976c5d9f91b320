#!/usr/bin/env python3
"""What nodes cost that have nothing to do: processor time, and packets on each node's link. Heartbeats and, behind a tunnel, its
probes are most of it, so the same with one node stands beside."""
import pathlib
import select
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import C8S, KUBECTLS, Cluster, Kubectl, condition, eventually, run
from test_real_machines import Machine

SECONDS = 30  # three leases


def cpu_seconds(pid):
    """Of all threads."""
    return sum(int((t / "schedstat").read_text().split()[0]) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def packets(links):
    """Received and sent, of interfaces of this namespace."""
    rows = [line.replace(":", " ").split() for line in pathlib.Path("/proc/net/dev").read_text().splitlines()]
    return sum(int(row[2]) + int(row[10]) for row in rows if row[0] in links)


def measure(what, pid, links):
    select.select([], [], [], 5)  # the start is not what is measured
    cpu, sent = cpu_seconds(pid), packets(links)
    select.select([], [], [], SECONDS)
    used, seen = cpu_seconds(pid) - cpu, packets(links) - sent
    print(f"{what:48} {100 * used / SECONDS:6.2f} % of a core   {seen / SECONDS / len(links):6.1f} packets a second on each node's link", flush=True)


def on_one_machine(nodes, *options):
    cluster = Cluster()
    try:
        cluster.up("--nodes", str(nodes), *options)
        measure(f"{nodes} node{'s' if nodes > 1 else ''} of one program {' '.join(options)}", cluster.pid(), [f"c8s0-{n}" for n in range(nodes)])
    finally:
        cluster.remove()


def on_real_machines():
    """A server and three agents; one agent is looked at."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-idle-"))
    pathlib.Path("/run/c8s").mkdir(exist_ok=True)
    for words in ("link add segment type bridge", "addr add 172.29.0.1/24 dev segment", "link set segment up"):
        run("ip", *words.split())
    machines = [Machine(home, n) for n in range(1, 5)]
    try:
        server, agents = machines[0], machines[1:]
        server.start("server")
        path = server.data / "kubeconfig"
        kubectl = Kubectl(KUBECTLS["new"], path, home / "home")
        eventually(lambda: path.exists() and condition(kubectl.json("get", "node", server.name), "Ready") == "True", "the server's node")
        join = server.run(C8S, "token", "create", "--print-join-command").stdout.split()[2:]
        for agent in agents:
            agent.start("agent", *join)
        eventually(lambda: [condition(n, "Ready") for n in kubectl.json("get", "nodes")["items"]] == ["True"] * 4, "all have joined")
        measure("an agent among four real machines", agents[0].pid(), ["seg-2"])
    finally:
        for m in reversed(machines):
            m.remove()
        run("ip", "link", "del", "segment")
        shutil.rmtree(home, ignore_errors=True)


def main():
    on_one_machine(1)
    on_one_machine(4)
    on_one_machine(4, "--pod-network", "vxlan")
    on_real_machines()


if __name__ == "__main__":
    main()
