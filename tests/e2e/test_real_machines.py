"""`c8s server` and `c8s agent`: each machine is a network namespace with a /run/c8s of its own, all on one segment."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from harness import C8S, IMAGES, KUBECTLS, Kubectl, condition, eventually, run
from test_node_faults import Client

POOL = "172.29.0.200-172.29.0.210"
OWN = "198.51.100.1"  # an address that looks like a load balancer's, but is the machine's


class Machine:
    """A namespace on a segment, a bridge whose .1 (::1) is the way out, and the program that runs there. Of IPv6 it has an
    address with network6, of IPv4 none without network."""

    def __init__(self, home, number, segment="segment", network="172.29.0", network6=None):
        self.name = f"machine{number}"
        self.ip, self.ip6 = network and f"{network}.{10 + number}", network6 and f"{network6}::{10 + number}"
        self.data, self.rundir, self.log = home / self.name, home / f"run-{number}", home / f"{self.name}.log"
        self.process = None
        for path in (self.data, self.rundir):
            path.mkdir()
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"seg-{number}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", f"seg-{number}", "master", segment, "up")
        words = ["link set lo up", "link set eth0 up"]
        if network:
            words += [f"addr add {self.ip}/24 dev eth0", f"addr add {OWN}/32 dev eth0", f"route add default via {network}.1"]
        if network6:
            words += [f"addr add {self.ip6}/64 dev eth0 nodad", f"route add default via {network6}::1"]
        for line in words:
            run("ip", "-n", self.name, *line.split())
        # Its mounts, those that pin namespaces of pods among them, stay when the program goes, as on a machine.
        script = f"mount --bind {self.rundir} /run/c8s && echo ready && exec sleep infinity"
        self.mounts = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert self.mounts.stdout.readline() == "ready\n"

    def argv(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", f"--mount=/proc/{self.mounts.pid}/ns/mnt", *map(str, argv)]

    def run(self, *argv, **kw):
        return run(*self.argv(*argv), **kw)

    def start(self, *argv, **kw):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.argv(C8S, *argv, "--node-name", self.name, "--data-dir", self.data),
                                            stdout=log, stderr=log, **kw)

    def pid(self):
        return json.loads((self.rundir / "state.json").read_text())["pid"]

    def kill(self, how=signal.SIGKILL):
        os.kill(self.pid(), how)
        self.process.wait(20)

    def curl(self, url):
        return run("ip", "netns", "exec", self.name, "curl", "-sS", "--max-time", "3", url).stdout

    def dig(self, name, form="+short"):
        """The address that the machine's cluster DNS knows."""
        return run("ip", "netns", "exec", self.name, "dig", form, "+time=2", "+tries=1", "@10.96.0.10", name, check=False).stdout.strip()

    def remove(self):
        self.run(C8S, "down", check=False)
        if self.process:
            self.process.wait(20)
        self.mounts.kill()
        self.mounts.communicate()
        run("ip", "netns", "del", self.name, check=False)


@pytest.fixture(scope="module")
def machines():
    home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-machines-"))
    pathlib.Path("/run/c8s").mkdir(exist_ok=True)
    run("ip", "link", "add", "segment", "type", "bridge")
    run("ip", "addr", "add", "172.29.0.1/24", "dev", "segment")
    run("ip", "link", "set", "segment", "up")
    both = [Machine(home, n) for n in (1, 2)]
    for m in both:
        run(C8S, "image", "import", IMAGES / "nginx.tar", "--data-dir", m.data)
    yield both
    for m in reversed(both):
        m.remove()
    run("ip", "link", "del", "segment")
    shutil.rmtree(home, ignore_errors=True)
    pathlib.Path("/run/c8s").rmdir()


@pytest.fixture(scope="module")
def kubectl(machines):
    server = machines[0]
    server.start("server", "--lb-pool", POOL)
    path = server.data / "kubeconfig"
    k = Kubectl(KUBECTLS["new"], path, server.data.parent / "home")
    eventually(lambda: path.exists() and condition(k.json("get", "node", server.name), "Ready") == "True", "the server's node")
    return k


