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


def test_containers_share_their_processes(kubectl, namespace):
    """The page "Share Process Namespace between Containers in a Pod" of kubernetes.io."""
    shell = {"name": "shell", "image": "busybox:latest", "command": ["sleep", "3600"], "stdin": True, "tty": True,
             "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}
    make_pod(kubectl, namespace, "nginx", shareProcessNamespace=True, containers=[{"name": "nginx", "image": "nginx"}, shell])
    terminal = kubectl.terminal("exec", "-n", namespace, "-it", "nginx", "-c", "shell", "--", "/bin/sh")
    terminal.expect("# ")
    terminal.type("ps ax\n")
    terminal.expect(r"1 root .*/pause\r\n")
    master = terminal.expect(r"(\d+) root .*nginx: master process nginx")[1]
    worker = terminal.expect(r"(\d+) \S+ .*nginx: worker process")[1]
    terminal.expect("# ")
    terminal.type(f"kill -HUP {master}; while [ -d /proc/{worker} ]; do usleep 10000; done; ps ax\n")
    terminal.expect(rf"{master} root .*nginx: master")
    terminal.expect(r"\d+ \S+ .*nginx: worker process")
    terminal.expect("# ")
    terminal.type(f"head -1 /proc/{master}/root/etc/nginx/nginx.conf; ls /proc/1/root/ | wc -l; exit\n")
    terminal.expect(r"user .*;\r\n0\r\n")  # a neighbour's files; there are none behind process 1
    assert terminal.close() == 0
    # what one container leaves behind is reaped, and one that ends takes nobody along
    kubectl("exec", "-n", namespace, "nginx", "-c", "shell", "--", "sh", "-c", "(sleep 0.1 &)")
    kubectl("exec", "-n", namespace, "nginx", "-c", "shell", "--", "sh", "-c", "kill -9 $(pidof sleep)")
    eventually(lambda: kubectl.json("get", "-n", namespace, "pod", "nginx")["status"]["containerStatuses"][1]["restartCount"] == 1)
    eventually(lambda: "Z" not in kubectl("exec", "-n", namespace, "nginx", "-c", "nginx", "--", "sh", "-c", "cat /proc/[0-9]*/stat"))
    pod = kubectl.json("get", "-n", namespace, "pod", "nginx")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_copies_and_nodes(kubectl, namespace):
    make_pod(kubectl, namespace, "app")
    copy = debug(kubectl, "-n", namespace, "app", "--image=busybox", "--share-processes", "--copy-to=app-debug", "--container=look")
    copy.expect("# ")
    copy.type("ps\n")
    copy.expect(r"1 root .*/pause\r\n")
    copy.expect(r"root .*trap exit TERM")
    copy.type("exit\n")
    assert copy.close() == 0
    kubectl("debug", "-n", namespace, "app", "--copy-to=app-new", "--set-image=*=ubuntu")
    eventually(lambda: kubectl.json("get", "-n", namespace, "pod", "app-new")["status"]["containerStatuses"][0]["ready"])
    assert kubectl.json("get", "-n", namespace, "pod", "app-new")["spec"]["containers"][0]["image"] == "ubuntu"

    node = debug(kubectl, "-n", namespace, "node/k8s-master", "--image=busybox")
    node.expect("# ")
    node.type("chroot /host cat /proc/1/comm; ls -d /host/etc; ip addr | grep -c 172.28.128.10\n")
    node.expect(r"/host/etc\r\n[1-9]")
    node.type("exit\n")
    assert node.close() == 0
    spec = next(p for p in kubectl.json("get", "-n", namespace, "pods")["items"] if "node-debugger" in p["metadata"]["name"])["spec"]
    assert spec["hostPID"] and spec["hostNetwork"] and spec["hostIPC"] and spec["nodeName"] == "k8s-master"


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
