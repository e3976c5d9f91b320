"""Streams other than exec: port-forward, attach, run -it, cp."""
import contextlib
import hashlib
import json
import os
import re
import select
import signal
import socket
import urllib.request

import pytest

from harness import KUBECTLS, PATIENCE, eventually

# Answers with a digest of all it gets once the client has said that nothing follows; breaks the connection when told so.
DIGESTS = """
import hashlib, socket, socketserver, struct
class H(socketserver.StreamRequestHandler):
    def handle(self):
        if self.connection.recv(5, socket.MSG_PEEK) == b"reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode())
socketserver.ThreadingTCPServer(("", 9000), H).serve_forever()
"""


@contextlib.contextmanager
def forwarded(kubectl, *args):
    """`kubectl port-forward`; gives the process and the local ports it printed."""
    forward = kubectl.popen("port-forward", *args)
    ports = []
    try:
        for _ in [a for a in args if re.match(r"\d*:?\d+$", a)]:
            line = ""
            while "127.0.0.1" not in line:
                line = forward.stdout.readline()
                assert line, forward.stderr.read()
            ports.append(int(re.search(r"127\.0\.0\.1:(\d+) ->", line)[1]))
        yield forward, ports
    finally:
        forward.send_signal(signal.SIGINT)
        forward.communicate(timeout=PATIENCE)


def get(port, path="/"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return answer.read()


def exchange(port, data):
    """Sends, says that nothing follows, returns the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: s.recv(65536), b""))


@pytest.fixture
def web(kubectl, namespace):
    """A Deployment with a Service whose port is not the pod's; a digest of what it gets on port 9000."""
    kubectl("apply", "-n", namespace, "-f", "-", input=f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: nginx
        image: nginx
      - name: digests
        image: yanbin/python-web:latest
        command: [python3, -c, {json.dumps(DIGESTS)}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 8080, targetPort: 80}}]
