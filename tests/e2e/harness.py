"""A cluster under test and the people who use it: `c8s up` in this namespace, kubectl old and new, and waiting for events."""
import ctypes
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
C8S = os.environ.get("C8S", str(ROOT / "build" / "c8s"))
EXAMPLES = ROOT / "examples"
IMAGES = ROOT / "tests" / "images" / "out"
KUBECTLS = {"old": str(ROOT / "build/kubectl-old/usr/bin/kubectl"), "new": shutil.which("kubectl") or "kubectl"}
PATIENCE = float(os.environ.get("C8S_TEST_PATIENCE", "60"))  # seconds until a wait is a failure; nothing takes that long


def run(*argv, check=True, timeout=PATIENCE, **kw):
    """A finished process; text in and out. On an unexpected exit code the output is in the error."""
    done = subprocess.run([str(a) for a in argv], text=True, capture_output=True, timeout=timeout, check=False, **kw)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def eventually(check, what="", timeout=PATIENCE):
    """Calls check() until it returns something true, and returns that; a failing assert inside means: not yet."""
    deadline, pause, last = time.monotonic() + timeout, threading.Event(), None
    while True:
        try:
            result = check()
            if result:
                return result
        except (AssertionError, LookupError, subprocess.TimeoutExpired) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what or check.__name__}; last: {last}")
        pause.wait(0.02)


class Kubectl:
    """One version of kubectl against one cluster."""

    def __init__(self, binary, kubeconfig, home):
        self.binary = binary
        self.env = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def run(self, *args, **kw):
        return run(self.binary, *args, env=self.env, **kw)

    def __call__(self, *args, **kw):
        """Standard output of a call that must succeed."""
        return self.run(*args, **kw).stdout

    def json(self, *args):
        return json.loads(self(*args, "-o", "json"))

    def fails(self, *args, **kw):
        """Standard error of a call that must fail."""
        done = self.run(*args, check=False, **kw)
        assert done.returncode != 0, f"kubectl {' '.join(map(str, args))} succeeded: {done.stdout}"
        return done.stderr

    def popen(self, *args, **kw):
        return subprocess.Popen([self.binary, *map(str, args)], env=self.env, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kw)

    def pods(self, selector, namespace="default"):
        return self.json("-n", namespace, "get", "pods", "-l", selector)["items"]

    def ready_pods(self, selector, count, namespace="default"):
        """Waits until exactly `count` pods match, all Ready; returns them."""
        def check():
            pods = self.pods(selector, namespace)
            ready = [p for p in pods if condition(p, "Ready") == "True"]
            assert len(pods) == count and len(ready) == count, f"{len(ready)} of {len(pods)} Ready, want {count}"
            return pods or [None]
        found = eventually(check, f"{count} Ready pods of {selector}")
        return [p for p in found if p]

    def terminal(self, *args):
        return Terminal([self.binary, *map(str, args)], self.env)


class Terminal:
    """A command on a real terminal."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} did not appear in {self.seen!r}"
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            assert data, f"ended before {pattern!r}: {self.seen!r}"
            self.seen += data.decode(errors="replace")
        found = re.search(pattern, self.seen)
        self.seen = self.seen[found.end():]
        return found

    def close(self):
        """Waits for the end; the exit code."""
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def condition(obj, kind):
    for c in obj.get("status", {}).get("conditions", []):
        if c["type"] == kind:
            return c["status"]
    return None


HOMES = []  # of every cluster these tests made: processes that name one are ours


class Cluster:
    """`c8s up` with a data directory of its own."""

    def __init__(self, images=()):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="c8s-e2e-"))
        HOMES.append(str(self.home))
        self.data = self.home / "data"
        self.kubeconfig = self.home / "kubeconfig"
        self.data.mkdir()
        for name in images:
            self.import_image(name)

    def import_image(self, name, reference=None):
        """reference: under which name, other than its own."""
        named = ("--name", reference) if reference else ()
        return run(C8S, "image", "import", IMAGES / f"{name}.tar", *named, "--data-dir", self.data, timeout=120).stdout

    def up(self, *options):
        return run(C8S, "up", "--detach", "--data-dir", self.data, "--kubeconfig", self.kubeconfig, *options).stdout

    def down(self, *options):
        return run(C8S, "down", *options).stdout

    def pid(self):
        return json.loads(pathlib.Path("/run/c8s/state.json").read_text())["pid"]

    def kill(self):
        """kill -9, and waits until the process is gone."""
        pid = self.pid()
        fd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([fd], [], [])
        os.close(fd)

    def kubectl(self, version):
        return Kubectl(KUBECTLS[version], self.kubeconfig, self.home / f"home-{version}")

    def log(self):
        path = pathlib.Path("/run/c8s/c8s.log")
        return path.read_text(errors="replace") if path.exists() else ""

    def remove(self):
        self.down()
        shutil.rmtree(self.home, ignore_errors=True)


def on_node(node, *argv, **kw):
    """Runs a command in a node's network namespace."""
    return run("ip", "netns", "exec", node, *argv, **kw)


def enter_netns(fd):
    """The calling thread goes into a network namespace; os.setns came with Python 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def curl(url, node=None, *options):
    """Body of an answer, from a node or (None) from the host."""
    argv = ["curl", "-sS", "--max-time", "5", *options, url]
    return (on_node(node, *argv) if node else run(*argv)).stdout


def traces():
    """What a cluster leaves on the machine when it is not taken down well: each finding a line."""
    found = []
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    found += [m for m in mounts.splitlines() if "c8s" in m.split(" - ")[0] or "/run/netns/k8s" in m]
    found += [l for l in run("ip", "-o", "link").stdout.splitlines() if "c8s" in l or "pod" in l]
    found += [l for l in run("ip", "route").stdout.splitlines() if "10.96" in l or "10.244" in l or "172.28" in l]
    found += [l for l in run("nft", "list", "tables").stdout.splitlines() if "c8s" in l]
    found += [str(p) for p in (pathlib.Path("/run/netns"), pathlib.Path("/run/c8s")) if p.exists() and any(p.iterdir())]
    if pathlib.Path("/sys/fs/cgroup/c8s").exists():  # of cgroup2 alone; on a hybrid machine other tests may be at it
        found.append("/sys/fs/cgroup/c8s")
    mine = os.stat("/proc/self/ns/mnt").st_ino
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            same = os.stat(entry / "ns/mnt").st_ino == mine
        except OSError:
            continue
        if any(home in command for home in HOMES) or (same and re.match(r"\S*(conmon|crun|c8s|haproxy) ", command)):
            found.append(f"process {entry.name}: {command}")
    return found
