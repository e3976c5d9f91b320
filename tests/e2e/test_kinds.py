"""Every kind: one example of each is applied, applied again, read in every way, explained and deleted, by both kubectls."""
import concurrent.futures
import json
import pathlib

import yaml

from harness import eventually

EXAMPLES = sorted((pathlib.Path(__file__).parent / "kinds").glob("*.yaml"))


def names(kubectl, *args):
    return kubectl("api-resources", "-o", "name", *args).split()


def check_example(kubectl, is_old, namespace, path):
    kubectl("-n", namespace, "apply", "-f", str(path))
    before = kubectl.json("-n", namespace, "get", "-f", str(path))
    again = kubectl("-n", namespace, "apply", "-f", str(path)).strip()
    assert again.endswith(" unchanged") or is_old, (path.name, again)  # it sends a patch for what it does not know
    after = kubectl.json("-n", namespace, "get", "-f", str(path))
    assert before["spec" if "spec" in before else "metadata"] == after["spec" if "spec" in before else "metadata"], path.name
    assert before["metadata"].get("generation") == after["metadata"].get("generation"), path.name
    name = after["metadata"]["name"]
    assert name in kubectl("-n", namespace, "get", "-f", str(path), "-o", "wide"), path.name
    assert name in kubectl("-n", namespace, "describe", "-f", str(path)), path.name
    kubectl("-n", namespace, "label", "-f", str(path), "seen=yes", "--overwrite")
    if not is_old:
        check_apply_by_the_server(kubectl, namespace, path)
    kubectl("-n", namespace, "delete", "-f", str(path), "--wait=false")


def test_every_example_is_taken_and_read(kubectl, cluster, namespace, tmp_path):
    is_old = kubectl.binary == cluster.kubectl("old").binary

    def check(example):
        path = tmp_path / example.name
        path.write_text(example.read_text().replace("NAMESPACE", namespace))
        check_example(kubectl, is_old, namespace, path)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # kubectl is what takes the time
        list(pool.map(check, EXAMPLES))


def check_apply_by_the_server(kubectl, namespace, path):
    """Twice is once: the second changes nothing, not even the revision. `kubectl diff` has nothing to say."""
    apply = ("-n", namespace, "apply", "--server-side", "--force-conflicts", "-f", str(path))
    kubectl(*apply)
    said, changed = [], False
    for _ in range(5):  # controllers write statuses meanwhile
        before = kubectl.json("-n", namespace, "get", "-f", str(path), "--show-managed-fields")
        kubectl(*apply)
        after = kubectl.json("-n", namespace, "get", "-f", str(path), "--show-managed-fields")
        changed = before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
        said.append((before, after))
        if not changed:
            break
    assert not changed, (path.name, said[-1])
    assert kubectl("-n", namespace, "diff", "--server-side", "--force-conflicts", "-f", str(path)) == "", path.name


def test_no_kind_is_without_an_example(kubectl_new):
    """Of all that can be created and read; nodes' metrics and reviews cannot be both."""
    shown = {(e["apiVersion"], e["kind"]) for e in map(yaml.safe_load, (e.read_text() for e in EXAMPLES))}
    kinds = set()
    for group in ["/api/v1"] + ["/apis/" + v["groupVersion"] for g in json.loads(kubectl_new("get", "--raw", "/apis"))["groups"]
                                for v in g["versions"]]:
        listed = json.loads(kubectl_new("get", "--raw", group))
        kinds |= {(listed["groupVersion"], r["kind"]) for r in listed["resources"]
                  if {"create", "get"} <= set(r["verbs"]) and "/" not in r["name"]}
    assert kinds - shown == set()


def test_every_resource_is_explained_and_listed(kubectl, namespace):
    resources = names(kubectl, "--verbs=list")
    assert "cronjobs.batch" in resources and "pods" in resources
    for resource in resources:
        assert "FIELDS" in kubectl("explain", resource.split(".")[0], "--recursive"), resource
        kubectl("-n", namespace, "get", resource)


