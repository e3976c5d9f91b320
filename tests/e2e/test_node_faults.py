"""Nodes of `c8s up` that die, are cut off, and come back."""
import time

import pytest

from harness import C8S, Cluster, condition, eventually, on_node, run, traces

CUT, DEAD = "k8s-node1", "k8s-node2"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
      - name: web
        image: nginx
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "sed -i 's/listen 80;/& listen [::]:80;/' /etc/nginx/conf.d/default.conf && exec nginx -g 'daemon off;'"]
"""


@pytest.fixture(scope="module")
def three():
    c = Cluster(("nginx",))
    c.up("--nodes", "3", "--schedule-on-master", "--ip-families", "IPv4,IPv6")
    yield c
    c.remove()
    assert traces() == []


def node(verb, name, **kw):
    return run(C8S, "node", verb, name, **kw)


def readiness(kubectl):
    return {n["metadata"]["name"]: condition(n, "Ready") for n in kubectl.json("get", "nodes")["items"]}


def endpoints(kubectl):
    slices = kubectl.json("get", "endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
    return {e["nodeName"] for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"]}


def wires(name):
    """Interfaces of pods on the node."""
    return sum(" pod" in line for line in on_node(name, "ip", "-o", "link").stdout.splitlines())


def test_nodes_die_and_return(three, tmp_path):
    kubectl = three.kubectl("new")
    manifest = tmp_path / "web.yaml"
    manifest.write_text(DEPLOYMENT)
    kubectl("apply", "-f", str(manifest))
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl("patch", "service", "web", "-p", '{"spec": {"ipFamilyPolicy": "RequireDualStack"}}')
    kubectl.ready_pods("app=web", 3)
    eventually(lambda: endpoints(kubectl) == {"k8s-master", CUT, DEAD}, "one on each node")
    assert "the API server runs there" in node("stop", "k8s-master", check=False).stderr
    assert "there is no node" in node("cut", "k8s-node7", check=False).stderr
    assert "it is not cut off" in node("heal", CUT, check=False).stderr

    ip, ip6 = kubectl.json("get", "svc", "web")["spec"]["clusterIPs"]
    began = time.monotonic()
    node("cut", CUT)
    node("stop", DEAD)
    assert on_node(CUT, "curl", "-sS", "--max-time", "9", "--retry", "9", "--retry-all-errors", f"http://{ip}/").stdout  # goes on by itself
    assert wires(CUT) == 1 and wires(DEAD) == 0
    eventually(lambda: endpoints(kubectl) == {"k8s-master"}, "the endpoints of both leave", timeout=90)
    print(f"a dead node's endpoints got connections for {time.monotonic() - began:.1f} s")
    assert readiness(kubectl) == {"k8s-master": "True", CUT: "Unknown", DEAD: "Unknown"}
    eventually(lambda: sum(p["spec"]["nodeName"] == "k8s-master" and condition(p, "Ready") == "True" for p in kubectl.pods("app=web")) == 3,
               "replaced on the node that is left", timeout=90)
    for _ in range(20):
        assert on_node("k8s-master", "curl", "-sS", "--max-time", "3", f"http://{ip}/").stdout

    node("heal", CUT)
    node("start", DEAD)
    eventually(lambda: set(readiness(kubectl).values()) == {"True"}, "all are Ready again")
    kubectl.ready_pods("app=web", 3)  # nothing doubled
    eventually(lambda: wires(CUT) == 0 and wires(DEAD) == 0, "what was replaced is gone")
    kubectl("scale", "deployment", "web", "--replicas=6")
    kubectl.ready_pods("app=web", 6)
    eventually(lambda: endpoints(kubectl) == {"k8s-master", CUT, DEAD}, "pods on all nodes again")
    for name in ("k8s-master", CUT, DEAD):
        for _ in range(9):
            for url in (f"http://{ip}/", f"http://[{ip6}]/"):
                assert eventually(lambda: on_node(name, "curl", "-sS", "--max-time", "3", url).stdout, f"{url} from {name}")
