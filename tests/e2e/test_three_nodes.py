"""Services on three nodes: what tutorials say, word by word, on `c8s up --nodes 3`."""
import json
import re

import pytest

import harness
from harness import EXAMPLES, condition, curl, eventually, on_node, run
from test_walkthroughs import test_connecting_applications, test_connecting_with_tls, test_exposing_a_deployment  # here as well

NODES = {"k8s-master": "172.28.128.10", "k8s-node1": "172.28.128.11", "k8s-node2": "172.28.128.12"}
WORKERS = {"k8s-node1", "k8s-node2"}
HOST = "172.28.128.1"
POOL = [f"172.28.128.{n}" for n in range(200, 251)]
IMAGES = ("python-web", "kubia", "nginx", "busyboxplus", "dnsutils")


@pytest.fixture(scope="module")
def three():
    """A three-node cluster, taken away without a trace."""
    c = harness.Cluster(IMAGES)
    c.said = c.up("--nodes", "3")
    yield c
    print(c.log())
    c.remove()
    assert harness.traces() == []


@pytest.fixture(params=["old", "new"])
def kubectl(request, three):
    return three.kubectl(request.param)


@pytest.fixture
def new(three):
    return three.kubectl("new")


@pytest.fixture
def kubia(default_empty):
    """Three kubia pods on the two nodes that take pods."""
    default_empty("create", "-f", EXAMPLES / "kubia-rc.yaml")
    default_empty.ready_pods("app=kubia", 3)
    return default_empty


def names(pods):
    return {p["metadata"]["name"] for p in pods}


def everywhere():
    """Where people type: every node, and the host beside them."""
    return [*NODES, None]


def sees_all(url, pods, where, prefix, *options):
    """Asks until every pod has answered."""
    seen, want = set(), {prefix + name for name in names(pods)}
    eventually(lambda: seen.add(curl(url, where, *options).split("/")[0].strip()) or seen >= want,
               f"{url} from {where or 'the host'} reaches all of {want}")
    assert seen == want


def refused(url, where=None, *options):
    """The exit code of a curl that gets no answer."""
    argv = ["curl", "-sS", "--max-time", "1", *options, url]
    done = on_node(where, *argv, check=False) if where else run(*argv, check=False)
    return done.returncode


def external_ip(kubectl, name):
    def look():
        ingress = kubectl.json("get", "service", name)["status"]["loadBalancer"].get("ingress", [])
        return ingress and ingress[0]["ip"]
    return eventually(look, f"{name} has an EXTERNAL-IP")


def announcers(ip, nodes=NODES):
    return [n for n in nodes if f" {ip}/32 " in on_node(n, "ip", "-o", "-4", "addr", "show", "dev", "eth0").stdout]


