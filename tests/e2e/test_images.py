"""Images from registries: pull policies, digests, credentials, and what a person reads when it does not work."""
import json
import platform

import pytest

from harness import eventually
from registry import Registry

HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


@pytest.fixture(scope="module")
def registry():
    r = Registry(5000)
    yield r
    r.remove()


@pytest.fixture(scope="module")
def private():
    r = Registry(5001, private=True)
    yield r
    r.remove()


@pytest.fixture
def space(kubectl_new, request):
    """A namespace of its own; kubectl's version does not matter here."""
    name = request.node.name.replace("_", "-")
    kubectl_new("create", "namespace", name)
    yield name
    kubectl_new("delete", "namespace", name, "--wait=false")


class Images:
    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl, namespace

    def run(self, name, image, policy, *secrets):
        spec = {"terminationGracePeriodSeconds": 0, "imagePullSecrets": [{"name": s} for s in secrets], "containers": [
            {"name": "c", "image": image, "imagePullPolicy": policy, "command": ["sleep", "1000000"]}]}
        self.kubectl("-n", self.namespace, "create", "-f", "-", input=json.dumps(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}))

    def state(self, name):
        pod = self.kubectl.json("-n", self.namespace, "get", "pod", name)
        return pod["status"].get("containerStatuses", [{"state": {}, "imageID": ""}])[0]

    def running(self, name):
        """Waits until it runs; its imageID."""
        return eventually(lambda: "running" in self.state(name)["state"] and self.state(name)["imageID"], f"{name} runs")

    def waits(self, name, *reasons):
        """Waits until it waits for one of these reasons; the message."""
        def check():
            waiting = self.state(name)["state"]["waiting"]
            return waiting["reason"] in reasons and waiting.get("message", "-")
        return eventually(check, f"{name} waits for {reasons}")

    def events(self, name):
        items = self.kubectl.json("-n", self.namespace, "get", "events", f"--field-selector=involvedObject.name={name}")["items"]
        return [(e["reason"], e["message"]) for e in items]


def test_pull_policies(kubectl_new, space, registry):
    images, name = Images(kubectl_new, space), f"{registry.address}/{space}"
    first = registry.push("busybox", space, "v1")
    images.run("first", f"{name}:v1", "IfNotPresent")
    assert images.running("first") == f"{name}@{first}"
    assert [r for r, _ in images.events("first") if r in ("Pulling", "Pulled")] == ["Pulling", "Pulled"]
    images.run("again", f"{name}:v1", "IfNotPresent")
    assert images.running("again") == f"{name}@{first}"
    assert ("Pulled", f'Container image "{name}:v1" already present on machine') in images.events("again")

    second = registry.push("ubuntu", space, "v1")
    images.run("old", f"{name}:v1", "IfNotPresent")
    assert images.running("old") == f"{name}@{first}"
    images.run("new", f"{name}:v1", "Always")
    assert images.running("new") == f"{name}@{second}" != f"{name}@{first}"
    images.run("pinned", f"{name}@{first}", "IfNotPresent")
    assert images.running("pinned") == f"{name}@{first}"
    index = registry.push_index(space, "many", {"riscv64": "v1", HERE: "v1"})
    images.run("many", f"{name}:many", "Always")
    assert images.running("many") == f"{name}@{index}"
    registry.push_index(space, "foreign", {"riscv64": "v1"})
    images.run("foreign", f"{name}:foreign", "Always")
    assert "no image found in image index for architecture" in images.waits("foreign", "ErrImagePull", "ImagePullBackOff")

    registry.stop()
    images.run("present", f"{name}:v1", "IfNotPresent")
    images.running("present")
    images.run("away", f"{name}:v1", "Always")
    assert "connection refused" in images.waits("away", "ErrImagePull", "ImagePullBackOff")
    images.run("imported", "busybox", "Always")  # there is no registry to ask: it came out of a file
    images.running("imported")
    registry.start()
    eventually(lambda: "running" in images.state("away")["state"], "the pull is tried again")


def test_what_cannot_be_pulled(kubectl_new, space, registry):
    images, name = Images(kubectl_new, space), f"{registry.address}/{space}"
    registry.push("busybox", space, "v1")
    images.run("missing", f"{name}:v2", "IfNotPresent")
    images.run("never", f"{name}:v3", "Never")
    images.run("malformed", "Not/A:Reference", "IfNotPresent")
    assert "manifest unknown" in images.waits("missing", "ErrImagePull", "ImagePullBackOff")
    images.waits("missing", "ImagePullBackOff")
    seen = images.events("missing")
    assert any(r == "Failed" and m.startswith(f'Failed to pull image "{name}:v2": ') for r, m in seen)
    assert ("Failed", "Error: ErrImagePull") in seen and ("BackOff", f'Back-off pulling image "{name}:v2"') in seen
    assert images.waits("never", "ErrImageNeverPull") == f'Container image "{name}:v3" is not present with pull policy of Never'
    assert "invalid reference format" in images.waits("malformed", "InvalidImageName")


def test_credentials(kubectl_new, space, private):
    images, name = Images(kubectl_new, space), f"{private.address}/{space}"
    private.push("busybox", space, "v1")
    for secret, password in (("right", "secret"), ("wrong", "guessed")):
        kubectl_new("-n", space, "create", "secret", "docker-registry", secret, f"--docker-server={private.address}",
                    "--docker-username=someone", f"--docker-password={password}")
    images.run("without", f"{name}:v1", "Always")
    images.run("wrong", f"{name}:v1", "Always", "wrong", "absent")
    for pod in ("without", "wrong"):
        assert "authentication required" in images.waits(pod, "ErrImagePull", "ImagePullBackOff") or \
            "unauthorized" in images.waits(pod, "ErrImagePull", "ImagePullBackOff")
    assert any(r == "FailedToRetrieveImagePullSecret" and "(absent)" in m for r, m in images.events("wrong"))
    images.run("right", f"{name}:v1", "Always", "right")
    images.running("right")
    kubectl_new("-n", space, "patch", "serviceaccount", "default", "-p", '{"imagePullSecrets":[{"name":"right"}]}')
    images.run("account", f"{name}:v1", "Always")
    images.running("account")
    assert "guessed" not in str(images.events("wrong")) and "secret:" not in str(images.events("right"))
