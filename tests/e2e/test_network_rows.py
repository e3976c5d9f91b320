"""The tests of upstream's own suite for the network (test/e2e/network), those that no other file has: packets between pods, nodes and
the host on three nodes in three zones, over both address families."""
import json
import re
import threading
import time

import pytest

import harness
from harness import curl, eventually, on_node, run
from netexec import NODES, NODES6, WEB, Net, dial, dns, from_host, get, here, pod, put, reaches, service


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
    eventually(lambda: here(None, "tcp", ip, 54323) == "refused", "nobody is there any more")


def test_types_change_in_every_direction(net):
    """ClusterIP, NodePort, LoadBalancer and ExternalName, each to the others, as people patch them."""
    ports = service("x")["spec"]["ports"]
    net.make({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "changing"},
              "spec": {"type": "ExternalName", "externalName": "example.com", "selector": WEB}})
    eventually(lambda: dns("changing", "CNAME") == ["example.com."], "an alias")
    for kind in ("ClusterIP", "ExternalName", "NodePort", "ClusterIP", "LoadBalancer", "ExternalName", "LoadBalancer", "NodePort",
                 "LoadBalancer", "ClusterIP"):
        if kind == "ExternalName":
            net.patch("changing", {"spec": {"type": kind, "externalName": "example.com"}})
            spec = net.kubectl.json("get", "service", "changing")["spec"]
            assert "clusterIP" not in spec and "clusterIPs" not in spec and "nodePort" not in spec["ports"][0], spec
            eventually(lambda: dns("changing") == ["example.com."] or dns("changing", "CNAME") == ["example.com."], "an alias")
            eventually(lambda: not here(None, "tcp", cluster_ip, 80, timeout=0.5).startswith("web-"), "the address is gone")
            continue
        net.patch("changing", {"spec": {"type": kind, "externalName": None, "ports": ports}})
        spec = net.kubectl.json("get", "service", "changing")["spec"]
        cluster_ip = spec["clusterIP"]
        assert spec["type"] == kind and cluster_ip and ("nodePort" in spec["ports"][0]) == (kind != "ClusterIP")
        eventually(lambda: dns("changing") == [cluster_ip], "an address")
        for protocol in ("tcp", "udp"):
            reaches(ALL, net.from_client(0, protocol, cluster_ip, 80), f"{kind} {protocol}")
            if kind != "ClusterIP":
                p = spec["ports"][protocol == "udp"]["nodePort"]
                reaches(ALL, net.from_client(1, protocol, NODES["k8s-node2"], p), f"{kind}'s node port {p} {protocol}")
                eventually(lambda p=p, protocol=protocol: here(None, protocol, NODES["k8s-node1"], p).startswith("web-"), "from the host")
        if kind == "LoadBalancer":
            ip = net.external_ips("changing")[0]
            for protocol in ("tcp", "udp"):
                eventually(lambda ip=ip, protocol=protocol: here(None, protocol, ip, 80).startswith("web-"), "by the load balancer")
        else:
            eventually(lambda: net.kubectl.json("get", "service", "changing")["status"] == {"loadBalancer": {}}, "no address left")
    net.kubectl("delete", "service", "changing")


def test_an_external_ip_that_no_node_has(net):
    spec = net.make(service("external", selector=WEB, externalIPs=["203.0.113.250"]))
    for protocol in ("tcp", "udp"):
        reaches(ALL, net.from_client(1, protocol, "203.0.113.250", 80), f"203.0.113.250 {protocol}")
        eventually(lambda protocol=protocol: here("k8s-node2", protocol, "203.0.113.250", 80).startswith("web-"), "from a node")
    assert net.asks("tcp", spec["clusterIP"], 80).startswith("web-")
    net.kubectl("delete", "service", "external")


def test_ports_come_and_go(net):
    """Added and deleted ports; one number for two protocols, of which either is dropped; several protocols at a node port."""
    tcp, udp = service("x")["spec"]["ports"]
    more = {"name": "more", "port": 8000, "targetPort": 8080}
    ip = net.make(service("ports", "http", selector=WEB))["clusterIP"]
    def check(**want):
        for (protocol, port), there in {("tcp", 80): "tcp", ("udp", 80): "udp", ("tcp", 8000): "more"}.items():
            answered = want.get(there, False)
            eventually(lambda protocol=protocol, port=port, answered=answered: answered == net.asks(
                protocol, ip, port, timeout=5 if answered else 0.5).startswith("web-"), f"{protocol} {port}: {answered}")
    check(tcp=True)
    for ports, want in (([tcp, more], {"tcp": 1, "more": 1}), ([more], {"more": 1}), ([tcp, udp], {"tcp": 1, "udp": 1}), ([udp], {"udp": 1}),
                        ([udp, tcp], {"tcp": 1, "udp": 1}), ([tcp], {"tcp": 1})):
        net.patch("ports", {"spec": {"ports": ports}})
        check(**{k: True for k in want})
    net.patch("ports", {"spec": {"type": "NodePort", "ports": [{**tcp, "nodePort": 30777}]}})
    net.patch("ports", {"spec": {"ports": [{**tcp, "nodePort": 30777}, {**udp, "nodePort": 30777}]}})
    for protocol in ("tcp", "udp"):
        eventually(lambda protocol=protocol: here(None, protocol, NODES["k8s-node1"], 30777).startswith("web-"), protocol)
    taken = service("another", {"port": 80, "nodePort": 30777}, type="NodePort")
    assert re.search(r"30777.*port is already allocated", net.kubectl.fails("create", "-f", "-", input=json.dumps(taken)))
    outside = service("another", {"port": 80, "nodePort": 32768}, type="NodePort")
    assert re.search(r"32768.*port is not in the valid range", net.kubectl.fails("create", "-f", "-", input=json.dumps(outside)))
    net.kubectl("delete", "service", "ports")
    net.make(taken)
    net.kubectl("delete", "service", "another")