def test_flow_control_is_shown(kubectl_new):
    """What every cluster has of it, and whether a schema's level is there."""
    kubectl = kubectl_new
    rows = {r[0]: r[1:] for r in (line.split() for line in kubectl("get", "prioritylevelconfigurations").splitlines())}
    assert rows["exempt"][:5] == ["Exempt", "<none>", "<none>", "<none>", "<none>"]
    assert rows["workload-low"][:5] == ["Limited", "100", "128", "6", "50"]
    assert rows["catch-all"][:3] == ["Limited", "5", "<none>"]

    def schemas():
        lines = (line.split() for line in kubectl("get", "flowschemas").splitlines()[1:])
        return {r[0]: (*r[1:4], r[5]) for r in lines}
    eventually(lambda: {s[3] for s in schemas().values()} == {"False"}, "no level is missing")
    assert len(schemas()) == 13
    assert schemas()["probes"] == ("exempt", "2", "<none>", "False")
    assert schemas()["kube-scheduler"] == ("workload-high", "800", "ByNamespace", "False")
    lost = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": "lost"},
            "spec": {"priorityLevelConfiguration": {"name": "nowhere"}, "matchingPrecedence": 1,
                     "rules": [{"subjects": [{"kind": "User", "user": {"name": "me"}}]}]}}
    refusal = kubectl.fails("create", "-f", "-", input=json.dumps(lost))
    assert "only the schema named 'exempt' may have matchingPrecedence 1" in refusal
    assert "at least one of resourceRules and nonResourceRules has to be non-empty" in refusal
    lost["spec"] = {"priorityLevelConfiguration": {"name": "nowhere"}}
    kubectl("create", "-f", "-", input=json.dumps(lost))
    eventually(lambda: schemas()["lost"] == ("nowhere", "1000", "<none>", "True"))
    kubectl("delete", "flowschema", "lost")


def test_a_cron_job_runs_by_the_clock_and_by_hand(cluster):
    """The CronJob is made by the old kubectl, which knows batch/v1beta1 only."""
    old, new = cluster.kubectl("old"), cluster.kubectl("new")
    new("create", "namespace", "cron")
    old("-n", "cron", "create", "cronjob", "c", "--image=busybox", "--schedule=* * * * *", "--", "date")
    new("-n", "cron", "patch", "cronjob", "c", "-p", json.dumps({"spec": {"jobTemplate": {"spec": {"template": {"spec": {
        "containers": [{"name": "c", "imagePullPolicy": "IfNotPresent"}]}}}}}}))
    new("-n", "cron", "create", "job", "--from=cronjob/c", "by-hand")
    new("-n", "cron", "wait", "--for=condition=complete", "job/by-hand", "--timeout=50s")

    def complete():
        jobs = {j["metadata"]["name"]: j["status"] for j in new.json("-n", "cron", "get", "jobs")["items"]}
        return any(name[2:].isdigit() and status.get("completionTime") for name, status in jobs.items())

    eventually(complete, "a run of the schedule", timeout=90)
    assert new.json("-n", "cron", "get", "cronjob", "c")["status"]["lastScheduleTime"]
    assert "SuccessfulCreate" in new("-n", "cron", "describe", "cronjob", "c")
    assert "* * * * *" in old("-n", "cron", "get", "cronjobs.v1beta1.batch")
    assert "unknown time zone Mars" in new.fails("-n", "cron", "patch", "cronjob", "c", "-p", '{"spec":{"timeZone":"Mars"}}')
    assert "expected exactly 5 fields" in new.fails("-n", "cron", "patch", "cj", "c", "-p", '{"spec":{"schedule":"* * *"}}')
    old("-n", "cron", "delete", "cronjob", "c")
    eventually(lambda: new("-n", "cron", "get", "pods", "-o", "name") == "", "its Jobs and their pods are gone")
    new("delete", "namespace", "cron", "--wait=false")


