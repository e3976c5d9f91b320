"""What tutorials on Services say, word by word, on one node: connecting applications, exposing a deployment, DNS; and on
NetworkPolicies."""
import base64
import json
import re

from harness import EXAMPLES, curl, eventually, on_node, run

NODE = "k8s-master"


def test_connecting_applications(default_empty):
    kubectl = default_empty
    kubectl("create", "-f", EXAMPLES / "nginxrc.yaml")
    pods = kubectl.ready_pods("app=nginx", 2)
    assert len(re.findall(r"my-nginx-\S+ +1/1 +Running .* 10\.244\.\d+\.\d+ +k8s-",
                          kubectl("get", "pods", "-l", "app=nginx", "-o", "wide"))) == 2
    ips = {p["status"]["podIP"] for p in pods}
    as_json = kubectl("get", "pods", "-l", "app=nginx", "-o", "json")
    assert ips == set(re.findall(r'"podIP": "([\d.]+)"', as_json))
    for ip in ips:
        assert "Welcome to nginx" in curl(f"http://{ip}", NODE)
    old = pods[0]["metadata"]["name"]

    kubectl("create", "-f", EXAMPLES / "nginxsvc.yaml")
    service = kubectl.json("get", "service", "nginxsvc")
    ip = service["spec"]["clusterIP"]
    assert re.search(rf"nginxsvc +ClusterIP +{re.escape(ip)} +<none> +80/TCP", kubectl("get", "svc"))

    def endpoints():
        subsets = kubectl.json("get", "ep", "nginxsvc").get("subsets") or [{}]
        return {a["ip"] for a in subsets[0].get("addresses", [])}
    eventually(lambda: endpoints() == ips, "both pods are endpoints")
    described = kubectl("describe", "svc", "nginxsvc")
    both = r"Endpoints: +[\d.]+:80,[\d.]+:80"
    for line in (r"Selector: +app=nginx", r"Type: +ClusterIP", rf"IP: +{re.escape(ip)}", r"Port: +<unset> +80/TCP", both,
                 r"Session Affinity: +None", r"Events: +<none>"):
        assert re.search(line, described), line
    eventually(lambda: "Welcome to nginx" in curl(f"http://{ip}", NODE), "the ClusterIP answers")

    env = kubectl("exec", old, "--", "printenv")
    assert set(re.findall(r"^(\w*SERVICE\w*)=", env, re.M)) >= {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}
    assert "NGINXSVC" not in env
    kubectl("scale", "rc", "my-nginx", "--replicas=0")
    kubectl.ready_pods("app=nginx", 0)
    kubectl("scale", "rc", "my-nginx", "--replicas=2")
    new = kubectl.ready_pods("app=nginx", 2)[0]["metadata"]["name"]
    env = kubectl("exec", new, "--", "printenv")
    assert f"NGINXSVC_SERVICE_HOST={ip}\n" in env and "NGINXSVC_SERVICE_PORT=80\n" in env

    listed = kubectl("get", "services", "kube-dns", "--namespace=kube-system")
    assert re.search(r"kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53/UDP,53/TCP", listed)
    kubectl("create", "-f", EXAMPLES / "curlpod.yaml")
    kubectl("wait", "pod/curlpod", "--for=condition=Ready", "--timeout=60s")
    answer = kubectl("exec", "curlpod", "--", "nslookup", "nginxsvc")
    assert "10.96.0.10" in answer and ip in answer


NGINX_TLS = """
server {
    listen 80;
    listen 443 ssl;
    root /usr/share/nginx/html;
    ssl_certificate /etc/nginx/ssl/tls.crt;
    ssl_certificate_key /etc/nginx/ssl/tls.key;
}
"""
NGINX_TLS_MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: nginxsvc}
spec:
  selector: {app: nginx}
  ports: [{name: http, port: 80}, {name: https, port: 443}]
---
apiVersion: v1
kind: ReplicationController
metadata: {name: my-nginx}
spec:
  replicas: 1
  selector: {app: nginx}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      volumes:
      - {name: secret-volume, secret: {secretName: nginxsecret}}
      - {name: config, configMap: {name: nginxconfig}}
      containers:
      - name: nginxhttps
        image: nginx
        ports: [{containerPort: 443}, {containerPort: 80}]
        volumeMounts:
        - {name: secret-volume, mountPath: /etc/nginx/ssl}
        - {name: config, mountPath: /etc/nginx/conf.d}
