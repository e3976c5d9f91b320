"""What pods and nodes use, as `kubectl top` shows it."""
import json
import re

from harness import eventually


BUSY = """
apiVersion: v1
kind: Pod
metadata: {name: busy, labels: {app: busy}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: spin, image: busybox, command: [sh, -c, "while :; do :; done"]}
  - {name: rest, image: busybox, command: [sleep, "1000"]}
"""


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_top(kubectl, namespace, tmp_path):
    (tmp_path / "busy.yaml").write_text(BUSY)
    kubectl("-n", namespace, "apply", "-f", tmp_path / "busy.yaml")
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"

    def both_measured():
        pod = json.loads(kubectl("get", "--raw", path + "/busy"))
        assert (pod["kind"], pod["metadata"]["labels"]) == ("PodMetrics", {"app": "busy"})
        assert re.fullmatch(r"\d+(\.\d+)?s", pod["window"]) and pod["timestamp"]
        return {c["name"]: c["usage"] for c in pod["containers"]}.keys() == {"spin", "rest"}
    eventually(both_measured)

    def spins():
        by_name = {r[1]: r for r in rows(kubectl("-n", namespace, "top", "pods", "--containers", "--no-headers"))}
        assert set(by_name) == {"spin", "rest"}
        assert by_name["spin"][0] == "busy" and int(by_name["spin"][2].rstrip("m")) > 50
        return int(by_name["rest"][2].rstrip("m")) < 20
    eventually(spins)
    assert re.match(r"NAME +CPU\(cores\) +MEMORY\(bytes\)", kubectl("-n", namespace, "top", "pods", "-l", "app=busy"))
    assert rows(kubectl("top", "pods", "-A", "--sort-by=cpu", "--no-headers"))[0][1] == "busy"
    assert json.loads(kubectl("get", "--raw", path + "?labelSelector=app%3Dother"))["items"] == []

    node = rows(kubectl("top", "nodes", "--no-headers"))
    assert node[0][0] == "k8s-master" and node[0][1].endswith("m") and node[0][3].endswith("Mi")
    listed = json.loads(kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))
    assert listed["kind"] == "NodeMetricsList" and listed["items"][0]["metadata"]["name"] == "k8s-master"
    assert "not found" in kubectl.fails("get", "--raw", path + "/nobody")
    assert re.search(r"busy +\d+m +\d+Ki", kubectl("-n", namespace, "get", "pods.metrics.k8s.io"))
