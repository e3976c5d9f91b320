"""The HorizontalPodAutoscaler walkthrough of kubernetes.io, with an app of our own in the place of php-apache."""
import json
import re

from harness import eventually

# Every request costs about a tenth of a second of a processor.
APP = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        self.send_response(200); self.end_headers(); self.wfile.write(b"OK!")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""


def test_a_deployment_follows_its_load(kubectl_new):
    kubectl, ns = kubectl_new, "autoscaling"
    kubectl("create", "namespace", ns)

    def k(*args, **kw):
        return kubectl("-n", ns, *args, **kw)

    def hpa():
        return kubectl.json("-n", ns, "get", "hpa", "php-apache")

    container = {"name": "php-apache", "image": "yanbin/python-web", "imagePullPolicy": "IfNotPresent",
                 "command": ["python3", "-c", APP], "ports": [{"containerPort": 80}],
                 "resources": {"requests": {"cpu": "100m"}}}
    pods = {"metadata": {"labels": {"run": "php-apache"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    k("create", "-f", "-", input=json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "php-apache"},
        "spec": {"selector": {"matchLabels": {"run": "php-apache"}}, "template": pods}}))
    k("expose", "deployment", "php-apache", "--port=80")
    k("rollout", "status", "deployment/php-apache", "--timeout=60s")

    # a target that is not there
    k("create", "-f", "-", input=json.dumps({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "nobody"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody"}, "maxReplicas": 3}}))
    eventually(lambda: "FailedGetScale" in k("describe", "hpa", "nobody"), "it says that there is no such target")
    assert 'deployments.apps "nobody" not found' in k("describe", "hpa", "nobody")
    k("delete", "hpa", "nobody")

    k("autoscale", "deployment", "php-apache", "--cpu-percent=50", "--min=1", "--max=3")
    k("patch", "hpa", "php-apache", "-p", '{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":5}}}}')
    shown = eventually(lambda: [l for l in k("get", "hpa").splitlines() if re.search(r"cpu: \d%/50%", l)], "idle", timeout=90)[0].split()
    assert shown[:2] == ["php-apache", "Deployment/php-apache"] and shown[-4:-1] == ["1", "3", "1"]

    k("run", "load-generator", "--image=busybox", "--image-pull-policy=IfNotPresent", "--restart=Never", "--",
      "/bin/sh", "-c", "while true; do wget -q -O- http://php-apache >/dev/null; done")
    eventually(lambda: hpa()["status"]["desiredReplicas"] == 3, "it grows to the most it may", timeout=120)
    k("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/php-apache", "--timeout=60s")
    described = k("describe", "hpa", "php-apache")
    assert "New size: " in described and "cpu resource utilization (percentage of request) above target" in described
    conditions = {c["type"]: c for c in hpa()["status"]["conditions"]}
    assert conditions["ScalingActive"]["reason"] == "ValidMetricFound" and conditions["ScalingActive"]["status"] == "True"

    k("delete", "pod", "load-generator", "--grace-period=0", "--force")
    eventually(lambda: hpa()["status"]["desiredReplicas"] == 1, "it shrinks again", timeout=120)
    assert "All metrics below target" in k("describe", "hpa", "php-apache")
    kubectl("delete", "namespace", ns, "--wait=false")
