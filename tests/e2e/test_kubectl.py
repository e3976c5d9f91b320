"""kubectl, old and new, as people use it: the cluster, objects, rollouts, logs, exec, and what bad input is told."""
import json
import re

import pytest

from harness import EXAMPLES, curl, eventually, run


def test_the_cluster(kubectl):
    assert re.search(r"Server Version: .*v1\.\d+", kubectl("version"))
    assert "Kubernetes control plane" in kubectl("cluster-info")
    resources = kubectl("api-resources")
    for row in ("pods +po ", "services +svc ", "deployments +deploy +apps/v1 ", "endpointslices +discovery.k8s.io/v1 "):
        assert re.search(row, resources), row
    nodes = kubectl("get", "nodes", "-o", "wide")
    assert re.search(r"k8s-master +Ready +\S+ +\S+ +v1\.\S+ +172\.28\.128\.10 ", nodes)
    assert "Debian" in nodes and "crun" in nodes or "runc" in nodes
    everything = kubectl("get", "all", "-A")
    assert re.search(r"default +service/kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443/TCP", everything)
    namespaces = kubectl("get", "ns")
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        assert re.search(rf"{name} +Active", namespaces)
    described = kubectl("describe", "node", "k8s-master")
    for line in (r"PodCIDR: +10\.244\.0\.0/24", r"InternalIP: +172\.28\.128\.10", r"Ready +True", r"Kubelet Version: +v1",
                 r"Normal +Starting .* kubelet +Starting kubelet\.", r"NodeReady .*Node k8s-master status is now: NodeReady"):
        assert re.search(line, described), line


def test_a_deployment_by_command(default_empty):
    kubectl = default_empty
    kubectl("create", "deployment", "python-web-app", "--image=yanbin/python-web:latest")
    watch = kubectl.popen("get", "pods", "-l", "app=python-web-app", "--watch", "--no-headers")
    kubectl("scale", "-n", "default", "deployment", "python-web-app", "--replicas=3")
    pods = kubectl.ready_pods("app=python-web-app", 3)
    seen = set()
    while len(seen) < 3:
        line = watch.stdout.readline()
        if re.search(r" 1/1 +Running ", line):
            seen.add(line.split()[0])
    watch.terminate()
    watch.wait()
    assert seen == {p["metadata"]["name"] for p in pods}
    assert re.search(r"default +python-web-app +3/3 +3 +3 ", kubectl("get", "deploy", "-A"))
    wide = kubectl("get", "pods", "-o", "wide")
    assert len(re.findall(r"python-web-app-[a-z0-9]+-[a-z0-9]{5} +1/1 +Running +0 +\S+ +10\.244\.0\.\d+ +k8s-master", wide)) == 3
    name = pods[0]["metadata"]["name"]
    assert "podIP: 10.244.0." in kubectl("get", "pod", name, "-o", "yaml")
    described = kubectl("describe", "deploy", "python-web-app")
    for line in (r"Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable", r"StrategyType: +RollingUpdate",
                 r"25% max unavailable, 25% max surge", r"Available +True +MinimumReplicasAvailable",
                 r"Progressing +True +NewReplicaSetAvailable", r"OldReplicaSets: +<none>", r"NewReplicaSet: +python-web-app-",
                 r"Normal +ScalingReplicaSet .*Scaled up replica set python-web-app-\S+ (from 1 )?to 3"):
        assert re.search(line, described), line
    described = kubectl("describe", "rs", "-l", "app=python-web-app")
    assert re.search(r"Normal +SuccessfulCreate .*Created pod: python-web-app-", described)
    described = kubectl("describe", "pod", name)
    for line in (r"Controlled By: +ReplicaSet/python-web-app-", r"pod-template-hash=", r"State: +Running", r"Ready +True",
                 r"Normal +Scheduled .*Successfully assigned default/" + name + " to k8s-master", r"Normal +Started "):
        assert re.search(line, described), line
    kubectl("delete", "deploy", "python-web-app")
    eventually(lambda: kubectl("get", "rs,pods", "-l", "app=python-web-app", "-o", "name") == "", "its ReplicaSet and pods go too")


def test_apply_again_and_again(default_empty, tmp_path):
    kubectl = default_empty
    manifest = tmp_path / "app.yaml"
    manifest.write_text((EXAMPLES / "python-web-app-svc.yaml").read_text())
    assert re.search(r"deployment.apps/python-web-app created\nservice/python-web-svc created", kubectl("apply", "-f", manifest))
    kubectl.ready_pods("app=python-web-app", 3)
    assert kubectl("apply", "-f", manifest).count("unchanged") == 2
    manifest.write_text(manifest.read_text().replace("replicas: 3", "replicas: 4"))
    assert "deployment.apps/python-web-app configured" in kubectl("apply", "-f", manifest)
    kubectl.ready_pods("app=python-web-app", 4)
    slices = kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=python-web-svc")
    assert re.search(r"python-web-svc-\S+ +IPv4 +80 +10\.244\.0\.", slices)
    kubectl("delete", "-f", manifest)
    eventually(lambda: kubectl("get", "pods,svc,ep", "-l", "app=python-web-app", "-o", "name") == "", "all is gone")
    assert "NotFound" in kubectl.fails("get", "service", "python-web-svc")


