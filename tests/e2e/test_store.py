"""What the store promises to people: lists in pages, backups, a full disk."""
import json

import pytest

import harness
from harness import C8S, eventually, run


@pytest.fixture
def small_cluster():
    """Without images, its data on a file system of 40 MB."""
    cluster = harness.Cluster([])
    run("mount", "-t", "tmpfs", "-o", "size=40m,mode=755", "tmpfs", cluster.data)
    try:
        cluster.up()
        yield cluster
    finally:
        run("umount", "-l", cluster.data)
        cluster.remove()


def configmap_names(kubectl):
    return set(kubectl("get", "configmaps", "-o", "name").split())


def list_revision(kubectl):
    return int(json.loads(kubectl("get", "--raw", "/api/v1/configmaps"))["metadata"]["resourceVersion"])


def check_pages(kubectl):
    """A list in pages is the list of its first page's moment; an old revision is read as it was."""
    for i in range(7):
        kubectl("create", "configmap", f"page-{i}")
    first = json.loads(kubectl("get", "--raw", "/api/v1/namespaces/default/configmaps?limit=3"))
    assert first["metadata"]["remainingItemCount"] == 5  # kube-root-ca.crt is one of eight
    kubectl("delete", "configmap", "page-6")
    token = first["metadata"]["continue"]
    rest = json.loads(kubectl("get", "--raw", f"/api/v1/namespaces/default/configmaps?continue={token}"))
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert [o["metadata"]["name"] for o in rest["items"]][-1] == "page-6"
    assert len(kubectl("get", "configmaps", "--chunk-size=2", "--no-headers").splitlines()) == 7
    at = first["metadata"]["resourceVersion"]
    was = json.loads(kubectl("get", "--raw", f"/api/v1/namespaces/default/configmaps?resourceVersionMatch=Exact&resourceVersion={at}"))
    assert len(was["items"]) == 8


def check_full_disk(cluster, kubectl):
    filler = cluster.data / "filler"
    with filler.open("wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(1024))
        except OSError:
            pass  # now it is full
    big = "x" * 100000

    def write_fails():
        return kubectl.run("create", "configmap", "one-too-many", f"--from-literal=v={big}", check=False).stderr
    told = eventually(lambda: [t for t in [write_fails()] if "AlreadyExists" not in t and t][0], "a write that fails")
    assert "Internal error occurred: the disk is full; make room and try again" in told, told
    assert "page-1" in kubectl("get", "configmaps")  # reads go on
    filler.unlink()
    kubectl("delete", "configmap", "one-too-many", "--ignore-not-found")
    kubectl("create", "configmap", "there-is-room-again")


def test_pages_a_full_disk_a_backup_and_its_restore(small_cluster):
    cluster = small_cluster
    kubectl = cluster.kubectl("new")
    check_pages(kubectl)
    check_full_disk(cluster, kubectl)

    backup = cluster.home / "backup"
    run(C8S, "backup", "--data-dir", cluster.data, backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    saved = configmap_names(kubectl)
    revision = list_revision(kubectl)
    kubectl("delete", "configmap", "page-1")
    kubectl("create", "configmap", "after-the-backup")
    refused = run(C8S, "restore", "--data-dir", cluster.data, backup, check=False)
    assert refused.returncode == 1 and "is in use by another c8s" in refused.stderr
    cluster.down()
    run(C8S, "restore", "--data-dir", cluster.data, backup)
    cluster.up()
    assert configmap_names(kubectl) == saved
    assert list_revision(kubectl) > revision + 1000
    told = kubectl.fails("get", "--raw", f"/api/v1/configmaps?resourceVersionMatch=Exact&resourceVersion={revision}")
    assert "too old" in told
    kubectl("create", "configmap", "life-goes-on")
