"""Both address families, and IPv6 alone, between machines: `c8s server --ip-families` and agents that find out."""
import contextlib
import json
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile

import pytest

from harness import C8S, IMAGES, KUBECTLS, Kubectl, condition, curl, eventually, on_node, run
from test_dual_stack import ASK_DNS, TOLERATIONS, answers, kinds, pod_ips, put, service, url, web
from test_real_machines import Machine

NEAR, NEAR6, FAR, FAR6 = "172.29.7", "fd29:1:1:7", "172.29.8", "fd29:1:1:8"
ASK = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


def daemons():
    pod = web("web")
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": {"app": "web"}},
                     "template": {"metadata": {"labels": {"app": "web"}}, "spec": {**pod["spec"], "tolerations": TOLERATIONS}}}}


def advertise(segment):
    """What a router says (RFC 4861, RFC 4862): the prefix of the segment, and that it leads on."""
    flags_and_times = struct.pack(">BBBBIIII", 3, 4, 64, 0xc0, 86400, 86400, 0, 0)  # prefix information: on link, autonomous
    message = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + flags_and_times[:16] + socket.inet_pton(socket.AF_INET6, f"{NEAR6}::")
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        s.sendto(message, ("ff02::1", 0, 0, socket.if_nametoindex(segment)))