def test_logs(namespace, kubectl):
    kubectl("run", "talk", "-n", namespace, "--image=ubuntu", "--restart=Never", "--command", "--", "bash", "-c",
            "for i in 1 2 3; do echo line $i; done; echo oops >&2; read -t 3600 < <(tail -f /dev/null)")
    eventually(lambda: kubectl("logs", "talk", "-n", namespace).count("\n") == 4, "four lines")
    assert "oops" in kubectl("logs", "talk", "-n", namespace)
    assert kubectl("logs", "talk", "-n", namespace, "--tail=1").count("\n") == 1
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z? line 1", kubectl("logs", "talk", "-n", namespace, "--timestamps"))
    follow = kubectl.popen("logs", "-f", "talk", "-n", namespace)
    assert follow.stdout.readline() == "line 1\n"
    kubectl("delete", "pod", "talk", "-n", namespace, "--grace-period=1")
    assert "line 3" in follow.stdout.read()
    assert follow.wait(timeout=30) == 0


def test_exec_streams_exit_code_and_terminal(namespace, kubectl):
    kubectl("run", "box", "-n", namespace, "--image=ubuntu", "--command", "--", "sleep", "infinity")
    kubectl("wait", "pod/box", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    done = kubectl.run("exec", "box", "-n", namespace, "--", "bash", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert "err\n" in done.stderr
    data = "".join(f"{i}\n" for i in range(20000))
    assert kubectl("exec", "-i", "box", "-n", namespace, "--", "cat", input=data) == data
    assert kubectl("exec", "-i", "box", "-n", namespace, "--", "wc", "-c", input="12345").strip() == "5"
    assert "not found" in kubectl.fails("exec", "nobody", "-n", namespace, "--", "true")
    terminal = kubectl.terminal("exec", "-it", "box", "-n", namespace, "--", "/bin/sh")
    terminal.expect(r"[#$] ")
    terminal.type("tty; echo $((40 + 2)); hostname\n")
    terminal.expect(r"/dev/pts/\d+\s+42\s+box")
    terminal.type("exit 3\n")
    assert terminal.close() in (1, 3)  # kubectl 1.20 says 1 for a terminal's end; newer ones pass the code on


def test_a_killed_container_restarts_and_a_deleted_pod_is_replaced(default_empty):
    kubectl = default_empty
    kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest")
    kubectl("expose", "deployment", "web", "--port=80")
    pod = kubectl.ready_pods("app=web", 1)[0]
    name = pod["metadata"]["name"]
    eventually(lambda: "Served by" in curl(f"http://{pod['status']['podIP']}", "k8s-master"), "it listens for signals too")
    kubectl.run("exec", name, "--", "sh", "-c", "kill 1", check=False)

    def restarted():
        status = kubectl.json("get", "pod", name)["status"]["containerStatuses"][0]
        return status["restartCount"] >= 1 and status["ready"]
    eventually(restarted, "the container runs again")
    kubectl("delete", "pod", name)
    new = kubectl.ready_pods("app=web", 1)[0]
    assert new["metadata"]["name"] != name

    def followed():
        subsets = kubectl.json("get", "endpoints", "web")["subsets"]
        return [a["ip"] for a in subsets[0]["addresses"]] == [new["status"]["podIP"]]
    eventually(followed, "the endpoints follow")


def test_an_image_that_is_missing_says_so_and_comes(namespace, kubectl):
    kubectl("run", "lost", "-n", namespace, "--image=localhost/never/was:1")
    eventually(lambda: re.search(r"lost +0/1 +(ErrImagePull|ImagePullBackOff)", kubectl("get", "pods", "-n", namespace)),
               "the pod says that its image is missing")
    assert "localhost/never/was:1" in kubectl("describe", "pod", "lost", "-n", namespace)


BAD = {
    "unknown field": ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replica: 1, selector: {matchLabels: {a: b}},"
                      " template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}", r"unknown field.*replica"),
    "wrong type": ("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: eighty}]}", r"port|invalid type"),
    "missing name": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", r"name"),
    "invalid label": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: 'b c'}}\n",
                      r'metadata.labels: Invalid value: "b c"'),
    "selector and template": ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {matchLabels: {a: b}}, "
                              "template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: i}]}}}",
                              r"`selector` does not match template `labels`"),
    "two wrongs": ("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: Foo, ports: [{port: 70000}]}",
                   r"spec.ports\[0\].port: Invalid value: 70000: must be between 1 and 65535, inclusive"),
    "malformed": ("apiVersion: v1\nkind: [", r"yaml|json|convert"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_and_changes_nothing(kubectl, namespace, case):
    text, words = BAD[case]
    before = eventually(lambda: kubectl("get", "deploy,svc,cm", "-n", namespace, "-o", "name"), "kube-root-ca.crt is there")
    told = kubectl.fails("create", "-n", namespace, "-f", "-", input=text)
    assert re.search(words, told), told
    assert kubectl("get", "deploy,svc,cm", "-n", namespace, "-o", "name") == before


def test_duplicates_and_conflicts(namespace, kubectl):
    kubectl("create", "configmap", "one", "-n", namespace, "--from-literal=a=b")
    assert 'configmaps "one" already exists' in kubectl.fails("create", "configmap", "one", "-n", namespace)
    stale = kubectl.json("get", "configmap", "one", "-n", namespace)
    kubectl("label", "configmap", "one", "-n", namespace, "x=y")
    told = kubectl.fails("replace", "-f", "-", input=json.dumps(stale))
    assert "the object has been modified; please apply your changes to the latest version and try again" in told


def test_a_body_of_ten_megabytes_is_refused(cluster):
    pki = cluster.data / "pki"
    url = "https://172.28.128.10:6443/api/v1/namespaces/default/configmaps"
    told = run("curl", "-s", "--cacert", pki / "ca.crt", "--cert", pki / "admin.crt", "--key", pki / "admin.key", "-H",
               "Content-Type: application/json", "--data-binary", "@-", url, input="x" * (10 << 20)).stdout
    status = json.loads(told)
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "RequestEntityTooLarge", 413)