def ready(kubectl):
    return sorted(n["metadata"]["name"] for n in kubectl.json("get", "nodes")["items"] if condition(n, "Ready") == "True")


def test_a_machine_joins(machines, kubectl):
    server, agent = machines
    join = server.run(C8S, "token", "create", "--print-join-command").stdout.split()[2:]
    url, token, ca_hash = join[1], join[3], join[5]
    wrong_hash, wrong_token = "sha256:" + "0" * 64, token[:7] + "0" * 16
    for options, complaint in [
            (("--token", token, "--ca-hash", wrong_hash), "it is another cluster, or somebody in between"),
            (("--token", wrong_token), "who answers has another secret for token"),
            (("--token", wrong_token, "--ca-cert-hash", ca_hash), "the cluster does not know the token"),
            (("--token", "aaaaaa." + "0" * 16), 'the cluster has no token "aaaaaa"'),
            (("--token", token, "--node-name", server.name), 'a Node with name "machine1" and status "Ready" already exists'),
            ((), "--token is needed to join"),
            (("--token", "nonsense"), "--token is not of the form")]:
        refused = agent.run(C8S, "agent", "--server", url, "--data-dir", agent.data, "--node-name", agent.name, *options, check=False)
        assert refused.returncode == 1 and complaint in refused.stderr.splitlines()[-1], (options, refused.stderr)
        shutil.rmtree(agent.data / "agent", ignore_errors=True)
    assert token in server.run(C8S, "token", "list").stdout
    server.run(C8S, "token", "delete", token)
    assert token not in server.run(C8S, "token", "list").stdout
    values = {"token-id": "kubctl", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", "usage-bootstrap-authentication": "true"}
    kubectl("-n", "kube-system", "create", "secret", "generic", "bootstrap-token-kubctl", "--type=bootstrap.kubernetes.io/token",
            *[f"--from-literal={key}={value}" for key, value in values.items()])
    agent.start("agent", "--server", url, "--token", "kubctl.0123456789abcdef", "--lb-pool", POOL)  # by the signature alone
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are Ready")
    requests = {c["spec"]["signerName"].split("/")[1]: c for c in kubectl.json("get", "csr")["items"]}
    assert requests["kube-apiserver-client-kubelet"]["spec"]["username"].startswith("system:bootstrap:")
    assert requests["kubelet-serving"]["spec"]["username"] == "system:node:machine2"
    assert f"node {agent.name}, data in {agent.data}" in agent.run(C8S, "status").stdout
    assert (agent.data / "agent" / "client.key").stat().st_mode & 0o777 == 0o600


def test_services_and_streams_go_between_machines(machines, kubectl):
    kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
    kubectl("expose", "deployment", "web", "--port=80", "--type=LoadBalancer")
    pods = kubectl.ready_pods("app=web", 2)
    assert {p["spec"]["nodeName"] for p in pods} == {"machine1", "machine2"}
    service = kubectl.json("get", "svc", "web")
    for m in machines:
        for address in [service["spec"]["clusterIP"]] + [p["status"]["podIP"] for p in pods]:
            assert eventually(lambda: m.curl(f"http://{address}/"), f"{m.name} reaches {address}")
    outside = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert eventually(lambda: run("curl", "-sS", "--max-time", "3", f"http://{outside}/").stdout, "reached from outside")
    for m in machines:
        assert OWN in m.run("ip", "addr", "show", "dev", "eth0").stdout
    for p in pods:
        name = p["metadata"]["name"]
        assert eventually(lambda: kubectl("exec", name, "--", "hostname").strip() == name, "exec on both")
        assert "GET /" in kubectl("logs", name)


def test_the_server_is_away(machines, kubectl):
    """What was known goes on; what ran is still the same afterwards."""
    server, agent = machines
    ip = kubectl.json("get", "svc", "web")["spec"]["clusterIP"]
    before = {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.pods("app=web")}
    server.kill()
    for m in machines:
        assert m.curl(f"http://{ip}/")
    eventually(lambda: f"https://{server.ip}:6443: " in agent.log.read_text(), "the agent says so")
    assert agent.dig("web.default.svc.cluster.local") == ip
    server.start("server", "--lb-pool", POOL)
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are back")
    eventually(lambda: f"https://{server.ip}:6443 answers again" in agent.log.read_text(), "the agent says that, too")
    kubectl("scale", "deployment", "web", "--replicas=4")
    after = {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.ready_pods("app=web", 4)}
    assert before.items() <= after.items()


def test_policies_hold_on_every_machine(machines, kubectl):
    """A machine reaches its own pods, for their probes; the other one is judged by its address."""
    pods = {p["spec"]["nodeName"]: p["status"]["podIP"] for p in kubectl.pods("app=web")}

    def reaches(m, node):
        return m.run("curl", "-sS", "--max-time", "1", f"http://{pods[node]}/", check=False).returncode == 0

    kubectl("apply", "-f", "-", input="""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut}
spec: {podSelector: {matchLabels: {app: web}}}
""")
    for m, other in (machines, machines[::-1]):
        eventually(lambda: "default/web-" in m.run("nft", "list", "table", "inet", "c8s-policy", check=False).stdout,
                   f"{m.name} enforces it")
        assert not reaches(other, m.name)
        assert eventually(lambda: reaches(m, m.name))
    kubectl("delete", "networkpolicy", "shut")
    for m, other in (machines, machines[::-1]):
        eventually(lambda: reaches(other, m.name), "nothing is left of it")


def containers(kubectl):
    return {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.ready_pods("app=web", 4)}


def test_an_agent_restarts_while_the_server_is_away(machines, kubectl):
    """The kernel keeps the rules, a file what was known: Services and names go on, and what is not there is denied, not left open."""
    server, agent = machines
    ip, before = kubectl.json("get", "svc", "web")["spec"]["clusterIP"], containers(kubectl)
    known = agent.data / "agent" / "known"
    files = {"services", "endpointslices", "nodes", "namespaces", "coredns", "c8s-dns"}
    eventually(lambda: files <= {f.name for f in known.iterdir()} and '"name":"web"' in (known / "services").read_text(), "it is written down")
    server.kill()
    agent.kill()
    assert agent.curl(f"http://{ip}/")
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL)
    eventually(lambda: agent.dig("web.default.svc.cluster.local") == ip, "names are known again")
    eventually(lambda: "NXDOMAIN" in agent.dig("nothing.default.svc.cluster.local", "+comments"), "what is not there is denied")
    assert agent.curl(f"http://{ip}/")
    server.start("server", "--lb-pool", POOL)
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are back")
    assert containers(kubectl) == before
    kubectl("create", "service", "clusterip", "news", "--tcp=80")
    eventually(lambda: agent.dig("news.default.svc.cluster.local"), "and news come again")
    kubectl("delete", "service", "news")


