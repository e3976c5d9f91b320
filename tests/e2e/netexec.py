"""A pod that answers and asks over HTTP and UDP, as upstream's agnhost does for its network tests, and how tests talk to it."""
import json
import urllib.parse
import urllib.request

from harness import eventually, on_node

ASK = r"""
import socket

def ask(q):
    host, port = q["host"], int(q["port"])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM if q["protocol"] == "udp" else socket.SOCK_STREAM) as s:
            s.settimeout(float(q.get("timeout", 5)))
            if "from" in q:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("", int(q["from"])))
            s.connect((host, port))
            if q["protocol"] == "udp":
                s.send(b"?")
                return s.recv(100).decode()
            s.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
            answer = b""
            while data := s.recv(4096):
                answer += data
            return answer.split(b"\r\n\r\n", 1)[1].decode()
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, socket.timeout):
        return "silence"
    except PermissionError:  # what a node sends itself and its own rules refuse or drop never leaves it
        return "not sent"
    except OSError as e:
        return f"error: {e}"
"""
PROGRAM = ASK + r"""
import http.server, json, os, signal, sys, threading, time, urllib.parse
http_port, udp_port, linger = map(int, sys.argv[1:4])
name, ready = os.environ.get("NAME") or socket.gethostname(), threading.Event()
ready.set()

def plain(address):
    return address.removeprefix("::ffff:")

class Http(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        q = dict(urllib.parse.parse_qsl(url.query))
        code, text = 200, f"{name} {plain(self.client_address[0])}"
        if url.path == "/dial":
            text = json.dumps([ask(q) for _ in range(int(q.get("tries", 1)))])
        elif url.path == "/setready":
            ready.set() if q["to"] == "1" else ready.clear()
        elif url.path == "/ready":
            code = 200 if ready.is_set() else 503
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *args): pass

class Listener(http.server.ThreadingHTTPServer):
    address_family, request_queue_size = socket.AF_INET6, 128

def answer_datagrams():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    s.bind(("", udp_port))
    while True:
        _, control, _, client = s.recvmsg(2048, 256)  # answered from the address that was asked
        s.sendmsg([f"{name} {plain(client[0])}".encode()], control, 0, client)

def leave(*_):
    threading.Thread(target=lambda: (time.sleep(linger), os._exit(0))).start()
signal.signal(signal.SIGTERM, leave)
threading.Thread(target=answer_datagrams, daemon=True).start()
Listener(("", http_port), Http).serve_forever()
"""
OWN = {}
exec(ASK, OWN)
TOLERATIONS = [{"operator": "Exists"}]


def pod(name, node=None, labels=None, linger=0, http=8080, udp=8081, grace=None, ports=(), **spec):
    """linger: seconds it goes on answering after SIGTERM."""
    container = {"name": "netexec", "image": "luksa/kubia", "command": ["python3", "-c", PROGRAM, str(http), str(udp), str(linger)],
                 "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                 "readinessProbe": {"httpGet": {"path": "/ready", "port": http}, "periodSeconds": 1, "failureThreshold": 1},
                 "ports": list(ports)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {"app": name}},
            "spec": {"containers": [container], "tolerations": TOLERATIONS, "terminationGracePeriodSeconds": grace or linger + 1,
                     **({"nodeName": node} if node else {}), **spec}}


def service(name, *ports, selector=None, **spec):
    """ports: "http", "udp" (80 to 8080 or 8081, of that name), or whole ones."""
    known = {"http": {"name": "http", "port": 80, "targetPort": 8080},
             "udp": {"name": "udp", "port": 80, "targetPort": 8081, "protocol": "UDP"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"ports": [known[p] if isinstance(p, str) else p for p in ports or ("http", "udp")],
                     **({"selector": selector} if selector else {}), **spec}}


def put(kubectl, *objects):
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    return kubectl("apply", "-f", "-", input=text)


def host(ip):
    return f"[{ip}]" if ":" in ip else ip


