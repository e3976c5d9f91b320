"""Prometheus finds its targets by the API (kubernetes_sd_configs), under the ClusterRole of its documentation. Debian built Prometheus
without that; VictoriaMetrics takes the same configuration and has a discovery of its own."""
import json
import subprocess
import urllib.parse

import pytest

from harness import ROOT, curl, eventually, run

PROGRAM = ROOT / "build/victoria-metrics/usr/bin/victoria-metrics"
UI = "http://127.0.0.1:8428"

ACCESS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: prometheus}
rules:
- {apiGroups: [""], resources: [nodes, nodes/metrics, nodes/proxy, services, endpoints, pods], verbs: [get, list, watch]}
- {apiGroups: [extensions, networking.k8s.io], resources: [ingresses], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {nonResourceURLs: [/metrics, /metrics/cadvisor], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: prometheus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus}
subjects:
- {kind: ServiceAccount, name: prometheus, namespace: NAMESPACE}
"""

SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}, annotations: {prometheus.io/scrape: "true"}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: shop
        image: busybox
        command: [sh, -c, "mkdir /w && echo sold_total 7 >/w/metrics && exec httpd -f -p 8080 -h /w"]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, labels: {team: sales}}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
  - host: shop.example
    http: {paths: [{path: /buy, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
"""

ROLES = ("pod", "service", "endpoints", "endpointslice", "ingress", "node")


def discovery(role, api, home, namespace=None):
    """One kubernetes_sd_configs entry, as somebody outside the cluster writes it."""
    return {"role": role, "api_server": api, "authorization": {"credentials_file": str(home / "token")},
            "tls_config": {"ca_file": str(home / "ca.crt")}, **({"namespaces": {"names": [namespace]}} if namespace else {})}


def secured(api_config, home):
    return {**api_config, "scheme": "https", "tls_config": {"ca_file": str(home / "ca.crt")},
            "authorization": {"credentials_file": str(home / "token")}}


def configuration(api, home, namespace):
    """What each role finds in the namespace; and the jobs of Prometheus' own example for the API and, through it, the nodes."""
    keep_all = {"action": "labelmap", "regex": "__meta_kubernetes_(.+)"}  # else what is shown changes only with the address
    jobs = [{"job_name": role, "kubernetes_sd_configs": [discovery(role, api, home, None if role == "node" else namespace)],
             "relabel_configs": [keep_all]} for role in ROLES]
    jobs[0]["relabel_configs"].append(
        {"source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"], "action": "keep", "regex": "true"})
    api_labels = ["__meta_kubernetes_namespace", "__meta_kubernetes_service_name", "__meta_kubernetes_endpoint_port_name"]
    jobs.append(secured({"job_name": "apiserver", "kubernetes_sd_configs": [discovery("endpoints", api, home)],
                         "relabel_configs": [{"source_labels": api_labels, "action": "keep",
                                              "regex": "default;kubernetes;https"}]}, home))
    jobs.append(secured({"job_name": "kubelet", "kubernetes_sd_configs": [discovery("node", api, home)],
                         "relabel_configs": [{"target_label": "__address__", "replacement": api.removeprefix("https://")},
                                             {"source_labels": ["__meta_kubernetes_node_name"], "target_label": "__metrics_path__",
                                              "regex": "(.+)", "replacement": "/api/v1/nodes/$1/proxy/metrics"}]}, home))
    return {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}


@pytest.fixture
def collector(kubectl_new, cluster, namespace_new, tmp_path):
    """A running collector that watches the test's namespace; yields what it knows."""
    kubectl_new("-n", namespace_new, "apply", "-f", "-", input=ACCESS.replace("NAMESPACE", namespace_new))
    config = kubectl_new.json("config", "view", "--raw", "--minify")["clusters"][0]["cluster"]
    (tmp_path / "token").write_text(kubectl_new("-n", namespace_new, "create", "token", "prometheus"))
    run("sh", "-c", f"base64 -d >{tmp_path}/ca.crt", input=config["certificate-authority-data"])
    (tmp_path / "config.yml").write_text(json.dumps(configuration(config["server"], tmp_path, namespace_new)))
    with open(tmp_path / "log", "w", encoding="utf-8") as log:
        with subprocess.Popen([PROGRAM, f"-promscrape.config={tmp_path}/config.yml", f"-storageDataPath={tmp_path}/data",
                               "-httpListenAddr=127.0.0.1:8428", "-promscrape.kubernetesSDCheckInterval=1s",
                               "-search.latencyOffset=0s"], stdout=log, stderr=log) as process:
            yield namespace_new
            process.terminate()
    kubectl_new("delete", "clusterrole,clusterrolebinding", "prometheus")


def targets(state, job):
    known = json.loads(curl(f"{UI}/api/v1/targets"))["data"][f"{state}Targets"]
    return [t["discoveredLabels"] for t in known if t["discoveredLabels"]["job"] == job]


def values(target, *names):
    return tuple(target.get(f"__meta_kubernetes_{n}") for n in names)


def query(text):
    """Values by the target's address."""
    found = json.loads(curl(f"{UI}/api/v1/query?query={urllib.parse.quote(text)}"))["data"]["result"]
    return {r["metric"].get("instance"): r["value"][1] for r in found}


def test_targets_are_found_and_followed(kubectl_new, collector):
    kubectl, ns = kubectl_new, collector
    kubectl("-n", ns, "apply", "-f", "-", input=SHOP)
    kubectl("-n", ns, "run", "quiet", "--image=busybox", "--restart=Never", "--", "sleep", "1000")

    def rolled_out():
        kubectl("-n", ns, "rollout", "status", "deployment/shop", "--timeout=50s")
        return {f"{p['status']['podIP']}:8080" for p in kubectl.json("-n", ns, "get", "pods", "-l", "app=shop")["items"]}

    pods = rolled_out()

    def found():
        assert {t["__address__"] for t in targets("active", "pod")} == pods
        for t in targets("active", "pod"):
            assert values(t, "pod_controller_kind", "pod_ready", "pod_phase", "pod_node_name", "pod_container_port_name",
                          "pod_label_app") == ("ReplicaSet", "true", "Running", "k8s-master", "http", "shop")
        assert {values(t, "pod_name") for t in targets("dropped", "pod")} == {("quiet",)}
        assert [(t["__address__"], *values(t, "service_type", "service_label_team")) for t in targets("active", "service")] \
            == [(f"shop.{ns}.svc:80", "ClusterIP", "sales")]
        for role, prefix in ("endpoints", "endpoint"), ("endpointslice", "endpointslice_endpoint_conditions"):
            ends = targets("active", role)
            assert {t["__address__"] for t in ends} == pods
            assert {values(t, f"{prefix}_ready", "service_name", "service_label_team", "pod_label_app") for t in ends} \
                == {("true", "shop", "sales", "shop")}
        assert [values(t, "ingress_host", "ingress_path", "ingress_scheme") for t in targets("active", "ingress")] \
            == [("shop.example", "/buy", "http")]
        assert [values(t, "node_name", "node_address_InternalIP") for t in targets("active", "node")] \
            == [("k8s-master", "172.28.128.10")]
        return True
    eventually(found)

    def measured():
        assert query('up{job="apiserver"}') == {"172.28.128.10:6443": "1"}
        assert query('up{job="kubelet"}') == {"k8s-master": "1"}
        assert query('sold_total{job="pod"}') == dict.fromkeys(pods, "7")
        return query('sold_total{job="endpointslice"}') == dict.fromkeys(pods, "7")
    eventually(measured)

    kubectl("-n", ns, "scale", "deployment/shop", "--replicas=3")
    more = rolled_out()
    assert pods < more

    def followed(to):
        def check():
            return all({t["__address__"] for t in targets("active", role)} == to
                       for role in ("pod", "endpoints", "endpointslice"))
        return check
    eventually(followed(more), "the third pod is a target")
    kubectl("-n", ns, "delete", "deployment/shop")
    eventually(followed(set()), "pods that are gone are no targets")
    kubectl("-n", ns, "delete", "ingress/shop", "service/shop")
    eventually(lambda: not targets("active", "ingress") + targets("active", "service"), "nor what pointed to them")

