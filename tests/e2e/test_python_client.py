"""The official Python client (python3-kubernetes), which must not notice that this is not Go."""
import pytest
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

from harness import PATIENCE


@pytest.fixture
def core(cluster):
    config.load_kube_config(str(cluster.kubeconfig))
    return client.CoreV1Api()


def test_objects_through_the_python_client(core):
    created = core.create_namespaced_config_map("default", {"metadata": {"name": "py"}, "data": {"a": "1"}})
    assert created.metadata.uid and created.data == {"a": "1"}
    patched = core.patch_namespaced_config_map("py", "default", {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    patched.data = {"c": "3"}
    assert core.replace_namespaced_config_map("py", "default", patched).data == {"c": "3"}
    created.metadata.resource_version = created.metadata.resource_version
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("py", "default", created)
    assert stale.value.status == 409
    assert "py" in [c.metadata.name for c in core.list_namespaced_config_map("default").items]
    core.delete_namespaced_config_map("py", "default")
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_config_map("py", "default")
    assert gone.value.status == 404


def test_every_kind_can_be_listed_and_read_back(core):
    apps = client.AppsV1Api()
    for listed in (core.list_node(), core.list_namespace(), core.list_service_for_all_namespaces(),
                   core.list_endpoints_for_all_namespaces(), core.list_pod_for_all_namespaces(),
                   core.list_service_account_for_all_namespaces(), core.list_event_for_all_namespaces(),
                   apps.list_deployment_for_all_namespaces(), apps.list_replica_set_for_all_namespaces(),
                   client.DiscoveryV1Api().list_endpoint_slice_for_all_namespaces(),
                   client.CoordinationV1Api().list_lease_for_all_namespaces()):
        assert listed.metadata.resource_version
    assert core.list_node().items[0].status.node_info.kubelet_version.startswith("v1.")


def test_watch_exec_and_port_forward_through_the_python_client(core):
    before = core.list_namespaced_pod("default").metadata.resource_version
    core.create_namespaced_pod("default", {"metadata": {"name": "py"}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "nginx", "imagePullPolicy": "IfNotPresent"}]}})
    try:
        seen = []
        watcher = watch.Watch()
        for event in watcher.stream(core.list_namespaced_pod, "default", resource_version=before, timeout_seconds=60):
            pod = event["object"]
            if pod.metadata.name != "py":
                continue
            seen.append(event["type"])
            if any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or []):
                watcher.stop()
        assert seen[0] == "ADDED" and set(seen[1:]) == {"MODIFIED"}
        said = stream(core.connect_get_namespaced_pod_exec, "py", "default", command=["echo", "hello"], stdout=True,
                      stderr=True, stdin=False, tty=False)
        assert said == "hello\n"
        forward = portforward(core.connect_get_namespaced_pod_portforward, "py", "default", ports="81,80")
        web, nobody = forward.socket(80), forward.socket(81)
        web.settimeout(PATIENCE)
        nobody.settimeout(PATIENCE)
        web.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"Welcome to nginx" in b"".join(iter(lambda: web.recv(65536), b""))
        assert nobody.recv(1) == b""
        assert "connection refused" in forward.error(81) and not forward.error(80)
    finally:
        core.delete_namespaced_pod("py", "default")
