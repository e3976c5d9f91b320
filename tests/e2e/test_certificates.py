"""CertificateSigningRequests: a person gets a certificate by way of an administrator, and comes in with it."""
import base64
import json
import subprocess

from harness import curl, eventually

API = "https://172.28.128.10:6443"


def request(kubectl, directory, name, subject):
    """A key in the directory, and the request for it in the cluster."""
    key, csr = directory / f"{name}.key", directory / f"{name}.csr"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
                    "-subj", subject], check=True, capture_output=True)
    manifest = directory / f"{name}.yaml"
    manifest.write_text(f"""apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: {name}}}
spec:
  request: {base64.b64encode(csr.read_bytes()).decode()}
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages: [client auth]
""")
    kubectl("create", "-f", str(manifest))
    return key


def condition(kubectl, name):
    return kubectl("get", "csr", name, "--no-headers").split()[-1]


def test_a_user_by_certificate(kubectl, namespace, tmp_path):
    name = f"jane-{namespace}"
    key = request(kubectl, tmp_path, name, f"/O=dev/CN={name}")
    assert condition(kubectl, name) == "Pending"
    assert "approved" in kubectl("certificate", "approve", name)
    eventually(lambda: condition(kubectl, name) == "Approved,Issued", "the certificate is issued")
    certificate = tmp_path / "crt"
    certificate.write_bytes(base64.b64decode(kubectl.json("get", "csr", name)["status"]["certificate"]))

    def pods():
        url = f"{API}/api/v1/namespaces/{namespace}/pods"
        return json.loads(curl(url, None, "-k", "--cert", str(certificate), "--key", str(key)))

    assert f'User "{name}" cannot list' in pods()["message"]
    kubectl("-n", namespace, "create", "rolebinding", "jane", "--clusterrole=view", "--group=dev")
    eventually(lambda: pods()["kind"] == "PodList", "her group may read")
    described = kubectl("describe", "csr", name)
    assert f"Common Name:    {name}" in described and "Approved,Issued" in described
    kubectl("delete", "csr", name)


def test_a_request_is_denied(kubectl, namespace, tmp_path):
    name = f"joe-{namespace}"
    request(kubectl, tmp_path, name, f"/CN={name}")
    assert "denied" in kubectl("certificate", "deny", name)
    assert condition(kubectl, name) == "Denied"
    kubectl("delete", "csr", name)
