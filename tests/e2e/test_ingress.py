"""Ingress as tutorials use it, and upstream's conformance scenarios of it: real HAProxy, real pods."""
import json
import pathlib
import re
import socket
import subprocess

import pytest

from harness import EXAMPLES, curl, eventually, run

ADDRESS = "172.28.128.10"


def ask(host, path="/", *options, scheme="http"):
    """Status and body of a request to the Ingress address under a name."""
    port = 443 if scheme == "https" else 80
    out = run("curl", "-sk", "--path-as-is", "--max-time", "5", "-w", "\n%{http_code}", "--resolve", f"{host}:{port}:{ADDRESS}", *options,
              f"{scheme}://{host}{path}", check=False).stdout
    body, _, code = out.rpartition("\n")
    return int(code or 0), body


def make_app(kubectl, name, replicas=1, namespace="default"):
    """A kubia ReplicationController and the Service `name`, port 80 to 8080."""
    labels = {"app": name}
    items = [
        {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name},
         "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}, "spec": {
             "terminationGracePeriodSeconds": 1, "containers": [
                 {"name": "kubia", "image": "luksa/kubia", "ports": [{"name": "http", "containerPort": 8080}]}]}}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
         "spec": {"selector": labels, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}},
    ]
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


@pytest.fixture
def empty(default_empty):
    yield default_empty
    default_empty("delete", "ingresses", "--all")


def hits(host, path="/", scheme="http"):
    code, body = ask(host, path, scheme=scheme)
    found = re.match(r"You've hit (\S+)", body)
    assert code == 200 and found, f"{host}{path}: {code} {body}"
    return found[1]


def certificate(tmp_path, name):
    """A key and a self-signed certificate; the file names."""
    cert, key = tmp_path / "tls.cert", tmp_path / "tls.key"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}")
    return cert, key


def shown_subject(host):
    out = subprocess.run(["openssl", "s_client", "-connect", f"{ADDRESS}:443", "-servername", host], input="", text=True,
                         capture_output=True, timeout=20, check=False).stdout
    return re.search(r"subject=.*?CN = (.*)", out)[1]


def test_walkthrough(empty, tmp_path):
    kubectl = empty
    for app in ("kubia-nodeport", "kubia", "bar", "foo"):
        make_app(kubectl, app)
    kubectl("apply", "-f", EXAMPLES / "kubia-ingress.yaml")
    pod = kubectl.ready_pods("app=kubia-nodeport", 1)[0]["metadata"]["name"]
    listed = eventually(lambda: re.search(rf"kubia +haproxy +kubia\.example\.com +{ADDRESS} +80 ", kubectl("get", "ingresses")))
    assert listed
    assert eventually(lambda: hits("kubia.example.com")) == pod
    assert ask("other.example.com") == (404, "404 page not found\n")
    assert "404" in curl(f"http://{ADDRESS}/")

    cert, key = certificate(tmp_path, "kubia.example.com")
    kubectl("create", "secret", "tls", "tls-secret", f"--cert={cert}", f"--key={key}")
    kubectl("apply", "-f", EXAMPLES / "kubia-ingress-tls.yaml")
    assert re.search(r"kubia\.example\.com +\S+ +80, 443 ", kubectl("get", "ing", "kubia"))
    eventually(lambda: shown_subject("kubia.example.com") == "kubia.example.com", "the Secret's certificate is shown")
    assert hits("kubia.example.com", "/kubia", "https") == pod
    code, where = ask("kubia.example.com", "/kubia?x=1", "-o", "/dev/null", "-D", "-")
    assert code == 308 and "location: https://kubia.example.com/kubia?x=1" in where
    run("curl", "-sS", "--cacert", cert, "--resolve", f"kubia.example.com:443:{ADDRESS}", "https://kubia.example.com/kubia")
    assert shown_subject("nobody.example.com") == "Ingress default certificate"

    kubectl("apply", "-f", EXAMPLES / "kubia-ingress-many.yaml")
    pods = {app: kubectl.ready_pods(f"app={app}", 1)[0]["metadata"]["name"] for app in ("kubia", "foo", "bar")}
    for host, path, app in (("foo.example.com", "/any", "foo"), ("bar.example.com", "/", "bar"), ("kubia.example.com", "/foo/x", "bar"),
                            ("kubia.example.com", "/kubia", "kubia")):  # this Ingress has no TLS: nothing is redirected
        assert eventually(lambda h=host, p=path: hits(h, p)) == pods[app]
    described = kubectl("describe", "ingress", "kubia-many")
    assert "foo.example.com" in described and ADDRESS in described


