"""Custom resources: the CronTab of kubernetes.io's "Extend the Kubernetes API with CustomResourceDefinitions", step by step, and
what operators rely on."""
import http.server
import json
import ssl
import threading

import pytest
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException

import harness
from test_admission import certificate

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                cronSpec:
                  type: string
                image:
                  type: string
                replicas:
                  type: integer
  scope: Namespaced
  names:
    plural: crontabs
    singular: crontab
    kind: CronTab
    shortNames:
    - ct
"""

# The further chapters in one: validation, defaulting, columns, subresources, categories, versions, selectable fields.
FULL = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
    - name: v1beta1
      served: true
      storage: false
      deprecated: true
      deprecationWarning: "stable.example.com/v1beta1 CronTab is deprecated; see http://example.com/v1beta1-v1"
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          description: A task by the clock.
          properties:
            spec:
              type: object
              description: What is to be done.
              required: [cronSpec]
              properties:
                cronSpec:
                  type: string
                  description: When it is to be done.
                  pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'
                image: {type: string, default: my-awesome-cron-image}
                replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
                mode: {type: string, enum: [fast, slow]}
                port: {x-kubernetes-int-or-string: true}
                anything: {x-kubernetes-preserve-unknown-fields: true}
                ports:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [port]
                  items: {type: object, required: [port], properties: {port: {type: integer}, name: {type: string}}}
            status:
              type: object
              properties: {replicas: {type: integer}, labelSelector: {type: string}}
      selectableFields: [{jsonPath: .spec.mode}]
      additionalPrinterColumns:
        - {name: Spec, type: string, description: The cron spec, jsonPath: .spec.cronSpec}
        - {name: Replicas, type: integer, jsonPath: .spec.replicas}
        - {name: Mode, type: string, priority: 1, jsonPath: .spec.mode}
        - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
      subresources:
        status: {}
        scale:
          specReplicasPath: .spec.replicas
          statusReplicasPath: .status.replicas
          labelSelectorPath: .status.labelSelector
"""


