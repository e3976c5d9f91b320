"""contrib/*.service on a machine with systemd: the program is restarted and replaced, and containers go on."""
import json
import os
import pathlib
import re
import shutil
import signal

import pytest

from harness import C8S, IMAGES, KUBECTLS, ROOT, Kubectl, condition, eventually, run

pytestmark = pytest.mark.systemd
PROGRAM = pathlib.Path("/usr/local/bin/c8s")
LINK = "machine0"  # what stands for the machine's network card


def show(unit, what):
    return run("systemctl", "show", "-P", what, unit).stdout.strip()


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory):
    run("ip", "link", "add", LINK, "type", "dummy")
    run("ip", "link", "set", LINK, "up")
    run("ip", "addr", "add", "192.168.7.10/24", "dev", LINK)
    run("ip", "route", "add", "default", "via", "192.168.7.1")
    shutil.copy(C8S, PROGRAM)
    run(PROGRAM, "image", "import", IMAGES / "nginx.tar")
    for unit in ("c8s-server", "c8s-agent"):
        shutil.copy(ROOT / "contrib" / f"{unit}.service", "/etc/systemd/system/")
    run("systemd-analyze", "verify", "c8s-server.service", "c8s-agent.service")
    run("systemctl", "enable", "--now", "c8s-server")
    path = pathlib.Path("/var/lib/c8s/kubeconfig")
    k = Kubectl(KUBECTLS["new"], path, tmp_path_factory.mktemp("home"))
    eventually(path.exists, "the kubeconfig is written")
    yield k
    run("systemctl", "disable", "--now", "c8s-server")
    run(PROGRAM, "down", "--purge")
    run("ip", "link", "del", LINK)
    assert not pathlib.Path("/sys/fs/cgroup/c8s").exists()


def the_pod(kubectl):
    """Address, container and its restarts of the one pod, once the node and it are Ready."""
    node = kubectl.json("get", "nodes")["items"][0]
    assert condition(node, "Ready") == "True"
    pod = kubectl.ready_pods("app=web", 1)[0]
    container = pod["status"]["containerStatuses"][0]
    return pod["status"]["podIP"], container["containerID"], container["restartCount"]


def test_containers_outlive_the_program(kubectl):
    kubectl("create", "deployment", "web", "--image=nginx")
    kubectl("expose", "deployment", "web", "--port=80")
    before = eventually(lambda: the_pod(kubectl), "the pod runs")
    address = kubectl.json("get", "service", "web")["spec"]["clusterIP"]

    def answers():
        return "Welcome to nginx" in run("curl", "-sS", "--max-time", "20", f"http://{address}").stdout
    eventually(answers, "the Service answers")
    assert int(pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max").read_text()) >= 131072

    pid = show("c8s-server", "MainPID")
    os.kill(int(pid), signal.SIGKILL)
    eventually(lambda: show("c8s-server", "MainPID") not in ("0", pid), "systemd starts it again")
    assert answers() and eventually(lambda: the_pod(kubectl), "known again") == before

    run("systemctl", "stop", "c8s-server", timeout=120)
    assert show("c8s-server", "Result") == "success"
    assert answers(), "stopped is not taken down"
    shutil.copy(C8S, f"{PROGRAM}.new")  # a new version, in place
    os.rename(f"{PROGRAM}.new", PROGRAM)
    run("systemctl", "start", "c8s-server")
    assert answers() and eventually(lambda: the_pod(kubectl), "known again") == before

    run("systemctl", "daemon-reload")  # systemd looks at its groups anew
    groups = pathlib.Path("/sys/fs/cgroup")
    assert {"cpu", "memory", "pids"} <= set((groups / "c8s/cgroup.subtree_control").read_text().split())
    journal = run("journalctl", "-u", "c8s-server", "--no-pager").stdout
    assert not re.search(r"not enforced here|left-over process| (warn|error) ", journal), journal
    assert json.loads(pathlib.Path("/run/c8s/state.json").read_text())["pid"] == int(show("c8s-server", "MainPID"))