def test_versions(empty):
    """One stored form, told in the version it is asked for."""
    kubectl = empty
    kubectl("apply", "-f", EXAMPLES / "kubia-ingress.yaml")
    for version in ("extensions", "networking.k8s.io"):
        resource = f"ingresses.v1beta1.{version}"
        old = kubectl.json("get", resource, "kubia")
        path = old["spec"]["rules"][0]["http"]["paths"][0]
        assert old["apiVersion"] == f"{version}/v1beta1"
        assert path["backend"] == {"serviceName": "kubia-nodeport", "servicePort": 80} and path["pathType"] == "ImplementationSpecific"
        assert re.search(r"kubia +haproxy +kubia.example.com", kubectl("get", resource))
    new = kubectl.json("get", "ingresses.v1.networking.k8s.io", "kubia")
    assert new["apiVersion"] == "networking.k8s.io/v1"
    assert new["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {"service": {"name": "kubia-nodeport", "port": {"number": 80}}}
    kubectl("patch", "ingresses.v1beta1.extensions", "kubia", "--type=merge", "-p", '{"spec":{"backend":{"serviceName":"x","servicePort":"web"}}}')
    assert kubectl.json("get", "ingress", "kubia")["spec"]["defaultBackend"] == {"service": {"name": "x", "port": {"name": "web"}}}
    assert "configured" in kubectl("apply", "-f", EXAMPLES / "kubia-ingress-tls.yaml")
    generation = kubectl("get", "ingress", "kubia", "-o", "jsonpath={.metadata.generation}")
    kubectl("apply", "-f", EXAMPLES / "kubia-ingress-tls.yaml")
    assert kubectl("get", "ingress", "kubia", "-o", "jsonpath={.metadata.generation}") == generation
    assert "spec.rules[0].http.paths[0].path" in kubectl.fails(
        "patch", "ingresses.v1.networking.k8s.io", "kubia", "--type=json", "-p",
        '[{"op":"replace","path":"/spec/rules/0/http/paths/0/path","value":"x"}]')
    watch = kubectl.popen("get", "ingresses.v1beta1.extensions", "-w", "-o", "json")
    try:
        read = ""
        while '"servicePort"' not in read:
            line = watch.stdout.readline()
            assert line, watch.stderr.read()
            read += line
        assert '"extensions/v1beta1"' in read
    finally:
        watch.kill()
        watch.communicate()


RULES = [  # upstream's features/path_rules.feature, and the table of the Ingress documentation
    # path, type, Service
    ("/exact", "Exact", "exact"), ("/exact/", "Exact", "exact-slash"),
    ("/prefix", "Prefix", "prefix"), ("/slash/", "Prefix", "slash"),
    ("/aaa", "Prefix", "aaa"), ("/aaa/bbb", "Prefix", "aaa-bbb"), ("/mix", "Prefix", "mix-prefix"), ("/mix", "Exact", "mix-exact"),
    ("/aaa/ccc/", "Prefix", "aaa-ccc"),
]
REQUESTS = [
    ("/exact", "exact"), ("/exact/", "exact-slash"), ("/EXACT", None), ("/exact/x", None), ("/exactly", None),
    ("/prefix", "prefix"), ("/prefix/", "prefix"), ("/prefix/a/b", "prefix"), ("/prefix?x=1", "prefix"), ("/prefixes", None), ("/PREFIX", None),
    ("/slash", "slash"), ("/slash/", "slash"), ("/slash/a", "slash"), ("/slashes", None),
    ("/aaa", "aaa"), ("/aaa/b", "aaa"), ("/aaa/bbb", "aaa-bbb"), ("/aaa/bbb/", "aaa-bbb"), ("/aaa/bbb/ccc", "aaa-bbb"), ("/aaa/bbbxyz", "aaa"),
    ("/aaaccc", None), ("/aaa/ccc", "aaa-ccc"), ("/mix", "mix-exact"), ("/mix/", "mix-prefix"), ("/mix/x", "mix-prefix"), ("/", None),
]


def test_path_rules(kubectl, namespace):
    services = sorted({service for _, _, service in RULES})
    for service in services:
        make_app(kubectl, service, namespace=namespace)
    paths = [{"path": p, "pathType": t, "backend": {"service": {"name": s, "port": {"number": 80}}}} for p, t, s in RULES]
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "rules"},
               "spec": {"rules": [{"host": "paths.example.com", "http": {"paths": paths}}]}}
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(ingress))
    for path, want in REQUESTS:
        if want:  # its pod is Ready
            eventually(lambda: hits("paths.example.com", path))
    for path, want in REQUESTS:
        code, body = ask("paths.example.com", path)
        pod = re.match(r"You've hit (\S+)-\w{5}$", body)
        assert (code, pod and pod[1]) == ((200, want) if want else (404, None)), path