def test_services_that_are_not_for_this_proxy(net):
    """service.kubernetes.io/service-proxy-name and service.kubernetes.io/headless, set and taken back; made anew; up and down."""
    ip = net.make(service("labelled", selector=WEB))["clusterIP"]
    reaches(ALL, net.from_client(0, "tcp", ip, 80), "labelled")
    for label in ("service.kubernetes.io/service-proxy-name=foo", "service.kubernetes.io/headless="):
        net.kubectl("label", "service", "labelled", label)
        eventually(lambda: net.asks("tcp", ip, 80, timeout=0.5) in ("silence", "refused"), f"not for us: {label}")
        net.kubectl("label", "service", "labelled", label.split("=")[0] + "-")
        reaches(ALL, net.from_client(0, "tcp", ip, 80), "labelled")
    net.kubectl("delete", "service", "labelled")
    eventually(lambda: net.asks("tcp", ip, 80, timeout=0.5) == "silence", "gone")
    ip = net.make(service("labelled", selector=WEB, clusterIP=ip))["clusterIP"]
    reaches(ALL, net.from_client(0, "tcp", ip, 80), "made anew")
    net.kubectl("delete", "service", "labelled")


def flow(net, ip, port, source, i=0):
    """One UDP flow from a client's port, asked again and again."""
    return lambda: net.asks("udp", ip, port, i, **{"from": source, "timeout": 1})


def test_udp_flows_survive_their_servers(net):
    """When the server pod cycles, on the same node and another one, for ClusterIP, NodePort and LoadBalancer; when the first
    endpoint gets ready after packets were refused."""
    spec = net.make(service("cycle", "udp", selector={"app": "cycle"}, type="LoadBalancer", ipFamilyPolicy="RequireDualStack"))
    port = spec["ports"][0]["nodePort"]
    flows = []
    for family, lb in enumerate(net.external_ips("cycle")):
        flows += [flow(net, spec["clusterIPs"][family], 80, 12345), flow(net, [NODES, NODES6][family]["k8s-node2"], port, 12346),
                  flow(net, lb, 80, 12347), lambda lb=lb: here(None, "udp", lb, 80, timeout=1, **{"from": 12348})]
    for ask in flows:
        eventually(lambda ask=ask: ask() == "refused", "nobody is there")
    before = None
    for number, node in enumerate(("k8s-node2", "k8s-node2", "k8s-node1")):
        server = f"cycle-{number}"
        put(net.kubectl, pod(server, node, {"app": "cycle"}))
        net.kubectl("wait", "pod", server, "--for=condition=Ready", "--timeout=50s")
        if before:
            net.kubectl("delete", "pod", before)
        for ask in flows:
            eventually(lambda ask=ask, server=server: ask().startswith(server + " "), f"{server} answers")
        before = server
    net.kubectl("delete", "pod", before)
    for ask in flows:
        eventually(lambda ask=ask: ask() == "refused", "nobody is there any more")
    net.kubectl("delete", "service", "cycle")


# --- endpoints that end ---


def statuses(net, name):
    """Of each endpoint of a Service's IPv4 slices: pod -> (ready, serving, terminating)."""
    slices = net.kubectl.json("get", "endpointslices", "-l", f"kubernetes.io/service-name={name}")["items"]
    return {e["targetRef"]["name"]: tuple(e["conditions"].get(c) for c in ("ready", "serving", "terminating"))
            for s in slices for e in s.get("endpoints") or [] if s["addressType"] == "IPv4"}


