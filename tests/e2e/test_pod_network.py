"""The pod network between machines on two segments: direct on one, through the tunnel to the other."""
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import C8S, IMAGES, KUBECTLS, Kubectl, condition, eventually, run
from test_real_machines import Machine

PATH_MTU = 1400  # of the link between the segments; the machines' own is 1500
TUNNEL_MTU = 1450


def sh(*lines):
    for line in lines:
        run(*line.split())


@pytest.fixture(scope="module")
def segments():
    """Two LANs; each has its router, and the link between the routers takes less than the LANs do. Neither router knows
    anything of pods: their packets are dropped."""
    sh("ip link add near type bridge", "ip addr add 172.29.4.1/24 dev near", "ip link set near up",
       "ip netns add router", "ip -n router link set lo up",
       "ip link add between type veth peer name back netns router",
       f"ip link set between mtu {PATH_MTU} up", f"ip -n router link set back mtu {PATH_MTU} up",
       "ip addr add 172.29.6.1/30 dev between", "ip -n router addr add 172.29.6.2/30 dev back",
       "ip link add far type bridge", "ip link set far up",
       "ip link add far-way type veth peer name far0 netns router", "ip link set far-way master far up",
       "ip -n router addr add 172.29.5.1/24 dev far0", "ip -n router link set far0 up",
       "ip route add 172.29.5.0/24 via 172.29.6.2", "ip -n router route add default via 172.29.6.1",
       "ip netns exec router sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.ip_forward=1")
    for where in ([], ["ip", "netns", "exec", "router"]):
        run(*where, "nft", "table ip strict { chain forward { type filter hook forward priority 0; "
            'iifname "near" oifname "near" accept; '  # bridged, but br_netfilter shows it here
            "ip saddr 10.244.0.0/16 drop; ip daddr 10.244.0.0/16 drop; }; }")
    yield
    sh("nft delete table ip strict", "ip netns del router", "ip link del near", "ip link del far",
       "sysctl -qw net.ipv4.ip_forward=0")


@pytest.fixture(scope="module")
def machines(segments):
    home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-network-"))
    pathlib.Path("/run/c8s").mkdir(exist_ok=True)
    all_three = [Machine(home, n, *place) for n, place in
                 ((4, ("near", "172.29.4")), (5, ("near", "172.29.4")), (6, ("far", "172.29.5")))]
    for m in all_three:
        run(C8S, "image", "import", IMAGES / "python-web.tar", "--data-dir", m.data)
    yield all_three
    for m in reversed(all_three):
        m.remove()
    shutil.rmtree(home, ignore_errors=True)
    pathlib.Path("/run/c8s").rmdir()


@pytest.fixture(scope="module")
def kubectl(machines):
    server = machines[0]
    server.start("server")
    path = server.data / "kubeconfig"
    k = Kubectl(KUBECTLS["new"], path, server.data.parent / "home")
    eventually(lambda: path.exists() and condition(k.json("get", "node", server.name), "Ready") == "True", "the server's node")
    join = server.run(C8S, "token", "create", "--print-join-command").stdout.split()[2:]
    for agent in machines[1:]:
        agent.start("agent", *join)
    eventually(lambda: len(k.json("get", "nodes")["items"]) == 3, "all have joined")
    k("apply", "-f", "-", input=DAEMONS)
    k("rollout", "status", "daemonset/web", "--timeout=60s")
    return k


DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: yanbin/python-web:latest}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 30080}]
"""


def by_machine(kubectl):
    return {p["spec"]["nodeName"]: p for p in kubectl.ready_pods("app=web", 3)}


def routes(machine):
    return run("ip", "-n", machine.name, "route", "show", "proto", "200").stdout


def test_only_what_must_goes_through_the_tunnel(machines, kubectl):
    near, also_near, far = machines
    assert f"via {also_near.ip} dev eth0" in routes(near) and routes(near).count("dev c8s-vxlan") == 1
    assert routes(far).count("dev c8s-vxlan") == 2 and "dev eth0" not in routes(far)


def test_everybody_reaches_everybody_untranslated(machines, kubectl):
    pods = by_machine(kubectl)
    for source in pods.values():
        name = source["metadata"]["name"]
        for target in pods.values():
            answer = kubectl("exec", name, "--", "wget", "-qO-", f"http://{target['status']['podIP']}/")
            assert answer.startswith("Served by " + target["metadata"]["name"])
            host = target["status"]["hostIP"]
            assert "1 packets received" in kubectl("exec", name, "--", "ping", "-c1", "-W3", host), f"{name} to {host}"
    for m in machines:
        for target in pods.values():
            assert target["metadata"]["name"] in m.curl(f"http://{target['status']['podIP']}/")


WHO_ASKS = """
import socket
s = socket.create_server(("0.0.0.0", 9000))
s.settimeout(20)
print("ready", flush=True)
print(s.accept()[1][0], flush=True)"""


def test_nodes_see_pods_by_their_own_address(machines, kubectl):
    """Also on the other segment, whose network knows nothing of pods: both directions go through the tunnel."""
    far = machines[2]
    pod = by_machine(kubectl)[machines[0].name]
    with subprocess.Popen(["ip", "netns", "exec", far.name, "python3", "-c", WHO_ASKS], text=True, stdout=subprocess.PIPE) as listener:
        assert listener.stdout.readline() == "ready\n"
        kubectl.run("exec", pod["metadata"]["name"], "--", "wget", "-qO-", f"http://{far.ip}:9000/", check=False)
        assert listener.stdout.readline().strip() == pod["status"]["podIP"]


def test_services_and_names_work_on_every_segment(machines, kubectl):
    pods = by_machine(kubectl)
    names = {p["metadata"]["name"] for p in pods.values()}
    for p in pods.values():
        seen = set()
        eventually(lambda: seen.add(kubectl("exec", p["metadata"]["name"], "--", "wget", "-qO-", "http://web").split()[2].split("/")[0])
                   or seen == names, "all answer", timeout=60)
    for m in machines:  # from outside, over any node to any node
        seen = set()
        eventually(lambda: seen.add(run("curl", "-sS", "--max-time", "3", f"http://{m.ip}:30080/").stdout.split()[2].split("/")[0])
                   or seen == names, f"the node port of {m.name} reaches all")


SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
s.sendto(b"x" * int(sys.argv[1]), (sys.argv[2], 9001))"""
HEAR = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9001))
s.settimeout(20)
print("ready", flush=True)
print(len(s.recv(65536)), flush=True)"""
SERVE_BULK = """
import socket
s = socket.create_server(("", 9002))
print("ready", flush=True)
s.accept()[0].sendall(b"x" * (8 << 20))"""
TAKE_BULK = """
import socket, sys
s = socket.create_connection((sys.argv[1], 9002), 20)
n = 0
while data := s.recv(1 << 16):
    n += len(data)
