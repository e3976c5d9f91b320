"""What a namespace may hold: the tutorials of kubernetes.io about quotas and limits, word by word, and priorities."""
import json

from harness import eventually

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata:
  name: mem-cpu-demo
spec:
  hard:
    requests.cpu: "1"
    requests.memory: 1Gi
    limits.cpu: "2"
    limits.memory: 2Gi
"""

QUOTA_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: quota-mem-cpu-demo
spec:
  containers:
  - name: quota-mem-cpu-demo-ctr
    image: nginx
    resources:
      limits:
        memory: "800Mi"
        cpu: "800m"
      requests:
        memory: "600Mi"
        cpu: "400m"
"""

QUOTA_POD_2 = """
apiVersion: v1
kind: Pod
metadata:
  name: quota-mem-cpu-demo-2
spec:
  containers:
  - name: quota-mem-cpu-demo-2-ctr
    image: redis
    resources:
      limits:
        memory: "1Gi"
        cpu: "800m"
      requests:
        memory: "700Mi"
        cpu: "400m"
"""

LIMIT_RANGE = """
apiVersion: v1
kind: LimitRange
metadata:
  name: mem-limit-range
spec:
  limits:
  - default:
      memory: 512Mi
    defaultRequest:
      memory: 256Mi
    type: Container
"""

LIMIT_POD = """
apiVersion: v1
kind: Pod
metadata:
  name: default-mem-demo
spec:
  containers:
  - name: default-mem-demo-ctr
    image: nginx
"""


def used(kubectl, namespace, quota):
    return kubectl.json("get", "resourcequota", quota, "-n", namespace)["status"].get("used")


def apply(kubectl, namespace, text):
    return kubectl("apply", "-n", namespace, "-f", "-", input=text)


def test_memory_and_cpu_quota(kubectl, namespace):
    apply(kubectl, namespace, QUOTA)
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo") ==
               {"limits.cpu": "0", "limits.memory": "0", "requests.cpu": "0", "requests.memory": "0"})
    apply(kubectl, namespace, QUOTA_POD)
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo") ==
               {"limits.cpu": "800m", "limits.memory": "800Mi", "requests.cpu": "400m", "requests.memory": "600Mi"})
    refusal = kubectl.fails("apply", "-n", namespace, "-f", "-", input=QUOTA_POD_2)
    assert ("exceeded quota: mem-cpu-demo, requested: requests.memory=700Mi, used: requests.memory=600Mi, "
            "limited: requests.memory=1Gi") in refusal
    row = kubectl("get", "quota", "mem-cpu-demo", "-n", namespace).splitlines()[1]
    assert "requests.cpu: 400m/1, requests.memory: 600Mi/1Gi" in row and "limits.cpu: 800m/2" in row
    described = kubectl("describe", "quota", "mem-cpu-demo", "-n", namespace)
    assert "limits.memory    800Mi  2Gi" in described
    kubectl("delete", "pod", "quota-mem-cpu-demo", "-n", namespace, "--grace-period=0", "--force")
    eventually(lambda: used(kubectl, namespace, "mem-cpu-demo")["requests.memory"] == "0")


def test_quota_refusal_reaches_the_deployment(kubectl, namespace):
    kubectl("create", "quota", "two", "--hard=pods=2,count/deployments.apps=1", "-n", namespace)
    kubectl("create", "deployment", "web", "--image=busybox", "-n", namespace)
    kubectl("scale", "deployment", "web", "--replicas=3", "-n", namespace)
    eventually(lambda: used(kubectl, namespace, "two") == {"count/deployments.apps": "1", "pods": "2"})

    def failure():
        sets = kubectl.json("get", "rs", "-n", namespace)["items"]
        found = [c for s in sets for c in s["status"].get("conditions", []) if c["type"] == "ReplicaFailure"]
        return found and "exceeded quota: two, requested: pods=1, used: pods=2, limited: pods=2" in found[0]["message"]
    eventually(failure)
    assert "exceeded quota: two" in kubectl.fails("create", "deployment", "more", "--image=busybox", "-n", namespace)


def test_default_memory(kubectl, namespace):
    apply(kubectl, namespace, LIMIT_RANGE)
    assert "CREATED AT" in kubectl("get", "limits", "-n", namespace)
    assert "Container   memory    -    -    256Mi            512Mi" in \
        kubectl("describe", "limitrange", "mem-limit-range", "-n", namespace)
    apply(kubectl, namespace, LIMIT_POD)
    pod = kubectl.json("get", "pod", "default-mem-demo", "-n", namespace)
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi"}}
    apply(kubectl, namespace, LIMIT_POD)


def test_priority_classes(kubectl, namespace):
    name = namespace[:40]  # of the cluster: each version of kubectl makes its own
    kubectl("create", "priorityclass", name, "--value=1000", "--description=high")
    assert "1000" in kubectl("get", "priorityclass", name)
    assert "2000001000" in kubectl("get", "pc", "system-node-critical")
    overrides = json.dumps({"spec": {"priorityClassName": name}})
    kubectl("run", "important", "--image=busybox", f"--overrides={overrides}", "-n", namespace)
    assert kubectl.json("get", "pod", "important", "-n", namespace)["spec"]["priority"] == 1000
    assert f"Priority Class Name:  {name}" in kubectl("describe", "pod", "important", "-n", namespace)
    kubectl("delete", "priorityclass", name)
