"""Where pods go: nodes without an agent are enough to see it, so there are some of every sort beside the real one."""
import json

import pytest

from harness import eventually

ZONES = {"fake-a1": "a", "fake-a2": "a", "fake-b1": "b"}
TAINT = {"key": "fake", "value": "yes", "effect": "NoSchedule"}
TOLERATION = {"key": "fake", "operator": "Exists"}


def node(name, zone):
    return {"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "fake": "yes"}},
            "spec": {"taints": [TAINT]},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                       "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": None}]}}


@pytest.fixture
def fakes(kubectl, tmp_path):
    """Three nodes in two zones; only pods that tolerate it land there."""
    for name, zone in ZONES.items():
        kubectl("create", "-f", "-", input=json.dumps(node(name, zone)))
        current = kubectl.json("get", "node", name)
        current["status"] = node(name, zone)["status"]
        kubectl("replace", "--raw", f"/api/v1/nodes/{name}/status", "-f", "-", input=json.dumps(current))
    eventually(lambda: all(not any(t["key"].startswith("node.kubernetes.io") for t in kubectl.json("get", "node", n)["spec"]["taints"])
                           for n in ZONES), "the nodes take pods")
    yield kubectl
    kubectl("delete", "node", *ZONES)


def pod(name, **spec):
    labels = spec.pop("labels", {"app": name})
    cpu = spec.pop("cpu", "10m")
    container = {"name": "c", "image": "busybox", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": [container], "tolerations": [TOLERATION], "nodeSelector": {"fake": "yes"},
                     "terminationGracePeriodSeconds": 0, **spec}}


def test_where_pods_go(fakes, namespace):
    def k(*args, **kw):
        return fakes("-n", namespace, *args, **kw)

    def create(*pods):
        for p in pods:
            k("create", "-f", "-", input=json.dumps(p))

    def node_of(name):
        return eventually(lambda: k("get", "pod", name, "-o", "jsonpath={.spec.nodeName}"), f"{name} has a node")

    def says(name, text):
        eventually(lambda: text in k("describe", "pod", name), f"describe says: {text}")

    # away from each other, by node; near, by zone
    alone = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "alone"}}, "topologyKey": "kubernetes.io/hostname"}]}}
    create(*[pod(f"alone-{i}", labels={"app": "alone"}, affinity=alone) for i in range(3)])
    assert {node_of(f"alone-{i}") for i in range(3)} == set(ZONES)
    create(pod("alone-3", labels={"app": "alone"}, affinity=alone))
    says("alone-3", "0/4 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
                    "3 node(s) didn't match pod anti-affinity rules. preemption: 0/4 nodes are available: "
                    "1 Preemption is not helpful for scheduling, 3 No preemption victims found for incoming pod.")
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "leader"}}, "topologyKey": "topology.kubernetes.io/zone"}]}}
    create(pod("follower", affinity=near))
    says("follower", "3 node(s) didn't match pod affinity rules.")
    create(pod("leader", nodeSelector={"topology.kubernetes.io/zone": "b"}))
    assert node_of("leader") == "fake-b1"
    assert node_of("follower") == "fake-b1"  # woken by its coming

    # evenly over zones
    spread = [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
               "labelSelector": {"matchLabels": {"app": "even"}}}]
    create(*[pod(f"even-{i}", labels={"app": "even"}, topologySpreadConstraints=spread) for i in range(4)])
    assert sorted(ZONES[node_of(f"even-{i}")] for i in range(4)) == ["a", "a", "b", "b"]

    # gates
    create(pod("gated", schedulingGates=[{"name": "example.com/wait"}]))
    assert k("get", "pod", "gated", "--no-headers").split()[2] == "SchedulingGated"
    k("patch", "pod", "gated", "--type=json", "-p", '[{"op":"remove","path":"/spec/schedulingGates"}]')
    assert node_of("gated") in ZONES

    # a scheduler of another name is left alone
    create(pod("other", schedulerName="somebody-else"))

    # preemption: the one that matters less goes
    fakes("create", "priorityclass", "sched-low", "--value=10")
    fakes("create", "priorityclass", "sched-high", "--value=1000")
    fakes("create", "priorityclass", "sched-polite", "--value=1000", "--preemption-policy=Never")
    try:
        create(*[pod(f"low-{i}", priorityClassName="sched-low", cpu="3500m") for i in range(3)])
        for i in range(3):
            node_of(f"low-{i}")
        create(pod("polite", priorityClassName="sched-polite", cpu="3"))
        says("polite", "preemption: not eligible due to preemptionPolicy=Never.")
        k("delete", "pod", "polite")
        create(pod("high", priorityClassName="sched-high", cpu="3"))
        at = eventually(lambda: k("get", "pod", "high", "-o", "jsonpath={.status.nominatedNodeName}"), "room is made")
        gone = eventually(lambda: [i for i in range(3) if not fakes.run("-n", namespace, "get", "pod", f"low-{i}", check=False).stdout
                                   or k("get", "pod", f"low-{i}", "-o", "jsonpath={.metadata.deletionTimestamp}")], "one has to go")
        assert len(gone) == 1
        events = eventually(lambda: [e for e in fakes.json("-n", namespace, "get", "events")["items"] if e["reason"] == "Preempted"],
                            "it is told why")
        uid = k("get", "pod", "high", "-o", "jsonpath={.metadata.uid}")
        assert events[0]["message"] == f"Preempted by pod {uid} on node {at}"
        assert events[0]["involvedObject"]["name"] == f"low-{gone[0]}"
        k("delete", "pod", f"low-{gone[0]}", "--force", "--grace-period=0", "--ignore-not-found")  # no agent ends it
        assert node_of("high") == at
    finally:
        fakes("delete", "priorityclass", "sched-low", "sched-high", "sched-polite")
    assert k("get", "pod", "other", "-o", "jsonpath={.spec.nodeName}{.status.conditions}") == ""
    k("delete", "pod", "--all", "--force", "--grace-period=0")
