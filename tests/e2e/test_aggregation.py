"""A server of its own behind an APIService: found, asked and trusted by its users as any other part of the API."""
import json

from harness import eventually
from test_admission import certificate

GROUP = "wardle.example.com"

# Keeps Flunders, and tells whose request made each; believes nobody without the front proxy's certificate.
SERVER = '''
import http.server, json, ssl

BASE = "/apis/wardle.example.com/v1alpha1"
kept = {}

def resources():
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "wardle.example.com/v1alpha1", "resources": [
        {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "shortNames": ["fl"],
         "verbs": ["create", "delete", "get", "list"]}]}

class Wardle(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, doc):
        body = json.dumps(doc).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        path, length = self.path.split("?")[0], int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        peer = dict(pair for rdn in (self.connection.getpeercert() or {}).get("subject", ()) for pair in rdn)
        if peer.get("commonName") != "front-proxy-client":
            return self.answer(401, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401})
        if path == BASE:
            return self.answer(200, resources())
        name = path.partition("/flunders")[2].strip("/")
        if self.command == "POST":
            body["metadata"].update(uid=body["metadata"]["name"], annotations={"by": self.headers["X-Remote-User"]})
            kept[body["metadata"]["name"]] = body
            return self.answer(201, body)
        if name and name not in kept:
            return self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                                     "reason": "NotFound", "message": f'flunders.wardle.example.com "{name}" not found'})
        if self.command == "DELETE":
            return self.answer(200, kept.pop(name))
        return self.answer(200, kept[name] if name else {
            "kind": "FlunderList", "apiVersion": "wardle.example.com/v1alpha1", "metadata": {}, "items": list(kept.values())})

    do_GET = do_POST = do_DELETE = handle_any

server = http.server.ThreadingHTTPServer(("", 8443), Wardle)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/wardle/tls.crt", "/wardle/tls.key")
context.load_verify_locations("/proxy/requestheader-client-ca-file")
context.verify_mode = ssl.CERT_OPTIONAL
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
'''


def flunder(name):
    return json.dumps({"apiVersion": f"{GROUP}/v1alpha1", "kind": "Flunder", "metadata": {"name": name}})


def install(kubectl, namespace, directory):
    """As the sample of upstream is: pod, Service, APIService."""
    authority = certificate(directory, f"DNS:wardle.{namespace}.svc")
    (directory / "server.py").write_text(SERVER)
    kubectl("create", "secret", "generic", "wardle", f"--from-file={directory}", "-n", namespace)
    published = kubectl.json("get", "cm", "extension-apiserver-authentication", "-n", "kube-system")["data"]
    kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "proxy"}, "data": published}))
    overrides = json.dumps({"spec": {
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "wardle", "secret": {"secretName": "wardle"}}, {"name": "proxy", "configMap": {"name": "proxy"}}],
        "containers": [{"name": "wardle", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "/wardle/server.py"],
                        "volumeMounts": [{"name": "wardle", "mountPath": "/wardle"}, {"name": "proxy", "mountPath": "/proxy"}]}]}})
    kubectl("run", "wardle", "--image=yanbin/python-web:latest", f"--overrides={overrides}", "-n", namespace)
    kubectl("expose", "pod", "wardle", "--port=443", "--target-port=8443", "-n", namespace)
    kubectl("apply", "-f", "-", input=json.dumps({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1alpha1.{GROUP}"},
        "spec": {"group": GROUP, "version": "v1alpha1", "groupPriorityMinimum": 2000, "versionPriority": 200,
                 "caBundle": authority, "service": {"name": "wardle", "namespace": namespace}}}))
    kubectl("wait", "--for=condition=Available", f"apiservice/v1alpha1.{GROUP}", "--timeout=60s")


def test_a_sample_api_server(cluster, kubectl_new, tmp_path):
    namespace = "wardle"
    kubectl_new("create", "namespace", namespace)
    install(kubectl_new, namespace, tmp_path)
    assert f"{namespace}/wardle" in kubectl_new("get", "apiservice", f"v1alpha1.{GROUP}")
    for kubectl in (cluster.kubectl("old"), kubectl_new):
        assert f"{GROUP}/v1alpha1" in kubectl("api-versions")
        assert "Flunder" in kubectl("api-resources", f"--api-group={GROUP}", "--cached=false")
        kubectl("create", "-n", namespace, "-f", "-", input=flunder("first"))
        made = kubectl.json("get", "fl", "first", "-n", namespace)
        assert made["metadata"]["annotations"] == {"by": "kubernetes-admin"}
        assert "first" in kubectl("get", "flunders", "-n", namespace)
        assert 'cannot list resource "flunders"' in kubectl.fails("get", "flunders", "-n", namespace, "--as=jane")
        assert "deleted" in kubectl("delete", "flunder", "first", "-n", namespace, "--wait=false")
        assert "not found" in kubectl.fails("get", "flunder", "first", "-n", namespace)
    kubectl_new("delete", "pod", "wardle", "-n", namespace)
    eventually(lambda: "False (MissingEndpoints)" in kubectl_new("get", "apiservice", f"v1alpha1.{GROUP}"))
    assert "currently unable to handle the request" in kubectl_new.fails("get", "--raw", f"/apis/{GROUP}/v1alpha1/flunders")
    kubectl_new("delete", "apiservice", f"v1alpha1.{GROUP}")
    assert GROUP not in kubectl_new("api-versions")
    kubectl_new("delete", "namespace", namespace, "--wait=false")
