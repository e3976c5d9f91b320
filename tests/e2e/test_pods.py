"""What a pod's spec asks of its node: hooks, probes."""
import json

from harness import condition, eventually


def pod(name, *containers, **spec):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": list(containers), **spec}})


def box(script, name="c", **more):
    return {"name": name, "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **more}


class Pods:
    """kubectl in one namespace, and what the tests below ask of it."""

    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl, namespace

    def __call__(self, *args, **kw):
        return self.kubectl("-n", self.namespace, *args, **kw)

    def create(self, *args, **spec):
        self("create", "-f", "-", input=pod(*args, **spec))

    def get(self, name):
        return self.kubectl.json("-n", self.namespace, "get", "pod", name)

    def container(self, name, index=0):
        return self.get(name)["status"]["containerStatuses"][index]

    def events(self, name):
        items = self.kubectl.json("-n", self.namespace, "get", "events",
                                  f"--field-selector=involvedObject.name={name}")["items"]
        return [(e["reason"], e["message"]) for e in items]

    def ready(self, name):
        return eventually(lambda: condition(self.get(name), "Ready") == "True", f"{name} is Ready")


def test_hooks(kubectl, namespace):
    pods = Pods(kubectl, namespace)
    sleep = "sleep 1000000"
    waits = {"postStart": {"exec": {"command": ["sh", "-c", "while [ ! -e /go ]; do sleep 0.1; done; echo hooked >/said"]}}}
    pods.create("waits", box(sleep, lifecycle=waits), box(sleep, "next"))
    fails = {"postStart": {"exec": {"command": ["sh", "-c", "echo secret; exit 3"]}}}
    pods.create("fails", box(sleep, lifecycle=fails), restartPolicy="Never")
    asleep = {"preStop": {"exec": {"command": ["sh", "-c", "echo bye >/out/said; sleep 0.2"]}}}
    pods.create("leaves", box(sleep, lifecycle=asleep, volumeMounts=[{"name": "out", "mountPath": "/out"}]),
                volumes=[{"name": "out", "hostPath": {"path": f"/run/{namespace}", "type": "DirectoryOrCreate"}}])

    eventually(lambda: "exited 0" in pods("exec", "waits", "-c", "c", "--", "sh", "-c", "touch /tried && echo exited 0"))
    first, second = pods.get("waits")["status"]["containerStatuses"]
    assert first["state"]["waiting"]["reason"] == "ContainerCreating" and not first["ready"]
    assert second["state"]["waiting"]["reason"] == "ContainerCreating", "nothing is started behind a hook"
    pods("exec", "waits", "-c", "c", "--", "touch", "/go")
    pods.ready("waits")
    assert pods("exec", "waits", "-c", "c", "--", "cat", "/said") == "hooked\n"

    eventually(lambda: pods.get("fails")["status"]["phase"] == "Failed")
    events = eventually(lambda: [e for e in pods.events("fails") if e[0] in ("FailedPostStartHook", "Killing")][1:] and
                        pods.events("fails"))
    assert ("FailedPostStartHook", "PostStartHook failed") in events and ("Killing", "FailedPostStartHook") in events
    assert "secret" not in str(events)

    pods.ready("leaves")
    pods("delete", "pod", "leaves", "--grace-period=10")
    with open(f"/run/{namespace}/said", encoding="ascii") as said:
        assert said.read() == "bye\n"


# grpc.health.v1.Health/Check over HTTP/2 by hand: unknown to the server is the service "other", sick the service "sick".
GRPC_SERVER = r"""
import socket, struct, sys, threading
def frame(kind, flags, stream, body): return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body
def literal(name, value): return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
def exactly(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more: raise EOFError
        data += more
    return data
def serve(c):
    exactly(c, 24)
    c.sendall(frame(4, 0, 0, b""))
    while True:
        head = exactly(c, 9)
        body = exactly(c, int.from_bytes(head[:3], "big"))
        if head[3] == 4 and not head[4] & 1: c.sendall(frame(4, 1, 0, b""))
        if head[3] == 0:
            service = body[7:].decode()
            stream = int.from_bytes(head[5:9], "big")
            status = {"sick": 2}.get(service, 1)
            out = frame(1, 4, stream, b"\x88" + literal(b"content-type", b"application/grpc"))
            if service == "other":
                out = frame(1, 5, stream, b"\x88" + literal(b"content-type", b"application/grpc") +
                            literal(b"grpc-status", b"5") + literal(b"grpc-message", b"unknown service"))
            else:
                out += frame(0, 0, stream, struct.pack(">BI", 0, 2) + bytes([8, status]))
                out += frame(1, 5, stream, literal(b"grpc-status", b"0"))
            c.sendall(out)
def guarded(c):
    try: serve(c)
    except (EOFError, OSError): pass
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 50051))
s.listen()
while True: threading.Thread(target=guarded, args=(s.accept()[0],), daemon=True).start()
"""


def test_grpc_probes(kubectl, namespace):
    pods = Pods(kubectl, namespace)

    def server(**probes):
        return {"name": "c", "image": "yanbin/python-web", "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-S", "-E", "-c", GRPC_SERVER], **probes}
    pods.create("well", server(readinessProbe={"grpc": {"port": 50051}, "periodSeconds": 1}))
    pods.create("sick", server(readinessProbe={"grpc": {"port": 50051, "service": "sick"}, "periodSeconds": 1},
                               livenessProbe={"grpc": {"port": 50051, "service": "other"}, "periodSeconds": 1,
                                              "failureThreshold": 5, "terminationGracePeriodSeconds": 1}))
    pods.ready("well")
    eventually(lambda: pods.container("sick")["restartCount"])

    def said():
        messages = [m for _, m in pods.events("sick")]
        assert 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")' in messages
        assert any("Liveness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service" in m
                   for m in messages)
        return "Container c failed liveness probe, will be restarted" in messages
    eventually(said)


