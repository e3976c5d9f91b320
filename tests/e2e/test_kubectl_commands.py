"""Every command of `kubectl --help` that no other test has, as rows: what is typed, and what is then read. {ns} is a namespace of the
test's own, {dir} a directory with the files below. Rows run in order, with both versions; NEW marks what 1.20 does not know."""
import re

import pytest

from harness import eventually

FILES = {
    "maps.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: aa, labels: {group: maps}}
data: {x: "1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bb, labels: {group: maps}}
data: {x: "1"}
""",
    "map.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: aa, labels: {group: maps}}
data: {x: "2"}
""",
    "kustomization.yaml": """
namePrefix: pre-
configMapGenerator:
- {name: made, literals: [a=b]}
resources: [map.yaml]
""",
}

NEW = "new"
SETTLED = "settled"  # for rows that want one of the pods that stay
CREATE = [  # what `kubectl create` and its relatives make, and a line of `kubectl get` about it
    ("create deployment web --image=nginx --replicas=2", "deployment.apps/web created"),
    ("create job once --image=busybox -- true", "job.batch/once created"),
    ("create cronjob often --image=busybox --schedule=*/5_*_*_*_* -- true", "cronjob.batch/often created"),
    ("create configmap some --from-literal=a=b", "configmap/some created"),
    ("create secret generic hidden --from-literal=a=b", "secret/hidden created"),
    ("create secret docker-registry reg --docker-username=u --docker-password=p --docker-email=e", "secret/reg created"),
    ("create quota few --hard=pods=20", "resourcequota/few created"),
    ("create serviceaccount robot", "serviceaccount/robot created"),
    ("create role reader --verb=get --resource=pods", "role.rbac.authorization.k8s.io/reader created"),
    ("create rolebinding readers --role=reader --user=u", "rolebinding.rbac.authorization.k8s.io/readers created"),
    ("create service clusterip inside --tcp=80:80", "service/inside created"),
    ("create service nodeport outside --tcp=80:80", "service/outside created"),
    ("create service loadbalancer front --tcp=80:80", "service/front created"),
    ("create service externalname other --external-name=example.com", "service/other created"),
    ("create poddisruptionbudget keep --selector=app=web --min-available=1", "poddisruptionbudget.policy/keep created"),
    ("create ingress way --rule=foo.com/bar=web:80", "ingress.networking.k8s.io/way created", NEW),
    ("create token robot", r"^eyJ", NEW),
    ("expose deployment web --port=80", "service/web exposed"),
    ("run shown --image=nginx --port=80 --expose", "service/shown created"),
    ("autoscale deployment web --min=1 --max=3 --cpu-percent=80", "horizontalpodautoscaler.autoscaling/web autoscaled"),
    ("get cronjob often", r"often +\*/5 \* \* \* \* .*False +\d +\S+ "),  # its minute may just have come
    ("get ingress way", r"way +haproxy +foo\.com ", NEW),
    ("get service other", r"other +ExternalName +<none> +example\.com"),
    ("get hpa web", r"web +Deployment/web +\S.* +1 +3 "),
    ("get componentstatuses", r"scheduler +Healthy +ok"),
    ("get cs etcd-0 -o name", "componentstatus/etcd-0"),
    ("get apiservices", r"v1\.apps +Local +True +\d+"),
    ("get deployment web --subresource=scale", r"NAME +DESIRED +AVAILABLE +AGE\nweb +2 ", NEW),
    ("get deploy,svc web -o name", "deployment.apps/web\nservice/web"),
    ("get sa robot -o jsonpath={.metadata.name}", "^robot$"),
    ("get quota few -o custom-columns=N:.metadata.name,H:.spec.hard.pods", r"N +H\nfew +20"),
    ("get pods --sort-by=.metadata.name --show-labels -L app", "app=web,pod-template-hash="),
    ("get pods -o go-template={{range_.items}}{{.metadata.name}}_{{end}}", "shown"),
    ("get --raw /readyz/ping", "^ok$"),
]

CHANGE = [
    ("rollout status deployment/web", "successfully rolled out"),
    ("set image deployment/web nginx=nginx:latest", "image updated"),
    ("rollout status deployment/web", "successfully rolled out"),
    ("rollout history deployment/web", r"2 +<none>"),
    ("rollout undo deployment/web", "rolled back"),
    ("rollout pause deployment/web", "paused"),
    ("rollout resume deployment/web", "resumed"),
    ("rollout restart deployment/web", "restarted"),
    ("set env deployment/web A=B", "env updated"),
    ("set env deployment/web --list", "A=B"),
    ("set resources deployment/web --limits=cpu=200m,memory=64Mi", "resource requirements updated"),
    ("set serviceaccount deployment/web robot", "serviceaccount updated"),
    ("set selector service/inside app=web", "selector updated"),
    ("set subject rolebinding readers --user=v", "subjects updated"),
    ("scale deployment/web --replicas=1 --current-replicas=2", "scaled"),
    ("wait --for=condition=Available deployment/web --timeout=60s", "condition met"),
    ("label deployment web extra=x", "labeled"),
    ("annotate deployment web extra=x", "annotated"),
    ("exec deploy/web -- echo hello", "hello", SETTLED),
    ("apply -f {dir}/maps.yaml", "configmap/bb created"),
    ("apply -f {dir}/maps.yaml", "configmap/bb unchanged"),
    ("apply -f {dir}/map.yaml --prune -l group=maps", "configmap/bb pruned"),
    ("apply view-last-applied configmap aa", 'x: "2"'),
    ("apply -k {dir}", "configmap/pre-aa created"),
    ("kustomize {dir}", "name: pre-aa"),
    ('patch configmap aa -p {"data":{"y":"1"}}', "patched"),
    ('patch configmap aa --type=json -p [{"op":"add","path":"/data/z","value":"1"}]', "patched"),
    ('patch configmap aa --type=merge -p {"data":{"z":null}}', "patched"),
    ("get configmap aa -o jsonpath={.data}", r'\{"x":"2","y":"1"\}'),
    ("replace -f {dir}/map.yaml", "configmap/aa replaced"),
    ("replace --force -f {dir}/map.yaml", "configmap/aa replaced"),
    ("wait --for=jsonpath={.data.x}=2 configmap/aa --timeout=10s", "condition met", NEW),
    ("auth can-i create pods", "^yes$"),
    ("auth whoami", "kubernetes-admin", NEW),
    ("cluster-info dump", "==== START logs for container"),
    ("api-versions", "networking.k8s.io/v1\n"),
    ("delete configmap -l group=maps", 'configmap "aa" deleted'),
    ("delete deployment web --cascade=orphan", "deleted"),
    ("get replicaset -l app=web -o name", "replicaset.apps/web-"),
    ("delete replicaset -l app=web --cascade=foreground", "deleted"),
    ("delete pod shown --force --grace-period=0", "force deleted"),
]


def perform(kubectl, rows, namespace, tmp_path):
    for typed, read, *only in rows:
        if only == [SETTLED]:
            eventually(lambda: not any("deletionTimestamp" in p["metadata"] for p in kubectl.json("-n", namespace, "get", "pods")["items"]),
                       "pods that were replaced are gone")
        if only == [NEW] and "kubectl-old" in kubectl.binary:
            continue
        args = [a.replace("_", " ") if "{{" in a or "schedule" in a else a.replace("{dir}", str(tmp_path)) for a in typed.split()]
        output = kubectl("-n", namespace, *args)
        assert re.search(read, output), f"kubectl {typed}: {output}"


@pytest.fixture
def files(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_kubectl_makes_and_changes(kubectl, namespace, files):
    perform(kubectl, CREATE, namespace, files)
    perform(kubectl, CHANGE, namespace, files)


def test_every_resource_can_be_described(kubectl):
    resources = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    done = kubectl.run("describe", ",".join(resources), "-A", check=False)
    assert "Name:" in done.stdout
    for line in done.stderr.splitlines():  # namespaces of earlier tests go meanwhile
        assert line.startswith("Warning: ") or "Error from server (NotFound)" in line, line


def test_a_namespace_says_what_holds_it(kubectl, namespace):
    kubectl("create", "namespace", f"{namespace}-held")
    held = ("-n", f"{namespace}-held")
    kubectl(*held, "create", "configmap", "kept")
    kubectl(*held, "patch", "configmap", "kept", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    kubectl("delete", "namespace", f"{namespace}-held", "--wait=false")
    def told():
        conditions = {c["type"]: c for c in kubectl.json("get", "namespace", f"{namespace}-held")["status"]["conditions"]}
        remaining = conditions["NamespaceContentRemaining"]["message"]
        assert remaining == "Some resources are remaining: configmaps. has 1 resource instances"
        return "example.com/hold in 1 resource instances" in conditions["NamespaceFinalizersRemaining"]["message"]
    eventually(told)
    kubectl(*held, "patch", "configmap", "kept", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: "NotFound" in kubectl.run("get", "namespace", f"{namespace}-held", check=False).stderr)
