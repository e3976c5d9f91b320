"""Cluster DNS as pods see it: own names from the model, other names from the host's resolver."""
import json
import pathlib
import re
import shutil
import socket
import struct
import threading

import pytest

import harness
from harness import EXAMPLES, eventually, run

UPSTREAM = "127.0.0.53"


class Upstream(threading.Thread):
    """A resolver on loopback: every A question is answered with one address, anything else with no data. Counts what it was asked."""

    def __init__(self, address=UPSTREAM, answer="192.0.2.7"):
        super().__init__(daemon=True)
        self.answer = socket.inet_aton(answer)
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))

    def run(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            end = query.index(0, 12) + 5
            name, at = [], 12
            while query[at]:
                name.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
                at += 1 + query[at]
            self.asked.append(".".join(name).lower())
            is_a = query[end - 4:end] == b"\0\1\0\1"
            head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, int(is_a), 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH4s", 1, 1, 60, 4, self.answer) if is_a else b""
            self.socket.sendto(head + query[12:end] + record, client)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """The host's resolver, for the time of this module (the mount namespace is the tests' own)."""
    conf = tmp_path_factory.mktemp("resolv") / "resolv.conf"
    conf.write_text(f"nameserver {UPSTREAM}\n")
    run("mount", "--bind", conf, pathlib.Path("/etc/resolv.conf").resolve())
    server = Upstream()
    server.start()
    yield server
    run("umount", pathlib.Path("/etc/resolv.conf").resolve())


@pytest.fixture(scope="module")
def pod(upstream):
    """Runs commands in a pod of a cluster that was started with this resolver."""
    cluster = harness.Cluster(["dnsutils", "kubia"])
    cluster.up()
    kubectl = cluster.kubectl("new")
    kubectl("run", "dnsutils", "--image=tutum/dnsutils", "--command", "--", "sleep", "infinity")
    kubectl("create", "-f", EXAMPLES / "kubia-rc.yaml")
    for name in ("kubia-svc", "kubia-svc-headless", "external-service-externalname"):
        kubectl("create", "-f", EXAMPLES / f"{name}.yaml")
    kubectl("wait", "pod/dnsutils", "--for=condition=Ready", "--timeout=60s")
    kubectl.ready_pods("app=kubia", 3)
    def execute(*argv):
        return kubectl("exec", "dnsutils", "--", *argv).split()

    execute.kubectl = kubectl
    yield execute
    cluster.remove()
    shutil.rmtree(cluster.home, ignore_errors=True)
    assert harness.traces() == []


def test_names_of_the_cluster(pod, upstream):
    ip = pod("dig", "+short", "kubia.default.svc.cluster.local")[0]
    assert ip.startswith("10.")
    assert pod("dig", "+short", "+search", "kubia") == [ip]
    assert pod("dig", "+short", "-x", ip) == ["kubia.default.svc.cluster.local."]
    eventually(lambda: len(pod("dig", "+short", "kubia-headless.default.svc.cluster.local")) == 3, "an address for each pod")
    assert "status:" in pod("dig", "nothing.default.svc.cluster.local")
    words = pod("dig", "nothing.default.svc.cluster.local")
    assert words[words.index("status:") + 1] == "NXDOMAIN,"
    words = pod("dig", "AAAA", "kubia.default.svc.cluster.local")
    assert words[words.index("status:") + 1] == "NOERROR,"
    assert pod("dig", "+short", "TXT", "dns-version.cluster.local") == ['"1.1.0"']
    assert pod("dig", "+short", "SRV", "kubia.default.svc.cluster.local") == ["0", "100", "80", "kubia.default.svc.cluster.local."]
    peers = pod("dig", "+short", "SRV", "kubia-headless.default.svc.cluster.local")
    assert len(peers) == 12 and peers[2] == "8080" and re.fullmatch(r"10(-\d+){3}\.kubia-headless\.default\.svc\.cluster\.local\.", peers[3])
    assert pod("dig", "+tcp", "+short", "kubia.default.svc.cluster.local") == [ip]
    assert not [name for name in upstream.asked if name.endswith("cluster.local")]


def test_other_names_are_forwarded(pod, upstream):
    assert pod("dig", "+short", "www.example.com") == ["192.0.2.7"]
    assert "www.example.com" in upstream.asked
    pod("dig", "-x", "192.0.2.123")
    assert "123.2.0.192.in-addr.arpa" in upstream.asked
    assert pod("nslookup", "www.example.org")[-1] == "192.0.2.7"  # through the search path, whose misses stay here
    assert not [name for name in upstream.asked if name.endswith("cluster.local")]


def test_what_is_done_is_counted(pod):
    counts = " ".join(pod("sh", "-c", "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | nc 10.96.0.10 9153 || "
                          "curl -s http://10.96.0.10:9153/metrics || wget -qO- http://10.96.0.10:9153/metrics"))
    assert 'coredns_dns_responses_total{rcode="NOERROR"}' in counts and 'coredns_dns_requests_total{proto="tcp"}' in counts


def test_an_external_name_is_an_alias(pod):
    answer = pod("dig", "+short", "external-service.default.svc.cluster.local")
    assert answer == ["api.somecompany.com.", "192.0.2.7"]


SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c8s-dns, namespace: kube-system}
data:
  upstreamNameservers: '["127.0.0.54"]'
  stubDomains: '{"corp.example": ["127.0.0.55"], "gone.example": "127.0.0.56"}'
  hosts: |
    192.0.2.80 legacy.example old  # no server knows it
  ttl: "17"
  cacheSeconds: "0"
