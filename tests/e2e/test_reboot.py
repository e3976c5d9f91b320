"""What a pod's restart policy makes of a machine that went away under it, and of a sandbox that did."""
import json
import os
import pathlib
import signal

import harness
from harness import condition, eventually
from test_pods import box, pod

SLEEP = "sleep 1000000"


def state(kubectl, name, index=0):
    return kubectl.json("get", "pod", name)["status"]["containerStatuses"][index]


def phase(kubectl, name):
    return kubectl.json("get", "pod", name)["status"]["phase"]


def ready(kubectl, name):
    eventually(lambda: condition(kubectl.json("get", "pod", name), "Ready") == "True", f"{name} is Ready")


def create(kubectl, *args, **spec):
    kubectl("create", "-f", "-", input=pod(*args, **spec))


def down_and_up(cluster, kubectl):
    count = "n=$(cat /v/n 2>/dev/null || echo 0); echo $((n+1)) >/v/n"
    volume = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mount = [{"name": "v", "mountPath": "/v"}]
    init = {"initContainers": [box(count, "init", volumeMounts=mount)]}
    create(kubectl, "always", box(SLEEP, volumeMounts=mount), **init, **volume)
    create(kubectl, "never", box(f"{count}; {SLEEP}", volumeMounts=mount), restartPolicy="Never", **volume)
    create(kubectl, "half", box("true", "done"), box(SLEEP, "runs"), restartPolicy="OnFailure")
    create(kubectl, "through", box("true"), restartPolicy="Never")
    ready(kubectl, "always")
    ready(kubectl, "never")
    eventually(lambda: phase(kubectl, "through") == "Succeeded" and state(kubectl, "half")["state"].get("terminated")
               and state(kubectl, "half", 1)["state"].get("running"), "the others")
    through = state(kubectl, "through")
    cluster.down()
    cluster.up()
    eventually(lambda: phase(kubectl, "never") == "Failed", "a pod that never restarts has failed with the machine")
    ended = state(kubectl, "never")
    assert ended["restartCount"] == 0 and ended["state"]["terminated"]["exitCode"] == 137
    assert ended["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
    ready(kubectl, "always")
    again = state(kubectl, "always")
    assert again["restartCount"] == 1 and again["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert kubectl("exec", "always", "--", "cat", "/v/n") == "2\n", "a new sandbox begins with the init containers"
    eventually(lambda: state(kubectl, "half", 1)["state"].get("running"), "what failed runs again")
    assert state(kubectl, "half", 1)["restartCount"] == 1 and state(kubectl, "half")["restartCount"] == 0
    assert state(kubectl, "half")["state"]["terminated"]["reason"] == "Completed"
    assert phase(kubectl, "through") == "Succeeded" and state(kubectl, "through") == through


def sandbox_dies(kubectl):
    """Process 1 of a shared process namespace takes all others along; the pod gets a new one."""
    create(kubectl, "shares", box(SLEEP), shareProcessNamespace=True)
    ready(kubectl, "shares")
    was = kubectl.json("get", "pod", "shares")
    holder = pathlib.Path(f"/run/c8s/nodes/k8s-master/pods/{was['metadata']['uid']}/holder")
    os.kill(int(holder.read_text().split()[0]), signal.SIGKILL)
    eventually(lambda: state(kubectl, "shares")["restartCount"] == 1, "its container runs again")
    ready(kubectl, "shares")
    events = kubectl.json("get", "events", "--field-selector=involvedObject.name=shares")["items"]
    assert "SandboxChanged" in [e["reason"] for e in events], json.dumps(events)
    assert "pause" in kubectl("exec", "shares", "--", "ps")


def test_down_is_a_reboot():
    cluster = harness.Cluster(["busybox"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        down_and_up(cluster, kubectl)
        sandbox_dies(kubectl)
    finally:
        cluster.remove()
    assert harness.traces() == []
