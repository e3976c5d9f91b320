"""What containers may use, in the kernel's own files: needs a machine whose cgroup2 has the controllers (Debian's default)."""
import json
import pathlib
import re

import pytest

from harness import condition, eventually, on_node

pytestmark = pytest.mark.cgroup2
GROUPS = pathlib.Path("/sys/fs/cgroup/c8s")
NODE = "k8s-master"
SPIN = "while :; do :; done"
NUMBERS = {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "32Mi"}}


def pod(name, resources, command, **spec):
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", command], "resources": resources}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}}


def create(kubectl, namespace, *args, **kw):
    kubectl("-n", namespace, "create", "-f", "-", input=json.dumps(pod(*args, **kw)))


def group_of(kubectl, namespace, name):
    """The pod's control group and its container's."""
    def running():
        got = kubectl.json("-n", namespace, "get", "pod", name)
        assert condition(got, "Ready") == "True", got["status"]
        return got
    got = eventually(running, f"{name} runs")
    group = GROUPS / NODE / got["metadata"]["uid"]
    return group, group / got["status"]["containerStatuses"][0]["containerID"].split("//")[1]


def value(group, file):
    return (group / file).read_text().strip()


def test_limits_are_the_kernels(kubectl_new, namespace_new):
    k, ns = kubectl_new, namespace_new
    create(k, ns, "burstable", NUMBERS, SPIN)
    create(k, ns, "guaranteed", {"limits": {"cpu": "500m", "memory": "32Mi"}}, "sleep 1000")
    create(k, ns, "besteffort", {}, "sleep 1000")
    want = {  # cpu.max and cpu.weight, memory.max, and how likely the kernel is to kill it
        "burstable": ("20000 100000", "4", str(64 << 20), range(900, 1000)),
        "guaranteed": ("50000 100000", "20", str(32 << 20), [-997]),
        "besteffort": ("max 100000", "1", "max", [1000]),
    }
    for name, (cpu, weight, memory, oom) in want.items():
        whole, container = group_of(k, ns, name)
        for group in (whole, container):
            assert [value(group, f) for f in ("cpu.max", "cpu.weight", "memory.max")] == [cpu, weight, memory], (name, group)
        assert value(container, "memory.oom.group") == "1"
        assert value(container, "memory.swap.max") == ("max" if memory == "max" else "0")
        shown = k("-n", ns, "exec", name, "--", "cat", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max", "/proc/1/oom_score_adj")
        assert shown.split()[:3] == [*cpu.split(), memory] and int(shown.split()[3]) in oom
    _, spinning = group_of(k, ns, "burstable")
    eventually(lambda: int(re.search(r"nr_throttled (\d+)", value(spinning, "cpu.stat"))[1]) > 10, "it is held back")

    def top():
        shown = k("-n", ns, "top", "pod", "burstable", "--no-headers").split()
        assert 150 <= int(shown[1].rstrip("m")) <= 250 and 0 <= int(shown[2].rstrip("Mi")) <= 64, shown
        return shown
    eventually(top, "kubectl top says what the limit lets through")


def test_who_takes_too_much_memory_is_killed_and_started_again(kubectl_new, namespace_new):
    k, ns = kubectl_new, namespace_new
    create(k, ns, "greedy", {"limits": {"memory": "24Mi"}}, "echo here; (sleep 1000 & tail /dev/zero)")

    def killed():
        status = k.json("-n", ns, "get", "pod", "greedy")["status"]["containerStatuses"][0]
        ends = [status[s]["terminated"] for s in ("state", "lastState") if "terminated" in status.get(s, {})]
        assert ends and status["restartCount"] > 0, status
        return ends[0]
    end = eventually(killed, "greedy is started again")
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)
    assert re.search(r"greedy +0/1 +(OOMKilled|CrashLoopBackOff)|greedy +1/1 +Running +[1-9]", k("-n", ns, "get", "pods"))
    assert "OOMKilled" in k("-n", ns, "describe", "pod", "greedy")
    create(k, ns, "once", {"limits": {"memory": "24Mi"}}, "tail /dev/zero", restartPolicy="Never")
    eventually(lambda: re.search(r"once +0/1 +OOMKilled", k("-n", ns, "get", "pods")), "once has failed")
    assert k.json("-n", ns, "get", "pod", "once")["status"]["phase"] == "Failed"


def test_a_program_that_returns_finds_the_groups(cluster, kubectl_new, namespace_new):
    k, ns = kubectl_new, namespace_new
    create(k, ns, "stays", NUMBERS, "sleep 1000")
    _, before = group_of(k, ns, "stays")
    cluster.kill()
    assert value(before, "cpu.max") == "20000 100000" and value(before, "cgroup.procs")
    cluster.up()
    whole, after = group_of(k, ns, "stays")
    assert after == before
    assert k.json("-n", ns, "get", "pod", "stays")["status"]["containerStatuses"][0]["restartCount"] == 0
    k("-n", ns, "delete", "pod", "stays")
    eventually(lambda: not whole.exists(), "its groups go with the pod")


SCTP_SERVER = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
s.bind(("0.0.0.0", 9000))
s.listen()
while True:
    c = s.accept()[0]
    c.send(b"over sctp")
    c.close()
"""


def test_sctp_goes_through_services(kubectl_new, namespace_new):
    """Debian's kernel has SCTP, which the kernels of test machines often have not."""
    k, ns = kubectl_new, namespace_new
    server = pod("sctp", {}, "")
    server["spec"]["containers"][0] |= {"image": "yanbin/python-web", "command": ["python3", "-c", SCTP_SERVER]}
    port = {"port": 80, "targetPort": 9000, "protocol": "SCTP"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sctp"}, "spec": {"selector": {"app": "sctp"}, "ports": [port]}}
    k("-n", ns, "create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [server, service]}))
    group_of(k, ns, "sctp")
    ip = k.json("-n", ns, "get", "service", "sctp")["spec"]["clusterIP"]
    ask = f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132); s.settimeout(3); s.connect(('{ip}', 80)); print(s.recv(99))"
    eventually(lambda: "over sctp" in on_node(NODE, "python3", "-c", ask, check=False).stdout, "the ClusterIP answers")