def test_scheduling_on_the_master():
    """--schedule-on-master, another pool; `down` takes everything away although Services are announced."""
    cluster = harness.Cluster(["python-web"])
    try:
        wrong = run(harness.C8S, "up", "--lb-pool", "172.28.128.5-172.28.128.15", "--data-dir", cluster.data, check=False)
        assert wrong.returncode == 1 and "172.28.128.10 is kept for a node" in wrong.stderr
        wrong = run(harness.C8S, "up", "--lb-pool", "many", "--data-dir", cluster.data, check=False)
        assert wrong.returncode == 1 and '"many" is no range of addresses' in wrong.stderr
        cluster.up("--nodes", "2", "--schedule-on-master", "--lb-pool", "172.28.128.77")
        kubectl = cluster.kubectl("new")
        assert "taints" not in kubectl.json("get", "node", "k8s-master")["spec"]
        kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest", "--replicas=4")
        pods = kubectl.ready_pods("app=web", 4)
        assert {p["spec"]["nodeName"] for p in pods} == {"k8s-master", "k8s-node1"}
        kubectl("expose", "deployment", "web", "--type=LoadBalancer", "--port=80")
        assert external_ip(kubectl, "web") == "172.28.128.77"
        sees_all("http://172.28.128.77", pods, None, "Served by ")
        kubectl("create", "service", "loadbalancer", "second", "--tcp=80:80")
        eventually(lambda: "all 1 addresses of the pool are in use" in kubectl("describe", "svc", "second"), "an Event says why")
        assert re.search(r"second +LoadBalancer +\S+ +<pending>", kubectl("get", "svc"))
        cluster.kill()
        assert curl("http://172.28.128.77").startswith("Served by web-")  # goes on without the program
        cluster.up("--nodes", "2", "--schedule-on-master", "--lb-pool", "172.28.128.77")
        assert external_ip(kubectl, "web") == "172.28.128.77"
        assert curl("http://172.28.128.77").startswith("Served by web-")
        kubectl("delete", "service", "web")
        eventually(lambda: external_ip(kubectl, "second") == "172.28.128.77", "who waited gets what is given back")
        kubectl("expose", "deployment", "web", "--type=LoadBalancer", "--port=80")
        for name in ("web", "second"):  # two that agree share an address, as long as their ports differ
            kubectl("annotate", "service", name, "metallb.io/allow-shared-ip=x")
        kubectl("patch", "service", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/ports","value":[{"port":8080,"targetPort":80}]}]')
        assert eventually(lambda: external_ip(kubectl, "web")) == "172.28.128.77"
        eventually(lambda: curl("http://172.28.128.77:8080").startswith("Served by web-"))

        cluster.kill()
        cluster.up("--nodes", "2", "--schedule-on-master", "--lb-pool", "172.28.128.90-172.28.128.99")
        eventually(lambda: external_ip(kubectl, "web") == "172.28.128.90", "another pool moves the address")
        eventually(lambda: curl("http://172.28.128.90:8080").startswith("Served by web-"))
        eventually(lambda: announcers("172.28.128.77", ["k8s-master", "k8s-node1"]) == [], "the old one is nobody's")
        cluster.kill()
        wrong = run(harness.C8S, "up", "--nodeport-addresses", "primary,10.0.0.0/8", "--data-dir", cluster.data, check=False)
        assert wrong.returncode == 1 and '--nodeport-addresses: "primary" is no range' in wrong.stderr
        cluster.up("--nodes", "2", "--schedule-on-master", "--lb-pool", "none", "--nodeport-addresses", "10.0.0.0/8,172.28.128.10/32")
        eventually(lambda: re.search(r"web +LoadBalancer +\S+ +172.28.128.10,172.28.128.11 ", kubectl("get", "svc")), "the nodes' own")
        for ip in ("172.28.128.10", "172.28.128.11"):
            eventually(lambda: curl(f"http://{ip}:8080").startswith("Served by web-"), f"{ip} answers")
        node_port = kubectl.json("get", "service", "web")["spec"]["ports"][0]["nodePort"]
        assert curl(f"http://172.28.128.10:{node_port}").startswith("Served by web-")
        refused = run("curl", "-sS", "--max-time", "5", f"http://172.28.128.11:{node_port}", check=False)
        assert refused.returncode == 7, refused.stderr  # no connection: not one of --nodeport-addresses
        on_node("k8s-node1", "ip", "addr", "add", "10.200.0.5/32", "dev", "eth0")
        eventually(lambda: on_node("k8s-node1", "curl", "-sS", "--max-time", "5", f"http://10.200.0.5:{node_port}",
                                   check=False).stdout.startswith("Served by web-"), "an address that came later")
        for options, roles, taints in ((["--nodes", "2"], "control-plane", 1), ([], "<none>", 0)):
            cluster.down()
            cluster.up(*options)
            eventually(lambda: re.search(rf"k8s-master +Ready +{roles} ", kubectl("get", "nodes")), f"its role is {roles}")
            assert len(kubectl.json("get", "node", "k8s-master")["spec"].get("taints", [])) == taints
    finally:
        print(cluster.log())
        cluster.remove()
    assert harness.traces() == []


def test_the_cluster(three, kubectl):
    assert re.search(r"c8s is up: 3 nodes, Ready after \d\.\d\d s", three.said)
    wide = kubectl("get", "nodes", "-o", "wide")
    for name, ip in NODES.items():
        role = "control-plane" if name == "k8s-master" else "<none>"
        assert re.search(rf"{name} +Ready +{role} +\S+ +\S+ +{re.escape(ip)} ", wide), wide
    master, worker = kubectl.json("get", "node", "k8s-master"), kubectl.json("get", "node", "k8s-node1")
    assert master["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] == ""
    assert master["spec"]["taints"] == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    assert "taints" not in worker["spec"]
    assert "node-role.kubernetes.io/control-plane:NoSchedule" in kubectl("describe", "node", "k8s-master")
    for node in NODES:  # DNS and the API on every node
        assert "10.96.0.1" in on_node(node, "nslookup", "kubernetes.default.svc.cluster.local", "10.96.0.10").stdout
        assert "ok" in curl("https://10.96.0.1/healthz", node, "-k")


def test_pods_on_every_node(default_empty):
    """Pods on all nodes, the master included, reach each other, the nodes and the host untranslated."""
    kubectl = default_empty
    for node in NODES:
        kubectl("run", f"on-{node}", "--image=yanbin/python-web:latest", "--labels=app=one-each",
                "--overrides=" + '{"spec":{"nodeName":"%s"}}' % node)
    pods = kubectl.ready_pods("app=one-each", 3)
    assert {p["spec"]["nodeName"] for p in pods} == set(NODES)
    assert len({p["status"]["podIP"].rsplit(".", 1)[0] for p in pods}) == 3  # a /24 a node
    for pod in pods:
        name, ip = pod["metadata"]["name"], pod["status"]["podIP"]
        for where in everywhere():
            assert curl(f"http://{ip}", where).startswith(f"Served by {name}/")
        for other in pods:
            got = kubectl("exec", name, "--", "wget", "-qO-", f"http://{other['status']['podIP']}")
            assert got.startswith(f"Served by {other['metadata']['name']}/")
            eventually(lambda: re.search(rf"^{re.escape(ip)} ", kubectl("logs", other["metadata"]["name"]), re.M),
                       "the pod's own address is seen")
        assert kubectl("exec", name, "--", "hostname") == name + "\n"
        assert "10.96.0.1" in kubectl("exec", name, "--", "nslookup", "kubernetes.default.svc.cluster.local")


def test_deploying_an_app(default_empty, tmp_path):
    """C1 to C3."""
    kubectl = default_empty
    kubectl("create", "deployment", "python-web-app", "--image=yanbin/python-web:latest")
    kubectl("scale", "-n", "default", "deployment", "python-web-app", "--replicas=3")
    pods = kubectl.ready_pods("app=python-web-app", 3)
    assert {p["spec"]["nodeName"] for p in pods} == WORKERS
    assert re.search(r"default +python-web-app +3/3 +3 +3 ", kubectl("get", "deploy", "-A"))
    wide = kubectl("get", "pods", "-o", "wide")
    assert len(re.findall(r"python-web-app-[0-9a-z]+-[0-9a-z]{5} +1/1 +Running .* 10\.244\.\d\.\d+ +k8s-node[12]", wide)) == 3
    kubectl("delete", "deploy", "python-web-app")
    kubectl.ready_pods("app=python-web-app", 0)
    eventually(lambda: kubectl("get", "rs", "-o", "name") == "", "the ReplicaSet goes too")

    manifest = tmp_path / "python-web-app.yaml"
    manifest.write_text((EXAMPLES / "python-web-app.yaml").read_text())
    kubectl("apply", "-f", manifest)
    kubectl.ready_pods("app=python-web-app", 3)
    manifest.write_text(manifest.read_text().replace("replicas: 3", "replicas: 4"))
    kubectl("apply", "-f", manifest)
    for pod in kubectl.ready_pods("app=python-web-app", 4):
        name, ip = pod["metadata"]["name"], pod["status"]["podIP"]
        terminal = kubectl.terminal("exec", "-it", name, "--", "/bin/sh")
        terminal.expect(r"[#$] ")
        for command in ("hostname", f"wget -qO- {ip}:80", "wget -qO- localhost"):
            terminal.type(command + "\n")
            terminal.expect(rf"{name}(/[0-9a-f]{{8}})?\r\n")
        terminal.type("exit\n")
        terminal.close()
        for where in everywhere():
            assert curl(f"http://{ip}", where).startswith(f"Served by {name}/")
    kubectl("delete", "-f", manifest)
    kubectl.ready_pods("app=python-web-app", 0)


def test_reaching_an_app(default_empty):
    """C4 to C8."""
    kubectl = default_empty
    kubectl("apply", "-f", EXAMPLES / "python-web-app-svc.yaml")
    pods = kubectl.ready_pods("app=python-web-app", 3)
    kubectl("delete", "service", "python-web-svc")
    kubectl("expose", "deployment", "python-web-app", "--name=python-web-svc", "--port", "80", "--target-port", "80",
            "--protocol", "TCP")
    ip = kubectl.json("get", "service", "python-web-svc")["spec"]["clusterIP"]
    for where in everywhere():
        sees_all(f"http://{ip}", pods, where, "Served by ")
    for pod in pods:
        name = pod["metadata"]["name"]
        assert kubectl("exec", name, "--", "cat", "/etc/resolv.conf") == (
            "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n")
        for address in ("python-web-svc", "python-web-svc.default"):
            assert kubectl("exec", name, "--", "wget", "-qO-", f"http://{address}").startswith("Served by python-web-app-")
        assert f"({ip})" in kubectl.run("exec", name, "--", "ping", "-c1", "-W1", "python-web-svc", check=False).stdout

    kubectl("patch", "service", "python-web-svc", "-p", '{"spec":{"type":"NodePort"}}')
    port = re.search(r"python-web-svc +NodePort +\S+ +<none> +80:(3\d{4})/TCP", kubectl("get", "svc"))[1]
    for where in everywhere():
        for address in NODES.values():
            sees_all(f"http://{address}:{port}", pods, where, "Served by ")

    kubectl("patch", "service", "python-web-svc", "-p", '{"spec":{"type":"LoadBalancer"}}')
    external = external_ip(kubectl, "python-web-svc")
    assert external in POOL
    assert re.search(rf"python-web-svc +LoadBalancer +\S+ +{re.escape(external)} +80:{port}/TCP", kubectl("get", "svc"))
    for where in everywhere():
        sees_all(f"http://{external}", pods, where, "Served by ")
    assert kubectl("exec", pods[0]["metadata"]["name"], "--", "wget", "-qO-", f"http://{external}").startswith("Served by")
    eventually(lambda: len(announcers(external)) == 1, "one node announces it")
    described = kubectl("describe", "svc", "python-web-svc")
    for line in (rf"LoadBalancer Ingress: +{re.escape(external)}", r"Port: +<unset> +80/TCP", r"TargetPort: +80/TCP",
                 rf"NodePort: +<unset> +{port}/TCP", r"Endpoints: +10\.244\.\d\.\d+:80,", r"External Traffic Policy: +Cluster",
                 r"Normal +EnsuringLoadBalancer .*Ensuring load balancer", r"Normal +EnsuredLoadBalancer .*Ensured load balancer"):
        assert re.search(line, described), (line, described)
    for node in NODES:
        table = on_node(node, "nft", "list", "table", "ip", "c8s").stdout
        assert external in table and NODES[node] + " . tcp . " + port in table

    kubectl("patch", "service", "python-web-svc", "-p", '{"spec":{"type":"ClusterIP"}}')
    eventually(lambda: announcers(external) == [], "the address is given back")
    eventually(lambda: "ingress" not in kubectl.json("get", "svc", "python-web-svc")["status"]["loadBalancer"])
    eventually(lambda: refused(f"http://{external}") != 0, "nobody answers there")


def test_talking_to_pods(kubia):
    """D1 to D6."""
    kubectl = kubia
    pods = kubectl.ready_pods("app=kubia", 3)
    kubectl("expose", "rc", "kubia", "--type=LoadBalancer", "--name", "kubia-http")
    assert re.search(r"kubia-http +LoadBalancer +\S+ +(<pending>|172\.28\.128\.2\d\d) +8080:3\d{4}/TCP", kubectl("get", "svc"))
    sees_all(f"http://{external_ip(kubectl, 'kubia-http')}:8080", pods, None, "You've hit ")

    kubectl("create", "-f", EXAMPLES / "kubia-svc.yaml")
    ip = kubectl.json("get", "service", "kubia")["spec"]["clusterIP"]
    seen, inside = set(), pods[0]["metadata"]["name"]
    eventually(lambda: seen.add(kubectl("exec", inside, "--", "curl", "-s", f"http://{ip}").strip()) or len(seen) == 3,
               "different pods are hit")
    kubectl("patch", "service", "kubia", "-p", '{"spec":{"sessionAffinity":"ClientIP"}}')
    affinity = kubectl.json("get", "service", "kubia")["spec"]["sessionAffinityConfig"]
    assert affinity == {"clientIP": {"timeoutSeconds": 10800}}
    for where in everywhere():
        def pinned():
            return len({curl(f"http://{ip}", where) for _ in range(8)}) == 1
        eventually(pinned, "one client stays with one pod")
    kubectl("delete", "service", "kubia")

    unnamed = kubectl.fails("create", "service", "clusterip", "x", "--tcp=80:8080", "--tcp=80:8443")
    assert "Duplicate value" in unnamed
    kubectl("create", "-f", EXAMPLES / "kubia-svc-named-ports.yaml")
    assert re.search(r"kubia +ClusterIP +\S+ +<none> +80/TCP,443/TCP", kubectl("get", "svc"))
    ip = kubectl.json("get", "service", "kubia")["spec"]["clusterIP"]
    for where in everywhere():  # `http` is looked up pod by pod; no pod has a port called `https`
        sees_all(f"http://{ip}", pods, where, "You've hit ")
        assert refused(f"http://{ip}:443", where) == 7  # refused at once, not a timeout
    kubectl("delete", "pods", "-l", "app=kubia", "--grace-period=1", "--wait=false")
    eventually(lambda: not names(pods) & names(kubectl.pods("app=kubia")), "new pods replace the old ones")
    name = kubectl.ready_pods("app=kubia", 3)[0]["metadata"]["name"]
    env = kubectl("exec", name, "--", "env")
    assert f"KUBIA_SERVICE_HOST={ip}\n" in env and "KUBIA_SERVICE_PORT=80\n" in env and "KUBIA_HTTP_SERVICE_HOST=" in env
    terminal = kubectl.terminal("exec", "-it", name, "--", "bash")
    terminal.expect(r"[#$] ")
    for address in ("kubia.default.svc.cluster.local", "kubia.default", "kubia"):
        terminal.type(f"curl http://{address}\n")
        terminal.expect(r"You've hit kubia-\w{5}")
    terminal.type("exit\n")
    terminal.close()


def test_service_without_selector(kubia):
    """D7 and D8."""
    kubectl = kubia
    pods = kubectl.ready_pods("app=kubia", 3)
    kubectl("create", "-f", EXAMPLES / "external-service.yaml")
    ip = kubectl.json("get", "service", "external-service")["spec"]["clusterIP"]
    assert "NotFound" in kubectl.fails("get", "endpoints", "external-service")
    eventually(lambda: refused(f"http://{ip}", "k8s-node1") == 7, "refused while there are no endpoints")
    kubectl("create", "-f", EXAMPLES / "external-service-endpoints.yaml")
    assert re.search(r"external-service +11\.11\.11\.11:80,22\.22\.22\.22:80", kubectl("get", "endpoints"))
    reachable = '{"subsets":[{"addresses":[%s],"ports":[{"port":8080}]}]}' % ",".join(
        '{"ip":"%s"}' % p["status"]["podIP"] for p in pods)
    kubectl("patch", "endpoints", "external-service", "--type=merge", "-p", reachable)
    for where in everywhere():
        sees_all(f"http://{ip}", pods, where, "You've hit ")
    kubectl("delete", "endpoints", "external-service")
    kubectl("delete", "service", "external-service")

    kubectl("create", "-f", EXAMPLES / "external-service-externalname.yaml")
    assert re.search(r"external-service +ExternalName +<none> +api\.somecompany\.com +80/TCP", kubectl("get", "svc"))
    for node in NODES:
        asked = ("dig", "+norecurse", "+noall", "+answer", "@10.96.0.10", "external-service.default.svc.cluster.local", "CNAME")
        eventually(lambda: re.search(r"CNAME\s+api\.somecompany\.com\.", on_node(node, *asked).stdout), "a CNAME is answered")


def test_node_ports(kubia):
    """D9, and where NodePorts are answered."""
    kubectl = kubia
    pods = kubectl.ready_pods("app=kubia", 3)
    kubectl("create", "-f", EXAMPLES / "kubia-svc-nodeport.yaml")
    assert re.search(r"kubia-nodeport +NodePort +\S+ +<none> +80:30123/TCP", kubectl("get", "svc"))
    for where in everywhere():
        for address in NODES.values():
            sees_all(f"http://{address}:30123", pods, where, "You've hit ")
    for node, address in NODES.items():  # what kube-proxy says of itself
        assert curl("http://localhost:10249/proxyMode", node) == "nftables"
        assert '"nodeEligible": true' in curl(f"http://{address}:10256/healthz")
        kubectl("taint", "node", node, "ToBeDeletedByClusterAutoscaler=1:PreferNoSchedule")
        eventually(lambda: '"nodeEligible": false' in curl(f"http://{address}:10256/healthz"), f"{node} is not for new traffic")
        kubectl("taint", "node", node, "ToBeDeletedByClusterAutoscaler-")
    taken = kubectl.fails("create", "service", "nodeport", "another", "--tcp=80:8080", "--node-port=30123")
    assert "spec.ports[0].nodePort: Invalid value: 30123: provided port is already allocated" in taken
    outside = kubectl.fails("create", "service", "nodeport", "another", "--tcp=80:8080", "--node-port=80")
    assert "provided port is not in the valid range. The range of valid ports is 30000-32767" in outside
    kubectl("create", "service", "nodeport", "another", "--tcp=80:8080")
    assert re.search(r"another +NodePort .* 80:3\d{4}/TCP", kubectl("get", "svc"))


def test_load_balancer(kubia):
    """D10: the address works from everywhere; wishes; source ranges; the node that announces it goes."""
    kubectl = kubia
    pods = kubectl.ready_pods("app=kubia", 3)
    kubectl("create", "-f", EXAMPLES / "kubia-svc-loadbalancer.yaml")
    ip = external_ip(kubectl, "kubia-loadbalancer")
    for where in everywhere():
        sees_all(f"http://{ip}", pods, where, "You've hit ")
    for pod in pods:
        assert "You've hit" in kubectl("exec", pod["metadata"]["name"], "--", "curl", "-s", f"http://{ip}")

    kubectl("patch", "svc", "kubia-loadbalancer", "-p", '{"spec":{"loadBalancerIP":"172.28.128.222"}}')
    eventually(lambda: external_ip(kubectl, "kubia-loadbalancer") == "172.28.128.222", "the wish is heard")
    eventually(lambda: announcers(ip) == [] and len(announcers("172.28.128.222")) == 1, "announced in the other's stead")
    ip = "172.28.128.222"
    sees_all(f"http://{ip}", pods, None, "You've hit ")

    kubectl("patch", "svc", "kubia-loadbalancer", "-p", '{"spec":{"loadBalancerSourceRanges":["192.0.2.0/24"]}}')
    eventually(lambda: refused(f"http://{ip}") == 28, "the host is not admitted: dropped")
    kubectl("patch", "svc", "kubia-loadbalancer", "-p", '{"spec":{"loadBalancerSourceRanges":["192.0.2.0/24","%s/32"]}}' % HOST)
    sees_all(f"http://{ip}", pods, None, "You've hit ")

    first = announcers(ip)[0]
    kubectl("label", "node", first, "node.kubernetes.io/exclude-from-external-load-balancers=")
    eventually(lambda: announcers(ip) and announcers(ip)[0] != first and len(announcers(ip)) == 1, "another node takes over")
    assert "You've hit" in curl(f"http://{ip}")
    kubectl("label", "node", first, "node.kubernetes.io/exclude-from-external-load-balancers-")
    eventually(lambda: announcers(ip) == [first], "and gives it back")

    kubectl("patch", "svc", "kubia-loadbalancer", "-p", '{"spec":{"loadBalancerIP":"10.1.2.3"}}')
    eventually(lambda: "<pending>" in kubectl("get", "svc", "kubia-loadbalancer"), "not of the pool")
    eventually(lambda: re.search(r"Warning +SyncLoadBalancerFailed .*spec.loadBalancerIP 10.1.2.3 is not in the pool",
                                 kubectl("describe", "svc", "kubia-loadbalancer")), "an Event says why")
    eventually(lambda: announcers(ip) == [], "nobody announces it")


def test_local_traffic_policy(default_empty):
    """D10: with Local the client's address is kept, and a node without a pod does not answer and says so."""
    kubectl = default_empty
    kubectl("run", "web", "--image=yanbin/python-web:latest", "--labels=app=web", '--overrides={"spec":{"nodeName":"k8s-node2"}}')
    pod = kubectl.ready_pods("app=web", 1)[0]["metadata"]["name"]
    kubectl("expose", "pod", "web", "--type=LoadBalancer", "--port=80")
    ip = external_ip(kubectl, "web")
    eventually(lambda: curl(f"http://{ip}/cluster").startswith("Served by web/"))
    service = kubectl.json("get", "svc", "web")["spec"]
    assert service["externalTrafficPolicy"] == "Cluster"
    port = service["ports"][0]["nodePort"]
    for address in NODES.values():
        assert curl(f"http://{address}:{port}/cluster").startswith("Served by web/")

    def clients(path):
        return set(re.findall(rf"^(\S+) .*GET {path} ", kubectl("logs", pod), re.M))
    eventually(lambda: clients("/cluster"), "requests are logged")
    assert HOST not in clients("/cluster")

    kubectl("patch", "svc", "web", "-p", '{"spec":{"externalTrafficPolicy":"Local"}}')
    health = kubectl.json("get", "svc", "web")["spec"]["healthCheckNodePort"]
    eventually(lambda: announcers(ip) == ["k8s-node2"], "announced where the endpoint is")
    eventually(lambda: refused(f"http://172.28.128.11:{port}") == 28, "no local pod, no answer")
    for address in (ip, f"172.28.128.12:{port}"):
        eventually(lambda: curl(f"http://{address}/local").startswith("Served by web/"), f"{address} answers")
    eventually(lambda: clients("/local"), "requests are logged")
    assert clients("/local") == {HOST}
    for node, address in NODES.items():
        code = "200" if node == "k8s-node2" else "503"
        eventually(lambda: curl(f"http://{address}:{health}/", None, "-o", "/dev/null", "-w", "%{http_code}") == code,
                   f"the health check of {node} says {code}")
        assert curl(f"http://localhost:{health}/healthz", node, "-o", "/dev/null", "-w", "%{http_code}") == code
    body = curl(f"http://172.28.128.12:{health}/")
    assert '"localEndpoints": 1' in body and '"name": "web"' in body
    for node in NODES:  # from nodes and pods it is as with Cluster
        assert curl(f"http://{ip}", node).startswith("Served by web/")
    kubectl("delete", "svc", "web")
    eventually(lambda: refused(f"http://172.28.128.12:{health}/") == 7, "the health check goes with the Service")


def test_readiness(default_empty, tmp_path):
    """D12, with a probe that does not take its ten seconds."""
    kubectl = default_empty
    manifest = tmp_path / "kubia-rc-readinessprobe.yaml"
    text = (EXAMPLES / "kubia-rc-readinessprobe.yaml").read_text()
    manifest.write_text(text.rstrip() + "\n          periodSeconds: 1\n          failureThreshold: 1\n")
    kubectl("create", "-f", manifest)
    kubectl("create", "-f", EXAMPLES / "kubia-svc.yaml")

    def running():
        pods = kubectl.pods("app=kubia")
        assert len(pods) == 3 and all(p["status"]["phase"] == "Running" for p in pods)
        return pods
    pods = eventually(running)
    ip = kubectl.json("get", "service", "kubia")["spec"]["clusterIP"]
    eventually(lambda: refused(f"http://{ip}", "k8s-node1") == 7, "nobody is ready")
    assert all(condition(p, "Ready") == "False" for p in kubectl.pods("app=kubia"))
    chosen = pods[0]
    name = chosen["metadata"]["name"]
    kubectl("exec", name, "--", "touch", "/var/ready")

    def endpoints():
        subsets = kubectl.json("get", "endpoints", "kubia").get("subsets") or [{}]
        return [a["ip"] for a in subsets[0].get("addresses", [])]
    eventually(lambda: endpoints() == [chosen["status"]["podIP"]], "the ready pod is an endpoint")
    for where in everywhere():
        eventually(lambda: curl(f"http://{ip}", where) == f"You've hit {name}\n", "only the ready pod is hit")
    kubectl("exec", name, "--", "rm", "/var/ready")
    eventually(lambda: endpoints() == [], "it leaves the Endpoints")
    assert kubectl.json("get", "pod", name)["status"]["containerStatuses"][0]["restartCount"] == 0


def test_rules_removed_by_hand_come_back(kubia):
    """As upstream's "should recreate its rules if they are deleted": nobody has to touch a Service for it."""
    ip = kubia.json("get", "svc", "kubernetes")["spec"]["clusterIP"]
    for node in NODES:
        on_node(node, "nft", "flush", "ruleset")
        eventually(lambda: f"{ip} . tcp" in on_node(node, "nft", "list", "map", "ip", "c8s", "svc", check=False).stdout,
                   f"the rules of {node} are back")


def test_why(default_empty):
    """`c8s why` finds what a person would look for, on all nodes."""
    kubectl = default_empty
    kubectl("create", "deployment", "web", "--image=yanbin/python-web:latest")
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl.ready_pods("app=web", 1)

    def why(name):
        done = run(harness.C8S, "why", name, check=False)
        assert not done.stderr
        return done.returncode, done.stdout
    code, said = eventually(lambda: why("web") if why("web")[0] == 0 else None, "it answers")
    assert "selector app=web matches 1 pod, 1 of them ready" in said and "3 nodes have the rules for it" in said
    kubectl("patch", "service", "web", "-p", '{"spec":{"ports":[{"port":80,"targetPort":81}]}}')
    eventually(lambda: "port 81 (web-" in why("web.default")[1], "nobody listens there")
    kubectl("patch", "service", "web", "-p", '{"spec":{"selector":{"app":"wep"}}}')
    eventually(lambda: "NO    port 80/tcp has no endpoint" in why("web")[1], "no endpoint")
    code, said = why("web")
    assert code == 1 and "selector app=wep matches no pod in namespace default" in said.splitlines()[0]
    assert "labels of pods there: app=web" in said
    kubectl("create", "-f", "-", input=json.dumps({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "wrong"},
        "spec": {"tls": [{"secretName": "gone"}], "defaultBackend": {"service": {"name": "web", "port": {"number": 81}}}}}))
    code, said = why("web")
    assert "Ingress wrong: what no other rule is for leads to port 81, which the Service does not have" in said
    assert 'Ingress wrong: Secret "gone": there is none' in said
    kubectl("delete", "ingress", "wrong")
    assert "there is no Service web in namespace kube-system, but one in default" in why("web.kube-system")[1]


def test_headless(kubia):
    """D13."""
    kubectl = kubia
    kubectl("create", "-f", EXAMPLES / "kubia-svc-headless.yaml")
    kubectl("create", "-f", EXAMPLES / "kubia-svc.yaml")
    ips = {p["status"]["podIP"] for p in kubectl.ready_pods("app=kubia", 3)}
    old = "kubectl-old" in kubectl.binary
    kubectl("run", "dnsutils", "--image=tutum/dnsutils", *(["--generator=run-pod/v1"] if old else []), "--command", "--",
            "sleep", "infinity")
    kubectl("wait", "pod/dnsutils", "--for=condition=Ready", "--timeout=60s")

    def answers(name):
        text = kubectl.run("exec", "dnsutils", "--", "nslookup", name, check=False).stdout
        return set(re.findall(r"Address(?: \d+)?: +(10\.[\d.]+)(?![\d.#:])", text)) - {"10.96.0.10"}
    eventually(lambda: answers("kubia-headless") == ips, "an A record a ready pod")
    assert answers("kubia") == {kubectl.json("get", "service", "kubia")["spec"]["clusterIP"]}
    for node in NODES:
        got = on_node(node, "dig", "+short", "@10.96.0.10", "kubia-headless.default.svc.cluster.local").stdout
        assert set(got.split()) == ips


def test_ingress_on_every_node(kubia):
    """Every node's address answers, from the host, the nodes and pods."""
    kubia("expose", "rc", "kubia", "--name=kubia-nodeport", "--port=80", "--target-port=8080")
    kubia("apply", "-f", EXAMPLES / "kubia-ingress.yaml")
    try:
        status = "jsonpath={.status.loadBalancer.ingress[*].ip}"
        eventually(lambda: kubia("get", "ingress", "kubia", "-o", status).split() == list(NODES.values()), "all addresses")
        assert re.search(r"kubia +haproxy +kubia\.example\.com +172\.28\.128\.10\S* +80 ", kubia("get", "ingress"))
        pods = kubia.ready_pods("app=kubia", 3)
        assert {p["spec"]["nodeName"] for p in pods} == WORKERS
        for ip in NODES.values():
            for where in everywhere():
                sees_all(f"http://{ip}/", pods, where, "You've hit ", "-H", "Host: kubia.example.com")
        out = kubia("exec", pods[0]["metadata"]["name"], "--", "curl", "-s", "-H", "Host: kubia.example.com", "http://172.28.128.12/")
        assert "You've hit kubia-" in out
    finally:
        kubia("delete", "ingress", "kubia")
