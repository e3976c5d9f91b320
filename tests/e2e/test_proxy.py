"""Reaching pods, Services and nodes through the API server: kubectl proxy, get --raw, and plain HTTP clients behind it."""
import json

import pytest

from harness import curl, eventually

PYTHON_WEB = {"name": "c", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent",
              "ports": [{"name": "http", "containerPort": 80}]}
# Says what it was asked, and how long the body was.
ECHO = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self):
        left = n = int(self.headers.get('Content-Length') or 0)
        while left: left -= len(self.rfile.read(min(left, 65536)))
        if self.path.startswith('/away'):
            self.send_response(302); self.send_header('Location', '/home/'); self.send_header('Content-Length', '0')
            self.end_headers(); return
        if self.path == '/page':
            text = b'<a href="/in">in</a><a href="http://elsewhere/x">out</a><img src=rel.png> /in'
            self.send_response(200); self.send_header('Content-Type', 'text/html; charset=utf-8')
            self.send_header('Content-Length', str(len(text))); self.end_headers()
            if self.command != 'HEAD': self.wfile.write(text)
            return
        text = f'{self.command} {self.path} {n} {self.headers.get("X-Forwarded-Uri")}'.encode()
        self.send_response(200); self.send_header('Content-Length', str(len(text))); self.end_headers()
        if self.command != 'HEAD': self.wfile.write(text)
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer
http.server.ThreadingHTTPServer(('', 8000), H).serve_forever()
"""
ECHO_POD = {"name": "e", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-c", ECHO], "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1}}


@pytest.fixture
def served(kubectl, namespace):
    """Two web pods and an echo behind Services; `kubectl proxy` in front."""
    def make(kind, name, spec, labels=None):
        doc = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels or {}}, "spec": spec}
        kubectl("-n", namespace, "create", "-f", "-", input=json.dumps(doc))
    for name in ("web-1", "web-2"):
        make("Pod", name, {"containers": [PYTHON_WEB], "terminationGracePeriodSeconds": 0}, {"app": "web"})
    make("Pod", "echo", {"containers": [ECHO_POD], "terminationGracePeriodSeconds": 0}, {"app": "echo"})
    make("Service", "web", {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 8080, "targetPort": 80}]})
    make("Service", "echo", {"selector": {"app": "echo"}, "ports": [{"port": 80, "targetPort": 8000}]})
    make("Service", "empty", {"selector": {"app": "nobody"}, "ports": [{"port": 80}]})
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=50s")
    proxy = kubectl.popen("proxy", "--port=0")
    address = proxy.stdout.readline().split()[-1]  # Starting to serve on 127.0.0.1:PORT
    yield namespace, f"http://{address}"
    proxy.terminate()
    proxy.communicate()


def test_pods_services_and_nodes_are_reached(kubectl, served):
    namespace, api = served
    ns = f"/api/v1/namespaces/{namespace}"
    def raw(path):
        return kubectl("get", "--raw", path)
    assert raw(f"{ns}/pods/web-1/proxy/").startswith("Served by web-1/")
    assert raw(f"{ns}/pods/http:web-2:80/proxy/").startswith("Served by web-2/")
    seen = set()
    eventually(lambda: seen.add(raw(f"{ns}/services/http:web:8080/proxy/").split("/")[0]) or len(seen) == 2, "both pods answer")
    assert seen == {"Served by web-1", "Served by web-2"}
    assert raw(f"{ns}/services/web:http/proxy/").startswith("Served by web-")
    assert "no endpoints available for service" in kubectl.fails("get", "--raw", f"{ns}/services/empty/proxy/")
    echo = f"{ns}/services/echo/proxy"
    assert raw(f"{echo}/a/b%20c?x=1&y=%2F") == f"GET /a/b%20c?x=1&y=%2F 0 {echo}/a/b%20c"

    assert curl(f"{api}{ns}/services/http:web:8080/proxy/").startswith("Served by web-")
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        said = curl(f"{api}{echo}/x", None, "-X", method, "-d", "12345")
        assert said == f"{method} /x 5 {echo}/x", said
    assert "HTTP/1.1 200" in curl(f"{api}{echo}/x", None, "-I")
    assert f"Location: {echo}/home/" in curl(f"{api}{echo}/away", None, "-i")
    assert f"Location: {echo}/?q=1" in curl(f"{api}{echo}?q=1", None, "-i")

    page = curl(f"{api}{echo}/page", None, "--compressed", "-H", "Accept: text/html")
    assert page == f'<a href="{echo}/in">in</a><a href="http://elsewhere/x">out</a><img src=rel.png> /in'

    node = kubectl.json("get", "nodes")["items"][0]["metadata"]["name"]
    assert raw(f"/api/v1/nodes/{node}/proxy/healthz") == "ok"
    pods = json.loads(raw(f"/api/v1/nodes/{node}:10250/proxy/pods"))["items"]
    assert {"web-1", "web-2", "echo"} <= {p["metadata"]["name"] for p in pods}
    assert "kubelet_running_pods" in raw(f"/api/v1/nodes/{node}/proxy/metrics")
    for port in ("", ":10250"):
        assert '<a href="pods/">pods/</a>' in raw(f"/api/v1/nodes/{node}{port}/proxy/logs/")
    logs = f"/api/v1/nodes/{node}/proxy/logs/pods/"
    folder = next(f for f in raw(logs).split('"') if f.startswith(f"{namespace}_web-1_"))
    assert '<a href="c/">c/</a>' in raw(f"{logs}{folder}") and '<a href="0.log">0.log</a>' in raw(f"{logs}{folder}c/")
    eventually(lambda: '"GET / HTTP' in raw(f"{logs}{folder}c/0.log"), "the log as the runtime writes it")
    for other in ("/../logs/", f"{logs}{folder}c/..%2f..%2fip", f"{logs}{folder}..%2f", f"{logs}{folder}c/none.log"):
        assert kubectl.fails("get", "--raw", other if other.startswith(logs) else logs + other)


def test_a_large_body_streams_through(kubectl, served, tmp_path):
    namespace, api = served
    size = 64 << 20
    big = tmp_path / "big"
    with big.open("wb") as f:
        f.truncate(size)
    before = memory_of_server()
    said = curl(f"{api}/api/v1/namespaces/{namespace}/services/echo/proxy/big", None, "--max-time", "60", "-T", str(big))
    assert said.startswith(f"PUT /big {size} "), said
    assert memory_of_server() - before < 16 << 10  # KiB: nobody has gathered it


def memory_of_server():
    pid = json.loads(open("/run/c8s/state.json").read())["pid"]
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmHWM:"))


def test_cluster_info_shows_the_dns(kubectl):
    said = kubectl("cluster-info")
    assert "is running at" in said and "/api/v1/namespaces/kube-system/services/kube-dns:dns/proxy" in said
