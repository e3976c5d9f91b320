"""DaemonSets, Jobs, StatefulSets and CronJobs, with real containers and both kubectls."""
import json

from harness import eventually


def manifest(kind, name, spec, api="apps/v1"):
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec})


def pods_of(app, image="busybox", command=("sleep", "1000000"), **more):
    containers = [{"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers, "terminationGracePeriodSeconds": 0, **more}}


def test_a_daemon_set_rolls_and_goes_back(kubectl, namespace):
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": pods_of("d")}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("DaemonSet", "d", spec))
    assert 'daemon set "d" successfully rolled out' in kubectl("-n", namespace, "rollout", "status", "daemonset/d", "--timeout=50s")
    row = kubectl("-n", namespace, "get", "ds", "--no-headers").split()
    assert row[:7] == ["d", "1", "1", "1", "1", "1", "<none>"]
    first = kubectl.json("-n", namespace, "get", "pods")["items"][0]
    assert first["metadata"]["labels"]["controller-revision-hash"]
    kubectl("-n", namespace, "set", "env", "daemonset/d", "A=b")
    assert "successfully rolled out" in kubectl("-n", namespace, "rollout", "status", "ds/d", "--timeout=50s")
    assert "2" in kubectl("-n", namespace, "rollout", "history", "ds/d")
    kubectl("-n", namespace, "rollout", "undo", "ds/d")
    kubectl("-n", namespace, "rollout", "status", "ds/d", "--timeout=50s")
    again = eventually(lambda: kubectl.json("-n", namespace, "get", "pods")["items"], "a pod")[0]
    assert again["metadata"]["labels"] == first["metadata"]["labels"]
    described = kubectl("-n", namespace, "describe", "ds", "d")
    assert "Desired Number of Nodes Scheduled: 1" in described and "SuccessfulCreate" in described
    kubectl("-n", namespace, "patch", "ds", "d", "-p", '{"spec":{"template":{"spec":{"nodeSelector":{"no":"where"}}}}}')
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name") == "", "no node fits: no pod")
    kubectl("-n", namespace, "delete", "ds", "d")
