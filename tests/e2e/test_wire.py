"""The wire itself: what clients and gateways see below the API."""
import base64
import gzip
import json
import select
import socket
import ssl
import subprocess

import pytest

from harness import PATIENCE


class Curl:
    """curl against the API as the administrator."""

    def __init__(self, cluster):
        user = json.loads(cluster.kubectl("new")("config", "view", "--raw", "--flatten", "-o", "json"))
        self.server = user["clusters"][0]["cluster"]["server"]
        self.files = {}
        for option, text in (("--cacert", user["clusters"][0]["cluster"]["certificate-authority-data"]),
                             ("--cert", user["users"][0]["user"]["client-certificate-data"]),
                             ("--key", user["users"][0]["user"]["client-key-data"])):
            path = cluster.home / f"curl{option}"
            path.write_bytes(base64.b64decode(text))
            self.files[option] = str(path)

    def argv(self, path, *options):
        return ["curl", "-sS", "--max-time", "30", *[o for pair in self.files.items() for o in pair], *options, self.server + path]

    def __call__(self, path, *options, body=b""):
        """The answer's bytes."""
        return subprocess.run(self.argv(path, *options), input=body, capture_output=True, check=True, timeout=PATIENCE).stdout

    def head(self, path, *options):
        """The answer's head, lower case."""
        return self(path, "-D", "-", "-o", "/dev/null", *options).decode().lower()

    def connect(self, protocol):
        """A TLS connection of our own."""
        context = ssl.create_default_context(cafile=self.files["--cacert"])
        context.load_cert_chain(self.files["--cert"], self.files["--key"])
        context.set_alpn_protocols([protocol])
        host, port = self.server.removeprefix("https://").split(":")
        return context.wrap_socket(socket.create_connection((host, int(port)), timeout=PATIENCE), server_hostname=host)


@pytest.fixture(scope="module")
def curl(cluster):
    return Curl(cluster)


def test_large_answers_are_packed_and_people_get_them_indented(curl):
    for path in ("/openapi/v2", "/openapi/v3/apis/apps/v1"):
        plain = curl(path)
        assert len(plain) > 128 << 10
        packed = curl(path, "-H", "Accept-Encoding: gzip")
        assert len(packed) < len(plain) / 4 and gzip.decompress(packed) == plain
        assert "content-encoding: gzip" in curl.head(path, "-H", "Accept-Encoding: gzip")
    assert "content-encoding" not in curl.head("/api/v1/namespaces/default", "-H", "Accept-Encoding: gzip")
    big = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"a": "x" * 500000}})
    created = curl("/api/v1/namespaces/default/configmaps", "-H", "Content-Type: application/json", "--data-binary", "@-",
                   body=big.encode())
    assert json.loads(created)["metadata"]["uid"]
    listed = curl("/api/v1/namespaces/default/configmaps", "-H", "Accept-Encoding: gzip", "-A", "test")
    assert len(listed) < 100000
    assert "big" in [c["metadata"]["name"] for c in json.loads(gzip.decompress(listed))["items"]]
    curl("/api/v1/namespaces/default/configmaps/big", "-X", "DELETE")

    pretty = curl("/api/v1/namespaces/default").decode()
    assert pretty.startswith('{\n  "') and json.loads(pretty)["kind"] == "Namespace"
    assert curl("/api/v1/namespaces/default?pretty=false").decode().startswith('{"')
    assert curl("/api/v1/namespaces/default", "-A", "kubectl").decode().startswith('{"')
    assert curl("/api/v1/namespaces/nobody?pretty=true", "-A", "kubectl").decode().startswith('{\n  "kind": "Status"')


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header of HPACK without table or Huffman."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request(stream, path):
    return frame(1, 5, stream, b"".join(literal(*h) for h in (
        (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"c8s"), (b":path", path))))


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)


def until_closed(connection):
    """What the server still says."""
    said = b""
    try:
        while more := connection.recv(65536):
            said += more
    except OSError:  # it may be closed before it has read all
        pass
    return said


