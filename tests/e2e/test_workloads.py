"""DaemonSets, Jobs and StatefulSets, with real containers and both kubectls."""
import json

from harness import eventually


def manifest(kind, name, spec, api="apps/v1"):
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec})


def pods_of(app, image="busybox", command=("sleep", "1000000"), **more):
    containers = [{"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers, "terminationGracePeriodSeconds": 0, **more}}


def test_a_daemon_set_rolls_and_goes_back(kubectl, namespace):
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": pods_of("d")}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("DaemonSet", "d", spec))
    assert 'daemon set "d" successfully rolled out' in kubectl("-n", namespace, "rollout", "status", "daemonset/d", "--timeout=50s")
    row = kubectl("-n", namespace, "get", "ds", "--no-headers").split()
    assert row[:7] == ["d", "1", "1", "1", "1", "1", "<none>"]
    first = kubectl.json("-n", namespace, "get", "pods")["items"][0]
    assert first["metadata"]["labels"]["controller-revision-hash"]
    kubectl("-n", namespace, "set", "env", "daemonset/d", "A=b")
    assert "successfully rolled out" in kubectl("-n", namespace, "rollout", "status", "ds/d", "--timeout=50s")
    assert "2" in kubectl("-n", namespace, "rollout", "history", "ds/d")
    kubectl("-n", namespace, "rollout", "undo", "ds/d")
    kubectl("-n", namespace, "rollout", "status", "ds/d", "--timeout=50s")
    again = eventually(lambda: kubectl.json("-n", namespace, "get", "pods")["items"], "a pod")[0]
    assert again["metadata"]["labels"] == first["metadata"]["labels"]
    described = kubectl("-n", namespace, "describe", "ds", "d")
    assert "Desired Number of Nodes Scheduled: 1" in described and "SuccessfulCreate" in described
    kubectl("-n", namespace, "patch", "ds", "d", "-p", '{"spec":{"template":{"spec":{"nodeSelector":{"no":"where"}}}}}')
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name") == "", "no node fits: no pod")
    kubectl("-n", namespace, "delete", "ds", "d")
    eventually(lambda: kubectl("-n", namespace, "get", "controllerrevisions", "-o", "name") == "", "its revisions are gone")


def test_jobs_run_to_their_end(kubectl, namespace):
    spec = {"completions": 3, "parallelism": 2, "completionMode": "Indexed",
            "template": pods_of("j", command=("sh", "-c", "echo $JOB_COMPLETION_INDEX on $(hostname)"), restartPolicy="Never")}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("Job", "three", spec, "batch/v1"))
    kubectl("-n", namespace, "wait", "--for=condition=complete", "job/three", "--timeout=50s")
    job = kubectl.json("-n", namespace, "get", "job", "three")
    assert job["status"]["succeeded"] == 3 and job["status"]["completedIndexes"] == "0-2"
    said = kubectl("-n", namespace, "logs", "-l", "job-name=three")
    assert sorted(said.split("\n")[:3]) == ["0 on three-0", "1 on three-1", "2 on three-2"]
    assert "3/3" in kubectl("-n", namespace, "get", "jobs")
    assert "Completed" in kubectl("-n", namespace, "describe", "job", "three")
    failing = {"backoffLimit": 0, "template": pods_of("f", command=("false",), restartPolicy="Never")}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("Job", "fails", failing, "batch/v1"))
    kubectl("-n", namespace, "wait", "--for=condition=failed", "job/fails", "--timeout=50s")
    assert kubectl.json("-n", namespace, "get", "job", "fails")["status"]["failed"] == 1
    kubectl("-n", namespace, "delete", "jobs", "--all")
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name") == "", "their pods are gone")
    assert "restartPolicy" in kubectl.fails("-n", namespace, "create", "-f", "-",
                                            input=manifest("Job", "always", {"template": pods_of("a")}, "batch/v1"))


def test_a_suspended_job_waits(kubectl, namespace):
    spec = {"template": pods_of("s", restartPolicy="OnFailure"), "suspend": True}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("Job", "later", spec, "batch/v1"))
    eventually(lambda: kubectl.json("-n", namespace, "get", "job", "later")["status"].get("conditions"), "it is suspended")
    assert kubectl("-n", namespace, "get", "pods", "-o", "name") == ""
    kubectl("-n", namespace, "patch", "job", "later", "-p", '{"spec":{"suspend":false}}')
    eventually(lambda: kubectl.json("-n", namespace, "get", "job", "later")["status"].get("ready") == 1, "it runs")
    kubectl("-n", namespace, "delete", "job", "later")
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name") == "", "its pod is gone")


