"""Pages of the Kubernetes documentation about Services, command by command: what is typed there, and what is printed."""
import json
import re

import pytest

from harness import curl, eventually, on_node, run

NODE = "k8s-master"


@pytest.fixture
def pages(default_empty, cluster):
    """kubectl, with images under the names that the pages use; they serve what the pages need of theirs."""
    for image, reference in (("nginx", "bprashanth/nginxhttps:1.0"), ("kubia", "registry.k8s.io/serve_hostname")):
        cluster.import_image(image, reference)
    yield default_empty
    default_empty("delete", "serviceaccounts", "robot", "--ignore-not-found")


def lines(text, *patterns):
    for pattern in patterns:
        assert re.search(f"^{pattern}$", text, re.M), f"{pattern!r} in {text}"


# --- tutorials/services/connect-applications-service ---

MY_NGINX = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "my-nginx"},
    "spec": {"selector": {"matchLabels": {"run": "my-nginx"}}, "replicas": 2,
             "template": {"metadata": {"labels": {"run": "my-nginx"}},
                          "spec": {"containers": [{"name": "my-nginx", "image": "nginx", "ports": [{"containerPort": 80}]}]}}}}

SECURE_APP = """
apiVersion: v1
kind: Service
metadata: {name: my-nginx, labels: {run: my-nginx}}
spec:
  type: NodePort
  ports:
  - {port: 8080, targetPort: 80, protocol: TCP, name: http}
  - {port: 443, protocol: TCP, name: https}
  selector: {run: my-nginx}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: my-nginx}
spec:
  selector: {matchLabels: {run: my-nginx}}
  replicas: 1
  template:
    metadata: {labels: {run: my-nginx}}
    spec:
      volumes:
      - {name: secret-volume, secret: {secretName: nginxsecret}}
      - {name: configmap-volume, configMap: {name: nginxconfigmap}}
      containers:
      - name: nginxhttps
        image: bprashanth/nginxhttps:1.0
        ports: [{containerPort: 443}, {containerPort: 80}]
        volumeMounts:
        - {mountPath: /etc/nginx/ssl, name: secret-volume}
        - {mountPath: /etc/nginx/conf.d, name: configmap-volume}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: curl-deployment}
spec:
  selector: {matchLabels: {app: curlpod}}
  replicas: 1
  template:
    metadata: {labels: {app: curlpod}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: secret-volume, secret: {secretName: nginxsecret}}]
      containers:
      - name: curlpod
        command: [sh, -c, "while true; do sleep 1; done"]
        image: radial/busyboxplus:curl
        volumeMounts: [{mountPath: /etc/nginx/ssl, name: secret-volume}]
"""

DEFAULT_CONF = """server {
    listen 80 default_server;
    listen 443 ssl;
    root /usr/share/nginx/html;
    ssl_certificate /etc/nginx/ssl/tls.crt;
    ssl_certificate_key /etc/nginx/ssl/tls.key;
}
"""


