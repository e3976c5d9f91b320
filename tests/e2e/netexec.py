"""A pod that answers and asks over HTTP and UDP, as upstream's agnhost does for its network tests, and how tests talk to it."""
import json
import urllib.parse

from harness import curl, eventually, run

PROGRAM = r"""
import http.server, json, os, signal, socket, socketserver, sys, threading, time, urllib.parse, urllib.request
http_port, udp_port, linger = map(int, sys.argv[1:4])
name, ready = os.environ.get("NAME") or socket.gethostname(), threading.Event()
ready.set()

def plain(address):
    return address.removeprefix("::ffff:")

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
    except OSError as e:
        return f"error: {e}"

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
        elif url.path == "/large":
            text = "x" * int(q["size"])
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())
    do_POST = do_GET
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


def dial(pod_ip, protocol, ip, port, tries=1, **more):
    """What a pod gets that asks: answers ("NAME CLIENT"), "refused" or "silence"."""
    q = urllib.parse.urlencode({"protocol": protocol, "host": ip, "port": port, "tries": tries, **more})
    return json.loads(curl(f"http://{host(pod_ip)}:8080/dial?{q}", None, "--max-time", "60"))


def here(node, protocol, ip, port, **more):
    """The same from a node (None: the host beside them)."""
    argv = ["python3", "-c", PROGRAM.split("class Http")[0] + "\nprint(ask(json.loads(sys.argv[4])))", "0", "0", "0",
            json.dumps({"protocol": protocol, "host": ip, "port": port, **more})]
    return run(*(["ip", "netns", "exec", node] if node else []), *argv).stdout.strip()


def reaches(names, ask, what):
    """Every one of the names answers sooner or later, and then nobody else."""
    def check():
        seen = {a.split()[0] for a in ask(8 * len(names))}
        assert seen == set(names), f"{what}: {seen}"
        return True
    eventually(check, f"{what} reaches {sorted(names)}")