def crontab(name="my-new-cron-object", version="v1", **spec):
    spec = {"cronSpec": "* * * * */5", "image": "my-awesome-cron-image", **spec}
    return json.dumps({"apiVersion": f"stable.example.com/{version}", "kind": "CronTab", "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def crontabs(kubectl):
    """kubectl with nothing of CronTabs left before and after."""
    yield kubectl
    kubectl("delete", "crd", "crontabs.stable.example.com", "--ignore-not-found", "--timeout=30s")


def define(kubectl, text):
    kubectl("apply", "-f", "-", input=text)
    kubectl("wait", "--for=condition=established", "-f", "-", "--timeout=10s", input=text)


def test_the_tutorial(crontabs):
    kubectl = crontabs
    assert "created" in kubectl("apply", "-f", "-", input=CRD)
    kubectl("wait", "--for=condition=established", "crd/crontabs.stable.example.com", "--timeout=10s")
    assert "crontabs.stable.example.com" in kubectl("get", "crd")
    assert "crontab.stable.example.com/my-new-cron-object created" in kubectl("apply", "-f", "-", input=crontab())
    assert "unchanged" in kubectl("apply", "-f", "-", input=crontab())
    rows = kubectl("get", "crontab").splitlines()
    assert rows[0].split() == ["NAME", "AGE"] and rows[1].startswith("my-new-cron-object")
    for name in ("ct", "crontabs", "crontabs.stable.example.com", "CronTab"):
        assert "my-new-cron-object" in kubectl("get", name)
    seen = kubectl.json("get", "ct")["items"][0]
    assert seen["spec"] == {"cronSpec": "* * * * */5", "image": "my-awesome-cron-image"}
    assert seen["metadata"]["generation"] == 1
    pruned = kubectl("create", "--validate=false", "-f", "-", "-o", "json", input=crontab("other", someRandomField=42))
    assert "someRandomField" not in json.loads(pruned)["spec"]
    assert "someRandomField" in kubectl.fails("create", "-f", "-", input=crontab("third", someRandomField=42))
    assert "CronTab" in kubectl("describe", "ct", "other")
    kubectl("create", "quota", "tabs", "--hard=count/crontabs.stable.example.com=2")
    harness.eventually(lambda: kubectl.json("get", "quota", "tabs")["status"].get("used") ==
                       {"count/crontabs.stable.example.com": "2"})
    assert "exceeded quota: tabs, requested: count/crontabs.stable.example.com=1" in \
        kubectl.fails("create", "-f", "-", input=crontab("one-too-many"))
    kubectl("delete", "ct", "other")
    harness.eventually(lambda: kubectl.json("get", "quota", "tabs")["status"]["used"] ==
                       {"count/crontabs.stable.example.com": "1"})
    kubectl("delete", "quota", "tabs")
    assert "deleted" in kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=20s")
    assert "could not find the requested resource" in kubectl.fails("get", "--raw",
                                                                   "/apis/stable.example.com/v1/crontabs")
    define(kubectl, CRD)
    assert kubectl("get", "ct", "-o", "name") == ""


def test_the_further_chapters(crontabs):
    kubectl = crontabs
    define(kubectl, FULL)
    wrong = kubectl.fails("apply", "--validate=false", "-f", "-", input=crontab(cronSpec="* * * *", replicas=15))
    assert "spec.cronSpec in body should match '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'" in wrong
    assert "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10" in wrong
    wrong = kubectl.fails("apply", "--validate=false", "-f", "-", input=crontab(mode="x", replicas="2", port=[]))
    assert 'spec.mode: Unsupported value: "x": supported values: "fast", "slow"' in wrong
    assert 'spec.replicas in body must be of type integer: "string"' in wrong
    kubectl("create", "-f", "-", input=crontab(mode="slow", port="http", anything={"a": [1, {"b": None}]}))
    seen = kubectl.json("get", "ct", "my-new-cron-object")
    assert seen["spec"]["replicas"] == 1 and seen["spec"]["anything"] == {"a": [1, {"b": None}]}
    assert kubectl("get", "ct").split()[:4] == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert "slow" in kubectl("get", "ct", "-o", "wide") and "slow" not in kubectl("get", "ct")
    kubectl("api-resources")  # old kubectl remembers the last test's
    assert "my-new-cron-object" in kubectl("get", "all")
    assert "When it is to be done." in kubectl("explain", "crontab.spec.cronSpec")
    assert "my-new-cron-object" in kubectl("get", "ct", "--field-selector=spec.mode=slow")
    assert "my-new-cron-object" not in kubectl("get", "ct", "--field-selector=spec.mode=fast")
    kubectl("scale", "--replicas=5", "crontabs/my-new-cron-object")
    assert kubectl("get", "ct", "my-new-cron-object", "-o", "jsonpath={.spec.replicas}") == "5"
    kubectl("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec": {"replicas": 3}, "status": {"replicas": 3}}')
    seen = kubectl.json("get", "ct", "my-new-cron-object")
    assert seen["metadata"]["generation"] == 3 and "status" not in seen
    kubectl("patch", "ct", "my-new-cron-object", "--type=json", "-p", '[{"op": "replace", "path": "/spec/mode", "value": "fast"}]')
    assert "body of the request was in an unknown format" in kubectl.fails("patch", "ct", "my-new-cron-object", "-p", "{}")
    assert "my-new-cron-object" in kubectl("get", "crontabs.v1beta1.stable.example.com")
    assert "Warning: stable.example.com/v1beta1 CronTab is deprecated; see" in kubectl.run(
        "get", "crontabs.v1beta1.stable.example.com").stderr
    # The version that is kept changes while there are objects.
    moved = FULL.replace("storage: false", "storage: X").replace("storage: true", "storage: false").replace("X", "true")
    define(kubectl, moved)
    assert kubectl.json("get", "crd", "crontabs.stable.example.com")["status"]["storedVersions"] == ["v1", "v1beta1"]
    for version in ("v1", "v1beta1"):
        seen = json.loads(kubectl("get", f"crontabs.{version}.stable.example.com", "my-new-cron-object", "-o", "json"))
        assert seen["apiVersion"] == f"stable.example.com/{version}" and seen["spec"]["mode"] == "fast"
    kubectl("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec": {"mode": "slow"}}')


RULES = """
              x-kubernetes-validations:
                - rule: self.minReplicas <= self.replicas
                  messageExpression: "'%d is fewer than %d'.format([self.replicas, self.minReplicas])"
                  fieldPath: .replicas
                - {rule: self.image == oldSelf.image, message: the image stays}
"""


def test_rules_in_cel(crontabs):
    kubectl = crontabs
    rules = CRD.replace("                replicas:\n                  type: integer\n",
                        "                replicas: {type: integer}\n                minReplicas: {type: integer}" + RULES)
    wrong = kubectl.fails("apply", "-f", "-", input=rules.replace("self.minReplicas <=", "self.nosuch <="))
    assert "x-kubernetes-validations[0].rule: Invalid value" in wrong and "undefined field 'nosuch'" in wrong
    define(kubectl, rules)
    wrong = kubectl.fails("create", "-f", "-", input=crontab(minReplicas=3, replicas=2))
    assert 'spec.replicas: Invalid value: "object": 2 is fewer than 3' in wrong
    wrong = kubectl.fails("create", "-f", "-", input=crontab(minReplicas=3))
    assert 'spec: Invalid value: "object": no such key: replicas evaluating rule' in wrong
    kubectl("create", "-f", "-", input=crontab(minReplicas=3, replicas=3))
    wrong = kubectl.fails("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec": {"image": "other"}}')
    assert 'spec: Invalid value: "object": the image stays' in wrong
    kubectl("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec": {"replicas": 5}}')


def test_definitions_are_checked(crontabs):
    kubectl = crontabs
    wrong = kubectl.fails("create", "--validate=false", "-f", "-", input=CRD.replace("plural: crontabs", "plural: cronjobs"))
    assert 'must be spec.names.plural+"."+spec.group' in wrong
    wrong = kubectl.fails("create", "--validate=false", "-f", "-", input=CRD.replace("          type: object\n", "", 1))
    assert "spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root" in wrong
    wrong = kubectl.fails("create", "--validate=false", "-f", "-", input=CRD.replace("storage: true", "storage: false"))
    assert "must have exactly one version marked as storage version" in wrong


def test_objects_go_with_owners_and_namespaces(crontabs, kubectl):
    define(kubectl, CRD)
    kubectl("create", "namespace", "crons")
    kubectl("-n", "crons", "create", "-f", "-", input=crontab())
    kubectl("create", "configmap", "cron-owner")
    uid = kubectl.json("get", "configmap", "cron-owner")["metadata"]["uid"]
    owned = json.loads(crontab("owned"))
    owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "cron-owner", "uid": uid}]
    kubectl("create", "-f", "-", input=json.dumps(owned))
    parent = kubectl("create", "-f", "-", "-o", "json", input=crontab("parent"))
    kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cron-child", "ownerReferences": [
            {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "name": "parent",
             "uid": json.loads(parent)["metadata"]["uid"]}]}}))
    kubectl("delete", "configmap", "cron-owner")
    kubectl("delete", "ct", "parent")
    kubectl("delete", "namespace", "crons", "--timeout=30s")
    harness.eventually(lambda: kubectl("get", "ct", "-A", "-o", "name") == "", "all CronTabs are gone")
    harness.eventually(lambda: kubectl("get", "configmap", "cron-child", "--ignore-not-found") == "", "and what they owned")


