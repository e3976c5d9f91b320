"""What a namespace may hold: the tutorials of kubernetes.io about quotas and limits, word by word, and priorities."""
import base64
import json
import threading

import pytest

import test_proxy
from harness import curl, eventually, run

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata:
  name: mem-cpu-demo
spec:
  hard:
    requests.cpu: "1"
    requests.memory: 1Gi
    limits.cpu: "2"
    limits.memory: 2Gi
"""

QUOTA_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: quota-mem-cpu-demo
spec:
  containers:
  - name: quota-mem-cpu-demo-ctr
    image: nginx
    resources:
      limits:
        memory: "800Mi"
        cpu: "800m"
      requests:
        memory: "600Mi"
        cpu: "400m"
"""

QUOTA_POD_2 = """
apiVersion: v1
kind: Pod
metadata:
  name: quota-mem-cpu-demo-2
spec:
  containers:
  - name: quota-mem-cpu-demo-2-ctr
    image: redis
    resources:
      limits:
        memory: "1Gi"
        cpu: "800m"
      requests:
        memory: "700Mi"
        cpu: "400m"
"""

LIMIT_RANGE = """
apiVersion: v1
kind: LimitRange
metadata:
  name: mem-limit-range
spec:
  limits:
  - default:
      memory: 512Mi
    defaultRequest:
      memory: 256Mi
    type: Container
"""

LIMIT_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: default-mem-demo
spec:
  containers:
  - name: default-mem-demo-ctr
    image: nginx
"""


def used(kubectl, namespace, quota):
    return kubectl.json("get", "resourcequota", quota, "-n", namespace)["status"].get("used")


def apply(kubectl, namespace, text):
    return kubectl("apply", "-n", namespace, "-f", "-", input=text)


def test_memory_and_cpu_quota(kubectl, namespace):
    apply(kubectl, namespace, QUOTA)
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo") ==
               {"limits.cpu": "0", "limits.memory": "0", "requests.cpu": "0", "requests.memory": "0"})
    apply(kubectl, namespace, QUOTA_POD)
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo") ==
               {"limits.cpu": "800m", "limits.memory": "800Mi", "requests.cpu": "400m", "requests.memory": "600Mi"})
    refusal = kubectl.fails("apply", "-n", namespace, "-f", "-", input=QUOTA_POD_2)
    assert ("exceeded quota: mem-cpu-demo, requested: requests.memory=700Mi, used: requests.memory=600Mi, "
            "limited: requests.memory=1Gi") in refusal
    row = kubectl("get", "quota", "mem-cpu-demo", "-n", namespace).splitlines()[1]
    assert "requests.cpu: 400m/1, requests.memory: 600Mi/1Gi" in row and "limits.cpu: 800m/2" in row
    described = kubectl("describe", "quota", "mem-cpu-demo", "-n", namespace)
    assert "limits.memory    800Mi  2Gi" in described
    kubectl("delete", "pod", "quota-mem-cpu-demo", "-n", namespace, "--grace-period=0", "--force")
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo")["requests.memory"] == "0")


def test_quota_refusal_reaches_the_deployment(kubectl, namespace):
    kubectl("create", "quota", "two", "--hard=pods=2,count/deployments.apps=1", "-n", namespace)
    kubectl("create", "deployment", "web", "--image=busybox", "-n", namespace)
    kubectl("scale", "deployment", "web", "--replicas=3", "-n", namespace)
    eventually(lambda: used(kubectl, namespace, "two") == {"count/deployments.apps": "1", "pods": "2"})

    def failure():
        sets = kubectl.json("get", "rs", "-n", namespace)["items"]
        found = [c for s in sets for c in s["status"].get("conditions", []) if c["type"] == "ReplicaFailure"]
        return found and "exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2" in found[0]["message"]
    eventually(failure)
    assert "exceeded quota: two" in kubectl.fails("create", "deployment", "more", "--image=busybox", "-n", namespace)


def test_default_memory(kubectl, namespace):
    apply(kubectl, namespace, LIMIT_RANGE)
    assert "CREATED AT" in kubectl("get", "limits", "-n", namespace)
    assert "Container   memory    -    -    256Mi            512Mi" in \
        kubectl("describe", "limitrange", "mem-limit-range", "-n", namespace)
    apply(kubectl, namespace, LIMIT_POD)
    pod = kubectl.json("get", "pod", "default-mem-demo", "-n", namespace)
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi"}}
    apply(kubectl, namespace, LIMIT_POD)


def test_priority_classes(kubectl, namespace):
    name = namespace[:40]  # of the cluster: each version of kubectl makes its own
    kubectl("create", "priorityclass", name, "--value=1000", "--description=high")
    assert "1000" in kubectl("get", "priorityclass", name)
    assert "2000001000" in kubectl("get", "pc", "system-node-critical")
    overrides = json.dumps({"spec": {"priorityClassName": name}})
    kubectl("run", "important", "--image=busybox", f"--overrides={overrides}", "-n", namespace)
    assert kubectl.json("get", "pod", "important", "-n", namespace)["spec"]["priority"] == 1000
    assert f"Priority Class Name:  {name}" in kubectl("describe", "pod", "important", "-n", namespace)
    kubectl("delete", "priorityclass", name)


HOOK_SERVER = """
import base64, http.server, json, ssl, sys

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        labels = (request["object"] or {}).get("metadata", {}).get("labels") or {}
        response = {"uid": request["uid"], "allowed": labels.get("admit") != "no"}
        if not response["allowed"]:
            response["status"] = {"message": "labelled so", "code": 403}
        elif request["kind"]["kind"] == "PodAttachOptions":
            response = {"uid": request["uid"], "allowed": False,
                        "status": {"message": f"attaching to pod '{request['name']}' is not allowed"}}
        elif self.path.startswith("/mutate"):
            patch = [{"op": "add", "path": "/metadata/labels", "value": {**labels, "seen": "yes"}}]
            response.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode(),
                            warnings=["a label was added"])
        answer = json.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