---
apiVersion: v1
kind: Pod
metadata: {name: curlpod}
spec:
  volumes: [{name: secret-volume, secret: {secretName: nginxsecret}}]
  containers:
  - name: curlpod
    image: radial/busyboxplus:curl
    command: [sh, -c, "while true; do sleep 1; done"]
    volumeMounts: [{name: secret-volume, mountPath: /etc/nginx/ssl}]
"""


def test_connecting_with_tls(default_empty, tmp_path):
    """A certificate from a Secret out of a JSON file; two named ports; a pod that knows the certificate trusts the Service."""
    kubectl = default_empty
    key, cert = tmp_path / "nginx.key", tmp_path / "nginx.crt"
    run("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "rsa:2048", "-keyout", key, "-out", cert, "-subj",
        "/CN=nginxsvc/O=nginxsvc", "-addext", "subjectAltName=DNS:nginxsvc")
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in (("tls.crt", cert), ("tls.key", key))}
    (tmp_path / "secret.json").write_text(json.dumps(
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "nginxsecret"}, "data": data}))
    kubectl("create", "-f", tmp_path / "secret.json")
    assert re.search(r"nginxsecret +Opaque +2 ", kubectl("get", "secrets"))
    (tmp_path / "default.conf").write_text(NGINX_TLS)
    kubectl("create", "configmap", "nginxconfig", f"--from-file={tmp_path}/default.conf")
    kubectl("create", "-f", "-", input=NGINX_TLS_MANIFEST)
    kubectl.ready_pods("app=nginx", 1)
    ip = kubectl.json("get", "service", "nginxsvc")["spec"]["clusterIP"]
    assert "80/TCP,443/TCP" in kubectl("get", "svc", "nginxsvc")
    eventually(lambda: "Welcome to nginx" in curl(f"https://{ip}", NODE, "-k"), "TLS at the ClusterIP")
    kubectl("wait", "pod/curlpod", "--for=condition=Ready", "--timeout=60s")
    assert "Welcome to nginx" in kubectl("exec", "curlpod", "--", "curl", "-sS", "https://nginxsvc", "--cacert", "/etc/nginx/ssl/tls.crt")
    kubectl("delete", "secret", "nginxsecret")


def test_exposing_a_deployment(default_empty):
    kubectl = default_empty
    kubectl("create", "deployment", "my-dev", "--image=nginx")
    kubectl("label", "deployment", "my-dev", "run=my-dev")
    assert re.match(r"NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nmy-dev ", kubectl("get", "deployments"))
    pod = kubectl.ready_pods("app=my-dev", 1)[0]["metadata"]["name"]
    kubectl("expose", "deployment/my-dev", "--type=NodePort", "--port", "80", "--labels=run=my-dev")
    assert re.search(r"my-dev +NodePort +10\.\S+ +<none> +80:3\d{4}/TCP", kubectl("get", "services"))
    port = kubectl("get", "services/my-dev", "-o", "go-template={{(index .spec.ports 0).nodePort}}")
    for where in (NODE, None):  # from the node and from outside
        eventually(lambda: "Welcome to nginx" in curl(f"http://172.28.128.10:{port}", where), "the NodePort answers")
    names = kubectl("get", "pods", "-o", 'go-template={{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}')
    assert names == pod + "\n"
    kubectl("label", "pod", pod, "track=v1")
    assert "pod-template-hash=" in kubectl("describe", "pods", pod)
    assert pod in kubectl("get", "pods", "-l", "track=v1")
    kubectl("delete", "service", "-l", "run=my-dev")

    def silent():
        done = on_node(NODE, "curl", "-sS", "--max-time", "2", f"http://172.28.128.10:{port}", check=False)
        return done.returncode != 0
    eventually(silent, "the NodePort stops answering")
    terminal = kubectl.terminal("exec", "-ti", pod, "--", "wget", "-qO-", "http://localhost:80")
    terminal.expect("Welcome to nginx")
    assert terminal.close() == 0


def test_reaching_an_app(default_empty, tmp_path):
    kubectl = default_empty
    manifest = tmp_path / "python-web-app.yaml"
    manifest.write_text((EXAMPLES / "python-web-app.yaml").read_text())
    kubectl("apply", "-f", manifest)
    kubectl.ready_pods("app=python-web-app", 3)
    manifest.write_text(manifest.read_text().replace("replicas: 3", "replicas: 4"))
    kubectl("apply", "-f", manifest)
    pods = kubectl.ready_pods("app=python-web-app", 4)
    name, ip = pods[0]["metadata"]["name"], pods[0]["status"]["podIP"]
    eventually(lambda: curl(f"http://{ip}", NODE).startswith(f"Served by {name}/"), "the pod answers")
    terminal = kubectl.terminal("exec", "-it", name, "--", "/bin/sh")
    terminal.expect(r"[#$] ")
    for command in ("hostname", f"wget -qO- {ip}:80", "wget -qO- localhost"):
        terminal.type(command + "\n")
        terminal.expect(rf"{name}(/[0-9a-f]{{8}})?\r\n")
    terminal.type("exit\n")
    terminal.close()
    kubectl("delete", "-f", manifest)
    kubectl.ready_pods("app=python-web-app", 0)

    kubectl("apply", "-f", EXAMPLES / "python-web-app-svc.yaml")
    pods = kubectl.ready_pods("app=python-web-app", 3)
    ip = kubectl.json("get", "service", "python-web-svc")["spec"]["clusterIP"]
    seen = set()
    eventually(lambda: seen.add(curl(f"http://{ip}", NODE).split("/")[0]) or len(seen) == 3, "all pods are reached")
    name = pods[0]["metadata"]["name"]
    assert kubectl("exec", name, "--", "cat", "/etc/resolv.conf") == (
        "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n")
    for address in ("python-web-svc", "python-web-svc.default", "python-web-svc.default.svc.cluster.local", ip):
        assert kubectl("exec", name, "--", "wget", "-qO-", f"http://{address}").startswith("Served by python-web-app-")
    ping = kubectl.run("exec", name, "--", "ping", "-c", "1", "-W", "1", "python-web-svc", check=False).stdout
    assert f"({ip})" in ping
    seen = set()  # a pod reaches itself through the Service too
    eventually(lambda: seen.add(kubectl("exec", name, "--", "wget", "-qO-", f"http://{ip}").split("/")[0]) or len(seen) == 3,
               "all pods from a pod, itself included")
    kubectl("delete", "service", "python-web-svc")
    kubectl("expose", "deployment", "python-web-app", "--name=python-web-svc", "--port", "80", "--target-port", "80",
            "--protocol", "TCP")
    ip = kubectl.json("get", "service", "python-web-svc")["spec"]["clusterIP"]
    eventually(lambda: curl(f"http://{ip}", NODE).startswith("Served by"), "expose makes the same Service")


def test_declare_network_policy(default_empty):
    """kubernetes.io/docs/tasks/administer-cluster/declare-network-policy"""
    kubectl = default_empty

    def rules():
        return on_node(NODE, "nft", "list", "table", "inet", "c8s-policy", check=False).stdout

    kubectl("create", "deployment", "nginx", "--image=nginx")
    kubectl("expose", "deployment", "nginx", "--port=80")
    kubectl.ready_pods("app=nginx", 1)

    def wget(answers, *options):
        """From a busybox that is gone afterwards; its first packet comes right after its start. Debian's wget knows no --timeout."""
        terminal = kubectl.terminal("run", "busybox", "--rm", "-ti", "--image=busybox:latest", "--image-pull-policy=IfNotPresent",
                                    "--restart=Never", *options, "--", "/bin/sh")
        terminal.expect(r"[#$] ")
        once = "timeout 1 wget --spider nginx"
        terminal.type(f"until {once}; do :; done; echo code=$?\n" if answers else f"{once}; echo code=$?\n")
        terminal.expect("code=0" if answers else "code=143")
        terminal.type("exit\n")
        terminal.close()
        eventually(lambda: "busybox" not in kubectl("get", "pods", "-o", "name"), "busybox is gone")

    assert rules() == ""
    wget(True)
    assert kubectl("apply", "-f", EXAMPLES / "nginx-policy.yaml") == "networkpolicy.networking.k8s.io/access-nginx created\n"
    assert "access=true" in kubectl("describe", "networkpolicy", "access-nginx")
    eventually(lambda: "default/access-nginx" in rules(), "the policy is in force")
    wget(False)
    wget(True, "--labels=access=true")
    kubectl("delete", "networkpolicy", "access-nginx")
    eventually(lambda: rules() == "", "nothing is left of it")
    wget(True)
