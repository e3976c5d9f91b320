"""A node that runs short: conditions, taints, who is refused and who has to go. Thresholds provoke it, not a full machine."""
import harness
from harness import condition, eventually
from test_pods import box, pod

SLEEP = "sleep 1000000"


def create(kubectl, *args, **spec):
    kubectl("create", "-f", "-", input=pod(*args, **spec))


def status_of(kubectl, name):
    return kubectl.json("get", "pod", name)["status"]


def evicted(kubectl, name, timeout=30):
    def check():
        status = status_of(kubectl, name)
        assert status.get("reason") == "Evicted", status.get("phase")
        return status
    return eventually(check, f"{name} is evicted", timeout)


def events(kubectl, name, reason):
    items = kubectl.json("get", "events", "-A", f"--field-selector=involvedObject.name={name},reason={reason}")["items"]
    return [e["message"] for e in items]


def taints(kubectl):
    return [t["key"] for t in kubectl.json("get", "node", "k8s-master")["spec"].get("taints", [])]


def short_of_memory(kubectl, old):
    pressure = "node.kubernetes.io/memory-pressure"
    node = lambda: kubectl.json("get", "node", "k8s-master")
    eventually(lambda: condition(node(), "MemoryPressure") == "True" and pressure in taints(kubectl), "the node says so")
    assert condition(node(), "DiskPressure") == "False" and condition(node(), "Ready") == "True"
    assert "KubeletHasInsufficientMemory" in kubectl("describe", "node", "k8s-master")
    eventually(lambda: events(kubectl, "k8s-master", "NodeHasInsufficientMemory"), "an event")

    create(kubectl, "waits", box(SLEEP))
    eventually(lambda: any("memory-pressure" in m for m in events(kubectl, "waits", "FailedScheduling")), "the taint holds")
    create(kubectl, "refused", box(SLEEP), nodeName="k8s-master")
    refused = evicted(kubectl, "refused")
    assert refused["phase"] == "Failed" and "containerStatuses" not in refused
    assert refused["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. "
    assert events(kubectl, "refused", "Evicted") == ["The node had condition: [MemoryPressure]. "]

    modest = {"requests": {"memory": "1Ki"}}
    create(kubectl, "goes", box(SLEEP, resources=modest), tolerations=[{"operator": "Exists"}])
    gone = evicted(kubectl, "goes")
    assert "The node was low on resource: memory. Threshold quantity: " in gone["message"], gone["message"]
    assert [c["reason"] for c in gone["conditions"] if c["type"] == "DisruptionTarget"] == ["TerminationByKubelet"]
    eventually(lambda: status_of(kubectl, "goes")["containerStatuses"][0]["state"].get("terminated"), "its container too")
    for k in (kubectl, old):
        assert "Evicted" in k("get", "pod", "refused", "--no-headers") and "Evicted" in k("describe", "pod", "goes")
    kubectl("delete", "pod", "--all", "--wait=false", "--grace-period=1")


def room_again(kubectl):
    node = lambda: kubectl.json("get", "node", "k8s-master")
    eventually(lambda: condition(node(), "MemoryPressure") == "False" and not taints(kubectl), "the node has room again")


def limits_of_its_own(kubectl):
    two = "dd if=/dev/zero of={} bs=1M count=2 2>/dev/null; " + SLEEP
    volume = {"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}
    mounts = [{"name": "x", "mountPath": "/x"}]
    create(kubectl, "volume", box(two.format("/x/file"), volumeMounts=mounts), volumes=[volume])
    create(kubectl, "fits", box("dd if=/dev/zero of=/x/file bs=1k count=10; " + SLEEP, volumeMounts=mounts), volumes=[volume])
    create(kubectl, "layer", box(two.format("/file"), resources={"limits": {"ephemeral-storage": "1Mi"}}))
    over = evicted(kubectl, "volume")
    assert over["message"] == 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ', over["message"]
    assert not [c for c in over["conditions"] if c["type"] == "DisruptionTarget"]
    over = evicted(kubectl, "layer")
    assert over["message"] == "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    assert status_of(kubectl, "fits")["phase"] == "Running"


def short_of_disk(kubectl):
    """A ReplicaSet's pod goes, and the one in its place waits for the taint to be taken away."""
    pressure = "node.kubernetes.io/disk-pressure"
    eventually(lambda: condition(kubectl.json("get", "node", "k8s-master"), "DiskPressure") == "True", "the node says so")
    evicted(kubectl, "fits")
    assert "The node was low on resource: ephemeral-storage." in status_of(kubectl, "fits")["message"]
    eventually(lambda: pressure in taints(kubectl), "the taint")
    create(kubectl, "tolerant", box(SLEEP), tolerations=[{"operator": "Exists"}])
    assert evicted(kubectl, "tolerant")["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "


def test_a_node_that_runs_short():
    cluster = harness.Cluster(["busybox"])
    try:
        cluster.up("--eviction-hard", "memory.available<100%")
        kubectl = cluster.kubectl("new")
        short_of_memory(kubectl, cluster.kubectl("old"))
        cluster.kill()
        cluster.up()
        room_again(kubectl)
        limits_of_its_own(kubectl)
        cluster.kill()
        cluster.up("--eviction-hard", "nodefs.available<100%")
        short_of_disk(kubectl)
    finally:
        cluster.remove()
    assert harness.traces() == []


def test_thresholds_are_checked():
    done = harness.run(harness.C8S, "up", "--eviction-hard", "memory<1", check=False)
    assert done.returncode == 1 and "--eviction-hard" in done.stderr and "unknown signal" in done.stderr, done.stderr
