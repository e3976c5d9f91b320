"""PodDisruptionBudgets: what `kubectl drain` may take, and when."""
import json

import pytest

from harness import condition, eventually

NODE = "k8s-master"


@pytest.fixture
def schedulable(kubectl):
    yield
    kubectl("uncordon", NODE)


def deployment(name, replicas):
    container = {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000000"]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def budget(name, version, **rule):
    spec = {"selector": {"matchLabels": {"app": name}}, **rule}
    return json.dumps({"apiVersion": f"policy/{version}", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec})


def test_a_budget_holds_a_drain(kubectl, namespace, schedulable):
    def k(*args, **kw):
        return kubectl("-n", namespace, *args, **kw)
    def only(*more):
        return ("-n", namespace, "drain", NODE, "--pod-selector=app in (web,lone)", "--ignore-daemonsets", *more)
    k("create", "-f", "-", input=deployment("web", 3))
    k("create", "-f", "-", input=budget("web", "v1beta1", minAvailable="60%"))
    k("create", "poddisruptionbudget", "lone", "--selector=app=lone", "--max-unavailable=1")
    k("rollout", "status", "deployment/web", "--timeout=50s")
    eventually(lambda: k("get", "pdb", "web", "--no-headers").split()[:4] == ["web", "60%", "N/A", "1"], "one may go")
    assert k("get", "pdb", "lone", "--no-headers").split()[:4] == ["lone", "N/A", "1", "0"]
    seen = kubectl.json("-n", namespace, "get", "poddisruptionbudgets.v1.policy", "web")
    assert condition(seen, "DisruptionAllowed") == "True"
    assert {n: seen["status"][n] for n in ("currentHealthy", "desiredHealthy", "expectedPods")} == {
        "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
    described = k("describe", "pdb", "web")
    assert "Min available:" in described and "Allowed disruptions:" in described

    # One pod goes, its successor finds no node, and the second eviction is refused until the client loses patience.
    held = kubectl.run(*only("--timeout=7s"), check=False)
    assert held.returncode != 0 and "violate the pod's disruption budget" in held.stdout + held.stderr
    eventually(lambda: k("get", "pdb", "web", "--no-headers").split()[3] == "0", "nothing is left to take")
    running = [p for p in kubectl.json("-n", namespace, "get", "pods")["items"] if condition(p, "Ready") == "True"]
    assert len(running) == 2
    assert "SchedulingDisabled" in kubectl("get", "nodes")

    # A drain that waits goes on as soon as the budget allows.
    waiting = kubectl.popen(*only("--timeout=60s"))
    lines = []
    for line in waiting.stderr:
        lines.append(line)
        if "violate the pod's disruption budget" in line:
            break
    k("patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":0}}')
    out, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, "".join(lines) + errors
    assert "drained" in out or "evicted" in out

    # --disable-eviction asks nobody.
    kubectl("uncordon", NODE)
    k("patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":3}}')
    k("rollout", "status", "deployment/web", "--timeout=50s")
    kubectl(*only("--disable-eviction", "--timeout=50s"))
    eventually(lambda: k("get", "pdb", "web", "--no-headers").split()[1:4] == ["3", "N/A", "0"], "none is ready")
    k("delete", "deployment", "web")
    k("delete", "pdb", "--all")


def test_a_drain_asks_before_it_takes_what_does_not_come_back(kubectl, namespace, schedulable):
    def k(*args, **kw):
        return kubectl("-n", namespace, *args, **kw)
    k("create", "-f", "-", input=deployment("data", 1))
    volume = {"spec": {"template": {"spec": {"volumes": [{"name": "d", "emptyDir": {}}]}}}}
    k("patch", "deployment", "data", "-p", json.dumps(volume))
    daemon = json.loads(deployment("each", 1))
    daemon.update(kind="DaemonSet")
    del daemon["spec"]["replicas"]
    k("create", "-f", "-", input=json.dumps(daemon))
    k("run", "lone", "--image=busybox", "--image-pull-policy=IfNotPresent", "--labels=app=lone", "--", "sleep", "1000000")
    for what in ("deployment/data", "daemonset/each"):
        k("rollout", "status", what, "--timeout=50s")
    k("wait", "pod/lone", "--for=condition=Ready", "--timeout=50s")
    drain = ("-n", namespace, "drain", NODE, "--pod-selector=app in (data,each,lone)")
    refused = kubectl.fails(*drain)
    for why in ("use --ignore-daemonsets", "use --delete-emptydir-data", "use --force"):
        assert why in refused, refused
    assert "pod/lone evicted" in k(*drain[2:], "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--grace-period=1", "--timeout=50s")
    left = k("get", "pods", "--field-selector=status.phase=Running", "-o", "name").split()
    assert len(left) == 1 and left[0].startswith("pod/each-")
    eventually(lambda: "1 node(s) were unschedulable" in k("describe", "pods", "-l", "app=data"), "its successor waits")


def test_a_budget_that_cannot_be_is_refused(kubectl, namespace):
    both = budget("x", "v1", minAvailable=1, maxUnavailable=1)
    assert "minAvailable and maxUnavailable cannot be both set" in kubectl.fails("-n", namespace, "create", "-f", "-", input=both)
    kubectl("-n", namespace, "apply", "-f", "-", input=budget("x", "v1", minAvailable=1))
    eventually(lambda: condition(kubectl.json("-n", namespace, "get", "pdb", "x"), "DisruptionAllowed"), "it is counted")
    first = kubectl.json("-n", namespace, "get", "pdb", "x")
    kubectl("-n", namespace, "apply", "-f", "-", input=budget("x", "v1", minAvailable=1))
    assert kubectl.json("-n", namespace, "get", "pdb", "x") == first
    assert "minAvailable" in kubectl("explain", "pdb.spec")