def test_terminating_endpoints_are_the_last_resort(net):
    """Fallback for internal and external traffic with policy Cluster and Local; the health check node port says no meanwhile."""
    kubectl = net.kubectl
    put(kubectl, pod("ending", "k8s-node1", linger=600, grace=1200))
    kubectl.ready_pods("app=ending", 1)
    policies = [(i, e) for i in ("Cluster", "Local") for e in ("Cluster", "Local")]
    specs = {(i, e): net.make(service(f"ending-{i}-{e}".lower(), "http", selector={"app": "ending"}, type="LoadBalancer",
                                      internalTrafficPolicy=i, externalTrafficPolicy=e)) for i, e in policies}
    health = {k: s["healthCheckNodePort"] for k, s in specs.items() if "healthCheckNodePort" in s}
    assert set(health) == {("Cluster", "Local"), ("Local", "Local")}

    def healthy(node):
        return {curl(f"http://{NODES[node]}:{p}/", None, "-o", "/dev/null", "-w", "%{http_code}") for p in health.values()}
    eventually(lambda: healthy("k8s-node1") == {"200"} and healthy("k8s-node2") == {"503"}, "where the endpoint is")
    kubectl("delete", "pod", "ending", "--wait=false")
    eventually(lambda: statuses(net, "ending-local-local") == {"ending": (False, True, True)}, "serving and terminating")
    eventually(lambda: healthy("k8s-node1") == {"503"}, "only terminating endpoints are left")
    for (internal, external), spec in specs.items():
        what, port = f"{internal} {external}", spec["ports"][0]["nodePort"]
        for i, node in enumerate(NODES):
            want = "ending" if internal == "Cluster" or node == "k8s-node1" else "silence"
            patience = 5 if want == "ending" else 0.5
            for ask in (lambda: net.asks("tcp", spec["clusterIP"], 80, i, timeout=patience),
                        lambda: here(node, "tcp", spec["clusterIP"], 80, timeout=patience)):
                eventually(lambda: ask().split()[0] == want, f"{what} inside, from {node}")
            want = "ending" if external == "Cluster" or node == "k8s-node1" else "silence"
            eventually(lambda: here(None, "tcp", NODES[node], port, timeout=5 if want == "ending" else 0.5).split()[0] == want,
                       f"{what} outside, by {node}")
        assert net.asks("tcp", NODES["k8s-node2"], port).startswith("ending ")  # from inside the cluster it is as with Cluster
    put(kubectl, pod("begun", "k8s-node2", {"app": "ending"}))
    kubectl("wait", "pod", "begun", "--for=condition=Ready", "--timeout=50s")
    for ask in (lambda: net.asks("tcp", specs["Cluster", "Cluster"]["clusterIP"], 80), lambda: net.asks("tcp", specs["Local", "Local"]["clusterIP"], 80, 2)):
        eventually(lambda: {ask().split()[0] for _ in range(8)} == {"begun"}, "a ready one takes over")
    assert net.asks("tcp", specs["Local", "Local"]["clusterIP"], 80, 1).startswith("ending ")
    kubectl("delete", "pods", "ending", "begun", "--grace-period=1")
    kubectl("delete", "services", *(f"ending-{i}-{e}".lower() for i, e in policies))


def test_endpoints_that_are_not_ready(net):
    """publishNotReadyAddresses: unready and terminating ones are reached, or not; pods that have ended are none."""
    kubectl = net.kubectl
    put(kubectl, pod("unready", "k8s-node1", {"app": "unready"}, linger=600, grace=1200))
    ips = net.ips("unready", 1)
    ip = {publish: net.make(service(f"unready-{publish}".lower(), selector={"app": "unready"}, publishNotReadyAddresses=publish))["clusterIP"]
          for publish in (False, True)}
    get(f"http://{ips[0][0]}:8080/setready?to=0")
    for step in ("unready", "terminating"):
        for protocol in ("tcp", "udp"):
            eventually(lambda protocol=protocol: net.asks(protocol, ip[False], 80) == "refused", f"{step}: refused")
            eventually(lambda protocol=protocol: net.asks(protocol, ip[True], 80).startswith("unready "), f"{step}: reached")
        kubectl("delete", "pod", "unready", "--wait=false")
        eventually(lambda: kubectl.json("get", "pod", "unready")["metadata"].get("deletionTimestamp"), "it ends")
    # Connections to and from a pod that terminates.
    assert net.asks("tcp", ips[0][0], 8080).startswith("unready ")
    assert dial(ips[0][0], "tcp", net.web[2][0], 8080)[0] == f"web-2 {ips[0][0]}"
    kubectl("delete", "pod", "unready", "--grace-period=1")
    eventually(lambda: net.asks("tcp", ip[True], 80) == "refused", "nobody is left")
    kubectl("delete", "service", "unready-false", "unready-true")