def announcers(machines, ip):
    return [m for m in machines if f" {ip}/32 " in run("ip", "-n", m.name, "-o", "addr", "show", "eth0").stdout]


def test_a_machine_dies(machines, kubectl):
    """Cut off, or its program killed: the others have its load balancers at once, without asking the API, and nothing is doubled when it
    returns."""
    server, agent = machines
    before, ips = containers(kubectl), [f"172.29.0.{n}" for n in range(202, 206)]
    for n, ip in enumerate(ips):
        kubectl("expose", "deployment", "web", f"--name=lb-{n}", "--port=80", "--type=LoadBalancer", f"--load-balancer-ip={ip}")
    eventually(lambda: all(len(announcers(machines, ip)) == 1 for ip in ips), "each address is announced by one")
    at = {m.name: next(ip for ip in ips if announcers(machines, ip) == [m]) for m in machines}
    client = Client(at[agent.name])
    try:
        eventually(client.settled, "steady connects")
        began = time.monotonic()
        run("ip", "link", "set", "seg-2", "down")
        eventually(lambda: client.failures() and client.settled(), "steady connects again")
        gap = max(client.failures()) - began
        print(f"a machine was cut off: connects to its load balancer failed for {gap:.2f} s")
        assert gap < 10 and ready(kubectl) == ["machine1", "machine2"]  # half a second on a machine that has time; the API takes 40
        run("ip", "link", "set", "seg-2", "up")
        eventually(lambda: announcers(machines, at[agent.name]) == [agent], "it has its address again, alone")
        eventually(client.settled, "steady connects as before")
    finally:
        client.end()
    client = Client(at[server.name])
    try:
        eventually(client.settled, "steady connects")
        server.kill()
        eventually(lambda: agent in announcers(machines, at[server.name]), "the agent announces it, while there is no API")
        eventually(client.settled, "steady connects")
        agent.run("nft", "delete", "table", "ip", "c8s")
        eventually(lambda: agent.curl(f"http://{at[server.name]}/"), "rules that somebody deletes are written again, from what is known")
        server.start("server", "--lb-pool", POOL)
        eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are back")
        eventually(lambda: announcers(machines, at[server.name]) == [server], "it has its address again, alone")
        eventually(client.settled, "steady connects as before")
    finally:
        client.end()
    assert containers(kubectl) == before
    kubectl("delete", "service", *(f"lb-{n}" for n in range(len(ips))))