""")
    eventually(lambda: kubectl.json("get", "deploy", "web", "-n", namespace)["status"].get("readyReplicas") == 1, "web is ready")
    return kubectl.json("get", "pods", "-n", namespace, "-l", "app=web")["items"][0]["metadata"]["name"]


@pytest.mark.parametrize("what", ["pod", "service", "deployment"])
def test_port_forward(kubectl, namespace, web, what):
    target = {"pod": (f"pod/{web}", ":80"), "service": ("svc/web", ":8080"), "deployment": ("deploy/web", ":80")}[what]
    with forwarded(kubectl, "-n", namespace, *target) as (forward, (port,)):
        for _ in range(5):
            assert b"nginx" in get(port)
        assert forward.poll() is None


def test_port_forward_carries_much_both_ways(kubectl, namespace, web):
    sums = kubectl("exec", web, "-n", namespace, "-c", "nginx", "--", "sh", "-c",
                   "cd /usr/share/nginx/html && head -c 10485760 /dev/urandom >big && sha256sum big").split()
    up = os.urandom(10 << 20)
    with forwarded(kubectl, "-n", namespace, f"pod/{web}", ":80", ":9000") as (_, ports):
        assert hashlib.sha256(get(ports[0], "/big")).hexdigest() == sums[0]
        for data in (up, b"", b"little"):
            assert exchange(ports[1], data).decode() == hashlib.sha256(data).hexdigest()
        assert b"nginx" in get(ports[0])


def test_a_port_nobody_listens_on(kubectl, namespace, web):
    with forwarded(kubectl, "-n", namespace, f"pod/{web}", ":80", ":81") as (forward, ports):
        assert exchange(ports[1], b"") == b""
        line = forward.stderr.readline()
        assert re.search(r"error forwarding port 81 to pod .*failed to connect to localhost:81 inside namespace .*"
                         "connection refused", line), line
        if kubectl.binary == KUBECTLS["old"]:
            assert b"nginx" in get(ports[0])
            assert forward.poll() is None
        else:  # 1.23 and later close the session themselves when they are told an error
            forward.wait(PATIENCE)
            assert "lost connection to pod" in forward.stderr.read()  # not communicate(): a line more may have been read ahead


def test_a_connection_that_breaks_is_only_that(kubectl, namespace, web):
    with forwarded(kubectl, "-n", namespace, f"pod/{web}", ":80", ":9000") as (forward, ports):
        with socket.create_connection(("127.0.0.1", ports[1]), timeout=PATIENCE) as s:
            s.sendall(b"reset")
            assert s.recv(1) == b""
        for _ in range(2):
            assert b"nginx" in get(ports[0])
        assert forward.poll() is None


def test_a_program_that_is_not_there(kubectl, namespace, web):
    for program, code, said in (("nosuch", 127, "executable file not found in $PATH"), ("/no/such", 127, "no such file or directory"),
                                ("/etc", 126, "permission denied")):
        done = kubectl.run("exec", web, "-n", namespace, "-c", "nginx", "--", program, check=False)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert "OCI runtime exec failed: exec failed: unable to start container process" in done.stderr and said in done.stderr


def test_attach_to_what_runs(kubectl, namespace):
    kubectl("run", "talk", "-n", namespace, "--image=ubuntu", "--restart=Never", "-i", "--attach=false", "--command", "--", "bash", "-c",
            "while read line; do echo got $line; echo heard $line >&2; [ $line = end ] && exit 5; done")
    kubectl("wait", "pod/talk", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    listener = kubectl.popen("attach", "talk", "-n", namespace)
    speaker = kubectl.popen("attach", "-i", "talk", "-n", namespace, stdin=-1)

    def both_are_attached():
        speaker.stdin.write("more\n")
        speaker.stdin.flush()
        return all(select.select([reader.stdout], [], [], 0.1)[0] for reader in (listener, speaker))
    eventually(both_are_attached)
    speaker.stdin.write("end\n")
    speaker.stdin.flush()
    out, err = speaker.communicate(timeout=PATIENCE)
    assert out.endswith("got more\ngot end\n") and speaker.returncode == 0
    assert "heard more\nheard end\n" in err
    assert listener.communicate(timeout=PATIENCE)[0].endswith("got more\ngot end\n") and listener.returncode == 0
    assert "heard end" in kubectl("logs", "talk", "-n", namespace)
    assert kubectl.fails("attach", "talk", "-n", namespace)


def test_run_on_a_terminal(kubectl, namespace):
    terminal = kubectl.terminal("run", "shell", "-n", namespace, "-it", "--rm", "--image=ubuntu", "--restart=Never", "--", "sh")
    terminal.expect("command prompt")
    terminal.type("\n")
    terminal.expect(r"[#$] ")
    terminal.type("stty size; tty; hostname\n")
    terminal.expect(r"\d+ \d+\s+/dev/(pts/\d+|console)\s+shell")
    terminal.type("exit 0\n")
    terminal.expect('pod "shell" deleted')
    assert terminal.close() == 0
    eventually(lambda: "NotFound" in kubectl.run("get", "pod", "shell", "-n", namespace, check=False).stderr, "it is gone")


def test_run_with_input(kubectl, namespace):
    data = "".join(f"{i}\n" for i in range(20000))
    done = kubectl.run("run", "count", "-n", namespace, "-i", "--rm", "--image=ubuntu", "--restart=Never", "--quiet", "--", "wc", "-l",
                       input=data)
    assert re.match(r"20000\n", done.stdout), done


def test_cp_both_ways(kubectl, namespace, tmp_path):
    kubectl("run", "box", "-n", namespace, "--image=ubuntu", "--restart=Never", "--command", "--", "sleep", "infinity")
    kubectl("wait", "pod/box", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "small").write_text("little\n")
    (tree / "below" / "large").write_bytes(os.urandom(3 << 20))
    kubectl("cp", tree, f"{namespace}/box:/tmp/tree")
    assert kubectl("exec", "box", "-n", namespace, "--", "cat", "/tmp/tree/small") == "little\n"
    kubectl("cp", f"{namespace}/box:/tmp/tree", tmp_path / "back")
    for name in ("small", "below/large"):
        assert (tmp_path / "back" / name).read_bytes() == (tree / name).read_bytes()