def test_http2(curl, kubectl_new):
    assert curl.head("/version", "--http2").startswith("http/2 200")
    assert curl.head("/version", "--http1.1").startswith("http/1.1 200")
    assert json.loads(curl("/api/v1/namespaces?labelSelector=a", "--http2"))["items"] == []
    assert curl("/openapi/v2", "--http2") == curl("/openapi/v2", "--http1.1")
    assert curl("/api/v1/namespaces/nobody", "--http2", "-w", "%{http_code}").endswith(b"404")
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "h2"}, "data": {"a": "x" * 900000}})
    as_json = ("-H", "Content-Type: application/json", "--data-binary", "@-")
    maps = "/api/v1/namespaces/default/configmaps"
    assert json.loads(curl(maps, "--http2", *as_json, body=body.encode()))["metadata"]["uid"]
    assert len(curl(maps + "/h2", "--http2")) > 900000
    too_large = json.loads(curl(maps, "--http2", *as_json, body=b"x" * 3200000))
    assert too_large["code"] == 413 and too_large["reason"] == "RequestEntityTooLarge"
    assert curl(maps + "/h2", "--http2", "-X", "DELETE")
    kubectl_new("create", "namespace", "h2-watched")
    watch = subprocess.Popen(curl.argv("/api/v1/namespaces?watch=1&fieldSelector=metadata.name=h2-watched", "--http2", "-N"),
                             stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(watch.stdout.readline())["type"] == "ADDED"
        kubectl_new("label", "namespace", "h2-watched", "seen=yes")
        assert json.loads(watch.stdout.readline())["object"]["metadata"]["labels"]["seen"] == "yes"
    finally:
        watch.kill()
        watch.wait()
        kubectl_new("delete", "namespace", "h2-watched", "--wait=false")


def flood(connection, frames):
    """Sends them all, or as many as are taken; what the server said."""
    said = b""
    try:
        for f in frames:
            connection.sendall(f)
            while connection.pending() or select.select([connection], [], [], 0)[0]:
                more = connection.recv(65536)
                if not more:
                    return said
                said += more
    except OSError:
        pass
    return said + until_closed(connection)


def test_floods_end_with_their_connection(curl, kubectl_new):
    enhance_your_calm, refused_stream = (11).to_bytes(4, "big"), (7).to_bytes(4, "big")
    with curl.connect("h2") as pings:
        assert pings.selected_alpn_protocol() == "h2"
        assert enhance_your_calm in flood(pings, [PREFACE] + [frame(6, 0, 0, b"12345678") * 100] * 100)
    with curl.connect("h2") as resets:
        flood(resets, [PREFACE] + [request(s, b"/version") + frame(3, 0, s, (8).to_bytes(4, "big")) for s in range(1, 4001, 2)])
    with curl.connect("h2") as watches:  # more than a connection may have
        watches.sendall(PREFACE + b"".join(request(s, b"/api/v1/pods?watch=1") for s in range(1, 301, 2)))
        seen = b""
        while refused_stream not in seen:
            more = watches.recv(65536)
            assert more
            seen += more
    assert "default" in kubectl_new("get", "namespaces")


def test_who_stalls_is_dropped(curl):
    """Half a head, half a body; the other clients do not notice."""
    stalled = []
    for said in (b"GET /version HT", b"POST /api/v1/namespaces HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{"):
        connection = curl.connect("http/1.1")
        connection.sendall(said)
        stalled.append(connection)
    with_h2 = curl.connect("h2")
    with_h2.sendall(PREFACE + frame(1, 4, 1, request(1, b"/version")[9:]))
    assert curl("/healthz") == b"ok"
    for connection in stalled:
        assert until_closed(connection) == b""
        connection.close()
    seen = b""
    while frame(3, 0, 1, (8).to_bytes(4, "big")) not in seen:  # that stream alone
        more = with_h2.recv(65536)
        assert more
        seen += more
    with_h2.sendall(request(3, b"/version"))
    assert with_h2.recv(65536)
    with_h2.close()