def test_nobody_is_there(net):
    """No endpoint, or only pods that have failed, as evicted ones: refused at once, at every way there is, from everywhere."""
    kubectl = net.kubectl
    ended = pod("ended", "k8s-node1", restartPolicy="Never")
    ended["spec"]["containers"][0]["command"] = ["false"]
    put(kubectl, ended)
    spec = net.make(service("nobody", selector={"app": "nobody"}, type="LoadBalancer", ipFamilyPolicy="RequireDualStack"))
    ways = [(ip, 80, 80) for ip in spec["clusterIPs"] + net.external_ips("nobody")]
    ways += [(nodes["k8s-node2"], *(p["nodePort"] for p in spec["ports"])) for nodes in (NODES, NODES6)]
    for ip, *ports in ways:
        for protocol, port in zip(("tcp", "udp"), ports):
            eventually(lambda ip=ip, port=port, protocol=protocol: net.asks(protocol, ip, port) == "refused", f"{ip} {protocol}")
        for where in (None, "k8s-node1"):
            assert here(where, "tcp", ip, ports[0]) == "refused", (ip, where)
    eventually(lambda: kubectl.json("get", "pod", "ended")["status"]["phase"] == "Failed", "it fails")
    ip = net.make(service("ended", selector={"app": "ended"}))["clusterIP"]
    for protocol in ("tcp", "udp"):
        eventually(lambda protocol=protocol: net.asks(protocol, ip, 80) == "refused", f"a pod that has failed, {protocol}")
    kubectl("delete", "service/nobody", "service/ended", "pod/ended")


def test_internal_traffic_stays_on_the_node(net):
    """internalTrafficPolicy Local: from pods and nodes, to pods and to pods of the host's network."""
    put(net.kubectl, pod("hosted", "k8s-node1", http=8980, udp=8981, hostNetwork=True))
    net.kubectl.ready_pods("app=hosted", 1)
    ports = [{"name": "http", "port": 80, "targetPort": 8980}, {"name": "udp", "port": 80, "targetPort": 8981, "protocol": "UDP"}]
    to_pods = net.make(service("local-pods", selector=WEB, internalTrafficPolicy="Local", ipFamilyPolicy="RequireDualStack"))["clusterIPs"]
    to_host = net.make(service("local-host", *ports, selector={"app": "hosted"}, internalTrafficPolicy="Local"))["clusterIP"]
    for protocol in ("tcp", "udp"):
        for i, node in enumerate(NODES):
            for ip in to_pods:
                reaches({f"web-{i}"}, net.from_client(i, protocol, ip, 80, ":" in ip), f"{protocol} {ip} from {node}'s pod")
                assert here(node, protocol, ip, 80).startswith(f"web-{i} ")
            want = "hosted" if node == "k8s-node1" else "silence"
            eventually(lambda: net.asks(protocol, to_host, 80, i, timeout=5 if want == "hosted" else 0.5).split()[0] == want, f"{protocol} to the host's network, {node}")
            eventually(lambda: here(node, protocol, to_host, 80, timeout=5 if want == "hosted" else 0.5).split()[0] in (
                want, "not" if want == "silence" else want), node)
    net.kubectl("delete", "service", "local-pods", "local-host")
    net.kubectl("delete", "pod", "hosted")


# --- slices ---


def slice_of(name, service_name, addresses, ports, kind="IPv4"):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service_name}}, "addressType": kind,
            "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses],
            "ports": [{"name": n, "port": p, "protocol": "TCP"} for n, p in ports]}


def test_slices_written_by_hand(net):
    """Several ports of one address, and several addresses, in several EndpointSlices; both families."""
    ports = [{"name": "a", "port": 8090}, {"name": "b", "port": 8091}]
    one = net.make(service("by-hand", *ports), slice_of("by-hand-a", "by-hand", [net.web[0][0]], [("a", 8080)]),
                   slice_of("by-hand-b", "by-hand", [net.web[0][0]], [("b", 8080)]))["clusterIP"]
    many = net.make(service("by-hand-many", *ports, ipFamilyPolicy="RequireDualStack"),
                    slice_of("many-a", "by-hand-many", [net.web[0][0]], [("a", 8080), ("b", 8080)]),
                    slice_of("many-b", "by-hand-many", [net.web[1][0], net.web[2][0]], [("a", 8080), ("b", 8080)]),
                    slice_of("many-c", "by-hand-many", [w[1] for w in net.web], [("a", 8080)], "IPv6"))["clusterIPs"]
    for port in (8090, 8091):
        reaches({"web-0"}, net.from_client(1, "tcp", one, port), f"one address, {port}")
        reaches(ALL, net.from_client(1, "tcp", many[0], port), f"three addresses, {port}")
    reaches(ALL, net.from_client(1, "tcp", many[1], 8090, 1), "IPv6")
    eventually(lambda: net.asks("tcp", many[1], 8091) == "refused", "a port without endpoints in this family")
    net.kubectl("delete", "service", "by-hand", "by-hand-many")
    eventually(lambda: not {"by-hand-a", "many-b"} & set(net.kubectl("get", "endpointslices", "-o", "name").split()), "slices go along")


