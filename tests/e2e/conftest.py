"""Fixtures: one cluster for the session, kubectl in both versions, a namespace a test."""
import os
import pathlib
import re

import pytest

import harness

if os.environ.get("C8S_OUTER_NETNS", "") in ("", str(os.stat("/proc/self/ns/net").st_ino)):
    pytest.exit("run tools/e2e: these tests want a network namespace of their own", returncode=2)

MARKERS = {
    "cgroup2": "wants a cgroup2 that has the controllers: Debian's default, and what tools/vm brings",
    "systemd": "writes systemd units: only on a machine of tools/vm",
}


def pytest_addoption(parser):
    parser.addoption("--part", choices=("own", "shared"),
                     help="only the tests that have clusters of their own, or only those that share one until the end")


def pytest_configure(config):
    for name, why in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {why}")


def possible(item):
    """What this machine cannot show is not collected, and `make vm-test` runs it elsewhere."""
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
    has = {"cgroup2": controllers.exists() and "memory" in controllers.read_text(), "systemd": "C8S_VM" in os.environ}
    return all(there for name, there in has.items() if item.get_closest_marker(name))


def part_of(item):
    return "shared" if "cluster" in item.fixturenames else "own"


def pytest_collection_modifyitems(config, items):
    """There is one cluster at a time: tests with one of their own come before those that share one of three nodes in their file, and
    those before the many that share one until the end."""
    part = config.getoption("part")
    items[:] = [item for item in items if possible(item) and part in (None, part_of(item))]
    items.sort(key=lambda item: (part_of(item), "three" in item.fixturenames))


ALL_IMAGES = ("python-web", "kubia", "nginx", "busyboxplus", "dnsutils", "ubuntu", "busybox")


@pytest.fixture(scope="session")
def cluster():
    """A one-node cluster with all images, taken away at the end without a trace."""
    c = harness.Cluster(ALL_IMAGES)
    c.up()
    yield c
    c.remove()
    assert harness.traces() == []


@pytest.fixture(params=["old", "new"])
def kubectl(request, cluster):
    """kubectl against the shared cluster: every test that takes it runs with both versions."""
    return cluster.kubectl(request.param)


@pytest.fixture(scope="session")
def kubectl_new(cluster):
    return cluster.kubectl("new")


@pytest.fixture
def default_empty(kubectl):
    """The namespace `default`, left as it was found: walkthroughs do not name one."""
    yield kubectl
    for kind in ("deployments", "replicationcontrollers", "replicasets", "configmaps", "secrets"):
        for name in kubectl("get", kind, "-o", "name").split():
            kubectl("delete", name, "--wait=false", "--ignore-not-found")
    for name in kubectl("get", "pods", "-o", "name").split():
        kubectl("delete", name, "--wait=false", "--ignore-not-found", "--grace-period=1")  # sleep does not hear SIGTERM
    for name in kubectl("get", "services", "-o", "name").split():
        if name != "service/kubernetes":
            kubectl("delete", name, "--ignore-not-found")
    harness.eventually(lambda: kubectl("get", "pods", "-o", "name") == "", "no pods are left")


def fresh_namespace(kubectl, request):
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def namespace(kubectl, request):
    """A fresh namespace, deleted afterwards; the name comes from the test's."""
    yield from fresh_namespace(kubectl, request)


@pytest.fixture
def namespace_new(kubectl_new, request):
    """The same, for tests that run once."""
    yield from fresh_namespace(kubectl_new, request)