def test_volumes_follow_their_objects(kubectl, namespace):
    pods = Pods(kubectl, namespace)
    pods("create", "configmap", "map", "--from-literal=a=1")
    pods("create", "secret", "generic", "secret", "--from-literal=b=1")
    volumes = [{"name": "map", "configMap": {"name": "map"}}, {"name": "secret", "secret": {"secretName": "secret"}},
               {"name": "later", "configMap": {"name": "later", "optional": True}},
               {"name": "labels", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]
    mounts = [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes]
    pods.create("shows", box("sleep 1000000", volumeMounts=mounts), volumes=volumes)
    pods.ready("shows")

    def shown(path):
        return pods("exec", "shows", "--", "sh", "-c", f"cat {path} 2>/dev/null || true").strip()
    assert (shown("/map/a"), shown("/secret/b"), shown("/later/c"), shown("/labels/labels")) == ("1", "1", "", "")
    pods("patch", "configmap", "map", "-p", '{"data":{"a":"2"}}')
    pods("patch", "secret", "secret", "-p", '{"stringData":{"b":"2"}}')
    pods("create", "configmap", "later", "--from-literal=c=3")
    pods("label", "pod", "shows", "seen=yes")
    eventually(lambda: (shown("/map/a"), shown("/secret/b"), shown("/later/c"), shown("/labels/labels")) ==
               ("2", "2", "3", 'seen="yes"'), "all four", timeout=15)
    pods("delete", "configmap", "later")
    assert shown("/map/a") == "2"


def test_logs_are_rotated(kubectl_new, namespace):
    pods = Pods(kubectl_new, namespace)
    line = "x" * 1000
    script = f"i=0; while [ $i -lt 11500 ]; do echo $i {line}; i=$((i+1)); done; until [ -e /go ]; do sleep 0.1; done; echo behind; sleep 1000000"
    pods.create("talks", box(script))
    pods.ready("talks")
    follower = kubectl_new.popen("-n", namespace, "logs", "-f", "talks")
    lines = [follower.stdout.readline() for _ in range(11500)]
    assert "" not in lines, (lines.index(""), follower.stderr.read())
    assert [int(l.split()[0]) for l in lines] == list(range(11500))
    eventually(lambda: pods("logs", "talks") == "", "a log of more than 10 MiB is put aside")
    pods("exec", "talks", "--", "touch", "/go")
    last = follower.stdout.readline()
    assert last == "behind\n", follower.poll() is not None and follower.stderr.read()
    follower.kill()
    follower.wait()
    assert pods("logs", "talks") == "behind\n"


def test_seccomp(kubectl_new, namespace):
    pods = Pods(kubectl_new, namespace)
    script = "grep Seccomp: /proc/self/status; unshare -U true 2>&1; echo $(true; echo forks)"
    default = {"type": "RuntimeDefault"}
    pods.create("confined", box(script), securityContext={"seccompProfile": default}, restartPolicy="Never")
    pods.create("free", box(script), restartPolicy="Never")
    for name in ("confined", "free"):
        eventually(lambda: pods.get(name)["status"]["phase"] == "Succeeded", name)
    said = pods("logs", "confined")
    assert "Seccomp:\t2" in said and "Operation not permitted" in said and "forks" in said
    assert "Seccomp:\t0" in pods("logs", "free")


def test_a_profile_of_the_nodes_own(kubectl_new, namespace_new, cluster):
    """seccompProfile of type Localhost; sysctls that are safe, and one that is not."""
    pods = Pods(kubectl_new, namespace_new)
    profiles = cluster.data / "seccomp"
    profiles.mkdir(exist_ok=True)
    (profiles / "nomkdir.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
    local = lambda name: {"seccompProfile": {"type": "Localhost", "localhostProfile": name}}
    pods.create("confined", box("mkdir /x 2>&1; echo done"), securityContext=local("nomkdir.json"), restartPolicy="Never")
    eventually(lambda: pods.get("confined")["status"]["phase"] == "Succeeded", "confined ran")
    assert pods("logs", "confined") == "mkdir: can't create directory '/x': Operation not permitted\ndone\n"
    pods.create("missing", box("true"), securityContext=local("none.json"))
    waiting = eventually(lambda: pods.container("missing")["state"].get("waiting", {}).get("message") and
                         pods.container("missing")["state"]["waiting"], "missing has a reason")
    path = profiles / "none.json"
    assert waiting == {"reason": "CreateContainerError",
                       "message": f'cannot load seccomp profile "{path}": open {path}: No such file or directory'}
    pods.create("tuned", box("cat /proc/sys/kernel/shm_rmid_forced", "c"), restartPolicy="Never",
                securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]})
    eventually(lambda: pods.get("tuned")["status"]["phase"] == "Succeeded", "tuned ran")
    assert pods("logs", "tuned") == "1\n"
    pods.create("unsafe", box("true"), securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1000"}]})
    refused = eventually(lambda: pods.get("unsafe")["status"].get("reason") and pods.get("unsafe")["status"], "refused")
    assert (refused["phase"], refused["reason"]) == ("Failed", "SysctlForbidden")
    assert ("SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted') in pods.events("unsafe")


def test_runtime_classes(kubectl_new, namespace_new):
    pods = Pods(kubectl_new, namespace_new)
    for name, handler in (("quick", "crun"), ("usual", "runc"), ("nowhere", "kata")):
        kubectl_new("apply", "-f", "-", input=json.dumps({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler,
            "overhead": {"podFixed": {"memory": "8Mi"}}}))
        pods.create(name, box("sleep 1000000"), runtimeClassName=name)
    assert pods.get("usual")["spec"]["overhead"] == {"memory": "8Mi"}
    reason = 'Failed to create pod sandbox: failed to get sandbox runtime: no runtime for "kata" is configured'
    eventually(lambda: ("FailedCreatePodSandBox", reason) in pods.events("nowhere"), "no such runtime here")
    for name in ("quick", "usual"):
        pods.ready(name)
        assert pods("exec", name, "--", "echo", "inside") == "inside\n"
    pods("delete", "pod", "--all", "--grace-period=1")
    kubectl_new("delete", "runtimeclass", "quick", "usual", "nowhere")


def test_what_cannot_be_started(kubectl, namespace):
    """A program that is not there is an attempt that failed: Jobs and restart policies go by it."""
    pods = Pods(kubectl, namespace)
    missing = {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["nosuch"]}
    pods.create("never", missing, restartPolicy="Never")
    pods.create("always", missing)
    pods.create("good", box("sleep 1000000"))
    eventually(lambda: pods.get("never")["status"]["phase"] == "Failed", "never has failed")
    ended = pods.container("never")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError") and "not found in $PATH" in ended["message"]
    assert [m for r, m in pods.events("never") if r == "Failed" and m.startswith("Error: ")]
    eventually(lambda: pods.container("always")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff", "always waits")
    assert pods.container("always")["lastState"]["terminated"]["reason"] == "StartError"
    pods.ready("good")
    for program, code, why in (("nosuch", 127, "executable file not found in $PATH"), ("/etc", 126, "permission denied")):
        done = kubectl.run("-n", namespace, "exec", "good", "--", program, check=False)
        assert done.returncode == code and done.stderr.count(program) == 1 and why in done.stderr, done.stderr
