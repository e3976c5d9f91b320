"""Who may do what: roles as people write them, with both kubectls, and what the tokens of accounts open."""
import json

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException

from harness import eventually

API = "https://172.28.128.10:6443"


def can_i(kubectl, *args):
    return kubectl("auth", "can-i", *args, check=False).split()[0]


def with_token(token):
    return "--kubeconfig=/dev/null", f"--server={API}", f"--token={token}", "--insecure-skip-tls-verify"


def test_roles_are_made_bound_and_asked(kubectl, namespace):
    n = ("-n", namespace)
    kubectl("create", "role", "reader", *n, "--verb=get,list", "--resource=pods,pods/log")
    kubectl("create", "role", "one", *n, "--verb=update", "--resource=deployments.apps", "--resource-name=web")
    kubectl("create", "clusterrole", f"{namespace}-paths", "--verb=get", "--non-resource-url=/metrics")
    kubectl("create", "rolebinding", "reads", *n, "--role=reader", "--user=jane", f"--serviceaccount={namespace}:default")
    kubectl("create", "rolebinding", "updates", *n, "--role=one", "--group=team")
    kubectl("create", "clusterrolebinding", f"{namespace}-paths", f"--clusterrole={namespace}-paths", "--user=jane")

    assert can_i(kubectl, "list", "pods", "--as=jane", *n) == "yes"
    assert can_i(kubectl, "get", "pods", "--subresource=log", "--as=jane", *n) == "yes"
    assert can_i(kubectl, "delete", "pods", "--as=jane", *n) == "no"
    assert can_i(kubectl, "update", "deployments.apps/web", "--as=joe", "--as-group=team", *n) == "yes"
    assert can_i(kubectl, "update", "deployments.apps/db", "--as=joe", "--as-group=team", *n) == "no"
    assert can_i(kubectl, "get", "/metrics", "--as=jane") == "yes"
    assert can_i(kubectl, "get", "/metrics", "--as=joe") == "no"
    assert can_i(kubectl, "*", "*", "--all-namespaces") == "yes"
    assert can_i(kubectl, "list", "pods", f"--as=system:serviceaccount:{namespace}:default", *n) == "yes"
    listed = [line.split() for line in kubectl("auth", "can-i", "--list", "--as=jane", *n).splitlines()]
    assert any(words[0] == "pods" and words[-2:] == ["[get", "list]"] for words in listed)
    assert any(words[0] == "selfsubjectaccessreviews.authorization.k8s.io" for words in listed)

    kubectl("get", "pods", *n, "--as=jane")
    assert (f'Error from server (Forbidden): pods is forbidden: User "joe" cannot list resource "pods" in API group "" '
            f'in the namespace "{namespace}"') in kubectl.fails("get", "pods", *n, "--as=joe")
    rows = kubectl("get", "rolebindings", *n, "-o", "wide")
    assert "Role/reader" in rows and f"{namespace}/default" in rows
    assert "pods/log" in kubectl("describe", "role", "reader", *n)
    assert "cannot change roleRef" in kubectl.fails("patch", "rolebinding", "reads", *n, "-p", '{"roleRef":{"name":"one"}}')
    kubectl("delete", "clusterrole,clusterrolebinding", f"{namespace}-paths")


def test_nobody_gives_away_what_they_lack(kubectl, namespace, tmp_path):
    n, jane = ("-n", namespace), ("--as=jane", "--as-group=system:authenticated")
    kubectl("create", "rolebinding", "jane", *n, "--clusterrole=admin", "--user=jane")
    eventually(lambda: can_i(kubectl, "create", "roles", *n, *jane) == "yes", "admin has its rules")
    kubectl("create", "role", "fine", *n, *jane, "--verb=get", "--resource=pods,secrets")
    said = kubectl.fails("create", "role", "more", *n, *jane, "--verb=get,list", "--resource=pods,nodes")
    assert ('roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to '
            'grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}') in said
    assert "not currently held" in kubectl.fails("create", "rolebinding", "root", *n, *jane, "--clusterrole=cluster-admin",
                                                 "--user=jane")
    kubectl("create", "rolebinding", "joe", *n, *jane, "--clusterrole=view", "--user=joe")
    assert can_i(kubectl, "list", "pods", *n, "--as=joe") == "yes"
    name = f"{namespace}-more"
    assert can_i(kubectl, "get", "nodes", *n, "--as=joe") == "no"
    kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes")
    kubectl("label", "clusterrole", name, "rbac.authorization.k8s.io/aggregate-to-view=true")
    eventually(lambda: can_i(kubectl, "get", "nodes", *n, "--as=joe") == "yes", "view has collected the new rule")
    kubectl("delete", "clusterrole", name)
    eventually(lambda: can_i(kubectl, "get", "nodes", *n, "--as=joe") == "no", "view has dropped it")

    manifest = tmp_path / "roles.json"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "fine", "namespace": namespace},
            "rules": [{"verbs": ["watch"], "apiGroups": [""], "resources": ["pods"]}]}
    manifest.write_text(json.dumps(role))
    kubectl("auth", "reconcile", "-f", manifest)
    rules = kubectl.json("get", "role", "fine", *n)["rules"]
    assert {"watch", "get"} <= {verb for rule in rules for verb in rule["verbs"]}


def test_the_token_of_an_account(kubectl_new, tmp_path, request):
    kubectl, namespace = kubectl_new, "rbac-token"
    kubectl("create", "namespace", namespace)
    request.addfinalizer(lambda: kubectl("delete", "namespace", namespace, "--wait=false"))
    kubectl("create", "serviceaccount", "robot", "-n", namespace)
    token = kubectl("create", "token", "robot", "-n", namespace).strip()
    ca = kubectl.json("get", "configmap", "kube-root-ca.crt", "-n", "kube-system")["data"]["ca.crt"]
    (tmp_path / "ca.crt").write_text(ca)
    config = client.Configuration()
    config.host, config.ssl_ca_cert = API, str(tmp_path / "ca.crt")
    config.api_key = {"authorization": f"Bearer {token}"}
    core = client.CoreV1Api(client.ApiClient(config))
    with pytest.raises(ApiException) as forbidden:
        core.list_namespaced_pod(namespace)
    assert forbidden.value.status == 403
    assert f'User "system:serviceaccount:{namespace}:robot" cannot list resource "pods"' in json.loads(forbidden.value.body)["message"]
    kubectl("create", "rolebinding", "robot", "-n", namespace, "--clusterrole=edit", f"--serviceaccount={namespace}:robot")
    eventually(lambda: can_i(kubectl, "create", "configmaps", "-n", namespace,
                             f"--as=system:serviceaccount:{namespace}:robot") == "yes", "edit has its rules")
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "made"}})
    with pytest.raises(ApiException) as elsewhere:
        core.list_namespaced_config_map("kube-system")
    assert elsewhere.value.status == 403
    me = kubectl(*with_token(token), "auth", "whoami")
    assert f"system:serviceaccount:{namespace}:robot" in me
    assert 'cannot impersonate resource "users" in API group "" at the cluster scope' in kubectl.fails(
        *with_token(token), "get", "pods", "-n", namespace, "--as=jane")
