"""Both address families: nodes, pods and Services of `c8s up --ip-families IPv4,IPv6`, as the tutorials on dual stack walk
through them, and clusters of IPv6 alone or first."""
import json
import socket
import struct

import pytest

import harness
from harness import curl, eventually, on_node

HOST_LAN6 = "fd00:172:28:128::"
ANSWER = """
import socket
listener = socket.create_server(("", 8080), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
while True:
    connection, client = listener.accept()
    with connection:
        connection.recv(4096)
        who = f"{socket.gethostname()} {client[0].removeprefix('::ffff:')}\\n"
        connection.sendall(f"HTTP/1.0 200 OK\\r\\nContent-Length: {len(who)}\\r\\n\\r\\n{who}".encode())
"""
ASK_DNS = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(5)
    s.connect((sys.argv[1], 53))
    s.send(bytes.fromhex(sys.argv[2]))
    print(s.recv(512).hex())
"""
TOLERATIONS = [{"operator": "Exists"}]


def web(name, node=None, **spec):
    """A pod that answers with its name and the client's address, on both families."""
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    names = {n: {"fieldRef": {"fieldPath": f"status.{n}"}} for n in ("podIP", "podIPs", "hostIP", "hostIPs")}
    container = {"name": "web", "image": "luksa/kubia", "command": ["python3", "-c", ANSWER], "readinessProbe": probe,
                 "env": [{"name": n, "valueFrom": f} for n, f in names.items()],
                 "ports": [{"name": "http", "containerPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [container], "tolerations": TOLERATIONS, "terminationGracePeriodSeconds": 0,
                     **({"nodeName": node} if node else {}), **spec}}


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec}}


def put(kubectl, *objects):
    for o in objects:
        kubectl("apply", "-f", "-", input=json.dumps(o))


def made(kubectl, obj):
    """The Service's spec, after it has been made."""
    put(kubectl, obj)
    return kubectl.json("get", "service", obj["metadata"]["name"])["spec"]


def url(ip, port=80):
    return f"http://[{ip}]:{port}/" if ":" in ip else f"http://{ip}:{port}/"


def kinds(ips):
    return ["IPv6" if ":" in ip else "IPv4" for ip in ips]


def answers(ip, names, where=None, port=80):
    """Every pod answers at this address sooner or later."""
    seen = set()

    def ask():
        seen.add(curl(url(ip, port), where).split()[0])
        return seen >= names
    eventually(ask, f"{names} answer at {ip} from {where or 'the host'}; seen: {seen}")


def pod_ips(pod):
    return [ip["ip"] for ip in pod["status"]["podIPs"]]


@pytest.mark.parametrize("families", ["IPv6", "IPv6,IPv4"])
def test_clusters_where_ipv6_is_first(families):
    c = harness.Cluster(["kubia"])
    try:
        c.up("--nodes", "2", "--ip-families", families)
        k = c.kubectl("new")
        put(k, web("a", "k8s-node1"), web("b", "k8s-master"), service("web"))
        a, _ = k.ready_pods("app=web", 2)
        assert kinds(pod_ips(a)) == families.split(",")
        assert "ok" in k("exec", "a", "--", "echo", "ok") and k("logs", "a") == ""
        spec = k.json("get", "service", "web")["spec"]
        assert spec["ipFamilies"] == ["IPv6"] and spec["clusterIP"].startswith("fd00:10:96::")
        ask = "import urllib.request; print(urllib.request.urlopen('http://web/', timeout=5).read().decode())"
        eventually(lambda: k("exec", "b", "--", "python3", "-c", ask), "the name, from a pod")
        for where in ("k8s-master", None):
            answers(spec["clusterIP"], {"a", "b"}, where)
        k("create", "ingress", "six", "--rule=six.example/*=web:80")
        eventually(lambda: curl(url(f"{HOST_LAN6}11"), None, "-H", "Host: six.example").split()[0] in ("a", "b"), "by Ingress")
    finally:
        print(c.log())
        c.remove()


@pytest.fixture(scope="module")
def dual():
    c = harness.Cluster(["kubia", "dnsutils"])
    c.up("--nodes", "3", "--ip-families", "IPv4,IPv6")
    k = c.kubectl("new")
    put(k, web("a", "k8s-node1"), web("b", "k8s-node2"))
    k.ready_pods("app=web", 2)
    yield k
    print(c.log())
    c.remove()
    assert harness.traces() == []