def test_connecting_applications_page(pages, tmp_path):
    kubectl = pages
    kubectl("apply", "-f", "-", input=json.dumps(MY_NGINX))
    ips = sorted(p["status"]["podIP"] for p in kubectl.ready_pods("run=my-nginx", 2))
    columns = kubectl("get", "pods", "-l", "run=my-nginx", "-o", "custom-columns=POD_IP:.status.podIPs").splitlines()
    assert columns[0] == "POD_IP" and sorted(columns[1:]) == sorted(f"[map[ip:{ip}]]" for ip in ips)

    assert kubectl("expose", "deployment/my-nginx") == "service/my-nginx exposed\n"
    ip = kubectl.json("get", "svc", "my-nginx")["spec"]["clusterIP"]
    both = rf"({re.escape(ips[0])}:80,{re.escape(ips[1])}:80|{re.escape(ips[1])}:80,{re.escape(ips[0])}:80)"
    eventually(lambda: re.search(both, kubectl("describe", "svc", "my-nginx")), "both are endpoints")
    lines(kubectl("describe", "svc", "my-nginx"), "Name: +my-nginx", "Namespace: +default", "Annotations: +<none>",
          "Selector: +run=my-nginx", "Type: +ClusterIP", "IP Family Policy: +SingleStack", "IP Families: +IPv4", f"IP: +{ip}",
          f"IPs: +{ip}", "Port: +<unset> +80/TCP", "TargetPort: +80/TCP", f"Endpoints: +{both}", "Session Affinity: +None",
          "Events: +<none>")
    lines(kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=my-nginx"), "NAME +ADDRESSTYPE +PORTS +ENDPOINTS +AGE",
          rf"my-nginx-\w{{5}} +IPv4 +80 +{both.replace(':80', '')} +\d+s")

    kubectl("scale", "deployment", "my-nginx", "--replicas=0")
    kubectl.ready_pods("run=my-nginx", 0)
    kubectl("scale", "deployment", "my-nginx", "--replicas=2")
    pod = kubectl.ready_pods("run=my-nginx", 2)[0]["metadata"]["name"]
    lines(kubectl("exec", pod, "--", "printenv"), "KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443",
          "KUBERNETES_SERVICE_PORT_HTTPS=443", f"MY_NGINX_SERVICE_HOST={ip}", "MY_NGINX_SERVICE_PORT=80")

    key, cert = tmp_path / "nginx.key", tmp_path / "nginx.crt"
    run("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "rsa:2048", "-keyout", key, "-out", cert, "-subj",
        "/CN=my-nginx/O=my-nginx", "-addext", "subjectAltName=DNS:my-nginx")
    kubectl("create", "secret", "tls", "nginxsecret", "--key", key, "--cert", cert)
    lines(kubectl("get", "secrets"), r"nginxsecret +kubernetes\.io/tls +2 +\d+s")
    (tmp_path / "default.conf").write_text(DEFAULT_CONF)
    kubectl("create", "configmap", "nginxconfigmap", f"--from-file={tmp_path}/default.conf")
    lines(kubectl("get", "configmaps"), r"nginxconfigmap +1 +\d+s")
    kubectl("delete", "deployments,svc", "my-nginx")
    kubectl("create", "-f", "-", input=SECURE_APP)
    kubectl("rollout", "status", "deployment/my-nginx")
    kubectl("rollout", "status", "deployment/curl-deployment")
    secured = kubectl.ready_pods("run=my-nginx", 1)[0]["status"]["podIP"]
    eventually(lambda: "Welcome to nginx!" in curl(f"https://{secured}", NODE, "-k"), "the pod speaks TLS")
    eventually(lambda: "<title>Welcome to nginx!</title>" in kubectl(
        "exec", kubectl.ready_pods("app=curlpod", 1)[0]["metadata"]["name"], "--", "curl", "-sS", "https://my-nginx", "--cacert",
        "/etc/nginx/ssl/tls.crt"), "the Service, with its certificate")
    ports = kubectl.json("get", "svc", "my-nginx")["spec"]["ports"]
    assert [(p["name"], p["port"], p["targetPort"]) for p in ports] == [("http", 8080, 80), ("https", 443, 443)]
    eventually(lambda: "Welcome to nginx!" in curl(f"https://172.28.128.10:{ports[1]['nodePort']}", None, "-k"), "the NodePort")

    kubectl("patch", "svc", "my-nginx", "-p", '{"spec":{"type":"LoadBalancer"}}')
    external = eventually(lambda: kubectl("get", "svc", "my-nginx", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"))
    lines(kubectl("get", "svc", "my-nginx"),
          rf"my-nginx +LoadBalancer +10\.\S+ +{external} +8080:{ports[0]['nodePort']}/TCP,443:{ports[1]['nodePort']}/TCP +\d+s")
    eventually(lambda: "Welcome to nginx!" in curl(f"https://{external}", None, "-k"), "the load balancer")


# --- tasks/debug/debug-application/debug-service ---

def test_debugging_services_page(pages):
    kubectl = pages
    kubectl("create", "deployment", "hostnames", "--image=registry.k8s.io/serve_hostname")
    assert kubectl("scale", "deployment", "hostnames", "--replicas=3") == "deployment.apps/hostnames scaled\n"
    names = {p["metadata"]["name"] for p in kubectl.ready_pods("app=hostnames", 3)}
    ips = kubectl("get", "pods", "-l", "app=hostnames", "-o", 'go-template={{range .items}}{{.status.podIP}}{{"\\n"}}{{end}}').split()
    kubectl("run", "asks", "--image=tutum/dnsutils", "--restart=Never", "--", "sleep", "1000")
    kubectl("wait", "pod/asks", "--for=condition=Ready", "--timeout=60s")

    def within(*command, pod="asks"):
        return kubectl("exec", pod, "--", *command)
    for pod_ip in ips:
        eventually(lambda: within("wget", "-qO-", f"{pod_ip}:8080").split()[-1] in names, "the pod answers")
    assert "bad address" in kubectl.fails("exec", "asks", "--", "wget", "-qO-", "hostnames")
    assert kubectl.fails("get", "svc", "hostnames") == 'Error from server (NotFound): services "hostnames" not found\n'

    assert kubectl("expose", "deployment", "hostnames", "--port=80", "--target-port=8080") == "service/hostnames exposed\n"
    ip = kubectl.json("get", "svc", "hostnames")["spec"]["clusterIP"]
    lines(kubectl("get", "svc", "hostnames"), rf"hostnames +ClusterIP +{ip} +<none> +80/TCP +\d+s")
    for name in ("hostnames", "hostnames.default", "hostnames.default.svc.cluster.local"):
        answer = eventually(lambda: within("nslookup", name), "the name is known")
        lines(answer, r"Server:\s+10\.96\.0\.10", r"Name:\s+hostnames\.default\.svc\.cluster\.local", rf"Address: {ip}")
    lines(within("nslookup", "kubernetes.default"), r"Address: 10\.96\.0\.1")
    lines(within("cat", "/etc/resolv.conf"), "nameserver 10.96.0.10",
          "search default.svc.cluster.local svc.cluster.local cluster.local", "options ndots:5")

    def endpoints():
        return re.search(r"^hostnames +(\S+) ", kubectl("get", "endpoints", "hostnames"), re.M)[1].split(",")
    eventually(lambda: sorted(endpoints()) == sorted(f"{pod_ip}:8080" for pod_ip in ips), "all are endpoints")

    seen = set()
    eventually(lambda: seen.add(within("wget", "-qO-", f"{ip}:80").split()[-1]) or seen == names, "all pods by the ClusterIP")
    assert on_node(NODE, "curl", "-s", "http://localhost:10249/proxyMode").stdout == "nftables"
    eventually(lambda: curl(f"http://{ip}:80", NODE).split()[-1] in names, "from a node")
    itself = sorted(names)[0]  # hairpin
    eventually(lambda: within("wget", "-qO-", f"{ip}:80", pod=itself).split()[-1] == itself, "a pod reaches itself")
    assert "hostnames" in on_node(NODE, "nft", "list", "table", "ip", "c8s").stdout


# --- tasks/access-application-cluster/ingress-minikube ---

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: example-ingress}
spec:
  ingressClassName: nginx
  rules:
  - host: hello-world.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}