def test_a_node_that_was_called_lost_says_that_it_is_back(machines, kubectl):
    """What the controller writes when a machine was cut off for 40 s; its agent, which was there all the time, sees it on its return."""
    name = machines[1].name

    def told():
        events = kubectl.json("get", "events", "--field-selector", f"involvedObject.name={name},reason=NodeReady")["items"]
        return sum(e["count"] for e in events)
    before = told()
    unknown = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    kubectl("patch", "node", name, "--subresource=status", "-p", json.dumps({"status": {"conditions": [unknown]}}))
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "it is Ready again")
    eventually(lambda: told() > before, "and an Event tells")


def test_why_is_answered_on_every_machine(machines, kubectl):
    server, agent = machines
    for m, options in (server, ()), (agent, ("--kubeconfig", server.data / "kubeconfig")):
        told = m.run(C8S, "why", "web", *options).stdout
        assert "Service web in namespace default answers:" in told and "1 node has the rules for it" in told, told
    assert "--kubeconfig names another" in agent.run(C8S, "why", "web", check=False).stderr


def https(machine, host="web.example"):
    """What a client from outside gets, and who the certificate is for."""
    return run("curl", "-sSkv", "--max-time", "3", "--resolve", f"{host}:443:{machine.ip}", f"https://{host}/", check=False)


def shown(kubectl, name="web"):
    return [i["ip"] for i in kubectl.json("get", "ingress", name)["status"]["loadBalancer"].get("ingress", [])]


def tls_secret(kubectl, folder, organization):
    cert, key = folder / f"{organization}.crt", folder / f"{organization}.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
        "-days", "30", "-subj", f"/O={organization}/CN=web.example", "-addext", "subjectAltName=DNS:web.example")
    text = kubectl("create", "secret", "tls", "web-cert", f"--cert={cert}", f"--key={key}", "--dry-run=client", "-o", "yaml")
    kubectl("apply", "-f", "-", input=text)


def test_every_machine_serves_ingresses(machines, kubectl, tmp_path):
    """Each by a HAProxy of its own, with the certificate of a Secret that the agent sees because an Ingress names it."""
    server, agent = machines
    tls_secret(kubectl, tmp_path, "first")
    kubectl("create", "ingress", "web", "--rule=web.example/*=web:80,tls=web-cert")
    for m in machines:
        eventually(lambda: "Welcome to nginx" in https(m).stdout and "O=first" in https(m).stderr, f"{m.name} serves it")
    eventually(lambda: shown(kubectl) == [server.ip, agent.ip], "both addresses are shown")
    tls_secret(kubectl, tmp_path, "second")
    for m in machines:
        eventually(lambda: "O=second" in https(m).stderr, f"{m.name} has the new certificate")

    pidfile = agent.rundir / "ingress" / "haproxy.pid"
    pid = pidfile.read_text()
    os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: "Welcome to nginx" in https(agent).stdout and pidfile.read_text() != pid, "a killed HAProxy is replaced")
    server.kill()
    assert "Welcome to nginx" in https(agent).stdout, "while the server is away"
    server.start("server", "--lb-pool", POOL)
    for m in machines:
        eventually(lambda: "Welcome to nginx" in https(m).stdout, "a server that returns has one HAProxy again")

    keep_away = "node.kubernetes.io/exclude-from-external-load-balancers"
    eventually(lambda: kubectl("label", "node", agent.name, f"{keep_away}="), "labelled")
    eventually(lambda: shown(kubectl) == [server.ip], "a node that is to be left out is not shown")
    kubectl("label", "node", agent.name, f"{keep_away}-")
    eventually(lambda: shown(kubectl) == [server.ip, agent.ip], "and shown again")
    agent.kill(signal.SIGTERM)
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL, "--no-ingress")
    eventually(lambda: shown(kubectl) == [server.ip], "a machine that does not serve any more is not shown")
    agent.kill(signal.SIGTERM)
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL)
    eventually(lambda: shown(kubectl) == [server.ip, agent.ip], "and shown again")
    kubectl("delete", "ingress/web", "secret/web-cert")