def serve(port, directory):
    server = http.server.ThreadingHTTPServer(("", port), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/tls.crt", directory + "/tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server

if __name__ == "__main__":
    serve(8443, sys.argv[1]).serve_forever()
"""


def certificate(directory, *names):
    """A certificate for these names that is its own authority; its text in base64."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=hook", "-addext", "subjectAltName=" + ",".join(names), "-keyout", directory / "tls.key",
        "-out", directory / "tls.crt")
    return base64.b64encode((directory / "tls.crt").read_bytes()).decode()


def configuration(kind, name, namespace, client, **more):
    """A webhook for the ConfigMaps of one namespace."""
    return json.dumps({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        "webhooks": [{"name": "hook.example.com", "clientConfig": client, "sideEffects": "None",
                      "admissionReviewVersions": ["v1"], "timeoutSeconds": 10,
                      "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                      "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
                                 "resources": ["configmaps"]}], **more}]})


def config_map(name, **labels):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}})


@pytest.fixture
def hook(tmp_path):
    """A webhook beside the cluster: its port and authority."""
    authority = certificate(tmp_path, "IP:127.0.0.1")
    module = {"__name__": "hook"}
    exec(HOOK_SERVER, module)  # pylint: disable=exec-used
    server = module["serve"](0, str(tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], authority
    server.shutdown()
    server.server_close()


def test_webhook_by_url(kubectl, namespace, hook):
    port, authority = hook
    for kind, path in (("MutatingWebhookConfiguration", "mutate"), ("ValidatingWebhookConfiguration", "validate")):
        client = {"url": f"https://127.0.0.1:{port}/{path}", "caBundle": authority}
        kubectl("apply", "-f", "-", input=configuration(kind, namespace, namespace, client))
    assert kubectl("get", "mutatingwebhookconfigurations", namespace).splitlines()[1].split()[1] == "1"
    done = kubectl.run("create", "-n", namespace, "-f", "-", input=config_map("fine", admit="yes"))
    assert "Warning: a label was added" in done.stderr
    assert kubectl.json("get", "cm", "fine", "-n", namespace)["metadata"]["labels"] == {"admit": "yes", "seen": "yes"}
    refusal = kubectl.fails("create", "-n", namespace, "-f", "-", input=config_map("bad", admit="no"))
    assert 'admission webhook "hook.example.com" denied the request: labelled so' in refusal
    kubectl("create", "-n", "default", "-f", "-", input=config_map("elsewhere", admit="no"))
    kubectl("delete", "configmap", "elsewhere", "-n", "default")
    kubectl("delete", "mutatingwebhookconfigurations,validatingwebhookconfigurations", namespace)
    kubectl("create", "-n", namespace, "-f", "-", input=config_map("free", admit="no"))


def test_webhooks_for_connections(kubectl, namespace, hook, tmp_path):
    """What goes through a connection waits for the webhook, the body of a proxied request included."""
    port, authority = hook
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "echo"},
           "spec": {"containers": [test_proxy.ECHO_POD], "terminationGracePeriodSeconds": 0}}
    kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(pod))
    rules = [{"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/*"]}]
    client = {"url": f"https://127.0.0.1:{port}/validate", "caBundle": authority}
    kubectl("apply", "-f", "-",
            input=configuration("ValidatingWebhookConfiguration", namespace, namespace, client, rules=rules))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/echo", "--timeout=50s")
    refusal = kubectl.fails("attach", "-n", namespace, "echo")
    assert "admission webhook \"hook.example.com\" denied the request: attaching to pod 'echo' is not allowed" in refusal
    assert kubectl("exec", "-n", namespace, "echo", "--", "echo", "in").strip() == "in"
    config = kubectl.json("config", "view", "--raw", "--minify")
    for name, where in (("certificate-authority-data", config["clusters"][0]["cluster"]),
                        ("client-certificate-data", config["users"][0]["user"]), ("client-key-data", config["users"][0]["user"])):
        (tmp_path / name).write_bytes(base64.b64decode(where[name]))
    (tmp_path / "body").write_bytes(b"x" * 1000000)
    url = f"{config['clusters'][0]['cluster']['server']}/api/v1/namespaces/{namespace}/pods/echo:8000/proxy/in"
    for version in ("--http1.1", "--http2"):
        said = curl(url, None, version, "--cacert", tmp_path / "certificate-authority-data", "--cert",
                    tmp_path / "client-certificate-data", "--key", tmp_path / "client-key-data", "--data-binary",
                    f"@{tmp_path}/body", "-H", "Expect:")
        assert said.startswith("POST /in 1000000 "), said
    kubectl("delete", "validatingwebhookconfiguration", namespace)


