"""What programs build on the Python client: leader election on a Lease, and the dynamic client."""
import datetime

import pytest
from kubernetes import client, config
from kubernetes.client.rest import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord

import harness


@pytest.fixture
def core(cluster):
    config.load_kube_config(str(cluster.kubeconfig))
    return client.CoreV1Api()


class LeaseLock:
    """What the client's leader election asks of a lock, on a Lease (this version brings ConfigMaps only)."""

    def __init__(self, name, namespace, identity):
        self.name, self.namespace, self.identity, self.lease = name, namespace, identity, None

    def get(self, name, namespace):
        try:
            self.lease = client.CoordinationV1Api().read_namespaced_lease(name, namespace)
        except ApiException as error:
            return False, error
        spec = self.lease.spec
        return True, LeaderElectionRecord(spec.holder_identity, spec.lease_duration_seconds, str(spec.acquire_time),
                                          str(spec.renew_time))

    def spec(self, record):
        return {"holderIdentity": record.holder_identity, "leaseDurationSeconds": int(record.lease_duration),
                "acquireTime": self.time(record.acquire_time), "renewTime": self.time(record.renew_time)}

    @staticmethod
    def time(text):
        return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def write(self, call, *args):
        try:
            call(*args)
            return True
        except ApiException as error:
            assert error.status == 409  # somebody was faster
            return False

    def create(self, name, namespace, election_record):
        return self.write(client.CoordinationV1Api().create_namespaced_lease, namespace,
                          {"metadata": {"name": name}, "spec": self.spec(election_record)})

    def update(self, name, namespace, updated_record):
        body = {"metadata": {"name": name, "resourceVersion": self.lease.metadata.resource_version},
                "spec": self.spec(updated_record)}
        return self.write(client.CoordinationV1Api().replace_namespaced_lease, name, namespace, body)


def test_leader_election_on_a_lease(core):
    def candidate(name):
        lock = LeaseLock("py-leader", "default", name)
        return LeaderElection(Config(lock, lease_duration=3, renew_deadline=2, retry_period=1, onstarted_leading=lambda: None,
                                     onstopped_leading=None))
    first, second = candidate("first"), candidate("second")
    try:
        assert first.try_acquire_or_renew() and not second.try_acquire_or_renew()
        assert first.try_acquire_or_renew()  # renews
        seen = client.CoordinationV1Api().read_namespaced_lease("py-leader", "default").spec
        assert seen.holder_identity == "first" and seen.renew_time > seen.acquire_time
        harness.eventually(second.try_acquire_or_renew, "the second takes over when the first is silent")
        assert client.CoordinationV1Api().read_namespaced_lease("py-leader", "default").spec.holder_identity == "second"
    finally:
        client.CoordinationV1Api().delete_namespaced_lease("py-leader", "default")


def test_the_dynamic_client(core):
    dynamic = DynamicClient(client.ApiClient())
    budgets = dynamic.resources.get(api_version="policy/v1", kind="PodDisruptionBudget")
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "py"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "py"}}}}
    made = budgets.create(body=body, namespace="default")
    assert made.spec.maxUnavailable == 1 and budgets.get(name="py", namespace="default").metadata.uid == made.metadata.uid
    patch = [{"op": "replace", "path": "/spec/maxUnavailable", "value": "50%"}]
    patched = budgets.patch(body=patch, name="py", namespace="default", content_type="application/json-patch+json")
    assert patched.spec.maxUnavailable == "50%"
    assert "py" in [b.metadata.name for b in budgets.get(namespace="default").items]
    for event in budgets.watch(namespace="default", timeout=5):
        assert event["type"] == "ADDED" and event["object"].metadata.name == "py"
        break
    budgets.delete(name="py", namespace="default")