def test_a_cut_is_noticed(machines, kubectl):
    """While an agent is cut off, the server dies and returns: nobody tells the agent that its watches are void. The dead server's
    kernel would, when the link is back; so it forgets its half-closed connections first."""
    server, agent = machines
    server.run("sysctl", "-qw", "net.ipv4.tcp_orphan_retries=1")
    run("ip", "link", "set", "seg-2", "down")
    server.kill()
    eventually(lambda: not server.run("ss", "-Htn", "state", "fin-wait-1", "dst", agent.ip).stdout, "they are forgotten")
    server.start("server", "--lb-pool", POOL)
    eventually(lambda: kubectl("create", "service", "clusterip", "later", "--tcp=80"), "the server is back")
    run("ip", "link", "set", "seg-2", "up")
    ip = kubectl.json("get", "svc", "later")["spec"]["clusterIP"]
    eventually(lambda: agent.dig("later.default.svc.cluster.local") == ip, "the agent hears of what was made meanwhile")
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are back")


def test_every_node_follows_the_configuration_of_dns(machines, kubectl):
    kubectl("-n", "kube-system", "create", "configmap", "c8s-dns", "--from-literal=hosts=192.0.2.10 legacy.example")
    for m in machines:
        eventually(lambda: m.dig("legacy.example") == "192.0.2.10", f"{m.name} follows it")
    kubectl("-n", "kube-system", "delete", "configmap", "c8s-dns")


def test_an_agent_needs_its_token_once(machines, kubectl):
    server, agent = machines
    before = {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.pods("app=web")}
    agent.kill(signal.SIGTERM)
    ca, logged = agent.data / "agent" / "ca.crt", len(agent.log.read_text())
    right = ca.read_text()
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-out", ca, "-subj", "/CN=kubernetes")
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL)
    eventually(lambda: "certificate" in agent.log.read_text()[logged:], "another cluster is there than it knows")
    agent.kill(signal.SIGTERM)
    ca.write_text(right)
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL)
    kubectl("scale", "deployment", "web", "--replicas=6")
    after = {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.ready_pods("app=web", 6)}
    assert before.items() <= after.items()
    assert any(p["spec"]["nodeName"] == agent.name for p in kubectl.pods("app=web") if p["metadata"]["name"] not in before)


def test_a_machine_is_switched_off(machines, kubectl, tmp_path):
    """systemd ends the agent when the machine goes down as at any other time; it says which it is."""
    server, agent = machines
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\n[ $1 = is-system-running ] && echo stopping\nexit 1\n")
    systemctl.chmod(0o755)
    agent.kill(signal.SIGTERM)
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL,
                env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    kubectl("run", "there", "--image=nginx", "--image-pull-policy=IfNotPresent", "--overrides",
            json.dumps({"spec": {"nodeName": agent.name}}))
    eventually(lambda: condition(kubectl.json("get", "pod", "there"), "Ready") == "True", "a pod on it")
    agent.kill(signal.SIGTERM)
    status = kubectl.json("get", "pod", "there")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    assert status["message"] == "Pod was terminated in response to imminent node shutdown."
    node = kubectl.json("get", "node", agent.name)
    assert {c["type"]: c["message"] for c in node["status"]["conditions"]}["Ready"] == "node is shutting down"
    agent.start("agent", "--server", f"https://{server.ip}:6443", "--lb-pool", POOL)
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are Ready")
    assert kubectl.json("get", "pod", "there")["status"]["phase"] == "Failed"
    kubectl("delete", "pod", "there")


