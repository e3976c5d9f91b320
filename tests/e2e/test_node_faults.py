"""Nodes of `c8s up` that die, are cut off, and come back."""
import json
import socket
import subprocess
import threading
import time

import pytest

from harness import C8S, Cluster, condition, enter_netns, eventually, on_node, run, traces

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


class Client:
    """Connects and asks through one address again and again, on a node or in the host's place, like many people one after the other."""

    def __init__(self, ip, node=None):
        self.ip, self.node, self.tries, self.over = ip, node, [], threading.Event()  # tries: (began, it worked)
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _ask(self):
        with socket.create_connection((self.ip, 80), timeout=0.25) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.recv(100).startswith(b"HTTP/1.1 200")

    def _work(self):
        if self.node:
            with open(f"/run/netns/{self.node}") as namespace:
                enter_netns(namespace.fileno())  # of this thread alone
        while not self.over.wait(0.01):
            began = time.monotonic()
            try:
                self.tries.append((began, self._ask()))
            except OSError:
                self.tries.append((began, False))

    def settled(self, row=100):
        """So many in a row have worked, the last ones."""
        return len(self.tries) >= row and all(ok for _, ok in self.tries[-row:])

    def failures(self):
        return [began for began, ok in self.tries if not ok]

    def end(self):
        self.over.set()
        self.thread.join()


def announcer(ip):
    return [n for n in ("k8s-master", CUT, DEAD) if f" {ip}/32 " in on_node(n, "ip", "-o", "addr", "show", "eth0").stdout]


def test_load_balancers_outlive_their_node(three, tmp_path):
    kubectl = three.kubectl("new")
    manifest = tmp_path / "web.yaml"
    manifest.write_text(DEPLOYMENT)
    kubectl("apply", "-f", str(manifest))
    kubectl.ready_pods("app=web", 3)
    addresses = [f"172.28.128.{n}" for n in range(200, 206)]
    for n, ip in enumerate(addresses):
        kubectl("expose", "deployment", "web", f"--name=lb-{n}", "--port=80", "--type=LoadBalancer", f"--load-balancer-ip={ip}")
    eventually(lambda: all(len(announcer(ip)) == 1 for ip in addresses), "each address is announced by one")
    at = {name: next(ip for ip in addresses if announcer(ip) == [name]) for name in (CUT, DEAD)}
    for verb, back, name in (("cut", "heal", CUT), ("stop", "start", DEAD)):
        client = Client(at[name])
        try:
            eventually(client.settled, "steady connects")
            began = time.monotonic()
            assert not client.failures()
            node(verb, name)
            eventually(lambda: client.failures() and client.settled(), "steady connects again")
            gap = max(client.failures()) - began
            print(f"node {verb}: connects to its load balancer failed for {gap:.2f} s")
            assert gap < 10  # half a second on a machine that has time; the API takes 40
            assert announcer(at[name]) != [name] and readiness(kubectl)[name] == "True"  # nobody waited for the API
            n_failed = len(client.failures())
            node(back, name)
            eventually(lambda: announcer(at[name]) == [name], "it has its address again")
            kubectl.ready_pods("app=web", 3)
            eventually(client.settled, "steady connects as before")
            print(f"node {back}: {len(client.failures()) - n_failed} of {len(client.tries)} connects failed")
        finally:
            client.end()
    kubectl("delete", "service", *(f"lb-{n}" for n in range(len(addresses))))


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
    ask = ["ip", "netns", "exec", "k8s-master", "curl", "-sS", "-o", "/dev/null", "--max-time", "10", f"http://{ip}/"]
    asking = [subprocess.Popen(ask) for _ in range(12)]  # a third of them is sent to the node that is cut off
    assert [p.wait() for p in asking] == [0] * 12, "a repeated SYN goes to who lives"
    node("stop", DEAD)
    eventually(lambda: on_node(CUT, "curl", "-sS", "--max-time", "2", f"http://{ip}/").stdout, "what runs there goes on by itself")
    assert wires(CUT) == 1 and wires(DEAD) == 0
    eventually(lambda: endpoints(kubectl) == {"k8s-master"}, "the endpoints of both leave", timeout=90)
    print(f"a dead node's endpoints were in the API for {time.monotonic() - began:.1f} s")
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


def test_a_node_is_switched_off(three, tmp_path):
    """`node shutdown`: pods end with their grace (nginx' image wants SIGQUIT), then the node is gone as after `stop`."""
    kubectl = three.kubectl("new")
    script = "trap 'sleep 0.5; echo bye >/out/said; exit 0' QUIT; while :; do sleep 0.1; done"
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ends"}, "spec": {
        "nodeName": DEAD, "volumes": [{"name": "out", "hostPath": {"path": str(tmp_path)}}],
        "containers": [{"name": "c", "image": "nginx", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script],
                        "volumeMounts": [{"name": "out", "mountPath": "/out"}]}]}}))
    kubectl("apply", "-f", str(manifest))
    eventually(lambda: condition(kubectl.json("get", "pod", "ends"), "Ready") == "True", "ends is Ready")
    node("shutdown", DEAD)
    assert (tmp_path / "said").read_text() == "bye\n"
    status = kubectl.json("get", "pod", "ends")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    assert status["message"] == "Pod was terminated in response to imminent node shutdown."
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert readiness(kubectl)[DEAD] == "False"
    node("start", DEAD)
    eventually(lambda: readiness(kubectl)[DEAD] == "True", "it is back")
    assert kubectl.json("get", "pod", "ends")["status"]["phase"] == "Failed"
    kubectl("delete", "pod", "ends")