def test_webhook_by_service(kubectl_new, tmp_path):
    kubectl, namespace = kubectl_new, "hooked"
    kubectl("create", "namespace", namespace)
    authority = certificate(tmp_path, f"DNS:hook.{namespace}.svc")
    (tmp_path / "server.py").write_text(HOOK_SERVER)
    kubectl("create", "secret", "generic", "hook", f"--from-file={tmp_path}", "-n", namespace)
    client = {"service": {"namespace": namespace, "name": "hook", "path": "/mutate"}, "caBundle": authority}
    kubectl("apply", "-f", "-", input=configuration("MutatingWebhookConfiguration", namespace, namespace, client))
    assert 'failed calling webhook "hook.example.com"' in \
        kubectl.fails("create", "-n", namespace, "-f", "-", input=config_map("early"))
    overrides = json.dumps({"spec": {
        "volumes": [{"name": "hook", "secret": {"secretName": "hook"}}],
        "containers": [{"name": "hook", "image": "yanbin/python-web:latest", "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "/hook/server.py", "/hook"],
                        "volumeMounts": [{"name": "hook", "mountPath": "/hook"}]}]}})
    kubectl("run", "hook", "--image=yanbin/python-web:latest", f"--overrides={overrides}", "-n", namespace)
    kubectl("expose", "pod", "hook", "--port=443", "--target-port=8443", "-n", namespace)
    eventually(lambda: kubectl.run("create", "-n", namespace, "-f", "-", input=config_map("made"),
                                   check=False).returncode == 0)
    assert kubectl.json("get", "cm", "made", "-n", namespace)["metadata"]["labels"] == {"seen": "yes"}
    kubectl("delete", "mutatingwebhookconfiguration", namespace)
    kubectl("delete", "namespace", namespace, "--wait=false")


def test_pod_security(kubectl, namespace):
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline",
            "pod-security.kubernetes.io/warn=restricted")
    done = kubectl.run("run", "plain", "--image=busybox", "-n", namespace)
    assert 'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in done.stderr
    overrides = json.dumps({"spec": {"hostNetwork": True}})
    refusal = kubectl.fails("run", "host", "--image=busybox", f"--overrides={overrides}", "-n", namespace)
    assert 'pods "host" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in refusal
    done = kubectl.run("create", "deployment", "web", "--image=busybox", "-n", namespace)
    assert "Warning: would violate PodSecurity" in done.stderr


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: demo-policy.example.com
spec:
  failurePolicy: Fail
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - apiGroups: ["apps"]
      apiVersions: ["v1"]
      operations: ["CREATE", "UPDATE"]
      resources: ["deployments"]
  validations:
  - expression: "object.spec.replicas <= int(params.data.maxReplicas)"
    messageExpression: "'at most ' + params.data.maxReplicas + ' replicas'"
  - expression: "object.metadata.name.startsWith('d')"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: demo-binding-test.example.com