def network(machine):
    """What there is in the machine's network, but for what the kernel makes by itself."""
    shown = [run("ip", "-n", machine.name, *words.split()).stdout for words in ("-o link", "-o addr", "rule", "route show table all", "neigh show nud permanent")]
    shown.append(run("ip", "netns", "exec", machine.name, "nft", "list", "ruleset").stdout)
    text = re.sub(r" *valid_lft.*| qlen \d+| state \S+| tentative", "", "".join(shown))
    return sorted(line for line in text.splitlines() if "proto kernel" not in line)


def served_serial(machine):
    out = subprocess.run(["openssl", "s_client", "-connect", f"{machine.ip}:10250"], input="", text=True, capture_output=True, timeout=20, check=False).stdout
    return run("openssl", "x509", "-noout", "-serial", input=out).stdout


def test_a_machine_comes_stays_longer_than_its_certificates_and_goes(machines, kubectl):
    """Nothing of it is left, on itself or on the others."""
    server, agent = machines
    server.kill()
    server.start("server", "--lb-pool", POOL, "--cluster-signing-duration", "30s")
    third = Machine(server.data.parent, 3)
    try:
        run(C8S, "image", "import", IMAGES / "nginx.tar", "--data-dir", third.data)
        before = network(third), network(agent)
        token = eventually(lambda: server.run(C8S, "token", "create").stdout.strip(), "a token")
        third.start("agent", "--server", f"https://{server.ip}:6443", "--token", token, "--lb-pool", POOL)
        certificates = [third.data / "agent" / name for name in ("client.crt", "serving.crt")]
        eventually(lambda: "machine3" in ready(kubectl) and all(c.exists() for c in certificates), "it is Ready")
        first = [c.read_text() for c in certificates]
        kubectl("run", "there", "--image=nginx", "--image-pull-policy=IfNotPresent", "--overrides", json.dumps({"spec": {"nodeName": third.name}}))
        eventually(lambda: condition(kubectl.json("get", "pod", "there"), "Ready") == "True", "a pod on it")
        eventually(lambda: all(c.read_text() != old for c, old in zip(certificates, first)), "both are renewed")
        assert served_serial(third) == run("openssl", "x509", "-noout", "-serial", "-in", certificates[1]).stdout
        assert kubectl("exec", "there", "--", "hostname").strip() == "there"
        server.kill()
        server.start("server", "--lb-pool", POOL)
        eventually(lambda: kubectl("label", "pod", "there", "seen=yes", "--overwrite") and "machine3" in ready(kubectl), "known by the new one")

        kubectl("drain", third.name, "--force", "--ignore-daemonsets")
        kubectl("delete", "node", third.name)
        eventually(lambda: third.ip not in str(network(agent)), "the others forget it")
        assert "machine3" not in ready(kubectl), "it does not come back by itself"
        third.kill()
        third.run(C8S, "down", "--purge")
        assert not third.data.exists() and not list(third.rundir.iterdir())
        assert network(third) == before[0] and network(agent) == before[1]
    finally:
        third.remove()


def test_a_server_without_a_node_tells_where_ingresses_are_served(machines, kubectl):
    server, agent = machines
    server.kill()
    server.start("server", "--lb-pool", POOL, "--no-agent")
    eventually(lambda: kubectl("create", "ingress", "alone", "--rule=alone.example/*=web:80,tls=nowhere"), "the server is back")
    eventually(lambda: shown(kubectl, "alone") == [agent.ip], "the agent's address")
    eventually(lambda: https(agent, "alone.example").returncode == 0, "which serves it")
    told = eventually(lambda: kubectl.json("get", "events", "--field-selector=reason=BadTLSSecret")["items"], "what is wrong with it")
    assert [e["source"]["component"] for e in told if e["involvedObject"]["name"] == "alone"] == ["ingress-controller"], "told once"
    kubectl("delete", "ingress", "alone")
    server.kill()
    server.start("server", "--lb-pool", POOL)
    eventually(lambda: ready(kubectl) == ["machine1", "machine2"], "both are Ready")
