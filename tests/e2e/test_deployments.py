"""Deployments and nodes as kubectl's own verbs drive them: rollout history, undo, pause, restart; cordon, taint, drain."""
import json
import re

import pytest

from harness import condition, eventually

NODE = "k8s-master"


def deployment(name, replicas=2, **more):
    container = {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000000"],
                 "env": [{"name": "VERSION", "value": "1"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                       "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **more}})


def test_revisions_go_forth_and_back(kubectl, namespace):
    def k(*args, **kw):
        return kubectl("-n", namespace, *args, **kw)

    def version():
        return k("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].env[0].value}")

    def revisions():
        return re.findall(r"^(\d+) ", k("rollout", "history", "deployment/web"), re.M)

    k("create", "-f", "-", input=deployment("web", strategy={"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}))
    k("rollout", "status", "deployment/web", "--timeout=60s")
    for n in (2, 3):
        k("set", "env", "deployment/web", f"VERSION={n}")
        k("annotate", "deployment", "web", f"kubernetes.io/change-cause=version {n}", "--overwrite")
        k("rollout", "status", "deployment/web", "--timeout=60s")
    assert revisions() == ["1", "2", "3"]
    assert "version 3" in k("rollout", "history", "deployment/web")
    assert "VERSION:\t2" in k("rollout", "history", "deployment/web", "--revision=2")
    k("rollout", "undo", "deployment/web", "--to-revision=1")
    k("rollout", "status", "deployment/web", "--timeout=60s")
    assert version() == "1" and revisions() == ["2", "3", "4"]
    assert "unable to find specified revision 77" in kubectl.fails("-n", namespace, "rollout", "undo", "deployment/web",
                                                                   "--to-revision=77").lower()

    k("rollout", "pause", "deployment/web")
    k("set", "env", "deployment/web", "VERSION=5")
    eventually(lambda: condition(kubectl.json("-n", namespace, "get", "deployment", "web"), "Progressing") == "Unknown", "it is paused")
    k("scale", "deployment", "web", "--replicas=3")
    eventually(lambda: k("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}/{.status.updatedReplicas}") == "3/",
               "scaled, not rolled")
    k("rollout", "resume", "deployment/web")
    k("rollout", "status", "deployment/web", "--timeout=60s")
    assert revisions()[-1] == "5"
    described = k("describe", "deployment", "web")
    assert "ScalingReplicaSet" in described and "Scaled up replica set web-" in described
    assert re.search(r"NewReplicaSet: +web-\w+ \(3/3 replicas created\)", described)

    # a rollout that cannot go on says so, and goes back
    k("patch", "deployment", "web", "-p", '{"spec":{"progressDeadlineSeconds":2}}')
    k("set", "image", "deployment/web", "c=nowhere.invalid/nothing:1")
    eventually(lambda: "ProgressDeadlineExceeded" in k("describe", "deployment", "web"), "the deadline is told")
    assert "exceeded its progress deadline" in kubectl.fails("-n", namespace, "rollout", "status", "deployment/web")
    k("rollout", "undo", "deployment/web")
    k("rollout", "status", "deployment/web", "--timeout=60s")

    k("create", "-f", "-", input=deployment("anew", strategy={"type": "Recreate"}))
    k("rollout", "status", "deployment/anew", "--timeout=60s")
    before = {p["metadata"]["name"] for p in kubectl.json("-n", namespace, "get", "pods", "-l", "app=anew")["items"]}
    k("rollout", "restart", "deployment/anew")
    k("rollout", "status", "deployment/anew", "--timeout=60s")
    after = {p["metadata"]["name"] for p in kubectl.json("-n", namespace, "get", "pods", "-l", "app=anew")["items"]}
    assert len(after) == 2 and not before & after


@pytest.fixture
def clean_node(kubectl):
    yield kubectl
    kubectl("uncordon", NODE)
    kubectl.run("taint", "node", NODE, "gone-", check=False)


def test_cordon_and_taint(clean_node, namespace):
    kubectl = clean_node

    def k(*args, **kw):
        return kubectl("-n", namespace, *args, **kw)

    assert "cordoned" in kubectl("cordon", NODE)
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", NODE)
    k("create", "-f", "-", input=deployment("late", replicas=1))
    eventually(lambda: "0/1 nodes are available: 1 node(s) were unschedulable. preemption: 0/1 nodes are available: "
                       "1 Preemption is not helpful for scheduling." in k("describe", "pods"), "it says what is wrong")
    kubectl("uncordon", NODE)
    k("rollout", "status", "deployment/late", "--timeout=60s")
    assert f"Successfully assigned {namespace}/late-" in k("describe", "pods")

    # NoExecute: those that do not tolerate it go, the others wait no longer than they may
    name = k("get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    kubectl("taint", "node", NODE, "gone=fishing:NoExecute")
    eventually(lambda: name not in k("get", "pods"), "the pod is evicted")
    eventually(lambda: "1 node(s) had untolerated taint {gone: fishing}" in k("describe", "pods"), "its successor waits")
    kubectl("taint", "node", NODE, "gone-")
    k("rollout", "status", "deployment/late", "--timeout=60s")
