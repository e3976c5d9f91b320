"""ServiceAccounts: what pods get of them, and what a token opens."""
import base64
import json
import re

from harness import curl, eventually

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SLEEPER = ("--image=ubuntu", "--restart=Never", "--command", "--", "sleep", "infinity")
API = "https://172.28.128.10:6443"


def running(kubectl, namespace, name):
    kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    return lambda script: kubectl("exec", "-n", namespace, name, "--", "bash", "-c", script)


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_pod_speaks_to_the_api(kubectl, namespace):
    kubectl("run", "-n", namespace, "speaker", *SLEEPER)
    inside = running(kubectl, namespace, "speaker")
    ask = f'curl -sS --cacert {MOUNT}/ca.crt -H "Authorization: Bearer $(cat {MOUNT}/token)" https://kubernetes.default.svc'
    assert json.loads(inside(f"{ask}/version"))["major"] == "1"
    refused = json.loads(inside(f"{ask}/api/v1/namespaces/$(cat {MOUNT}/namespace)/pods"))
    assert refused["code"] == 403
    assert refused["message"] == (f'pods is forbidden: User "system:serviceaccount:{namespace}:default" cannot list resource "pods" '
                                  f'in API group "" in the namespace "{namespace}"')
    keys = json.loads(inside(f"{ask}/openid/v1/jwks"))["keys"]
    assert [k["alg"] for k in keys] == ["ES256"]
    pod = kubectl.json("get", "pod", "-n", namespace, "speaker")
    held = claims(inside(f"cat {MOUNT}/token"))
    assert held["sub"] == f"system:serviceaccount:{namespace}:default"
    assert held["kubernetes.io"]["pod"] == {"name": "speaker", "uid": pod["metadata"]["uid"]}
    assert held["kubernetes.io"]["node"]["name"] == "k8s-master"
    assert held["exp"] - held["iat"] == 3607
    post = f"{ask}/apis/authentication.k8s.io/v1/selfsubjectreviews -d '{{}}' -H 'Content-Type: application/json'"
    myself = json.loads(inside(post))["status"]["userInfo"]
    assert f"system:serviceaccounts:{namespace}" in myself["groups"]
    assert myself["extra"]["authentication.kubernetes.io/pod-name"] == ["speaker"]
    described = kubectl("describe", "pod", "-n", namespace, "speaker")
    assert re.search(rf"{MOUNT} from kube-api-access-\w{{5}} \(ro\)", described)
    assert re.search(r"kube-api-access-\w{5}:\n +Type: +Projected", described)


def test_a_pod_without_a_token(kubectl, namespace):
    """The pod's word goes before the account's."""
    kubectl("patch", "serviceaccount", "-n", namespace, "default", "-p", '{"automountServiceAccountToken":false}')
    kubectl("run", "-n", namespace, "without", *SLEEPER)
    kubectl("run", "-n", namespace, "with", '--overrides={"spec":{"automountServiceAccountToken":true}}', *SLEEPER)
    assert running(kubectl, namespace, "without")(f"ls {MOUNT} 2>&1 || true").strip().endswith("No such file or directory")
    assert running(kubectl, namespace, "with")(f"ls {MOUNT}").split() == ["ca.crt", "namespace", "token"]


def test_the_account_must_exist(kubectl, namespace):
    overrides = '--overrides={"spec":{"serviceAccountName":"builder"}}'
    assert (f'pods "early" is forbidden: error looking up service account {namespace}/builder: serviceaccount "builder" not found'
            in kubectl.fails("run", "-n", namespace, "early", overrides, *SLEEPER))
    kubectl("create", "serviceaccount", "-n", namespace, "builder")
    kubectl("run", "-n", namespace, "early", overrides, *SLEEPER)
    held = claims(running(kubectl, namespace, "early")(f"cat {MOUNT}/token"))
    assert held["sub"] == f"system:serviceaccount:{namespace}:builder"


def test_every_namespace_has_the_ca(kubectl, namespace):
    def ca():
        return kubectl.json("get", "configmap", "-n", namespace, "kube-root-ca.crt")["data"]["ca.crt"]

    first = eventually(ca, "kube-root-ca.crt")
    assert first.startswith("-----BEGIN CERTIFICATE-----")
    kubectl("patch", "configmap", "-n", namespace, "kube-root-ca.crt", "-p", '{"data":{"ca.crt":"wrong"}}')
    eventually(lambda: ca() == first, "kube-root-ca.crt is put right")
    kubectl("delete", "configmap", "-n", namespace, "kube-root-ca.crt")
    eventually(lambda: ca() == first, "kube-root-ca.crt is back")


def test_create_token(cluster, kubectl_new):
    kubectl = kubectl_new
    assert re.search(r"Username +kubernetes-admin", kubectl("auth", "whoami"))
    kubectl("create", "serviceaccount", "speaker")
    token = kubectl("create", "token", "speaker", "--duration=10m").strip()
    held = claims(token)
    assert held["exp"] - held["iat"] == 600
    assert held["aud"] == [held["iss"]] == ["https://kubernetes.default.svc.cluster.local"]
    bearer = ("-k", "-H", f"Authorization: Bearer {token}")
    assert "gitVersion" in curl(f"{API}/version", None, *bearer)
    assert "system:serviceaccount:default:speaker" in curl(f"{API}/api/v1/nodes", None, *bearer)
    assert json.loads(curl(f"{API}/version", None, "-k", "-H", "Authorization: Bearer not-a-token"))["message"] == "Unauthorized"
    assert "may not specify a duration less than 10 minutes" in kubectl.fails("create", "token", "speaker", "--duration=1m")
    for_others = kubectl("create", "token", "speaker", "--audience=vault").strip()
    assert json.loads(curl(f"{API}/version", None, "-k", "-H", f"Authorization: Bearer {for_others}"))["code"] == 401
    kubectl("delete", "serviceaccount", "speaker")
    assert json.loads(curl(f"{API}/version", None, *bearer))["code"] == 401


def test_a_token_dies_with_its_pod(kubectl_new, namespace):
    kubectl = kubectl_new
    kubectl("run", "-n", namespace, "owner", *SLEEPER)
    running(kubectl, namespace, "owner")
    token = kubectl("create", "token", "-n", namespace, "default", "--bound-object-kind=Pod", "--bound-object-name=owner").strip()
    bearer = ("-k", "-H", f"Authorization: Bearer {token}")
    assert "gitVersion" in curl(f"{API}/version", None, *bearer)
    kubectl("delete", "pod", "-n", namespace, "owner", "--grace-period=1")
    assert json.loads(curl(f"{API}/version", None, *bearer))["code"] == 401
