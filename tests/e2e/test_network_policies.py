"""NetworkPolicies on three nodes, in both families (the tutorial is in test_walkthroughs.py)."""
import json

import pytest

import harness
from harness import C8S, eventually, on_node, run


def rules(node):
    done = on_node(node, "nft", "list", "table", "inet", "c8s-policy", check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def three():
    """Three nodes; in namespace `shop` a web server and a client on each of the two that take pods."""
    c = harness.Cluster(["nginx", "busybox"])
    c.up("--nodes", "3", "--ip-families", "IPv4,IPv6")
    kubectl = c.kubectl("new")
    kubectl("create", "namespace", "shop")
    for node in WORKERS:
        kubectl("apply", "-n", "shop", "-f", "-", input=pod(f"web-{node}", node, "nginx:latest", app="web"))
        kubectl("apply", "-n", "shop", "-f", "-", input=pod(f"client-{node}", node, "busybox:latest", "sleep", "100000", app="client"))
    kubectl("create", "-n", "shop", "service", "clusterip", "web", "--tcp=8080:80")
    kubectl("wait", "-n", "shop", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    yield c
    print(c.log())
    c.remove()
    assert harness.traces() == []


WORKERS = ("k8s-node1", "k8s-node2")


def pod(name, node, image, *command, **labels):
    container = {"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": {
        "nodeName": node, "terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "containers": [container]}})


def policy(name, **spec):
    return json.dumps({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
                       "spec": {"podSelector": {}, **spec}})


WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
CLIENT = {"podSelector": {"matchLabels": {"app": "client"}}}
DNS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
       "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}


def test_policies_on_three_nodes(three):
    """On one node and from one to the other, both families, Services, DNS; the program killed and back."""
    kubectl = three.kubectl("new")
    webs = {w: kubectl.json("get", "-n", "shop", "pod", f"web-{w}") for w in WORKERS}
    ips = {w: [i["ip"] for i in p["status"]["podIPs"]] for w, p in webs.items()}

    def gets(client, host):
        url = f"http://[{host}]" if host.count(":") > 1 else f"http://{host}"
        return kubectl.run("exec", "-n", "shop", f"client-{client}", "--", "timeout", "1", "wget", "-qO-", url, check=False).returncode == 0

    def ways():
        return [(c, ip) for c in WORKERS for w in WORKERS for ip in ips[w]] + [(c, "web:8080") for c in WORKERS]

    def all_pass(when):
        for client, host in ways():
            eventually(lambda: gets(client, host), f"{client} reaches {host} {when}")

    def none_pass(when):
        for client, host in ways():
            assert not gets(client, host), f"{client} reaches {host} {when}"

    def apply(*args, **spec):
        kubectl("apply", "-f", "-", input=policy(*args, **spec))

    def in_force(name, nodes=WORKERS):
        for node in nodes:
            eventually(lambda: f"shop/{name}" in rules(node), f"{name} is in force on {node}")

    all_pass("without policies")
    assert rules("k8s-node1") == ""
    apply("shut", policyTypes=["Ingress"])
    in_force("web-k8s-node1", ["k8s-node1"])
    in_force("web-k8s-node2", ["k8s-node2"])
    assert rules("k8s-master") == ""  # no pods to isolate
    none_pass("although all is shut")
    assert run("ip", "netns", "exec", "k8s-node1", "curl", "-sS", "--max-time", "5", f"http://{ips['k8s-node1'][0]}").stdout  # as probes do

    told = run(C8S, "why", "web.shop", "--from", "client-k8s-node1.shop", check=False)
    assert told.returncode == 1 and "NetworkPolicy shut keeps pod client-k8s-node1 from port 80/tcp" in told.stdout, told.stdout
    apply("let-clients", **WEB, ingress=[{"from": [CLIENT], "ports": [{"port": 80}]}])
    in_force("let-clients")
    all_pass("as clients may")
    told = run(C8S, "why", "web.shop", "--from", "client-k8s-node1.shop", check=False).stdout
    assert "NetworkPolicies let pod client-k8s-node1 through" in told, told
    kubectl("label", "-n", "shop", "pod", "client-k8s-node2", "app=other", "--overwrite")
    eventually(lambda: not gets("k8s-node2", ips["k8s-node1"][0]), "another label, another right")
    kubectl("label", "-n", "shop", "pod", "client-k8s-node2", "app=client", "--overwrite")
    all_pass("with its label back")

    apply("quiet", **CLIENT, policyTypes=["Egress"])
    in_force("client-k8s-node1", ["k8s-node1"])
    in_force("client-k8s-node2", ["k8s-node2"])
    none_pass("although clients are quiet")
    three.kill()
    none_pass("while the program is away")
    three.up("--nodes", "3", "--ip-families", "IPv4,IPv6")
    none_pass("after its return")
    apply("quiet", **CLIENT, policyTypes=["Egress"], egress=[{"to": [WEB], "ports": [{"port": 80}]}])
    in_force("quiet")
    eventually(lambda: gets("k8s-node1", ips["k8s-node2"][0]), "the web servers may be asked")
    assert not gets("k8s-node1", "web:8080")  # but not where they are
    apply("quiet", **CLIENT, policyTypes=["Egress"], egress=[
        {"to": [WEB], "ports": [{"port": 80}]}, {"to": [DNS], "ports": [{"port": 53, "protocol": "UDP"}]}])
    all_pass("now that DNS may be asked")
    kubectl("delete", "networkpolicies", "-n", "shop", "--all")
    for node in WORKERS:
        eventually(lambda: rules(node) == "", "nothing is left of them")
    all_pass("without policies again")


def test_a_pod_is_never_unprotected(three):
    """Pods that use their first moment for what they may not do."""
    kubectl = three.kubectl("new")
    kubectl("apply", "-f", "-", input=policy("quiet", podSelector={"matchLabels": {"app": "thief"}}, policyTypes=["Egress"]))
    web = kubectl.json("get", "-n", "shop", "pod", "web-k8s-node1")["status"]["podIP"]
    names = [f"thief-{n}" for n in range(8)]
    for n, name in enumerate(names):
        kubectl("apply", "-n", "shop", "-f", "-", input=pod(
            name, WORKERS[n % 2], "busybox:latest", "sh", "-c", f"for i in 1 2; do timeout 1 wget -qO- http://{web} && echo stolen; done; true", app="thief"))
    for name in names:
        kubectl("wait", "-n", "shop", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        assert "stolen" not in kubectl("logs", "-n", "shop", name)
    kubectl("delete", "-n", "shop", "networkpolicy/quiet", *[f"pod/{n}" for n in names])