def test_custom_objects_through_the_python_client(cluster, crontabs):
    config.load_kube_config(str(cluster.kubeconfig))
    api, where = client.CustomObjectsApi(), ("stable.example.com", "v1", "default", "crontabs")
    define(crontabs, FULL)
    api.create_namespaced_custom_object(*where, json.loads(crontab("py")))
    assert api.patch_namespaced_custom_object(*where, "py", {"spec": {"replicas": 2}})["spec"]["replicas"] == 2
    status = api.patch_namespaced_custom_object_status(*where, "py", {"status": {"replicas": 2}})
    assert status["status"] == {"replicas": 2}
    assert api.get_namespaced_custom_object_scale(*where, "py")["spec"]["replicas"] == 2
    rv = api.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    api.delete_namespaced_custom_object(*where, "py")
    events = watch.Watch().stream(api.list_namespaced_custom_object, *where, resource_version=rv, timeout_seconds=10)
    assert next(events)["type"] == "DELETED"
    with pytest.raises(ApiException) as gone:
        api.get_namespaced_custom_object(*where, "py")
    assert gone.value.status == 404


def test_custom_resources_outlive_the_process(cluster, crontabs):
    define(crontabs, FULL)
    crontabs("create", "-f", "-", input=crontab(mode="slow"))
    config.load_kube_config(str(cluster.kubeconfig))
    api, where = client.CustomObjectsApi(), ("stable.example.com", "v1", "default", "crontabs")
    before = api.list_namespaced_custom_object(*where)["metadata"]["resourceVersion"]
    crontabs("label", "ct", "my-new-cron-object", "seen=yes")
    cluster.kill()
    cluster.up()
    with pytest.raises(ApiException) as expired:  # what happened before is not remembered; who lists again goes on
        next(watch.Watch().stream(api.list_namespaced_custom_object, *where, resource_version=before, timeout_seconds=10))
    assert expired.value.status == 410, expired.value
    again = watch.Watch().stream(api.list_namespaced_custom_object, *where, timeout_seconds=10)
    assert next(again)["object"]["metadata"]["labels"] == {"seen": "yes"}
    assert crontabs.json("get", "ct", "my-new-cron-object")["spec"]["mode"] == "slow"
    crontabs("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec": {"replicas": 4}}')
    assert crontabs("get", "ct", "-o", "jsonpath={.items[*].spec.replicas}") == "4"


