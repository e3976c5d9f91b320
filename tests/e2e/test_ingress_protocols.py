"""What Ingress does to requests: redirects, annotations, HTTP/2, gRPC, WebSocket, headers. The backends are processes on the host."""
import base64
import contextlib
import hashlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading

from harness import eventually, run
from test_ingress import ADDRESS, ask, certificate, loaded_generation

HOST = "172.28.128.1"
NGINX = "nginx.ingress.kubernetes.io/"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the request's first line and headers; speaks WebSocket by sending back the first frame."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.websocket()
        body = f"{self.server.server_port} {self.requestline}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def websocket(self):
        proof = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", base64.b64encode(proof).decode())):
            self.send_header(name, value)
        self.end_headers()
        head = self.rfile.read(6)
        self.wfile.write(head + self.rfile.read(head[1] & 127))
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def echo_server(tls=None):
    server = http.server.ThreadingHTTPServer((HOST, 0), Echo)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def service(name, ports, app_protocol=None):
    """A Service without selector and its endpoints: processes on the host."""
    port = {"name": "web", "port": 80, **({"appProtocol": app_protocol} if app_protocol else {})}
    slices = [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
               "metadata": {"name": f"{name}-{p}", "labels": {"kubernetes.io/service-name": name}},
               "ports": [{"name": "web", "port": p, "protocol": "TCP"}],
               "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}]} for p in ports]
    return [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [port]}}, *slices]


def ingress(name, service_name="echo", tls=None, **annotations):
    """One host, NAME.test; annotations of nginx's prefix, dashes written as underscores."""
    spec = {"rules": [{"host": f"{name}.test", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service_name, "port": {"name": "web"}}}}]}}]}
    if tls:
        spec["tls"] = [{"hosts": [f"{name}.test"], "secretName": tls}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec,
            "metadata": {"name": name, "annotations": {NGINX + k.replace("_", "-"): v for k, v in annotations.items()}}}


def apply(kubectl, namespace, items):
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def served(host, *options, **kw):
    """The body, once the host is served."""
    def check():
        code, body = ask(host, "/", *options, **kw)
        assert code == 200, (code, body)
        return body
    return eventually(check, host)


def websocket_echo(host, text):
    with socket.create_connection((ADDRESS, 80), timeout=10) as s:
        s.sendall(f"GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        reader = s.makefile("rb")
        assert b" 101 " in reader.readline()
        while reader.readline() != b"\r\n":
            pass
        s.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        return reader.read(6 + len(text))[6:]


def test_annotations(kubectl_new, namespace_new, tmp_path):
    kubectl, namespace = kubectl_new, namespace_new
    cert, key = certificate(tmp_path, "plain.test")
    kubectl("create", "secret", "tls", "cert", f"--cert={cert}", f"--key={key}", "-n", namespace)
    with echo_server() as one, echo_server() as two, echo_server((cert, key)) as tls:
        apply(kubectl, namespace, [
            *service("echo", [one, two]), *service("tls", [tls]), *service("apptls", [tls], "https"),
            ingress("moved", tls="cert"), ingress("plain", tls="cert", ssl_redirect="false"), ingress("forced", force_ssl_redirect="true"),
            ingress("sticky", affinity="cookie", session_cookie_name="where"), ingress("small", proxy_body_size="1k"),
            ingress("rewritten", rewrite_target="/there"), ingress("totls", "tls", backend_protocol="HTTPS"), ingress("toapptls", "apptls"),
            ingress("odd", server_snippet="x", rewrite_target="/$1")])
        served("odd.test")  # the last of them
        headers = served("moved.test", scheme="https")
        assert re.search(r"(?i)X-Forwarded-Proto: https", headers) and re.search(r"(?i)X-Forwarded-Port: 443", headers)
        assert ask("moved.test")[0] == ask("forced.test")[0] == 308
        headers = served("plain.test", "-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Real-IP: 6.6.6.6")
        for name, value in (("X-Forwarded-Proto", "http"), ("X-Forwarded-For", HOST), ("X-Real-IP", HOST), ("X-Forwarded-Host", "plain.test")):
            assert re.findall(rf"(?i)^{name}: *(.*)", headers, re.M) == [value]
        served("sticky.test")
        jar = tmp_path / "jar"
        assert len({ask("sticky.test", "/", "-b", jar, "-c", jar)[1].split()[0] for _ in range(6)}) == 1 and "where" in jar.read_text()
        assert len({ask("sticky.test")[1].split()[0] for _ in range(6)}) == 2
        (tmp_path / "big").write_bytes(bytes(2000))
        assert ask("small.test", "/", "--data-binary", f"@{tmp_path}/big")[0] == 413 and ask("small.test", "/", "-d", "x")[0] == 200
        assert " GET /there " in served("rewritten.test")
        assert str(tls) in served("totls.test") and str(tls) in served("toapptls.test")
        events = eventually(lambda: re.findall("UnsupportedAnnotation.*", kubectl("describe", "ingress", "odd", "-n", namespace)))
        assert len(events) == 2 and "server-snippet is not supported" in str(events)


def test_protocols(kubectl_new, namespace_new, tmp_path):
    """HTTP/2 from and to; a gRPC call is an HTTP/2 request whose trailers arrive."""
    kubectl, namespace = kubectl_new, namespace_new
    (tmp_path / "index.html").write_text("over h2\n")
    with socket.create_server((HOST, 0)) as s:
        port = s.getsockname()[1]
    argv = ["nghttpd", "--no-tls", "-a", HOST, "-d", str(tmp_path), "--trailer", "grpc-status: 0", str(port)]
    with echo_server() as echo, subprocess.Popen(argv, stdout=subprocess.DEVNULL) as h2:
        try:
            apply(kubectl, namespace, [
                *service("echo", [echo], "kubernetes.io/ws"), *service("h2c", [port], "kubernetes.io/h2c"), *service("grpc", [port]),
                ingress("web"), ingress("h2c", "h2c"), ingress("grpc", "grpc", backend_protocol="GRPC")])
            assert "HTTP/1.1" in served("web.test", "--http2", scheme="https")
            assert served("h2c.test") == served("grpc.test", "--http2-prior-knowledge") == "over h2\n"
            out = run("nghttp", "-v", "-H", ":authority: grpc.test", "-H", "content-type: application/grpc", "-H", "te: trailers",
                      f"http://{ADDRESS}/index.html").stdout
            assert re.search(r"grpc-status: 0", out)
            assert websocket_echo("web.test", b"hello") == b"hello"
            out = run("curl", "-skv", "--http2", "--resolve", f"web.test:443:{ADDRESS}", "https://web.test/").stderr
            assert "ALPN: server accepted h2" in out and "HTTP/2 200" in out
            metrics = run("curl", "-s", f"http://{ADDRESS}:10254/metrics").stdout
            counted = rf'haproxy_backend_http_responses_total{{proxy="{namespace}:web:echo:web",code="2xx"}} ([1-9])'
            assert re.search(counted, metrics) and "haproxy_server" not in metrics
        finally:
            h2.kill()


def make_certificate(folder, name, algorithm=("rsa:2048",)):
    cert, key = folder / "new.cert", folder / "new.key"
    run("openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", f"/CN={name}")
    encode = lambda path: base64.b64encode(path.read_bytes()).decode()
    return {"tls.crt": encode(cert), "tls.key": encode(key)}


def secret(name, data):
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name}, "data": data}


