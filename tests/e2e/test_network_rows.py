"""The tests of upstream's own suite for the network (test/e2e/network), those that no other file has: packets between pods, nodes and
the host on three nodes in three zones, over both address families."""
import json
import re
import threading

import pytest

import harness
from harness import condition, curl, eventually, on_node
from netexec import dial, here, host, pod, put, reaches, service

NODES = {"k8s-master": "172.28.128.10", "k8s-node1": "172.28.128.11", "k8s-node2": "172.28.128.12"}
NODES6 = {"k8s-master": "fd00:172:28:128::10", "k8s-node1": "fd00:172:28:128::11", "k8s-node2": "fd00:172:28:128::12"}
ZONES = {"k8s-master": "x", "k8s-node1": "y", "k8s-node2": "z"}
WEB = {"app": "web"}


class Net:
    """The cluster, its three pods web-0 to web-2 (one a node) and the clients client-0 to client-2 beside them."""

    def __init__(self, kubectl):
        self.kubectl = kubectl
        for node, zone in ZONES.items():
            kubectl("label", "node", node, f"topology.kubernetes.io/zone={zone}")
        put(kubectl, *(pod(f"{app}-{i}", node, {"app": app}) for app in ("web", "client") for i, node in enumerate(NODES)))
        self.web = self.ips("web")
        self.client = self.ips("client")

    def ips(self, app, count=3):
        """Of each pod in order of the names: [IPv4, IPv6]."""
        pods = sorted(self.kubectl.ready_pods(f"app={app}", count), key=lambda p: p["metadata"]["name"])
        return [[ip["ip"] for ip in p["status"]["podIPs"]] for p in pods]

    def make(self, *objects):
        """Makes Services or others; the spec of the first one as it is then."""
        put(self.kubectl, *objects)
        meta = objects[0]["metadata"]
        return self.kubectl.json("get", objects[0]["kind"], meta["name"]).get("spec")

    def patch(self, name, patch, kind="service", **kw):
        self.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(patch), **kw)

    def from_client(self, i, protocol, ip, port, family=0):
        return lambda tries: dial(self.client[i][family], protocol, ip, port, tries)

    def asks(self, protocol, ip, port, i=0, **more):
        """One answer to client-i, by an address of the family in question."""
        return dial(self.client[i][":" in ip], protocol, ip, port, **more)[0]


@pytest.fixture(scope="module")
def net():
    c = harness.Cluster(["kubia", "dnsutils"])
    c.up("--nodes", "3", "--ip-families", "IPv4,IPv6")
    yield Net(c.kubectl("new"))
    print(c.log())
    c.remove()
    assert harness.traces() == []


ALL = {"web-0", "web-1", "web-2"}


def test_host_ports_of_one_number(net):
    """HostPort: no conflict between pods with the same hostPort but different hostIP and protocol."""
    node, ip = "k8s-node1", NODES["k8s-node1"]
    def with_port(name, port, **more):
        return pod(name, node, {"app": "host-port"}, ports=[{"containerPort": port, "hostPort": 54323, **more}])
    put(net.kubectl, with_port("one", 8080, hostIP="127.0.0.1"), with_port("two", 8080, hostIP=ip),
        with_port("three", 8081, hostIP=ip, protocol="UDP"))
    ips = net.ips("host-port")
    eventually(lambda: here(node, "tcp", "127.0.0.1", 54323).startswith("one "), "localhost")
    for where in (None, *NODES):
        eventually(lambda where=where: here(where, "tcp", ip, 54323).startswith("two "), "TCP")
        eventually(lambda where=where: here(where, "udp", ip, 54323).startswith("three "), "UDP")
    assert here(None, "tcp", ip, 54323) == "two 172.28.128.1"  # nobody hides the client
    assert net.asks("tcp", ip, 54323) == f"two {net.client[0][0]}"
    assert dial(ips[2][0], "tcp", ip, 54323)[0].startswith("two ")  # itself
    refused = pod("four", None, {"app": "x"}, ports=[{"containerPort": 1, "hostPort": 54323}])
    refused["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    put(net.kubectl, refused)
    eventually(lambda: "didn't have free ports for the requested pod ports" in net.kubectl("describe", "pod", "four"), "it waits")
    put(net.kubectl, pod("everywhere", "k8s-node2", ports=[{"containerPort": 8080, "hostPort": 54323}]))
    net.kubectl.ready_pods("app=everywhere", 1)
    for where, to in [(None, NODES["k8s-node2"]), (None, NODES6["k8s-node2"]), ("k8s-node2", "127.0.0.1"), ("k8s-node1", NODES6["k8s-node2"])]:
        eventually(lambda where=where, to=to: here(where, "tcp", to, 54323).startswith("everywhere "), f"{to} from {where}")
    net.kubectl("delete", "pods", "one", "two", "three", "four", "everywhere")
    assert here(None, "tcp", ip, 54323) == "refused"