def tell_haproxy(command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("/run/c8s/ingress/haproxy.sock")
        s.sendall(command.encode() + b"\n")
        text = b""
        while chunk := s.recv(65536):
            text += chunk
    return text.decode()


def loaded_generation():
    return re.search(r"description: (generation-\d+)", tell_haproxy("show info"))[1]


def test_hosts_and_default(kubectl, namespace):
    for app in ("exact", "wild", "rest"):
        make_app(kubectl, app, namespace=namespace)
    backend = lambda s: {"service": {"name": s, "port": {"name": "web"}}}
    rule = lambda host, s: {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend(s)}]}}
    items = [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "hosts"},
              "spec": {"rules": [rule("foo.bar.test", "exact"), rule("*.bar.test", "wild")]}}]
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert eventually(lambda: hits("foo.bar.test")).startswith("exact-")
    assert eventually(lambda: hits("x.bar.test")).startswith("wild-")
    assert hits("FOO.bar.test").startswith("exact-")
    for host in ("a.b.bar.test", "bar.test", "foobar.test"):
        assert ask(host)[0] == 404, host
    default = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "default"}, "spec": {"defaultBackend": backend("rest")}}
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(default))
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert eventually(lambda m=method: re.match(r"You've hit rest-", ask("what.ever", "/any?x", "-X", m)[1])), method
    other = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "other"},
             "spec": {"ingressClassName": "some-invalid-class-name", "rules": [rule("other.bar.test", "exact")]}}
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(other))
    address = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    eventually(lambda: kubectl("get", "ingress", "default", "-n", namespace, "-o", address) == ADDRESS)
    assert kubectl("get", "ingress", "other", "-n", namespace, "-o", address) == ""
    assert hits("other.bar.test").startswith("wild-")
    kubectl("delete", "ingress", "default", "-n", namespace)
    eventually(lambda: ask("what.ever")[0] == 404, "nothing matches again")


def haproxy_workers(cluster):
    """Master and worker of this cluster; other clusters on the machine may have theirs."""
    children = lambda pid: run("pgrep", "-P", str(pid), "-f", "haproxy -W", check=False).stdout.split()
    masters = children(cluster.pid())
    return masters + [worker for master in masters for worker in children(master)]


def test_endpoints_and_death(cluster, kubectl, namespace):
    """Endpoints come and go without a reload; a killed HAProxy is back; a bad Secret is told and hurts nobody."""
    make_app(kubectl, "app", 3, namespace)
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "app"}, "spec": {"rules": [
        {"host": "app.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "app", "port": {"number": 80}}}}]}}]}}
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(ingress))
    seen = set()
    eventually(lambda: seen.add(hits("app.test")) or len(seen) == 3, "all pods are reached")
    before, generation = haproxy_workers(cluster), loaded_generation()
    kubectl("scale", "rc", "app", "--replicas=1", "-n", namespace)

    def alone():
        return len({hits("app.test") for _ in range(8)}) == 1
    eventually(alone, "one pod is left")
    kubectl("scale", "rc", "app", "--replicas=4", "-n", namespace)
    seen = set()
    eventually(lambda: seen.add(hits("app.test")) or len(seen) == 4, "four pods are reached")
    assert loaded_generation() == generation, "it was reloaded"
    kubectl("scale", "rc", "app", "--replicas=10", "-n", namespace)
    eventually(lambda: len({hits("app.test") for _ in range(100)}) == 10, "100 requests reach all ten pods")  # load_balancing.feature
    kubectl("scale", "rc", "app", "--replicas=0", "-n", namespace)
    eventually(lambda: ask("app.test")[0] == 503, "nobody answers")
    kubectl("scale", "rc", "app", "--replicas=1", "-n", namespace)
    eventually(lambda: hits("app.test"))

    run("kill", "-9", before[0])
    eventually(lambda: haproxy_workers(cluster) and not set(before) & set(haproxy_workers(cluster)), "another HAProxy")
    gone = [pathlib.Path("/proc", pid) for pid in before]
    eventually(lambda: not any(p.exists() for p in gone), "the old worker ends as well")
    eventually(lambda: hits("app.test"))
    eventually(lambda: len(haproxy_workers(cluster)) == 2, "master and worker")

    kubectl("create", "secret", "generic", "bad", "--type=kubernetes.io/tls", "--from-literal=tls.crt=nonsense", "--from-literal=tls.key=nonsense", "-n", namespace)
    ingress["spec"]["tls"] = [{"hosts": ["app.test"], "secretName": "bad"}]
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(ingress))
    eventually(lambda: "BadTLSSecret" in kubectl("describe", "ingress", "app", "-n", namespace), "an event")
    eventually(lambda: hits("app.test", scheme="https") and ask("app.test")[0] == 308, "TLS with the default certificate")
