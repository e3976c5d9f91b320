"""IPAddresses, ServiceCIDRs, and that no address or port is ever given twice."""
import concurrent.futures
import http.client
import ipaddress
import json
import ssl

import pytest

from harness import curl, condition, eventually

MANAGED = "ipaddress.kubernetes.io/managed-by=ipallocator.k8s.io"


def names(kubectl, *more):
    return set(kubectl("get", "ipaddresses", *more, "-o", "jsonpath={.items[*].metadata.name}").split())


def test_each_cluster_ip_has_an_ipaddress(cluster, kubectl):
    assert "services/default/kubernetes" in kubectl("get", "ip", "10.96.0.1")
    kubectl("create", "service", "clusterip", "shown", "--tcp=80")
    ip = kubectl("get", "svc", "shown", "-o", "jsonpath={.spec.clusterIP}")
    found = eventually(lambda: kubectl.json("get", f"ipaddresses.v1.networking.k8s.io/{ip}"), "its IPAddress")
    assert found["spec"]["parentRef"] == {"resource": "services", "namespace": kubectl.json("get", "svc", "shown")["metadata"]["namespace"],
                                          "name": "shown"}
    assert found["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"] == "IPv4"
    kubectl("delete", "ipaddress", ip)
    eventually(lambda: ip in names(kubectl, "-l", MANAGED), "what was deleted by hand comes back")
    kubectl("delete", "svc", "shown")
    eventually(lambda: ip not in names(kubectl), "it goes with the Service")


def test_an_ipaddress_of_ones_own(cluster, kubectl):
    doc = {"apiVersion": "networking.k8s.io/v1beta1", "kind": "IPAddress", "metadata": {"name": "10.96.200.200"},
           "spec": {"parentRef": {"group": "example.com", "resource": "gateways", "namespace": "default", "name": "mine"}}}
    kubectl("create", "-f", "-", input=json.dumps(doc))
    assert "gateways.example.com/default/mine" in kubectl("get", "ipaddress", "10.96.200.200")
    refused = kubectl.fails("create", "service", "clusterip", "wants-it", "--tcp=80", "--clusterip=10.96.200.200")
    assert "provided IP is already allocated" in refused
    assert "field is immutable" in kubectl.fails("patch", "ipaddress", "10.96.200.200", "--type=merge", "-p",
                                                 '{"spec":{"parentRef":{"name":"other"}}}')
    doc["metadata"]["name"] = "10.096.1.1"
    assert "unable to parse IP" in kubectl.fails("create", "-f", "-", input=json.dumps(doc))
    kubectl("delete", "ipaddress", "10.96.200.200")
    kubectl("create", "service", "clusterip", "wants-it", "--tcp=80", "--clusterip=10.96.200.200")
    kubectl("delete", "svc", "wants-it")


def test_services_on_another_range(cluster, kubectl):
    """Upstream: should create Services and serve on different Service CIDRs."""
    assert "10.96.0.0/12" in kubectl("get", "servicecidr", "kubernetes")
    kubectl("wait", "--for=condition=Ready", "servicecidr/kubernetes", "--timeout=20s")
    refused = kubectl.fails("create", "service", "clusterip", "far", "--tcp=80", "--clusterip=10.210.0.9")
    assert "not in the valid range" in refused
    doc = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"}, "spec": {"cidrs": ["10.210.0.0/24"]}}
    kubectl("create", "-f", "-", input=json.dumps(doc))
    kubectl("create", "deployment", "far", "--image=nginx")
    kubectl("rollout", "status", "deployment/far", "--timeout=60s")
    kubectl("create", "service", "clusterip", "far", "--tcp=80", "--clusterip=10.210.0.9")
    assert "nginx" in eventually(lambda: curl("http://10.210.0.9/", "k8s-master"), "the Service answers there")
    eventually(lambda: "10.210.0.9" in names(kubectl), "it has an IPAddress")
    kubectl("delete", "servicecidr", "more", "--wait=false")
    waiting = eventually(lambda: [c for c in kubectl.json("get", "servicecidr", "more")["status"]["conditions"] if c["status"] == "False"],
                         "its deletion waits")
    assert waiting[0]["reason"] == "Terminating" and "still IPAddresses" in waiting[0]["message"]
    assert "not in the valid range" in kubectl.fails("create", "service", "clusterip", "late", "--tcp=80", "--clusterip=10.210.0.10")
    kubectl("delete", "svc/far", "deployment/far")
    eventually(lambda: kubectl.run("get", "servicecidr", "more", check=False).returncode, "it goes with the last Service")


class Client:
    """One connection to the API, with the certificate of the kubeconfig."""

    def __init__(self, config):
        context = ssl.create_default_context(cafile=config["ca"])
        context.load_cert_chain(config["cert"], config["key"])
        self.http = http.client.HTTPSConnection(config["host"], 6443, context=context, timeout=60)

    def post(self, path, body):
        self.http.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.http.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture
def config(kubectl, tmp_path):
    import base64
    view = kubectl.json("config", "view", "--raw")
    user, cluster = view["users"][0]["user"], view["clusters"][0]["cluster"]
    for name, data in (("ca", cluster["certificate-authority-data"]), ("cert", user["client-certificate-data"]),
                       ("key", user["client-key-data"])):
        (tmp_path / name).write_bytes(base64.b64decode(data))
    return {name: tmp_path / name for name in ("ca", "cert", "key")} | {"host": cluster["server"].split("/")[2].rsplit(":", 1)[0]}


def test_nothing_is_given_twice(cluster, kubectl, config):
    """32 connections at once: Services with addresses and node ports of their own choice, many of which others want as well, and
    with what the server chooses."""
    kubectl("create", "namespace", "rush")
    connections, each = 32, 12

    def create(number):
        client, results = Client(config), []
        for i in range(each):
            spec = {"type": "NodePort", "ports": [{"port": 80}]}
            if i % 3 == 1:
                spec["clusterIP"] = f"10.96.0.{100 + i}"  # wanted by all; below what the server chooses itself
            if i % 3 == 2:
                spec["ports"][0]["nodePort"] = 30040 + i
            body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s-{number}-{i}"}, "spec": spec}
            results.append((i % 3, *client.post("/api/v1/namespaces/rush/services", body)))
        return results

    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        results = [r for part in pool.map(create, range(connections)) for r in part]
    made = [doc for _, code, doc in results if code == 201]
    refused = {(how, code, doc.get("reason")) for how, code, doc in results if code != 201}
    assert refused == {(1, 422, "Invalid"), (2, 422, "Invalid")}
    assert len(made) == connections * each // 3 + 2 * each // 3  # of those wanted by all, each is given once
    ips = [doc["spec"]["clusterIP"] for doc in made]
    ports = [doc["spec"]["ports"][0]["nodePort"] for doc in made]
    assert len(set(ips)) == len(ips) and len(set(ports)) == len(ports)
    assert all(ipaddress.ip_address(ip) in ipaddress.ip_network("10.96.0.0/12") for ip in ips)
    eventually(lambda: set(ips) <= names(kubectl), "each has its IPAddress")
    kubectl("delete", "namespace", "rush")
    eventually(lambda: not set(ips) & names(kubectl), "and none is left")