"""


def test_the_owner_configures_it_while_it_runs(pod, upstream):
    kubectl = pod.kubectl
    others, corp = Upstream("127.0.0.54", "192.0.2.54"), Upstream("127.0.0.55", "192.0.2.55")
    others.start()
    corp.start()
    pod("dig", "+short", "remembered.example")
    kubectl("apply", "-f", "-", input=SETTINGS)
    eventually(lambda: pod("dig", "+short", "legacy.example") == ["192.0.2.80"], "the hosts entry is served")
    asked = len(upstream.asked)
    assert pod("dig", "+short", "remembered.example") == ["192.0.2.54"]
    assert pod("dig", "+short", "www.corp.example") == ["192.0.2.55"]
    assert pod("dig", "+short", "-x", "192.0.2.80") == ["legacy.example.", "old."]
    assert pod("dig", "+noall", "+answer", "kubia.default.svc.cluster.local")[1] == "17"
    for _ in range(2):  # nothing is remembered
        assert pod("dig", "+short", "twice.example") == ["192.0.2.54"]
    assert others.asked.count("twice.example") == 2
    words = pod("dig", "+tries=1", "www.gone.example")
    assert words[words.index("status:") + 1] == "SERVFAIL,"
    assert len(upstream.asked) == asked

    kubectl("patch", "configmap", "c8s-dns", "-n", "kube-system", "-p", '{"data":{"ttl":"long"}}')
    eventually(lambda: "data.ttl: not 0 to 3600 seconds" in kubectl("get", "events", "-n", "kube-system"), "it says what is wrong")
    assert pod("dig", "+short", "www.corp.example") == ["192.0.2.55"]  # and stays as it was

    kubectl("delete", "configmap", "c8s-dns", "-n", "kube-system")
    eventually(lambda: pod("dig", "+short", "www.corp.example") == ["192.0.2.7"], "the host's resolver is back")


COREFILE = """.:53 {
    errors
    log
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . 127.0.0.57
    cache 30
    loop
    reload
    loadbalance
}
consul.local:53 {
    errors
    cache 30
    forward . 127.0.0.58
}
"""


def test_a_corefile_configures_it_too(pod):
    """As upstream's page on custom nameservers has it: edit the ConfigMap coredns."""
    kubectl = pod.kubectl
    others, consul = Upstream("127.0.0.57", "192.0.2.57"), Upstream("127.0.0.58", "192.0.2.58")
    others.start()
    consul.start()
    before = kubectl("get", "configmap", "coredns", "-n", "kube-system", "-o", "jsonpath={.data.Corefile}")
    assert "forward . /etc/resolv.conf" in before

    def edit(text):
        kubectl("patch", "configmap", "coredns", "-n", "kube-system", "-p", json.dumps({"data": {"Corefile": text}}))
    edit(COREFILE)
    eventually(lambda: pod("dig", "+short", "web.consul.local") == ["192.0.2.58"], "the stub domain has its server")
    assert pod("dig", "+short", "outside.example") == ["192.0.2.57"]
    assert pod("dig", "+noall", "+answer", "kubia.default.svc.cluster.local")[1] == "30"
    assert re.search(r' - \d+ "A IN web\.consul\.local\. udp \d+ \w+ \d+" NOERROR qr,',
                     pathlib.Path("/run/c8s/c8s.log").read_text())
    edit(before.replace("errors", "rewrite name a b"))
    eventually(lambda: 'plugin "rewrite" is not supported here' in kubectl("get", "events", "-n", "kube-system"), "it is told")
    assert pod("dig", "+short", "web.consul.local") == ["192.0.2.58"]  # and stays as it was
    kubectl("create", "configmap", "kube-dns", "-n", "kube-system", '--from-literal=stubDomains={"acme.local": ["127.0.0.58"]}')
    eventually(lambda: pod("dig", "+short", "web.acme.local") == ["192.0.2.58"], "as kube-dns had it")
    kubectl("delete", "configmap", "kube-dns", "-n", "kube-system")
    edit(before)
    eventually(lambda: pod("dig", "+noall", "+answer", "kubia.default.svc.cluster.local")[1] == "5", "it is as it was")