def test_nodes_and_pods_have_both(dual):
    for n, node in enumerate(dual.json("get", "nodes")["items"]):
        assert node["spec"]["podCIDRs"] == [f"10.244.{n}.0/24", f"fd00:10:244:{n}::/64" if n else "fd00:10:244::/64"]
        addresses = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
        assert addresses == [f"172.28.128.{10 + n}", f"{HOST_LAN6}{10 + n}"]
    a, b = dual.json("get", "pods", "-l", "app=web")["items"]
    assert kinds(pod_ips(a)) == ["IPv4", "IPv6"] and a["status"]["podIP"] == pod_ips(a)[0]
    assert [h["ip"] for h in a["status"]["hostIPs"]] == ["172.28.128.11", f"{HOST_LAN6}11"]
    assert dual("exec", "a", "--", "printenv", "podIPs").strip() == ",".join(pod_ips(a))
    hosts = dual("exec", "a", "--", "cat", "/etc/hosts")
    assert all(f"{ip}\ta" in hosts for ip in pod_ips(a))
    ask = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
    for own, other in zip(pod_ips(b), pod_ips(a)):  # nobody translates between pods
        assert dual("exec", "b", "--", "python3", "-c", ask, url(other, 8080)).split() == ["a", own]
        for where in (None, "k8s-master", "k8s-node1", "k8s-node2"):
            assert curl(url(other, 8080), where).split()[0] == "a"