print(n)"""


def test_large_packets_fit(machines, kubectl):
    """The machines' links take 1500 bytes, the way between the segments 1400: what a pod may send arrives, and what is too
    large is refused at once instead of vanishing."""
    pods = by_machine(kubectl)
    near, far = pods[machines[0].name], pods[machines[2].name]
    address = far["status"]["podIP"]

    def python(pod, *argv):
        return "exec", pod["metadata"]["name"], "--", "python3", "-c", *argv

    assert int(kubectl("exec", near["metadata"]["name"], "--", "cat", "/sys/class/net/eth0/mtu")) == TUNNEL_MTU
    with kubectl.popen(*python(far, HEAR)) as listener:
        assert listener.stdout.readline() == "ready\n"
        kubectl(*python(near, SEND, str(TUNNEL_MTU - 28), address))
        assert listener.stdout.readline() == f"{TUNNEL_MTU - 28}\n"
    assert "Message too long" in kubectl.fails(*python(near, SEND, str(TUNNEL_MTU - 27), address))
    with kubectl.popen(*python(far, SERVE_BULK)) as server:
        assert server.stdout.readline() == "ready\n"
        assert int(kubectl(*python(near, TAKE_BULK, address))) == 8 << 20


def network(kubectl, machine):
    """What the node says of its tunnel."""
    node = kubectl.json("get", "node", machine.name)
    found = [c for c in node["status"]["conditions"] if c["type"] == "NetworkUnavailable"][0]
    tainted = any(t["key"] == "node.kubernetes.io/network-unavailable" for t in node["spec"].get("taints", []))
    return found["status"], found["reason"], found["message"], tainted


def test_a_broken_tunnel_is_told(machines, kubectl):
    """A firewall between the segments: the smaller part of the cluster gets no more pods, and everybody who asks is told why."""
    near, also_near, far = machines
    well = ("False", "TunnelWorks", "packets of every size come through the tunnel", False)
    eventually(lambda: all(network(kubectl, m) == well for m in machines), "all is well")
    run("nft", "add chain ip strict block { type filter hook forward priority -1; ip daddr 172.29.5.0/24 udp dport 8472 drop; }")
    firewall = f"UDP 8472 from %s to {far.name} does not arrive: a firewall?"
    eventually(lambda: network(kubectl, far) == ("True", "TunnelBlocked", "; ".join(firewall % m.name for m in (near, also_near)), True),
               "the far node is cut off")
    for m in (near, also_near):
        eventually(lambda: network(kubectl, m) == ("False", "TunnelBlocked", firewall % m.name, False), "the others go on")
    told = near.run(C8S, "why", "web", check=False).stdout
    assert f"NO    endpoints on node {far.name} are not reached from everywhere: {firewall % near.name}" in told
    events = kubectl.json("get", "events", "--field-selector", f"involvedObject.name={far.name},reason=TunnelBlocked")["items"]
    assert events and events[0]["type"] == "Warning"
    run("nft", "delete chain ip strict block")
    eventually(lambda: all(network(kubectl, m) == well for m in machines), "all is well again")


def test_a_path_that_swallows_large_packets_is_told(machines, kubectl):
    near, _, far = machines
    run("nft", "add chain ip strict swallow { type filter hook forward priority -1; ip daddr 172.29.5.0/24 meta length > 1300 drop; }")
    large = f"large packets in the tunnel from {near.name} to {far.name} do not arrive, small ones do: does a link on the way take less"
    eventually(lambda: network(kubectl, near)[:2] == ("False", "TunnelMTUTooSmall") and large in network(kubectl, near)[2], "it is told")
    run("nft", "delete chain ip strict swallow")
    eventually(lambda: network(kubectl, near)[1] == "TunnelWorks", "all is well again")


def test_a_tunnel_that_is_deleted_comes_back(machines, kubectl):
    far = machines[2]
    run("ip", "-n", far.name, "link", "del", "c8s-vxlan")
    for p in by_machine(kubectl).values():
        assert eventually(lambda: p["metadata"]["name"] in far.curl(f"http://{p['status']['podIP']}/"), "the far node reaches all again")


def test_a_machine_that_leaves_takes_its_ways_along(machines, kubectl):
    near, leaving, far = machines
    gone = kubectl("get", "node", leaving.name, "-o", "jsonpath={.spec.podCIDR}")
    assert gone in routes(far) and gone in routes(near)
    leaving.run(C8S, "down")
    kubectl("delete", "node", leaving.name)
    eventually(lambda: gone not in routes(far) and gone not in routes(near), "its routes go")
    assert leaving.ip not in run("ip", "netns", "exec", far.name, "bridge", "fdb", "show", "dev", "c8s-vxlan").stdout
    assert "c8s-vxlan" not in run("ip", "-n", leaving.name, "link").stdout
    assert "8472" not in run("ip", "-n", leaving.name, "rule").stdout


def test_who_makes_no_tunnel_says_whose_pods_are_left_to_routers(machines, kubectl):
    near, _, far = machines
    far.kill(signal.SIGTERM)
    far.start("agent", "--server", f"https://{near.ip}:6443", "--pod-network", "direct")
    left = f"{near.name} ({kubectl('get', 'node', near.name, '-o', 'jsonpath={.spec.podCIDR}')})"

    def told():
        conditions = {c["type"]: c for c in kubectl.json("get", "node", far.name)["status"]["conditions"]}
        c = conditions["NetworkUnavailable"]
        return (c["status"], c["reason"]) == ("False", "TunnelMissing") and left in c["message"]
    eventually(told, "the condition names them")
    assert f"routers have to know the way to the pods of {left}" in far.log.read_text()
