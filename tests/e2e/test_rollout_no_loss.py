"""Rollouts under load: an app that exits at once on SIGTERM, new connections all the time, and not one of them fails."""
import socket
import threading

import harness
from harness import eventually

ROLLOUTS = 10
# Answers every connection and exits in the middle of whatever it does when told to: the worst app there is.
APP = """
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
s = socket.create_server(("", 8080), backlog=512)
while True:
    c, _ = s.accept()
    c.recv(1000)
    c.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n")
    c.close()
"""


def deployment(replicas):
    container = {"name": "app", "image": "yanbin/python-web", "imagePullPolicy": "IfNotPresent",
                 "command": ["python3", "-c", APP], "ports": [{"containerPort": 8080}],
                 "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "app"}},
                     "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container]}}}}


class Load(threading.Thread):
    """One client in a node's network namespace: a connection, a request, an answer, and again."""

    def __init__(self, node, ip):
        super().__init__(daemon=True)
        self.node, self.ip = node, ip
        self.answers, self.failures, self.over = 0, [], threading.Event()

    def ask(self):
        with socket.create_connection((self.ip, 80), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while data := s.recv(1000):
                answer += data
        assert answer.endswith(b"ok\n"), f"half an answer: {answer!r}"

    def run(self):
        with open(f"/run/netns/{self.node}") as namespace:
            harness.enter_netns(namespace.fileno())  # of this thread alone
        while not self.over.is_set():
            try:
                self.ask()
                self.answers += 1
            except (OSError, AssertionError) as error:
                self.failures.append(f"from {self.node}: {error!r}")

    def stop(self):
        self.over.set()
        self.join(10)


def roll_under_load(kubectl, namespace, nodes, replicas, tmp_path):
    def k(*args):
        return kubectl("-n", namespace, *args)

    manifest = tmp_path / "app.json"
    manifest.write_text(harness.json.dumps(deployment(replicas)))
    k("create", "-f", manifest)
    k("rollout", "status", "deployment/app", "--timeout=60s")
    k("expose", "deployment", "app", "--port=80", "--target-port=8080")
    ip = k("get", "service", "app", "-o", "jsonpath={.spec.clusterIP}")
    for node in nodes:
        eventually(lambda n=node: harness.curl(f"http://{ip}/", n) == "ok\n", f"{node} reaches the Service")
    load = [Load(node, ip) for node in nodes for _ in range(2)]
    for client in load:
        client.start()
    for _ in range(ROLLOUTS):
        k("rollout", "restart", "deployment/app")
        k("rollout", "status", "deployment/app", "--timeout=60s")
    eventually(lambda: len(kubectl.json("-n", namespace, "get", "pods")["items"]) == replicas, "the old pods are gone")
    for client in load:
        client.stop()
    print("answers:", [client.answers for client in load])
    assert [f for client in load for f in client.failures] == []
    assert min(client.answers for client in load) > 100


def test_no_request_is_lost_on_one_node(kubectl_new, tmp_path):
    kubectl_new("create", "namespace", "no-loss")
    roll_under_load(kubectl_new, "no-loss", ["k8s-master"], 1, tmp_path)
    kubectl_new("delete", "namespace", "no-loss", "--wait=false")


def test_no_request_is_lost_on_three_nodes(tmp_path):
    c = harness.Cluster(["python-web"])
    c.up("--nodes", "3")
    kubectl = c.kubectl("new")
    kubectl("create", "namespace", "no-loss")
    roll_under_load(kubectl, "no-loss", ["k8s-master", "k8s-node1", "k8s-node2"], 3, tmp_path)
    c.remove()
    assert harness.traces() == []