def test_families_of_services(dual):
    shapes = {
        "single": ({}, "SingleStack", ["IPv4"]),
        "prefer": ({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", ["IPv4", "IPv6"]),
        "only6": ({"ipFamilies": ["IPv6"]}, "SingleStack", ["IPv6"]),
        "six-first": ({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]}, "RequireDualStack",
                      ["IPv6", "IPv4"]),
        "headless": ({"ipFamilyPolicy": "PreferDualStack", "clusterIP": "None"}, "PreferDualStack", ["IPv4", "IPv6"]),
    }
    for name, (spec, policy, families) in shapes.items():
        got = made(dual, service(name, **spec))
        assert (got["ipFamilyPolicy"], got["ipFamilies"]) == (policy, families)
        if name == "headless":
            assert got["clusterIPs"] == ["None"]
            continue
        assert kinds(got["clusterIPs"]) == families and got["clusterIP"] == got["clusterIPs"][0]
        for ip in got["clusterIPs"]:
            for where in ("k8s-master", "k8s-node1", None):
                answers(ip, {"a", "b"}, where)
        slices = eventually(lambda name=name, n=len(families): (lambda s: len(s) == n and s)(
            dual.json("get", "endpointslices", "-l", f"kubernetes.io/service-name={name}")["items"]), "a slice a family")
        assert {s["addressType"] for s in slices} == set(families)
        for s in slices:
            assert {k for e in s["endpoints"] for k in kinds(e["addresses"])} == {s["addressType"]}
        if families[0] == "IPv4":  # Endpoints know the primary family only
            subsets = dual.json("get", "endpoints", name)["subsets"]
            assert {k for e in subsets[0]["addresses"] for k in kinds([e["ip"]])} == {"IPv4"}


def test_a_second_family_comes_and_goes(dual):
    before = made(dual, service("changing"))
    dual("patch", "service", "changing", "-p", '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}')
    spec = dual.json("get", "service", "changing")["spec"]
    assert spec["clusterIPs"][0] == before["clusterIP"] and kinds(spec["clusterIPs"]) == ["IPv4", "IPv6"]
    answers(spec["clusterIPs"][1], {"a", "b"}, "k8s-node2")
    dual("patch", "service", "changing", "-p", '{"spec":{"ipFamilyPolicy":"SingleStack"}}')
    after = dual.json("get", "service", "changing")["spec"]
    assert after["clusterIPs"] == [before["clusterIP"]] and after["ipFamilies"] == ["IPv4"]
    refusal = dual.fails("patch", "service", "changing", "-p", '{"spec":{"ipFamilies":["IPv6"]}}')
    assert "may not change once set" in refusal or "expected an IPv6 value" in refusal


def test_ways_from_outside(dual):
    spec = made(dual, service("outside", type="LoadBalancer", ipFamilyPolicy="RequireDualStack"))
    node_port = spec["ports"][0]["nodePort"]
    for node in ("172.28.128.10", f"{HOST_LAN6}10", f"{HOST_LAN6}12"):
        answers(node, {"a", "b"}, None, node_port)
    ingress = eventually(lambda: dual.json("get", "service", "outside")["status"]["loadBalancer"].get("ingress"),
                         "an EXTERNAL-IP")
    assert kinds(i["ip"] for i in ingress) == ["IPv4", "IPv6"]
    for where in (None, "k8s-master", "k8s-node2"):
        for i in ingress:
            answers(i["ip"], {"a", "b"}, where)
    holder = next(n for n in ("k8s-master", "k8s-node1", "k8s-node2") if ingress[1]["ip"] in on_node(n, "ip", "-o", "addr", "show", "eth0").stdout)
    assert " src fd00:172:28:128::1" in on_node(holder, "ip", "route", "get", f"{HOST_LAN6}201").stdout  # a node's own address


def test_clients_stay_with_their_endpoint(dual):
    spec = made(dual, service("sticky", type="NodePort", ipFamilyPolicy="RequireDualStack", sessionAffinity="ClientIP"))
    ways = [(ip, 80, where) for ip in spec["clusterIPs"] for where in ("k8s-master", "k8s-node1")]
    ways += [(ip, spec["ports"][0]["nodePort"], None) for ip in ("172.28.128.11", f"{HOST_LAN6}11")]
    for ip, port, where in ways:
        first = eventually(lambda: curl(url(ip, port), where).split()[0], f"{ip} answers")
        assert {curl(url(ip, port), where).split()[0] for _ in range(15)} == {first}, (ip, where)
    dual("patch", "service", "sticky", "-p", '{"spec":{"sessionAffinity":"None"}}')
    for ip, port, where in ways:
        answers(ip, {"a", "b"}, where, port)


def test_ingresses_listen_on_both(dual):
    put(dual, service("behind", ipFamilyPolicy="PreferDualStack"))
    dual("create", "ingress", "both", "--rule=both.example/*=behind:80")
    want = [ip for n in (10, 11, 12) for ip in (f"172.28.128.{n}", f"{HOST_LAN6}{n}")]
    eventually(lambda: [i["ip"] for i in dual.json("get", "ingress", "both")["status"]["loadBalancer"].get("ingress", [])] == want,
               "the addresses of all nodes")
    for ip in want:
        host = ("-H", "Host: both.example")
        assert {eventually(lambda ip=ip: curl(url(ip), None, *host).split()[0], f"{ip} answers") for _ in range(9)} <= {"a", "b"}


def test_names(dual):
    put(dual, service("named", ipFamilyPolicy="PreferDualStack"),
        service("named-headless", ipFamilyPolicy="PreferDualStack", clusterIP="None"))
    v4, v6 = dual.json("get", "service", "named")["spec"]["clusterIPs"]

    def dig(name, kind, server="10.96.0.10"):
        out = on_node("k8s-node1", "dig", "+short", "+time=2", f"@{server}", *(["-x", name] if kind == "PTR" else
                                                                          [name, kind])).stdout
        return sorted(out.split())
    eventually(lambda: dig("named.default.svc.cluster.local", "AAAA") == [v6], "AAAA")
    assert dig("named.default.svc.cluster.local", "A") == [v4]
    assert dig(v6, "PTR") == ["named.default.svc.cluster.local."]
    pods = dual.json("get", "pods", "-l", "app=web")["items"]
    for i, kind in enumerate(("A", "AAAA")):
        want = sorted(pod_ips(p)[i] for p in pods)
        eventually(lambda kind=kind, want=want: dig("named-headless.default.svc.cluster.local", kind) == want, kind)
    dns = dual.json("get", "service", "kube-dns", "-n", "kube-system")["spec"]
    assert (dns["clusterIPs"], dns["ipFamilyPolicy"]) == (["10.96.0.10", "fd00:10:96::a"], "PreferDualStack")
    assert dual.json("get", "service", "kubernetes")["spec"]["clusterIPs"] == ["10.96.0.1"]
    query = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\5named\7default\3svc\7cluster\5local\0" + struct.pack(">2H", 28, 1)
    for server in dns["clusterIPs"]:
        assert dig("named.default.svc.cluster.local", "AAAA", server) == [v6]
        answer = dual("exec", "a", "--", "python3", "-c", ASK_DNS, server, query.hex()).strip()
        assert answer.endswith(socket.inet_pton(socket.AF_INET6, v6).hex()), f"a pod asks {server}"