def test_endpoints_are_mirrored(net):
    """A custom Endpoints through create, update and delete; several subsets with the same address."""
    def subset(ip, port, name):
        return {"addresses": [{"ip": ip}], "ports": [{"name": name, "port": port, "protocol": "TCP"}]}
    def custom(*subsets):
        return {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "mirrored"}, "subsets": list(subsets)}
    ports = [{"name": "a", "port": 8090}, {"name": "b", "port": 8091}]
    ip = net.make(service("mirrored", *ports), custom(subset(net.web[0][0], 8080, "a"), subset(net.web[0][0], 8080, "b")))["clusterIP"]
    for port in (8090, 8091):
        reaches({"web-0"}, net.from_client(1, "tcp", ip, port), f"subsets of one address, {port}")
    put(net.kubectl, custom(subset(net.web[1][0], 8080, "a"), subset(net.web[2][0], 8080, "b")))
    reaches({"web-1"}, net.from_client(1, "tcp", ip, 8090), "changed")
    reaches({"web-2"}, net.from_client(1, "tcp", ip, 8091), "changed")
    mirrored = ("get", "endpointslices", "-l", "endpointslice.kubernetes.io/managed-by=endpointslicemirroring-controller.k8s.io,"
                "kubernetes.io/service-name=mirrored", "-o", "name")
    assert net.kubectl(*mirrored)
    net.kubectl("delete", "endpoints", "mirrored")
    eventually(lambda: net.kubectl(*mirrored) == "", "no slice is left")
    eventually(lambda: net.asks("tcp", ip, 8090) == "refused", "nobody is there")
    net.kubectl("delete", "service", "mirrored")


# --- through the API server ---