"""
INGRESS_V2 = "      - {path: /v2, pathType: Prefix, backend: {service: {name: web2, port: {number: 8080}}}}\n"
SOMEBODYS_CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
"""


def test_ingress_page(pages):
    """Its class is nginx: served here, until somebody brings the class."""
    kubectl = pages

    def hello(path=""):
        return curl(f"http://hello-world.example{path}", None, "--resolve", "hello-world.example:80:172.28.128.10")

    def begins(start, path=""):
        eventually(lambda: hello(path).startswith(start), f"{path or '/'} leads to {start}")
    for name in ("web", "web2"):
        kubectl("create", "deployment", name, "--image=luksa/kubia")
        assert kubectl("expose", "deployment", name, "--type=NodePort", "--port=8080") == f"service/{name} exposed\n"
        lines(kubectl("get", "service", name), rf"{name} +NodePort +10\.\S+ +<none> +8080:3\d{{4}}/TCP +\d+s")
    assert kubectl("apply", "-f", "-", input=INGRESS) == "ingress.networking.k8s.io/example-ingress created\n"
    served = r"example-ingress +nginx +hello-world\.example +172\.28\.128\.10 +80 +\d+s"
    eventually(lambda: re.search(served, kubectl("get", "ingress")), "an address")
    begins("You've hit web-")
    assert kubectl("apply", "-f", "-", input=INGRESS + INGRESS_V2) == "ingress.networking.k8s.io/example-ingress configured\n"
    begins("You've hit web2-", "/v2")
    begins("You've hit web-")
    lines(kubectl("describe", "ingress", "example-ingress"), r" +/ +web:8080 \(10\.244\.\S+:8080\)",
          r" +/v2 +web2:8080 \(10\.244\.\S+:8080\)")
    kubectl("apply", "-f", "-", input=SOMEBODYS_CLASS)
    eventually(lambda: not re.search(served, kubectl("get", "ingress")), "the class is somebody else's")
    kubectl("delete", "ingressclass", "nginx")
    eventually(lambda: re.search(served, kubectl("get", "ingress")), "and ours again")
    kubectl("delete", "ingress", "example-ingress")


# --- tasks/access-application-cluster/access-cluster: without kubectl proxy ---

TOKEN = """
apiVersion: v1
kind: Secret
metadata:
  name: robot-token
  annotations: {kubernetes.io/service-account.name: robot}
type: kubernetes.io/service-account-token
"""


def test_access_cluster_page(pages):
    kubectl = pages
    kubectl("create", "serviceaccount", "robot")
    kubectl("apply", "-f", "-", input=TOKEN)
    described = eventually(lambda: re.search(r"^token: +(\S+)$", kubectl("describe", "secret", "robot-token"), re.M), "the token")
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")

    def get(path, token):
        return json.loads(curl(server + path, None, "--insecure", "--header", f"Authorization: Bearer {token}"))
    assert get("/api", described[1])["versions"] == ["v1"]
    assert get("/api/v1/namespaces/default/pods", described[1])["message"].startswith(
        'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods"')
    assert get("/api", "")["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'
    kubectl("delete", "serviceaccount", "robot")
    eventually(lambda: "robot-token" not in kubectl("get", "secrets"), "its token goes with it")
    assert get("/api", described[1])["reason"] == "Unauthorized"