spec:
  policyName: demo-policy.example.com
  validationActions: [Deny]
  paramRef: {name: limits, parameterNotFoundAction: Deny}
  matchResources:
    namespaceSelector:
      matchLabels: {kubernetes.io/metadata.name: NAMESPACE}
"""


def test_policies_in_cel(kubectl, namespace):
    """The example of kubernetes.io's "Validating Admission Policy", with its parameters in a ConfigMap."""
    create = ("create", "deployment", "-n", namespace, "--image=docker.io/library/alpine:3.19")
    try:
        kubectl("apply", "-f", "-", input=POLICY.replace("NAMESPACE", namespace))
        rows = kubectl("get", "validatingadmissionpolicies").splitlines()
        assert rows[0].split() == ["NAME", "VALIDATIONS", "PARAMKIND", "AGE"]
        assert rows[1].split()[:3] == ["demo-policy.example.com", "2", "v1/ConfigMap"]
        policy = ("validatingadmissionpolicy", "demo-policy.example.com")
        eventually(lambda: kubectl.json("get", *policy)["status"] == {"observedGeneration": 1, "typeChecking": {}})
        kubectl("patch", *policy, "--type=json", "-p", '[{"op": "add", "path": "/spec/validations/-", "value": '
                '{"expression": "object.spec.replicas != \'many\'"}}]')
        warnings = eventually(lambda: kubectl.json("get", *policy)["status"]["typeChecking"]["expressionWarnings"])
        assert warnings[0]["fieldRef"] == "spec.validations[2].expression"
        assert "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_!=_'" in warnings[0]["warning"]
        kubectl("apply", "-f", "-", input=POLICY.replace("NAMESPACE", namespace))
        assert "no params found for policy binding" in kubectl.fails(*create, "demo")
        kubectl("create", "configmap", "limits", "-n", namespace, "--from-literal=maxReplicas=5")
        refusal = kubectl.fails(*create, "demo", "--replicas=6")
        assert "ValidatingAdmissionPolicy 'demo-policy.example.com' with binding 'demo-binding-test.example.com' denied " \
               "request: at most 5 replicas" in refusal
        assert "denied request: failed expression: object.metadata.name.startsWith('d')" in kubectl.fails(*create, "other")
        kubectl(*create, "demo", "--replicas=0")
        patch = ("patch", "deployment", "demo", "-n", namespace, "-p")
        assert "at most 5 replicas" in kubectl.fails(*patch, '{"spec": {"replicas": 6}}')
        kubectl("patch", "validatingadmissionpolicybinding", "demo-binding-test.example.com", "--type=merge", "-p",
                '{"spec": {"validationActions": ["Warn"]}}')
        assert "Warning: Validation failed for ValidatingAdmissionPolicy 'demo-policy.example.com' with binding " \
               "'demo-binding-test.example.com': at most 5 replicas" in kubectl.run(*patch, '{"spec": {"replicas": 6}}').stderr
        broken = POLICY.split("---")[0].replace("object.spec.replicas <=", "object.spec.replicas <")
        wrong = kubectl.fails("apply", "-f", "-", input=broken.replace("params.data", "params(data"))
        assert "spec.validations[0].expression: Invalid value" in wrong and "compilation failed: ERROR: <input>:1:" in wrong
    finally:
        kubectl("delete", "--ignore-not-found", "-f", "-", input=POLICY)


def test_webhooks_under_conditions(kubectl, namespace, hook):
    port, authority = hook
    client = {"url": f"https://127.0.0.1:{port}/validate", "caBundle": authority}
    configured = json.loads(configuration("ValidatingWebhookConfiguration", namespace, namespace, client))
    configured["webhooks"][0]["matchConditions"] = [{"name": "not-me", "expression": "object.metadata.name != 'skip-me'"}]
    kubectl("apply", "-f", "-", input=json.dumps(configured))
    kubectl("create", "-n", namespace, "-f", "-", input=config_map("skip-me", admit="no"))
    assert "denied the request: labelled so" in kubectl.fails("create", "-n", namespace, "-f", "-",
                                                              input=config_map("me", admit="no"))
    configured["webhooks"][0]["matchConditions"][0]["expression"] = "object.metadata.name !="
    assert "webhooks[0].matchConditions[0].expression: Invalid value" in kubectl.fails("apply", "-f", "-",
                                                                                       input=json.dumps(configured))
    kubectl("delete", "validatingwebhookconfigurations", namespace)