@pytest.fixture(scope="module")
def segments():
    """Two LANs and a router between, this namespace, that knows nothing of pods and drops what they send."""
    for name, v4, v6 in (("near", NEAR, NEAR6), ("far", FAR, FAR6)):
        run("ip", "link", "add", name, "type", "bridge")
        run("ip", "addr", "add", f"{v4}.1/24", "dev", name)
        run("ip", "addr", "add", f"{v6}::1/64", "dev", name, "nodad")
        run("ip", "link", "set", name, "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    pods = "{ fd00:10:244::/56 }", "{ 10.244.0.0/16 }"
    run("nft", "table inet strict { chain forward { type filter hook forward priority 0; meta iifname \"near\" oifname \"near\" accept; "
        f"ip6 saddr {pods[0]} drop; ip6 daddr {pods[0]} drop; ip saddr {pods[1]} drop; ip daddr {pods[1]} drop; }}; }}")
    home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-families-"))
    pathlib.Path("/run/c8s").mkdir(exist_ok=True)
    yield home
    run("nft", "delete", "table", "inet", "strict")
    for name in ("near", "far"):
        run("ip", "link", "del", name)
    run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    shutil.rmtree(home, ignore_errors=True)
    pathlib.Path("/run/c8s").rmdir()


@contextlib.contextmanager
def cluster(home, machines, *options):
    """The first machine is the server; its kubectl, the new one, and the words with which the others join."""
    try:
        for m in machines:
            run(C8S, "image", "import", IMAGES / "kubia.tar", "--data-dir", m.data, timeout=120)
        server = machines[0]
        server.start("server", *options)
        path = server.data / "kubeconfig"
        k = Kubectl(KUBECTLS["new"], path, home / "home")
        eventually(lambda: path.exists() and condition(k.json("get", "node", server.name), "Ready") == "True", "the server's node")
        yield k, server.run(C8S, "token", "create", "--print-join-command").stdout.split()[2:]
    finally:
        for m in reversed(machines):
            print(m.log.read_text() if m.log.exists() else "")
            m.remove()


def pods_by_machine(kubectl, n):
    return {p["spec"]["nodeName"]: p for p in kubectl.ready_pods("app=web", n)}


def addresses(machine):
    links = json.loads(run("ip", "-j", "-n", machine.name, "addr").stdout)
    return [a["local"] for link in links for a in link.get("addr_info", []) if a["scope"] != "link"]


def who_asks(kubectl, pod, listen_at):
    """The address by which somebody outside the cluster sees a pod."""
    with socket.create_server((listen_at, 0), family=socket.AF_INET6 if ":" in listen_at else socket.AF_INET) as s:
        s.settimeout(20)
        with kubectl.popen("exec", pod, "--", "python3", "-c", ASK, url(listen_at, s.getsockname()[1])):
            connection, client = s.accept()
            connection.close()
            return client[0]


@pytest.fixture(scope="module")
def dual(segments):
    machines = [Machine(segments, 7, "near", NEAR, NEAR6), Machine(segments, 8, "near", NEAR), Machine(segments, 9, "far", FAR, FAR6)]
    pool = f"{NEAR}.200-{NEAR}.210,{NEAR6}::200-{NEAR6}::210"
    with cluster(segments, machines, "--ip-families", "IPv4,IPv6", "--lb-pool", pool) as (k, join):
        server, second, far = machines
        far.start("agent", *join, "--lb-pool", pool)
        refused = second.run(C8S, "agent", *join, "--data-dir", second.data, "--node-name", second.name, check=False)
        assert refused.returncode == 1 and "a cluster with IPv4,IPv6: no IPv6 address of this machine is found" in refused.stderr
        on_node(second.name, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
        advertise("near")
        second.ip6 = eventually(lambda: [a for a in addresses(second) if a.startswith(NEAR6)][0], "an address by its router")
        run("ip", "-n", second.name, "link", "set", "eth0", "mtu", "1300")
        refused = second.run(C8S, "agent", *join, "--data-dir", second.data, "--node-name", second.name, check=False)
        assert refused.returncode == 1 and "packets of pods could have 1250 bytes over eth0, and IPv6 takes 1280" in refused.stderr
        run("ip", "-n", second.name, "link", "set", "eth0", "mtu", "1500")
        second.start("agent", *join, "--lb-pool", pool)
        eventually(lambda: len(k.json("get", "nodes")["items"]) == 3, "all have joined")
        put(k, daemons(), service("web", ipFamilyPolicy="RequireDualStack", type="LoadBalancer"))
        yield k, machines
        far.run(C8S, "down")
        assert "c8s" not in on_node(far.name, "nft", "list", "tables").stdout
        assert not [a for a in addresses(far) if a.startswith(("10.", "fd00:"))]
        for family in "-4", "-6":
            assert "8472" not in run("ip", family, "-n", far.name, "rule").stdout


def test_machines_have_both(dual):
    kubectl, machines = dual
    nodes = {n["metadata"]["name"]: n for n in kubectl.json("get", "nodes")["items"]}
    for m in machines:
        node = nodes[m.name]
        assert kinds(c.split("/")[0] for c in node["spec"]["podCIDRs"]) == ["IPv4", "IPv6"]
        assert [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"] == [m.ip, m.ip6]
    second = machines[1]
    assert "proto ra" in run("ip", "-6", "-n", second.name, "route", "show", "default").stdout, "who forwards still listens to its router"
    other = run(C8S, "server", "--data-dir", machines[0].data, "--ip-families", "IPv6", check=False)
    assert "has IPv4,IPv6, which stays as it was made" in other.stderr


def test_everybody_reaches_everybody_by_both(dual):
    kubectl, machines = dual
    pods = pods_by_machine(kubectl, 3)
    for source in pods.values():
        for target in pods.values():
            for own, other in zip(pod_ips(source), pod_ips(target)):
                said = kubectl("exec", source["metadata"]["name"], "--", "python3", "-c", ASK, url(other, 8080))
                assert said.split() == [target["metadata"]["name"], own]
    for m in machines:
        for p in pods.values():
            for other in pod_ips(p):
                name, client = curl(url(other, 8080), m.name).split()
                assert name == p["metadata"]["name"] and client in addresses(m)
    tunnels = run("ip", "-d", "-n", machines[2].name, "link", "show", "c8s-vxlan").stdout
    assert f"local {machines[2].ip}" in tunnels  # one for both families, over the primary one


def test_services_by_both(dual):
    kubectl, machines = dual
    names = {p["metadata"]["name"] for p in pods_by_machine(kubectl, 3).values()}
    spec = kubectl.json("get", "service", "web")["spec"]
    for ip in spec["clusterIPs"]:
        for m in machines:
            answers(ip, names, m.name)
    for m in machines:  # from outside
        for ip in (m.ip, m.ip6):
            answers(ip, names, port=spec["ports"][0]["nodePort"])
    outside = eventually(lambda: [i["ip"] for i in kubectl.json("get", "service", "web")["status"]["loadBalancer"]["ingress"]])
    assert kinds(outside) == ["IPv4", "IPv6"]
    for ip in outside:  # of the near segment: it is no use when the far machine announces it
        answers(ip, names)
        eventually(lambda ip=ip: [m.name for m in machines if ip in addresses(m)] in (["machine7"], ["machine8"]), "announced by one")


def test_names_by_both(dual):
    kubectl, machines = dual
    v4, v6 = kubectl.json("get", "service", "web")["spec"]["clusterIPs"]
    for m in machines:
        for server in ("10.96.0.10", "fd00:10:96::a"):
            for kind, want in (("A", v4), ("AAAA", v6)):
                eventually(lambda: on_node(m.name, "dig", "+short", "+time=2", f"@{server}", "web.default.svc.cluster.local",
                                           kind).stdout.split() == [want], f"{kind} of {server} on {m.name}")
    query = (struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\3web\7default\3svc\7cluster\5local\0" + struct.pack(">2H", 28, 1)).hex()
    for p in pods_by_machine(kubectl, 3).values():
        said = kubectl("exec", p["metadata"]["name"], "--", "python3", "-c", ASK_DNS, "fd00:10:96::a", query).strip()
        assert said.endswith(socket.inet_pton(socket.AF_INET6, v6).hex())


def test_what_leaves_is_the_node(dual):
    kubectl, machines = dual
    pods = pods_by_machine(kubectl, 3)
    for m in machines:
        name = pods[m.name]["metadata"]["name"]
        for outside in (f"{NEAR}.1", f"{NEAR6}::1"):
            assert who_asks(kubectl, name, outside) in addresses(m)


@pytest.fixture(scope="module")
def six(segments):
    machines = [Machine(segments, 11, "near", None, NEAR6), Machine(segments, 12, "far", None, FAR6)]
    with cluster(segments, machines, "--ip-families", "IPv6") as (k, join):
        assert join[1] == f"https://[{machines[0].ip6}]:6443"
        machines[1].start("agent", *join)
        eventually(lambda: len(k.json("get", "nodes")["items"]) == 2, "both have joined")
        put(k, daemons(), service("web", type="NodePort"))
        k.ready_pods("app=web", 2)
        yield machines


@pytest.mark.parametrize("version", sorted(KUBECTLS))
def test_a_cluster_of_ipv6_alone(six, segments, version):
    server, agent = six
    kubectl = Kubectl(KUBECTLS[version], server.data / "kubeconfig", segments / f"home-{version}")
    assert f"https://[{server.ip6}]:6443" in kubectl("cluster-info")
    rows = kubectl("get", "nodes", "-o", "wide").splitlines()
    assert all(m.ip6 in row for m, row in zip(six, rows[1:]))
    pods = pods_by_machine(kubectl, 2)
    for m, p in pods.items():
        name = p["metadata"]["name"]
        assert kubectl("exec", name, "--", "hostname").strip() == name
        assert kubectl("logs", name) == ""
        forward = kubectl.popen("port-forward", name, ":8080")
        try:
            port = forward.stdout.readline().split(" -> ")[0].rsplit(":", 1)[1]
            assert curl(f"http://127.0.0.1:{port}/").split()[0] == name
        finally:
            forward.terminate()
            forward.communicate()
        assert kubectl("exec", name, "--", "cat", "/sys/class/net/eth0/mtu").strip() == "1430"
        machine = next(one for one in six if one.name == m)
        assert who_asks(kubectl, name, f"{NEAR6}::1") == machine.ip6
    eventually(lambda: all(m.name in kubectl("top", "nodes") for m in six), "measured")
    names = {p["metadata"]["name"] for p in pods.values()}
    spec = kubectl.json("get", "service", "web")["spec"]
    assert kinds(spec["clusterIPs"]) == ["IPv6"]
    for m in six:
        answers(spec["clusterIP"], names, m.name)
        answers(m.ip6, names, port=spec["ports"][0]["nodePort"])
        assert on_node(m.name, "dig", "+short", "+time=2", "@fd00:10:96::a", "web.default.svc.cluster.local", "AAAA").stdout.split() == [spec["clusterIP"]]
    a, b = (pods[m.name] for m in six)
    ask = ("exec", a["metadata"]["name"], "--", "python3", "-c", ASK)
    assert kubectl(*ask, url(pod_ips(b)[0], 8080)).split() == [b["metadata"]["name"], pod_ips(a)[0]]
    eventually(lambda: kubectl(*ask, "http://web/").split()[0] == b["metadata"]["name"], "the name, from a pod")
