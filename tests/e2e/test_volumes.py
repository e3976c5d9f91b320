"""PersistentVolumes: made by hand and by the default class, with real pods and both kubectls; on one node and on three."""
import json
import pathlib

import pytest

import harness
from harness import eventually

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def thing(kind, name, spec, api="v1", **more):
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec, **more})


def pod(name, claim, command="sleep 1000000", **more):
    return thing("Pod", name, {
        "terminationGracePeriodSeconds": 0, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        "containers": [{"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", command], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}], **more})


class Namespace:
    """kubectl in one namespace."""

    def __init__(self, kubectl, name):
        self.kubectl, self.name = kubectl, name

    def __call__(self, *args, **kw):
        return self.kubectl("-n", self.name, *args, **kw)

    def json(self, *args):
        return self.kubectl.json("-n", self.name, *args)

    def create(self, text):
        return self("create", "-f", "-", input=text)

    def waits(self, what, path, want):
        def check():
            found = self("get", *what.split("/"), "-o", f"jsonpath={{{path}}}")
            assert found == want, f"{what} {path}: {found!r}"
            return True
        eventually(check, f"{what} {path} is {want}")

    def running(self, name):
        self("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=50s")

    def gone(self, *what):
        eventually(lambda: self("get", *what, "--ignore-not-found", "-o", "name") == "", f"{what} is gone")


@pytest.fixture
def k(kubectl, namespace):
    return Namespace(kubectl, namespace)


def test_a_volume_made_by_hand(k, tmp_path):
    """kubernetes.io: Configure a Pod to Use a PersistentVolume for Storage."""
    tmp_path.chmod(0o755)  # pytest makes it for root alone, nginx is not root
    (tmp_path / "index.html").write_text("Hello from Kubernetes storage")
    name = f"task-pv-{k.name}"
    k.create(thing("PersistentVolume", name, {
        "storageClassName": "manual", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(tmp_path)}}))
    k.waits(f"pv/{name}", ".status.phase", "Available")
    row = k("get", "pv", name, "--no-headers").split()
    assert row[1:5] == ["10Gi", "RWO", "Retain", "Available"] and "manual" in row
    k.create(thing("PersistentVolumeClaim", "task-pv-claim", {
        "storageClassName": "manual", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}))
    k.waits("pvc/task-pv-claim", ".status.phase", "Bound")
    assert k("get", "pvc", "task-pv-claim", "--no-headers").split()[1:5] == ["Bound", name, "10Gi", "RWO"]
    assert f"{k.name}/task-pv-claim" in k("get", "pv", name)
    mounts = [{"name": "data", "mountPath": "/usr/share/nginx/html"},
              {"name": "data", "mountPath": "/one", "subPath": "index.html", "readOnly": True}]
    k.create(thing("Pod", "task-pv-pod", {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "task-pv-claim"}}],
        "containers": [{"name": "task-pv-container", "image": "nginx", "imagePullPolicy": "IfNotPresent",
                        "ports": [{"containerPort": 80, "name": "http-server"}], "volumeMounts": mounts}]}))
    k.running("task-pv-pod")
    ip, node = (k("get", "pod", "task-pv-pod", "-o", f"jsonpath={{{path}}}") for path in (".status.podIP", ".spec.nodeName"))
    eventually(lambda: "Hello from Kubernetes storage" in harness.curl(f"http://{ip}", node), "it serves the file")
    assert k("exec", "task-pv-pod", "--", "cat", "/one") == "Hello from Kubernetes storage"
    described = k("describe", "pvc", "task-pv-claim")
    assert "Used By:" in described and "task-pv-pod" in described and "kubernetes.io/pvc-protection" in described
    assert "Path:" in k("describe", "pv", name)
    k("delete", "pod", "task-pv-pod")
    k("delete", "pvc", "task-pv-claim")
    k.waits(f"pv/{name}", ".status.phase", "Released")
    assert (tmp_path / "index.html").exists()
    k("delete", "pv", name)