def shown(host, *options):
    """Subject of the certificate shown for a name."""
    out = subprocess.run(["openssl", "s_client", "-connect", f"{ADDRESS}:443", "-servername", host, *options], input="", text=True,
                         capture_output=True, timeout=20, check=False).stdout
    found = re.search(r"subject=.*?CN = (.*)", out)
    return found and found[1]


def test_certificates(kubectl_new, namespace_new, tmp_path):
    """Chosen by name and algorithm; renewed, added and missed without a reload."""
    kubectl, namespace = kubectl_new, namespace_new
    ec = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    both, late = ingress("both", tls="rsa"), ingress("late", tls="late")
    both["spec"]["tls"].append({"hosts": ["both.test"], "secretName": "ec"})
    both["spec"]["tls"].append({"hosts": ["*.wild.test"], "secretName": "wild"})
    with echo_server() as echo:
        apply(kubectl, namespace, [
            *service("echo", [echo]), secret("rsa", make_certificate(tmp_path, "one-rsa")), secret("ec", make_certificate(tmp_path, "one-ec", ec)),
            secret("wild", make_certificate(tmp_path, "any-wild")), both, late])
        served("late.test", scheme="https")
        assert "BadTLSSecret" in eventually(lambda: kubectl("describe", "ingress", "late", "-n", namespace))
        assert shown("late.test") == "Ingress default certificate" and shown("x.wild.test") == "any-wild"
        assert shown("both.test", "-sigalgs", "ECDSA+SHA256") == "one-ec"
        assert shown("both.test", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256") == "one-rsa"
        generation = loaded_generation()
        for round_ in ("two", "three"):
            apply(kubectl, namespace, [secret("rsa", make_certificate(tmp_path, f"{round_}-rsa")),
                                       secret("ec", make_certificate(tmp_path, f"{round_}-ec", ec))])
            eventually(lambda r=round_: shown("both.test", "-sigalgs", "ECDSA+SHA256") == f"{r}-ec", "the new one")
            eventually(lambda r=round_: shown("both.test", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256") == f"{r}-rsa", "the new one")
        apply(kubectl, namespace, [secret("late", make_certificate(tmp_path, "late.test"))])
        eventually(lambda: shown("late.test") == "late.test", "it comes late")
        kubectl("delete", "secret", "late", "wild", "-n", namespace)
        eventually(lambda: shown("late.test") == "Ingress default certificate" and shown("x.wild.test") == "Ingress default certificate", "they are gone")
        apply(kubectl, namespace, [secret("rsa", {"tls.crt": "bm8=", "tls.key": "bm8="})])
        eventually(lambda: not shown("both.test", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256"), "the bad one is not used")
        assert shown("both.test", "-sigalgs", "ECDSA+SHA256") == "three-ec"
        assert loaded_generation() == generation, "it was reloaded"