def test_a_stateful_set_keeps_names_and_order(kubectl, namespace):
    spec = {"replicas": 2, "serviceName": "s", "selector": {"matchLabels": {"app": "w"}}, "template": pods_of("w")}
    service = {"clusterIP": "None", "selector": {"app": "w"}, "ports": [{"port": 80}]}
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("Service", "s", service, "v1"))
    kubectl("-n", namespace, "create", "-f", "-", input=manifest("StatefulSet", "w", spec))
    assert "2 new pods" in kubectl("-n", namespace, "rollout", "status", "statefulset/w", "--timeout=50s")
    assert kubectl("-n", namespace, "get", "pods", "-o", "name").split() == ["pod/w-0", "pod/w-1"]
    assert kubectl("-n", namespace, "get", "sts", "--no-headers").split()[:2] == ["w", "2/2"]
    assert kubectl("-n", namespace, "exec", "w-1", "--", "hostname").strip() == "w-1"
    assert "w-0.s" in kubectl("-n", namespace, "exec", "w-0", "--", "hostname", "-f")
    before = kubectl.json("-n", namespace, "get", "pod", "w-0")["metadata"]["uid"]
    kubectl("-n", namespace, "set", "env", "statefulset/w", "A=b")
    eventually(lambda: kubectl.json("-n", namespace, "get", "sts", "w")["status"]["currentRevision"] ==
               kubectl.json("-n", namespace, "get", "sts", "w")["status"]["updateRevision"] and
               kubectl.json("-n", namespace, "get", "pod", "w-0")["metadata"]["uid"] != before, "both are replaced")
    kubectl("-n", namespace, "scale", "sts", "w", "--replicas=1")
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name").split() == ["pod/w-0"], "the last one goes")
    kubectl("-n", namespace, "delete", "sts", "w")
    eventually(lambda: kubectl("-n", namespace, "get", "pods", "-o", "name") == "", "no pods are left")


def test_a_stateful_set_goes_forth_and_back(kubectl, namespace):
    """A canary behind a partition, then everybody, then back by revision; a pod that was evicted returns under its name."""
    def k(*args, **kw):
        return kubectl("-n", namespace, *args, **kw)

    def versions():
        return k("get", "pods", "-l", "app=c", "-o", "jsonpath={.items[*].spec.containers[0].env[0].value}").split()

    template = pods_of("c")
    template["spec"]["containers"][0]["env"] = [{"name": "V", "value": "1"}]
    spec = {"replicas": 3, "serviceName": "c", "selector": {"matchLabels": {"app": "c"}}, "template": template,
            "podManagementPolicy": "Parallel", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
    k("create", "-f", "-", input=manifest("StatefulSet", "c", spec))
    kubectl.ready_pods("app=c", 3, namespace)
    k("set", "env", "statefulset/c", "V=2")
    assert "partitioned roll out complete: 1 new pods have been updated" in k("rollout", "status", "sts/c", "--timeout=50s")
    assert versions() == ["1", "1", "2"]
    status = kubectl.json("-n", namespace, "get", "sts", "c")["status"]
    assert (status["updatedReplicas"], status["currentReplicas"]) == (1, 2) and status["currentRevision"] != status["updateRevision"]
    k("patch", "sts", "c", "-p", '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}')
    assert "roll out complete: 3 new pods have been updated" in k("rollout", "status", "sts/c", "--timeout=50s")
    assert versions() == ["2"] * 3
    history = k("rollout", "history", "sts/c")
    assert [l.split()[0] for l in history.splitlines() if l[:1].isdigit()] == ["1", "2"]
    k("rollout", "undo", "sts/c", "--to-revision=1")
    k("rollout", "status", "sts/c", "--timeout=50s")
    eventually(lambda: versions() == ["1"] * 3, "back")
    k("rollout", "restart", "sts/c")
    k("rollout", "status", "sts/c", "--timeout=50s")
    eventually(lambda: "kubectl.kubernetes.io/restartedAt" in k("get", "pod", "c-0", "-o", "yaml"), "restarted")
    before = kubectl.ready_pods("app=c", 3, namespace)[1]["metadata"]["uid"]
    k("patch", "pod", "c-1", "--subresource=status", "-p", '{"status":{"phase":"Failed","reason":"Evicted"}}') if (
        "kubectl-old" not in kubectl.binary) else k("delete", "pod", "c-1")
    eventually(lambda: kubectl.ready_pods("app=c", 3, namespace)[1]["metadata"]["uid"] != before, "c-1 is another one")


def test_create_job_in_one_line(kubectl, namespace):
    kubectl("-n", namespace, "create", "job", "hello", "--image=busybox", "--", "echo", "hi")
    kubectl("-n", namespace, "wait", "--for=condition=complete", "job/hello", "--timeout=50s")
    assert kubectl("-n", namespace, "logs", "job/hello") == "hi\n"
