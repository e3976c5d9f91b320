"""Looking into pods that run: ephemeral containers, shared processes, and `kubectl debug` in all its ways."""
import json

from harness import eventually

QUIET = {"name": "quiet", "image": "busybox", "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]}


def make_pod(kubectl, namespace, name, **spec):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
           "spec": {"terminationGracePeriodSeconds": 1, "containers": [QUIET], **spec}}
    kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(pod))
    kubectl("wait", "-n", namespace, "--for=condition=Ready", "--timeout=60s", f"pod/{name}")


def ephemeral_statuses(kubectl, namespace, pod):
    return kubectl.json("get", "-n", namespace, "pod", pod)["status"].get("ephemeralContainerStatuses", [])


def debug(kubectl, *args):
    """A terminal of `kubectl debug`."""
    return kubectl.terminal("debug", "-it", *args)


def test_an_ephemeral_container(kubectl, namespace):
    make_pod(kubectl, namespace, "app")
    shell = debug(kubectl, "-n", namespace, "app", "--image=busybox", "--target=quiet", "--container=look")
    shell.expect("# ")
    shell.type("ps\n")
    shell.expect(r"1 root .*trap exit TERM")  # processes of the container it was aimed at
    shell.expect("# ")
    shell.type("hostname; exit 3\n")
    shell.expect(r"\napp\r\n")
    shell.close()
    ended = eventually(lambda: [s for s in ephemeral_statuses(kubectl, namespace, "app") if "terminated" in s["state"]])
    assert ended[0]["state"]["terminated"]["exitCode"] == 3 and ended[0]["restartCount"] == 0
    assert "app\n" in kubectl("logs", "-n", namespace, "app", "-c", "look").replace("\r", "")
    pod = kubectl.json("get", "-n", namespace, "pod", "app")
    assert pod["status"]["phase"] == "Running" and pod["spec"]["ephemeralContainers"][0]["targetContainerName"] == "quiet"
    described = kubectl("describe", "-n", namespace, "pod", "app")
    assert "Ephemeral Containers:" in described and "Started container look" in described
    # a second one runs beside the first, without waiting for it
    kubectl("debug", "-n", namespace, "app", "--image=busybox", "--container=other", "--", "sleep", "1000000")
    eventually(lambda: any("running" in s["state"] for s in ephemeral_statuses(kubectl, namespace, "app")))
    assert kubectl("exec", "-n", namespace, "app", "-c", "other", "--", "cat", "/proc/1/comm") == "sleep\n"
    patch = json.dumps({"spec": {"ephemeralContainers": [{"name": "look", "image": "ubuntu"}]}})
    assert "pod updates may not change fields" in kubectl.fails("patch", "-n", namespace, "pod", "app", "-p", patch)


def test_an_ephemeral_container_outlives_c8s(cluster, kubectl_new):
    kubectl = kubectl_new
    make_pod(kubectl, "default", "kept")
    kubectl("debug", "kept", "--image=busybox", "--container=look", "--", "sh", "-c", "sleep 1000000")
    def running():
        return [s["containerID"] for s in ephemeral_statuses(kubectl, "default", "kept") if "running" in s["state"]]
    before = eventually(running)
    cluster.kill()
    cluster.up()
    kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/kept")
    assert kubectl("exec", "kept", "-c", "look", "--", "echo", "there") == "there\n"
    assert running() == before
    kubectl("delete", "pod", "kept", "--grace-period=1")