def get(url, timeout=60):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def dial(ip, protocol, to, port, tries=1, at=8080, **more):
    """What a pod with that address gets that asks: answers ("NAME CLIENT"), "refused", "silence"; one that is in a node's network may
    hear "not sent" instead, over UDP."""
    q = urllib.parse.urlencode({"protocol": protocol, "host": to, "port": port, "tries": tries, **more})
    return json.loads(get(f"http://{host(ip)}:{at}/dial?{q}"))


def from_host(protocol, to, port, **more):
    """The same from the host beside the nodes."""
    return OWN["ask"]({"protocol": protocol, "host": to, "port": port, **more})


def reaches(names, ask, what):
    """Every one of the names answers sooner or later, and then nobody else."""
    def check():
        seen = {a.split()[0] for a in ask(8 * len(names))}
        assert seen == set(names), f"{what}: {seen}"
        return True
    eventually(check, f"{what} reaches {sorted(names)}")


# --- three nodes in three zones, and pods on each ---

NODES = {"k8s-master": "172.28.128.10", "k8s-node1": "172.28.128.11", "k8s-node2": "172.28.128.12"}
NODES6 = {"k8s-master": "fd00:172:28:128::10", "k8s-node1": "fd00:172:28:128::11", "k8s-node2": "fd00:172:28:128::12"}
ZONES = {"k8s-master": "x", "k8s-node1": "y", "k8s-node2": "z"}
WEB = {"app": "web"}


class Net:
    """The cluster and its pods, three of each kind, one a node: web-N answers, client-N asks, node-N does it from the node's network."""

    def __init__(self, kubectl):
        self.kubectl = kubectl
        for node, zone in ZONES.items():
            kubectl("label", "node", node, f"topology.kubernetes.io/zone={zone}")
        put(kubectl, *(pod(f"{app}-{i}", node, {"app": app}) for app in ("web", "client") for i, node in enumerate(NODES)),
            *(pod(f"node-{i}", node, {"app": "node"}, http=8970, udp=8971, hostNetwork=True) for i, node in enumerate(NODES)))
        self.web = self.ips("web")
        self.client = self.ips("client")
        self.ips("node")

    def ips(self, app, count=3):
        """Of each pod in order of the names: [IPv4, IPv6]."""
        pods = sorted(self.kubectl.ready_pods(f"app={app}", count), key=lambda p: p["metadata"]["name"])
        return [[ip["ip"] for ip in p["status"]["podIPs"]] for p in pods]

    def make(self, *objects):
        """Makes Services or others; the spec of the first one as it is then."""
        put(self.kubectl, *objects)
        meta = objects[0]["metadata"]
        return self.kubectl.json("get", objects[0]["kind"], meta["name"]).get("spec")

    def patch(self, name, patch, more=()):
        self.kubectl("patch", "service", name, "--type=merge", "-p", json.dumps(patch), *more)

    def external_ips(self, name):
        """Of a LoadBalancer, once it has them."""
        return [i["ip"] for i in eventually(lambda: self.kubectl.json("get", "service", name)["status"]["loadBalancer"]["ingress"],
                                            f"{name} has an address")]

    def from_client(self, i, protocol, ip, port, family=0):
        return lambda tries: dial(self.client[i][family], protocol, ip, port, tries)

    def asks(self, protocol, ip, port, i=0, **more):
        """One answer to client-i, by an address of the family in question."""
        return dial(self.client[i][":" in ip], protocol, ip, port, **more)[0]


def here(node, protocol, ip, port, **more):
    """One answer to a node itself, or (None) to the host beside them."""
    return dial(NODES[node], protocol, ip, port, at=8970, **more)[0] if node else from_host(protocol, ip, port, **more)


def dns(name, kind="A"):
    return on_node("k8s-node1", "dig", "+short", "+time=2", "@10.96.0.10", f"{name}.default.svc.cluster.local", kind).stdout.split()