def test_the_default_class_makes_volumes(k, cluster):
    assert "local-path (default)" in k("get", "sc")
    k.create(thing("PersistentVolumeClaim", "c", CLAIM))
    eventually(lambda: "waiting for first consumer to be created before binding" in k("describe", "pvc", "c"), "it waits")
    k.create(pod("p", "c", "echo kept >> /data/file; sleep 1000000"))
    k.running("p")
    assert "Bound" in k("get", "pvc", "c")
    volume = k("get", "pvc", "c", "-o", "jsonpath={.spec.volumeName}")
    described = k("describe", "pvc", "c")
    assert "ProvisioningSucceeded" in described and f"Successfully provisioned volume {volume}" in described
    path = pathlib.Path(k("get", "pv", volume, "-o", "jsonpath={.spec.local.path}"))
    assert path.parent == cluster.data / "volumes" and (path / "file").read_text() == "kept\n"
    k("patch", "pvc", "c", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    k.waits("pvc/c", ".status.capacity.storage", "2Gi")
    k("delete", "pvc", "c", "--wait=false")
    assert "Terminating" in k("get", "pvc", "c")
    k("delete", "pod", "p")
    k.gone("pvc", "c")
    k.gone("pv", volume)
    assert not path.exists()


def test_what_is_refused_and_what_waits(k):
    k.create(pod("lonely", "none"))
    eventually(lambda: 'persistentvolumeclaim "none" not found' in k("describe", "pod", "lonely"), "it says why")
    k.create(thing("PersistentVolumeClaim", "none", {**CLAIM, "storageClassName": ""}))
    eventually(lambda: "pod has unbound immediate PersistentVolumeClaims" in k("describe", "pod", "lonely"), "it says why")
    eventually(lambda: "no persistent volumes available for this claim and no storage class is set" in
               k("describe", "pvc", "none"), "so does the claim")
    refused = k.kubectl.fails("-n", k.name, "patch", "pvc", "none", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    assert "Only bound persistent volume claims can be expanded" in refused or "spec is immutable" in refused
    k.create(thing("PersistentVolumeClaim", "block", {**CLAIM, "volumeMode": "Block"}))
    k.create(pod("b", "block"))
    eventually(lambda: "only filesystem volumes are supported" in k("describe", "pvc", "block"), "it says why")
    ephemeral = json.loads(pod("e", "-"))
    ephemeral["spec"]["volumes"] = [{"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}}]
    ephemeral["spec"]["securityContext"] = {"runAsUser": 1000, "fsGroup": 2000}
    k.create(json.dumps(ephemeral))
    k.running("e")
    assert k("exec", "e", "--", "sh", "-c", "echo x > /data/x; stat -c %g /data/x").strip() == "2000"
    k("delete", "pod", "e")
    k.gone("pvc", "e-data")


def test_a_stateful_set_has_claims(k):
    """kubernetes.io: StatefulSet Basics, the part about storage."""
    labels = {"app": "nginx"}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
        {"name": "nginx", "image": "nginx", "imagePullPolicy": "IfNotPresent", "ports": [{"containerPort": 80, "name": "web"}],
         "volumeMounts": [{"name": "www", "mountPath": "/usr/share/nginx/html"}]}]}}
    spec = {"serviceName": "nginx", "replicas": 2, "selector": {"matchLabels": labels}, "template": template,
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
            "volumeClaimTemplates": [{"metadata": {"name": "www"}, "spec": CLAIM}]}
    k.create(thing("StatefulSet", "web", spec, "apps/v1"))
    k("rollout", "status", "sts/web", "--timeout=50s")
    assert k("get", "pvc", "-l", "app=nginx", "-o", "name").split() == [f"persistentvolumeclaim/www-web-{i}" for i in (0, 1)]
    for i in (0, 1):
        k("exec", f"web-{i}", "--", "sh", "-c", "echo $(hostname) > /usr/share/nginx/html/index.html")
    k("delete", "pod", "-l", "app=nginx")
    k("rollout", "status", "sts/web", "--timeout=50s")
    k.running("web-1")
    assert k("exec", "web-1", "--", "cat", "/usr/share/nginx/html/index.html").strip() == "web-1"
    assert "create Claim www-web-0 Pod web-0 in StatefulSet web success" in k("describe", "sts", "web")
    k("scale", "sts/web", "--replicas=1")
    k.gone("pvc", "www-web-1")
    k("delete", "sts", "web")
    k.gone("pod", "web-0")
    assert "Bound" in k("get", "pvc", "www-web-0")


@pytest.fixture
def three():
    c = harness.Cluster(("busybox",))
    c.up("--nodes", "3")
    yield c
    print(c.log())
    c.remove()
    assert harness.traces() == []


def test_data_stays_where_it_is(three):
    """A volume keeps its pods on its node, over restarts and kill -9."""
    k = Namespace(three.kubectl("new"), "default")
    k.create(thing("PersistentVolumeClaim", "c", CLAIM))
    k.create(pod("p", "c", "echo once >> /data/file; sleep 1000000"))
    k.running("p")
    node = k("get", "pod", "p", "-o", "jsonpath={.spec.nodeName}")
    for _ in range(3):
        k("delete", "pod", "p")
        k.create(pod("p", "c", "echo once >> /data/file; sleep 1000000"))
        k.running("p")
        assert k("get", "pod", "p", "-o", "jsonpath={.spec.nodeName}") == node
    assert k("exec", "p", "--", "cat", "/data/file") == "once\n" * 4
    three.kill()
    three.up("--nodes", "3")
    eventually(lambda: k("exec", "p", "--", "cat", "/data/file") == "once\n" * 4, "the pod lives on with its data")
    three.down()
    three.up("--nodes", "3")
    eventually(lambda: k("exec", "p", "--", "cat", "/data/file") == "once\n" * 5, "it was started again with its data")
    elsewhere = {"nodeSelector": {"kubernetes.io/hostname": "k8s-node1" if node != "k8s-node1" else "k8s-node2"}}
    k.create(pod("q", "c", **elsewhere))
    eventually(lambda: "1 node(s) had volume node affinity conflict" in k("describe", "pod", "q"), "it says why")
    k("delete", "pod", "p", "q")
    volume = k("get", "pvc", "c", "-o", "jsonpath={.spec.volumeName}")
    three.kill()
    three.up("--nodes", "3")
    k("delete", "pvc", "c")
    k.gone("pv", volume)
    assert list((three.data / "volumes").iterdir()) == []