class Converter(http.server.BaseHTTPRequestHandler):
    """v1 of a Host has spec.hostPort, v2 has spec.host and spec.port."""

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request, converted = review["request"], []
        for host in request["objects"]:
            host["apiVersion"] = request["desiredAPIVersion"]
            if host["apiVersion"].endswith("/v2"):
                name, _, port = host["spec"].pop("hostPort").partition(":")
                host["spec"].update(host=name, port=int(port))
            else:
                host["spec"]["hostPort"] = f"{host['spec'].pop('host')}:{host['spec'].pop('port')}"
            converted.append(host)
        response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": converted}
        answer = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def converter(tmp_path):
    """How the converter is reached: a clientConfig."""
    authority = certificate(tmp_path, "IP:127.0.0.1")
    server = http.server.ThreadingHTTPServer(("", 0), Converter)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"url": f"https://127.0.0.1:{server.server_address[1]}/", "caBundle": authority}
    server.shutdown()
    server.server_close()


def test_versions_that_a_webhook_converts(kubectl, namespace, converter):
    def version(name, **fields):
        spec = {"type": "object", "properties": {field: {"type": kind} for field, kind in fields.items()}}
        return {"name": name, "served": True, "storage": name == "v1",
                "additionalPrinterColumns": [{"name": field, "type": kind, "jsonPath": f".spec.{field}"}
                                             for field, kind in fields.items()],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}

    def host(api_version, **spec):
        return json.dumps({"apiVersion": f"hosts.example.com/{api_version}", "kind": "Host", "metadata": {"name": api_version},
                           "spec": spec})
    define(kubectl, json.dumps({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "hosts.hosts.example.com"},
        "spec": {"group": "hosts.example.com", "scope": "Namespaced", "names": {"plural": "hosts", "kind": "Host"},
                 "versions": [version("v1", hostPort="string"), version("v2", host="string", port="integer")],
                 "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": converter,
                                                                  "conversionReviewVersions": ["v1"]}}}}))
    kubectl("apply", "-n", namespace, "-f", "-", input=host("v1", hostPort="one:1"))
    for _ in range(2):
        said = kubectl("apply", "-n", namespace, "-f", "-", input=host("v2", host="two", port=2))
    assert "unchanged" in said
    kubectl("apply", "-n", namespace, "-f", "-", input=host("v2", host="two", port=3))
    old, new = (kubectl("get", f"hosts.{v}.hosts.example.com", "-n", namespace).splitlines() for v in ("v1", "v2"))
    assert [row.split() for row in old] == [["NAME", "HOSTPORT"], ["v1", "one:1"], ["v2", "two:3"]]
    assert [row.split() for row in new] == [["NAME", "HOST", "PORT"], ["v1", "one", "1"], ["v2", "two", "3"]]
    kubectl("patch", "hosts.v2.hosts.example.com", "v1", "-n", namespace, "--type=merge", "-p", '{"spec":{"port":8}}')
    assert kubectl("get", "hosts.v1.hosts.example.com", "v1", "-n", namespace, "-o", "jsonpath={.spec.hostPort}") == "one:8"
    kubectl("delete", "crd", "hosts.hosts.example.com")
