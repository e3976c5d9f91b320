"""Server-side apply: ownership, conflicts, taking over from client-side apply, and what kubectl shows of it."""
import json

from kubernetes import client, config
from kubernetes.client.rest import ApiException
import pytest

from harness import EXAMPLES, eventually

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web, %(label)s: "1"}}
spec:
  %(replicas)s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: yanbin/python-web:latest
        imagePullPolicy: IfNotPresent
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  selector: {app: web}
  ports:
  - {name: udp, port: 53, protocol: UDP}
  - {name: tcp, port: 53, protocol: TCP}
"""


def managers(obj):
    """(manager, operation, subresource) -> its fields."""
    return {(m["manager"], m["operation"], m.get("subresource", "")): m["fieldsV1"]
            for m in obj["metadata"].get("managedFields", [])}


@pytest.fixture
def manifest(tmp_path):
    def write(replicas="replicas: 1", label="a", text=WEB):
        path = tmp_path / "web.yaml"
        path.write_text(text % {"replicas": replicas, "label": label})
        return path
    return write


def shown(kubectl, namespace, *what):
    hidden = () if "kubectl-old" in kubectl.binary else ("--show-managed-fields",)
    return kubectl.json("get", "-n", namespace, *what, *hidden)


def test_kubectl_applies_server_side(kubectl, namespace, manifest):
    apply = ("apply", "--server-side", "-n", namespace, "-f")
    assert "deployment.apps/web serverside-applied" in kubectl(*apply, manifest())
    first = shown(kubectl, namespace, "deploy", "web")
    assert managers(first)[("kubectl", "Apply", "")]["f:spec"]["f:replicas"] == {}
    ports = shown(kubectl, namespace, "service", "dns")["spec"]["ports"]
    assert [(p["port"], p["protocol"]) for p in ports] == [(53, "UDP"), (53, "TCP")]

    # the status has its own manager, and applying the same again changes nothing
    eventually(lambda: any(op == "Update" and sub == "status" for _, op, sub in
                           managers(shown(kubectl, namespace, "deploy", "web"))), "the controller owns the status")
    service = shown(kubectl, namespace, "service", "dns")["metadata"]
    kubectl(*apply, manifest())
    assert shown(kubectl, namespace, "service", "dns")["metadata"] == service

    # others take part: scale owns the number, which is a conflict for who applies another
    kubectl("scale", "-n", namespace, "deploy/web", "--replicas=2")
    refused = kubectl.fails(*apply, manifest())
    assert 'conflict with "kubectl' in refused and ".spec.replicas" in refused, refused
    kubectl(*apply, manifest(replicas=""))
    assert shown(kubectl, namespace, "deploy", "web")["spec"]["replicas"] == 2
    other = ("--field-manager", "other")
    refused = kubectl.fails(*apply, manifest(replicas="replicas: 3", label="b"), *other)
    assert "Apply failed with 1 conflict" in refused and ".spec.replicas" in refused
    kubectl(*apply, manifest(replicas="replicas: 0", label="b"), *other, "--force-conflicts")
    both = shown(kubectl, namespace, "deploy", "web")
    assert both["spec"]["replicas"] == 0 and both["metadata"]["labels"] == {"app": "web", "a": "1", "b": "1"}
    owners = managers(both)
    assert owners[("other", "Apply", "")]["f:metadata"]["f:labels"] == {"f:app": {}, "f:b": {}}

    # what one stops applying goes, unless somebody else applies it
    kubectl(*apply, manifest(replicas="replicas: 0", label="c"), *other)
    assert shown(kubectl, namespace, "deploy", "web")["metadata"]["labels"] == {"app": "web", "a": "1", "c": "1"}

    # errors and dry runs
    broken = kubectl.fails(*apply, manifest(text=WEB.replace("selector:", "foo: 1\n  selector:", 1)), "--validate=false")
    assert ".spec.foo: field not declared in schema" in broken, broken
    dry = shown(kubectl, namespace, "deploy", "web")["metadata"]["resourceVersion"]
    kubectl(*apply, manifest(label="d"), "--dry-run=server", "--force-conflicts")
    assert shown(kubectl, namespace, "deploy", "web")["metadata"]["resourceVersion"] == dry
    diff = kubectl.run("diff", "--server-side", "--force-conflicts", "-n", namespace, "-f", manifest(label="d"), check=False)
    assert diff.returncode == 1 and '+    d: "1"' in diff.stdout, diff.stdout + diff.stderr


def test_kubectl_takes_over_from_client_side_apply(kubectl, namespace, manifest):
    kubectl("apply", "-n", namespace, "-f", manifest(replicas="replicas: 0"))
    assert "unchanged" in kubectl("apply", "-n", namespace, "-f", manifest(replicas="replicas: 0"))
    before = managers(shown(kubectl, namespace, "deploy", "web"))
    assert ("kubectl-client-side-apply", "Update", "") in before
    assert "labels: {" not in kubectl("apply", "view-last-applied", "-n", namespace, "deploy/web")
    refused = kubectl.fails("apply", "--server-side", "--field-manager=other", "-n", namespace, "-f",
                            manifest(replicas="replicas: 1"))
    assert 'conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas' in refused, refused
    kubectl("apply", "--server-side", "-n", namespace, "-f", manifest(replicas="replicas: 0", label="z"))
    after = shown(kubectl, namespace, "deploy", "web")
    assert ("kubectl", "Apply", "") in managers(after)
    assert after["metadata"]["labels"]["z"] == "1"
    if "kubectl-old" not in kubectl.binary:  # newer ones hand the fields over, so that what is gone goes
        assert ("kubectl-client-side-apply", "Update", "") not in managers(after)
        assert "a" not in after["metadata"]["labels"]
    kubectl("apply", "-n", namespace, "-f", manifest(replicas="replicas: 0", label="y"))
    kubectl("patch", "-n", namespace, "deploy/web", "--type=json",
            "-p", '[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]')
    assert not managers(shown(kubectl, namespace, "deploy", "web"))


def test_walkthrough_manifests_apply_twice(kubectl, namespace):
    for name in ("python-web-app.yaml", "python-web-app-svc.yaml", "kubia-rc.yaml", "kubia-svc-headless.yaml"):
        kubectl("apply", "-n", namespace, "-f", EXAMPLES / name)
        again = kubectl("apply", "-n", namespace, "-f", EXAMPLES / name)
        assert all(line.endswith("unchanged") for line in again.strip().splitlines()), again
        kubectl("apply", "-n", namespace, "-f", EXAMPLES / name, "--server-side")
    # rules are one value, defaults included: client-side apply never finds this one unchanged, upstream neither
    for _ in range(2):
        kubectl("apply", "-n", namespace, "-f", EXAMPLES / "kubia-ingress.yaml", "--server-side")
    assert "pathType" not in str(managers(shown(kubectl, namespace, "ingress", "kubia")))
    kubectl("delete", "-n", namespace, "deploy,rc,svc,ingress", "--all")


def test_the_python_client_applies(cluster):
    config.load_kube_config(str(cluster.kubeconfig))
    core = client.CoreV1Api()
    api = client.ApiClient()

    def apply(name, data, manager, **options):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        return json.loads(api.call_api(
            "/api/v1/namespaces/default/configmaps/" + name, "PATCH", query_params=[("fieldManager", manager), *options.items()],
            header_params={"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}, body=json.dumps(body),
            auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True).data)

    assert apply("ssa", {"a": "1", "b": "1"}, "one")["data"] == {"a": "1", "b": "1"}
    core.patch_namespaced_config_map("ssa", "default", {"data": {"c": "1"}})
    with pytest.raises(ApiException) as conflict:
        apply("ssa", {"c": "2"}, "two")
    status = json.loads(conflict.value.body)
    assert conflict.value.status == 409 and status["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    assert 'conflict with "OpenAPI-Generator" using v1' in status["message"]
    assert apply("ssa", {"c": "2"}, "two", force="true")["data"] == {"a": "1", "b": "1", "c": "2"}
    assert apply("ssa", {"a": "1"}, "one")["data"] == {"a": "1", "c": "2"}
    core.delete_namespaced_config_map("ssa", "default")
