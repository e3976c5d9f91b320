"""kill -9 at any moment: whatever the API acknowledged is there afterwards, and no container is started twice. And a clock that is set."""
import contextlib
import json
import os
import pathlib
import random
import ssl
import threading
import time
import urllib.error
import urllib.request

import harness
from harness import C8S, condition, eventually, run

SEED = 20261120
ROUNDS = 4


class Writer(threading.Thread):
    """Creates ConfigMaps as fast as it can until the server goes; remembers which were acknowledged."""

    def __init__(self, cluster, prefix, enough):
        super().__init__()
        pki = cluster.data / "pki"
        self.context = ssl.create_default_context(cafile=pki / "ca.crt")
        self.context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.prefix, self.enough, self.acknowledged = prefix, enough, []
        self.reached = threading.Event()

    def run(self):
        url = "https://172.28.128.10:6443/api/v1/namespaces/default/configmaps"
        for i in range(100000):
            name = f"{self.prefix}-{i}"
            body = json.dumps({"metadata": {"name": name}, "data": {"n": str(i)}}).encode()
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, context=self.context, timeout=10):
                    self.acknowledged.append(name)
            except (OSError, urllib.error.URLError):
                return
            finally:
                if len(self.acknowledged) >= self.enough:
                    self.reached.set()


def container_ids(kubectl):
    return {p["metadata"]["name"]: (p["status"]["containerStatuses"][0]["containerID"],
                                    p["status"]["containerStatuses"][0]["restartCount"])
            for p in kubectl.ready_pods("app=hello", 3)}


def test_kill_9_at_random_moments():
    rng = random.Random(SEED)
    cluster = harness.Cluster(["python-web"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        kubectl("apply", "-f", harness.EXAMPLES / "hello.yaml")
        containers = container_ids(kubectl)
        written = []
        for number in range(ROUNDS):
            writer = Writer(cluster, f"round-{number}", rng.randrange(1, 120))
            writer.start()
            assert writer.reached.wait(harness.PATIENCE)
            cluster.kill()
            writer.join()
            written += writer.acknowledged
            cluster.up()
            there = set(kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split())
            assert set(written) <= there, f"seed {SEED}: {set(written) - there} was acknowledged and is gone"
            assert container_ids(kubectl) == containers
        assert len(written) >= ROUNDS
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_a_container_that_ends_while_nobody_looks(tmp_path):
    """The program is away when a container dies: afterwards it is restarted, once."""
    cluster = harness.Cluster(["python-web"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest")
        pod = kubectl.ready_pods("app=web", 1)[0]
        pid = eventually(lambda: run("pgrep", "-f", "python3 -S -E /app/server.py").stdout.split(), "the app runs")[0]
        cluster.kill()
        run("kill", "-9", pid)
        cluster.up()

        def restarted():
            status = kubectl.json("get", "pod", pod["metadata"]["name"])["status"]
            return status["containerStatuses"][0]["restartCount"] == 1 and condition({"status": status}, "Ready") == "True"
        eventually(restarted, "the container runs again")
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_down_cleans_up_after_a_killed_program():
    cluster = harness.Cluster(["python-web"])
    try:
        cluster.up()
        cluster.kubectl("new")("create", "deployment", "web", "--image=yanbin/python-web:latest", "--replicas=2")
        cluster.kubectl("new").ready_pods("app=web", 2)
        cluster.kill()
        assert "not running, but it was not stopped" in run(C8S, "status", check=False).stdout
    finally:
        cluster.remove()
    assert harness.traces() == []


def test_down_does_not_wait_for_those_who_look_on():
    """Open watches, followed logs and running commands end with the program, at once."""
    cluster = harness.Cluster(["ubuntu"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        kubectl("run", "box", "--image=ubuntu", "--image-pull-policy=IfNotPresent", "--command", "--", "sleep", "infinity")
        kubectl("wait", "pod/box", "--for=condition=Ready", "--timeout=60s")
        watching = kubectl.popen("get", "pods", "--watch", "--no-headers")
        command = kubectl.popen("exec", "-i", "box", "--", "sh", "-c", "echo started; sleep 1000")
        assert watching.stdout.readline().startswith("box") and command.stdout.readline() == "started\n"
        began = time.monotonic()
        cluster.down()
        assert time.monotonic() - began < 10  # the program is killed after 30 s when it does not end
        assert command.wait(timeout=30) != 0
        watching.wait(timeout=30)
    finally:
        cluster.remove()
    assert harness.traces() == []


@contextlib.contextmanager
def settable_clock(monkeypatch, path):
    """What starts meanwhile reads its time of day through libfaketime; the file says how far off it is. Durations stay true."""
    library = next((harness.ROOT / "build/faketime").glob("usr/lib/*/faketime/libfaketimeMT.so.1"))
    path.write_text("+0")
    with monkeypatch.context() as environment:
        for name, value in {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": path, "FAKETIME_NO_CACHE": 1, "FAKETIME_DONT_FAKE_MONOTONIC": 1,
                            "NO_FAKE_STAT": 1}.items():
            environment.setenv(name, str(value))
        yield


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def heartbeats(kubectl):
    leases = kubectl.json("get", "leases", "-n", "kube-node-lease")["items"]
    return {lease["metadata"]["name"]: lease["spec"]["renewTime"] for lease in leases}


def test_the_clock_is_set(tmp_path, monkeypatch):
    """An hour forth, then two back: nodes stay Ready, Services answer, tokens hold, pods start, what is due in an hour is done."""
    cluster, clock = harness.Cluster(["python-web"]), tmp_path / "clock"
    try:
        with settable_clock(monkeypatch, clock):
            cluster.up("--nodes", "2", "--schedule-on-master")
        kubectl = cluster.kubectl("new")
        kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest", "--replicas=2")
        kubectl("expose", "deployment", "web", "--port=80")
        minute = (time.gmtime().tm_min + 30) % 60
        kubectl("create", "cronjob", "hourly", "--image=yanbin/python-web:latest", f"--schedule={minute} * * * *", "--", "true")
        kubectl.ready_pods("app=web", 2)
        ip = kubectl.json("get", "service", "web")["spec"]["clusterIP"]
        token = kubectl("create", "token", "default", "--duration=3h").strip()
        for n, moved in enumerate(("+3600", "-3600")):
            before, used = heartbeats(kubectl), cpu_seconds(cluster.pid())
            began = time.monotonic()
            clock.write_text(moved)
            eventually(lambda: all(at[:13] != before[name][:13] for name, at in heartbeats(kubectl).items()), "nodes tell the new time")
            assert {condition(n, "Ready") for n in kubectl.json("get", "nodes")["items"]} == {"True"}
            assert all(harness.curl(f"http://{ip}/", node) for node in ("k8s-master", "k8s-node1", None))
            assert "gitVersion" in run("curl", "-sSk", "-H", f"Authorization: Bearer {token}", "https://172.28.128.10:6443/version").stdout
            kubectl("scale", "deployment", "web", f"--replicas={3 + n}")
            kubectl.ready_pods("app=web", 3 + n)
            if n == 0:
                eventually(lambda: kubectl("get", "jobs", "-o", "name"), "the job of the hour that was left out")
            assert not [e for e in kubectl.json("get", "events")["items"] if e["reason"] == "NodeNotReady"]
            assert cpu_seconds(cluster.pid()) - used < (time.monotonic() - began) / 2, "it spins"
        assert len(kubectl("get", "jobs", "-o", "name").split()) == 1  # not again for the same hour
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []
