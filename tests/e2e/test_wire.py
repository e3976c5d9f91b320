"""The wire itself: what clients and gateways see below the API."""
import base64
import gzip
import json
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