def test_the_proxy_speaks_tls(net, tmp_path):
    """https:NAME:PORT of pods and Services; any name of a port; every verb is elsewhere (test_proxy.py)."""
    program = """
import http.server, ssl
server = http.server.ThreadingHTTPServer(("", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
    key, crt = tmp_path / "key", tmp_path / "crt"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=tls", "-keyout", key, "-out", crt)
    net.kubectl("create", "secret", "tls", "tls", f"--cert={crt}", f"--key={key}")
    tls = pod("tls", "k8s-node1", volumes=[{"name": "tls", "secret": {"secretName": "tls"}}])
    tls["spec"]["containers"][0].update(command=["python3", "-c", program], workingDir="/tls", readinessProbe={
        "tcpSocket": {"port": 8443}, "periodSeconds": 1}, volumeMounts=[{"name": "tls", "mountPath": "/tls"}])
    put(net.kubectl, tls, service("tls", {"name": "tlsport", "port": 444, "targetPort": 8443}, selector={"app": "tls"}))
    net.kubectl.ready_pods("app=tls", 1)
    eventually(lambda: net.kubectl.json("get", "endpoints", "tls").get("subsets"), "an endpoint")
    for path in ("pods/https:tls:8443", "services/https:tls:444", "services/https:tls:tlsport"):
        assert net.kubectl("get", "--raw", f"/api/v1/namespaces/default/{path}/proxy/tls.crt") == crt.read_text()
    net.kubectl("delete", "pod/tls", "service/tls", "secret/tls")


def test_services_as_objects(net):
    """The status of a Service through its subresource; a collection that is deleted; Services of all namespaces."""
    kubectl = net.kubectl
    for name in ("object-1", "object-2", "object-3"):
        s = service(name, "http", **{"clusterIP": "None"} if name == "object-3" else {})
        s["metadata"]["labels"] = {"object": "yes" if name != "object-2" else "no"}
        put(kubectl, s)
    condition = {"type": "StatusPatched", "status": "True", "reason": "E2E", "message": "by a test", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    net.patch("object-2", {"status": {"conditions": [condition]}, "spec": {"selector": {"not": "this"}}}, more=["--subresource=status"])
    got = kubectl.json("get", "service", "object-2")
    assert got["status"]["conditions"] == [condition] and "selector" not in got["spec"]
    kubectl("delete", "--raw", "/api/v1/namespaces/default/services?labelSelector=object%3Dyes")
    found = kubectl("get", "services", "-A", "-l", "object", "-o", "name").split()
    assert found == ["service/object-2"]
    kubectl("delete", "service", "object-2")
    apiserver = kubectl.json("get", "endpoints", "kubernetes")["subsets"][0]["addresses"]
    slices = kubectl.json("get", "endpointslices", "-l", "kubernetes.io/service-name=kubernetes")["items"]
    assert [a["ip"] for a in apiserver] == [a for s in slices if s["addressType"] == "IPv4" for e in s["endpoints"] for a in e["addresses"]]


# --- near and far ---


def test_traffic_is_kept_near(net):
    """trafficDistribution and topology-mode Auto with three zones of a node each; an endpoint of each zone, then some without."""
    def near(i, name):
        return lambda: reaches({name}, net.from_client(i, "tcp", ip, 80), f"{mode} from {i}")
    for mode in ("PreferClose", "PreferSameZone", "PreferSameNode", "Auto"):
        obj = service("near", "http", selector={**WEB, "near": "yes"}, **({} if mode == "Auto" else {"trafficDistribution": mode}))
        if mode == "Auto":  # which shares out by the CPUs of nodes that take pods
            net.kubectl("label", "node", "k8s-master", "node-role.kubernetes.io/control-plane-")
            obj["metadata"]["annotations"] = {"service.kubernetes.io/topology-mode": "Auto"}
        net.kubectl("label", "pods", "-l", "app=web", "near=yes", "--overwrite")
        ip = net.make(obj)["clusterIP"]
        for i in range(3):
            near(i, f"web-{i}")()
        net.kubectl("label", "pod", "web-0", "near-")
        for i in (1, 2):
            if mode != "Auto":  # which gives up with fewer endpoints than zones
                near(i, f"web-{i}")()
        reaches({"web-1", "web-2"}, net.from_client(0, "tcp", ip, 80), f"{mode}: none is near, so anywhere")
        net.kubectl("delete", "service", "near")
    net.kubectl("label", "pods", "-l", "app=web", "near-")
    net.kubectl("label", "node", "k8s-master", "node-role.kubernetes.io/control-plane=")


# --- the program beside the packets ---


def test_default_ingress_classes(net):
    """A new Ingress gets the default class; of several the newer, of equally old ones the one with the lower name; or none."""
    def ingress(name):
        put(net.kubectl, {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
                          "spec": {"defaultBackend": {"service": {"name": "nobody", "port": {"number": 80}}}}})
        got = net.kubectl.json("get", "ingress", name)["spec"].get("ingressClassName")
        net.kubectl("delete", "ingress", name)
        return got

    default = "ingressclass.kubernetes.io/is-default-class"
    def klass(name):
        return {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name, "annotations": {default: "true"}},
                "spec": {"controller": "example.com/x"}}
    net.kubectl("annotate", "ingressclass", "haproxy", f"{default}=false", "--overwrite")
    assert ingress("none") is None
    put(net.kubectl, klass("zz"))
    assert ingress("one") == "zz"
    put(net.kubectl, klass("bb"), klass("aa"))
    ages = {c["metadata"]["name"]: c["metadata"]["creationTimestamp"] for c in net.kubectl.json("get", "ingressclasses")["items"]}
    newest = max(ages[n] for n in ("zz", "bb", "aa"))
    assert ingress("several") == min(n for n in ("zz", "bb", "aa") if ages[n] == newest)
    net.kubectl("delete", "ingressclass", "aa", "bb", "zz")
    net.kubectl("annotate", "ingressclass", "haproxy", f"{default}=true", "--overwrite")


def test_what_nodes_say_of_themselves(net):
    """kube-proxy's settings of connection tracking; URLs of the API that never change."""
    for node in NODES:
        for name, value in (("tcp_timeout_close_wait", "3600"), ("tcp_timeout_established", "86400"), ("tcp_be_liberal", "1")):
            assert on_node(node, "cat", f"/proc/sys/net/netfilter/nf_conntrack_{name}").stdout.strip() == value
    for path in ("/healthz", "/api", "/apis", "/metrics", "/openapi/v2", "/version"):
        assert net.kubectl("get", "--raw", path)


def test_a_hundred_services_get_their_endpoints(net):
    """Service endpoints latency: upstream wants half of 100 Services to have their Endpoints within 20 s, and 90 within 50."""
    many = [service(f"many-{i}", "http", selector=WEB) for i in range(100)]
    for s in many:
        s["metadata"]["labels"] = {"many": "yes"}
    started = time.monotonic()
    net.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": many}))
    def all_there():
        found = {e["metadata"]["name"] for e in net.kubectl.json("get", "endpoints")["items"] if e.get("subsets")}
        return {s["metadata"]["name"] for s in many} <= found
    eventually(all_there, "all have Endpoints")
    assert time.monotonic() - started < 50
    last = net.kubectl.json("get", "service", "many-99")["spec"]["clusterIP"]
    reaches(ALL, net.from_client(2, "tcp", last, 80), last)
    eventually(lambda: dns("many-99") == [last], "and a name")
    net.kubectl("delete", "services", "-l", "many=yes", "--wait=false")


# --- load balancers ---