def test_versions_of_one_object(cluster, kubectl_new):
    """What is written in one version is read in the other."""
    k = kubectl_new
    k("create", "namespace", "versions")
    k("-n", "versions", "create", "deployment", "d", "--image=busybox", "--replicas=0")
    cluster.kubectl("old")("-n", "versions", "autoscale", "deployment", "d", "--max=4", "--cpu-percent=60")
    new = k.json("-n", "versions", "get", "horizontalpodautoscalers.v2.autoscaling", "d")["spec"]
    assert new["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": {
        "type": "Utilization", "averageUtilization": 60}}}]
    metric = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "5"}}}
    k("-n", "versions", "patch", "hpa", "d", "--type=merge", "-p", json.dumps({"spec": {"metrics": new["metrics"] + [metric]}}))
    old = k.json("-n", "versions", "get", "horizontalpodautoscalers.v1.autoscaling", "d")
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    annotated = json.loads(old["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"])
    assert annotated == [{"type": "Pods", "pods": {"metricName": "m", "targetAverageValue": "5"}}]
    k("-n", "versions", "replace", "-f", "-", input=json.dumps(old))
    assert k.json("-n", "versions", "get", "hpa", "d")["spec"]["metrics"] == [metric] + new["metrics"]
    broken = {**old, "metadata": {"name": "broken", "annotations": {
        "autoscaling.alpha.kubernetes.io/metrics": '[{"type":"Pods","pods":{"metricName":7}}]'}}}
    assert "cannot unmarshal" in k.fails("-n", "versions", "create", "-f", "-", input=json.dumps(broken))
    assert "cpu: <unknown>/60%" in k("-n", "versions", "get", "hpa")
    for example in ("endpointslice", "endpointslice-v1beta1"):
        k("-n", "versions", "apply", "-f", str(pathlib.Path(__file__).parent / "kinds" / f"{example}.yaml"))
    endpoint = k.json("-n", "versions", "get", "endpointslices.v1.discovery.k8s.io", "older")["endpoints"][0]
    assert (endpoint["nodeName"], endpoint["zone"], endpoint["deprecatedTopology"]) == ("n1", "z1", {"rack": "r7"})
    endpoint = k.json("-n", "versions", "get", "endpointslices.v1beta1.discovery.k8s.io", "example")["endpoints"][0]
    assert endpoint["topology"] == {"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "z1"}
    k("-n", "versions", "scale", "deployment", "d", "--replicas=1")
    event = eventually(lambda: [e for e in k.json("-n", "versions", "get", "events.events.k8s.io")["items"]
                                if e.get("reason") == "ScalingReplicaSet"], "an event")[0]
    assert event["regarding"]["name"] == "d" and "Scaled up" in event["note"] and event["deprecatedSource"]["component"]
    assert "ScalingReplicaSet" in k("-n", "versions", "events", "--for=deployment/d")
    k("delete", "namespace", "versions", "--wait=false")


def test_what_is_refused(kubectl_new):
    refused = (
        ("PersistentVolume", "v1", {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}, "must specify a volume type"),
        ("PersistentVolumeClaim", "v1", {"accessModes": ["Never"]}, 'Unsupported value: "Never"'),
        ("NetworkPolicy", "networking.k8s.io/v1", {"podSelector": {}, "ingress": [{"from": [{}]}]}, "must specify a peer"),
        ("HorizontalPodAutoscaler", "autoscaling/v2", {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 0},
         "must be greater than 0"),
        ("CronJob", "batch/v1", {"schedule": "61 * * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}, "end of range (61) above maximum (59): 61"),
    )
    for kind, api, spec, why in refused:
        doc = {"apiVersion": api, "kind": kind, "metadata": {"name": "refused"}, "spec": spec}
        assert why in kubectl_new.fails("create", "-f", "-", input=json.dumps(doc)), kind
