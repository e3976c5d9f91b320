"""The first minutes of a new user: up, look around, deploy, expose, look inside, down. Runs in its own cluster, also sanitized."""
import re
import subprocess

import harness
from harness import C8S, EXAMPLES, curl, eventually, run


def test_first_light_from_up_to_down():
    cluster = harness.Cluster(["python-web"])
    try:
        said = cluster.up()
        assert re.search(r"c8s is up: 1 node, Ready after \d+\.\d\d s", said)
        kubectl = cluster.kubectl("new")
        kubectl("apply", "-f", EXAMPLES / "hello.yaml")
        kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
        pods = kubectl.ready_pods("app=hello", 3)
        ip = kubectl.json("get", "service", "hello")["spec"]["clusterIP"]
        seen = set()
        eventually(lambda: seen.add(curl(f"http://{ip}", "k8s-master").split("/")[0]) or len(seen) == 3, "all three answer")
        assert seen == {f"Served by {p['metadata']['name']}" for p in pods}
        for pod in pods:
            assert kubectl("exec", pod["metadata"]["name"], "--", "wget", "-qO-", "http://hello").startswith("Served by hello-")
        again = run(C8S, "up", "--data-dir", cluster.data, check=False)
        assert again.returncode == 1
        assert again.stderr.count("\n") == 1 and "a cluster is running already" in again.stderr
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_first_light_survives_kill_9():
    """An acknowledged write is there after kill -9; running containers are found again, not started twice."""
    cluster = harness.Cluster(["python-web"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        kubectl("apply", "-f", EXAMPLES / "hello.yaml")
        before = {p["metadata"]["name"]: p["status"] for p in kubectl.ready_pods("app=hello", 3)}
        ip = kubectl.json("get", "service", "hello")["spec"]["clusterIP"]
        kubectl("create", "configmap", "written", "--from-literal=a=b")
        cluster.kill()
        assert curl(f"http://{ip}", "k8s-master").startswith("Served by hello-")  # Services go on without the program
        cluster.up()
        assert kubectl.json("get", "configmap", "written")["data"] == {"a": "b"}
        after = {p["metadata"]["name"]: p["status"] for p in kubectl.ready_pods("app=hello", 3)}
        assert after.keys() == before.keys()
        for name, status in after.items():
            old, new = before[name]["containerStatuses"][0], status["containerStatuses"][0]
            assert (new["containerID"], new["restartCount"]) == (old["containerID"], 0)
            assert status["podIP"] == before[name]["podIP"]
        name = next(iter(after))
        assert kubectl("exec", name, "--", "wget", "-qO-", "http://hello").startswith("Served by hello-")
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_objects_outlive_down_and_up():
    cluster = harness.Cluster(["python-web"])
    try:
        cluster.up()
        kubectl = cluster.kubectl("new")
        kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest")
        pod = kubectl.ready_pods("app=web", 1)[0]
        cluster.down()
        assert harness.traces() == []
        cluster.up()

        def answers_again():
            again = kubectl.ready_pods("app=web", 1)[0]
            assert again["metadata"]["uid"] == pod["metadata"]["uid"]
            return curl(f"http://{again['status']['podIP']}", "k8s-master").startswith("Served by web-")
        eventually(answers_again, "the same pod runs again")
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_foreground_ends_with_ctrl_c(tmp_path):
    terminal = harness.Terminal([C8S, "up", "--data-dir", str(tmp_path / "data")], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    terminal.expect("c8s is up: 1 node")
    terminal.type("\x03")
    assert terminal.close() == 0
    assert harness.traces() == []


SQUAT = """
import signal, socket
s = socket.create_server(("0.0.0.0", 6443))
print("listening", flush=True)
signal.pause()
"""


def test_clear_words_where_it_cannot_start(tmp_path):
    def refusal(*args, **kw):
        done = run(*args, check=False, **kw)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done
        return done.stderr

    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert "needs root" in refusal(*nobody, C8S, "up")
    tools = tmp_path / "bin"
    tools.mkdir()
    assert "conmon is not installed" in refusal(C8S, "up", "--data-dir", tmp_path / "d", env={"PATH": str(tools)})
    (tmp_path / "file").write_text("")
    assert "create directory" in refusal(C8S, "up", "--data-dir", tmp_path / "file" / "d")
    run("ip", "link", "add", "taken", "type", "veth", "peer", "taken-peer")
    run("ip", "addr", "add", "172.28.128.9/24", "dev", "taken")
    try:
        assert "in use by interface taken" in refusal(C8S, "up", "--data-dir", tmp_path / "d")
    finally:
        run("ip", "link", "del", "taken")
    run("ip", "netns", "add", "k8s-master")
    squatter = subprocess.Popen(["ip", "netns", "exec", "k8s-master", "/usr/bin/python3", "-c", SQUAT], stdout=subprocess.PIPE)
    assert squatter.stdout.readline() == b"listening\n"
    try:
        assert "listen on 172.28.128.10 port 6443: Address already in use" in refusal(C8S, "up", "--data-dir", tmp_path / "d")
    finally:
        squatter.kill()
        squatter.wait()
    assert harness.traces() == []
    wrong = run(C8S, "up", "--nodes", "many", check=False)
    assert wrong.returncode == 2 and "--nodes takes a number from 1 to" in wrong.stderr
    assert run(C8S, "frobnicate", check=False).returncode == 2