def test_a_load_balancer_changes(net):
    """Its type and ports, over TCP and UDP; without node ports and then with them; the finalizer that clean-up waits for."""
    kubectl, ports = net.kubectl, service("x")["spec"]["ports"]
    cleanup = "service.kubernetes.io/load-balancer-cleanup"
    def finalizers():
        return kubectl.json("get", "service", "lb")["metadata"].get("finalizers", [])
    net.make(service("lb", selector=WEB, type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    ip, = net.external_ips("lb")
    assert finalizers() == [cleanup]
    def answers(number):
        for protocol in ("tcp", "udp"):
            eventually(lambda protocol=protocol: from_host(protocol, ip, number).startswith("web-"), f"{protocol} {number}")
            eventually(lambda protocol=protocol: net.asks(protocol, ip, number).startswith("web-"), f"{protocol} {number} from a pod")
    answers(80)
    assert not any("nodePort" in p for p in kubectl.json("get", "service", "lb")["spec"]["ports"])
    net.patch("lb", {"spec": {"allocateLoadBalancerNodePorts": True, "ports": [{**p, "port": 81} for p in ports]}})
    spec = kubectl.json("get", "service", "lb")["spec"]
    assert all(p["nodePort"] for p in spec["ports"]) and net.external_ips("lb") == [ip]
    answers(81)
    for protocol, p in zip(("tcp", "udp"), spec["ports"]):
        eventually(lambda protocol=protocol, p=p: from_host(protocol, NODES["k8s-node1"], p["nodePort"]).startswith("web-"), "node port")
        eventually(lambda protocol=protocol: net.asks(protocol, ip, 80, timeout=1) in ("refused", "silence"), "the port of before")
    net.patch("lb", {"spec": {"type": "ClusterIP"}})
    eventually(lambda: cleanup not in finalizers(), "nothing is left to clean up")
    eventually(lambda: net.asks("tcp", ip, 81, timeout=1) in ("refused", "silence") or "No route" in net.asks("tcp", ip, 81), "gone")
    net.patch("lb", {"spec": {"type": "LoadBalancer", "sessionAffinity": "ClientIP"}})
    ip, = net.external_ips("lb")
    for policy in ("Cluster", "Local"):
        net.patch("lb", {"spec": {"externalTrafficPolicy": policy, "sessionAffinity": "ClientIP"}})
        answers(81)
        for protocol in ("tcp", "udp"):
            eventually(lambda protocol=protocol: len({from_host(protocol, ip, 81).split()[0] for _ in range(15)}) == 1,
                       f"{policy} {protocol} stays with one")
        net.patch("lb", {"spec": {"sessionAffinity": "None"}})
        if policy == "Cluster":
            reaches(ALL, lambda tries: [from_host("udp", ip, 81) for _ in range(tries)], "no affinity any more")
    kubectl("delete", "service", "lb")
    assert "NotFound" in kubectl.fails("get", "service", "lb")


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_a_rolling_update_behind_a_load_balancer(net, policy):
    """No connectivity disruption: connections one after the other while all pods are replaced, twice."""
    container = {**pod("x", linger=1)["spec"]["containers"][0], "ports": [{"containerPort": 8080}]}
    rolling = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "rolling"},
               "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "rolling"}}, "template": {
                   "metadata": {"labels": {"app": "rolling"}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 10}}}}
    net.make(rolling, service("rolling", "http", selector={"app": "rolling"}, type="LoadBalancer", externalTrafficPolicy=policy))
    ip, = net.external_ips("rolling")
    net.kubectl("rollout", "status", "deployment/rolling", "--timeout=50s")
    eventually(lambda: from_host("tcp", ip, 80).startswith("rolling-"), "it answers")
    over, seen, lost = threading.Event(), set(), []
    def load():
        while not over.is_set():
            answer = from_host("tcp", ip, 80).split()
            (seen.add(answer[0]) if answer[0].startswith("rolling-") else lost.append((time.time(), answer)))
    clients = [threading.Thread(target=load) for _ in range(2)]
    for c in clients:
        c.start()
    for _ in range(2):
        net.kubectl("rollout", "restart", "deployment/rolling")
        net.kubectl("rollout", "status", "deployment/rolling", "--timeout=50s")
        net.kubectl.ready_pods("app=rolling", 2)
    eventually(lambda: len({name.rsplit("-", 1)[0] for name in list(seen)}) == 3, "all three generations have answered")
    over.set()
    for c in clients:
        c.join()
    assert lost == []
    net.kubectl("delete", "deployment/rolling", "service/rolling")


# --- both families, and names ---


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
def test_granular_checks(net, family):
    """Pods, nodes and endpoints to Services over HTTP and UDP; endpoints in the host's network; several Services of one selector;
    endpoints, node ports and affinity that change."""
    kubectl, nodes = net.kubectl, [NODES, NODES6][family]
    families = {"ipFamilies": [["IPv4", "IPv6"][family]], "ipFamilyPolicy": "SingleStack"}
    spec = net.make(service("granular", selector=WEB, type="NodePort", **families))
    other = net.make(service("granular-2", selector=WEB, **families))
    at_host = [{"name": n, "port": 80, "targetPort": p, "protocol": q} for n, p, q in (("http", 8970, "TCP"), ("udp", 8971, "UDP"))]
    hosted = net.make(service("granular-host", *at_host, selector={"app": "node"}, **families))
    assert kubectl.json("get", "endpointslices", "-l", "kubernetes.io/service-name=granular")["items"][0]["addressType"] == families["ipFamilies"][0]
    ip, node_ip = spec["clusterIP"], nodes["k8s-node1"]
    def everywhere(protocol, to, port, names):
        reaches(names, net.from_client(2, protocol, to, port, family), f"{protocol} {to} from a pod")
        reaches(names, lambda tries: dial(net.web[1][family], protocol, to, port, tries), f"{protocol} {to} from an endpoint")
        reaches(names, lambda tries: dial(nodes["k8s-node2"], protocol, to, port, tries, at=8970), f"{protocol} {to} from a node")
        reaches(names, lambda tries: [from_host(protocol, to, port) for _ in range(tries)], f"{protocol} {to} from outside")
    def ports():
        return [(q, p.get("nodePort")) for q, p in zip(("tcp", "udp"), kubectl.json("get", "service", "granular")["spec"]["ports"])]
    for protocol, direct in (("tcp", 8080), ("udp", 8081)):
        for i, node in enumerate(NODES):  # pods and nodes to pods, untranslated
            assert net.asks(protocol, net.web[i][family], direct) == f"web-{i} {net.client[0][family]}"
            assert dial(nodes[node], protocol, net.web[1][family], direct, at=8970)[0].startswith("web-1 ")
    for protocol, node_port in ports():
        everywhere(protocol, ip, 80, ALL)
        everywhere(protocol, node_ip, node_port, ALL)
        assert {a.split()[1] for a in net.from_client(2, protocol, ip, 80, family)(8)} == {net.client[2][family]}  # nobody hides it
        reaches(ALL, net.from_client(1, protocol, other["clusterIP"], 80, family), "the other Service")
        reaches({"node-0", "node-1", "node-2"}, net.from_client(1, protocol, hosted["clusterIP"], 80, family), "the host's network")
    kubectl("delete", "service", "granular-2")
    kubectl("label", "pod", "web-1", "app-")
    for protocol, node_port in ports():
        everywhere(protocol, ip, 80, ALL - {"web-1"})
        reaches(ALL - {"web-1"}, net.from_client(1, protocol, node_ip, node_port, family), "fewer endpoints")
    kubectl("label", "pod", "web-1", "app=web")
    net.patch("granular", {"spec": {"sessionAffinity": "ClientIP"}})
    for protocol, node_port in ports():
        for to, port in ((ip, 80), (node_ip, node_port)):
            eventually(lambda protocol=protocol, to=to, port=port: len({a.split()[0] for a in net.from_client(1, protocol, to, port, family)(15)}) == 1,
                       f"{protocol} {to} stays with one")
    before = ports()
    net.patch("granular", {"spec": {"type": "ClusterIP", "sessionAffinity": "None"}})
    for protocol, node_port in before:
        eventually(lambda protocol=protocol, node_port=node_port: from_host(protocol, node_ip, node_port, timeout=1) == "refused", "no node port")
        everywhere(protocol, ip, 80, ALL)
    kubectl("delete", "service", "granular", "granular-host")


def test_names_in_pods(net):
    """More than 6 search paths and 256 characters; ClusterFirstWithHostNet, Default and None beside the host's network."""
    searches = [f"{c * 60}.example" for c in "abcdefgh"]
    def asker(name, **spec):
        return pod(name, "k8s-node1", {"app": "names"}, http=9000 + len(name), udp=9000 + len(name), **spec)
    put(net.kubectl, asker("long", dnsConfig={"searches": searches}), asker("hostnet", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"),
        asker("hostnet-plain", hostNetwork=True), asker("own", dnsPolicy="None", dnsConfig={
            "nameservers": ["10.96.0.10"], "searches": ["svc.cluster.local"], "options": [{"name": "ndots", "value": "2"}]}))
    net.ips("names", 4)
    def conf(name):
        return net.kubectl("exec", name, "--", "cat", "/etc/resolv.conf")
    search = re.search(r"^search (.*)$", conf("long"), re.M)[1].split()
    assert search[:3] == ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"] and search[-8:] == searches
    assert "nameserver 10.96.0.10" in conf("hostnet") and "nameserver 10.96.0.10" not in conf("hostnet-plain")
    assert sorted(conf("own").splitlines()) == ["nameserver 10.96.0.10", "options ndots:2", "search svc.cluster.local"]
    look = "import socket, sys; print(sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], 443, socket.AF_INET)}))"
    for name, asked in (("long", "kubernetes"), ("hostnet", "kubernetes.default"), ("own", "kubernetes.default")):
        assert "10.96.0.1" in net.kubectl("exec", name, "--", "python3", "-c", look, asked)
    net.kubectl("delete", "pods", "-l", "app=names")
