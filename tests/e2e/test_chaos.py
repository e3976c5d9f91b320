"""Three nodes, every kind of workload, and accidents at random moments; afterwards the cluster is exactly what was asked for.

C8S_CHAOS_SEED repeats a run's accidents (the moments differ), C8S_CHAOS_SECONDS makes it longer."""
import json
import os
import pathlib
import random
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request

from harness import C8S, Cluster, condition, curl, eventually, on_node, run, traces

SEED = int(os.environ.get("C8S_CHAOS_SEED", time.time_ns() % 1000000))
SECONDS = float(os.environ.get("C8S_CHAOS_SECONDS", "60"))
CALM = 180  # seconds until everything is as wanted: back-offs of containers that were killed often are the longest wait
NODES = {"k8s-master": "172.28.128.10", "k8s-node1": "172.28.128.11", "k8s-node2": "172.28.128.12"}
NS = "chaos"
RUN = pathlib.Path("/run/c8s/nodes")


# --- what runs ---

def pods(app, mark, command, **more):
    """A pod template; every process of it carries in its environment whose it is."""
    env = [{"name": "CHAOS_MARK", "value": mark},
           {"name": "CHAOS_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}]
    container = {"name": "c", "image": "busybox", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", command], "env": env}
    if "restartPolicy" not in more:
        container["readinessProbe"] = {"tcpSocket": {"port": 80}, "periodSeconds": 1}
    soon = [{"key": f"node.kubernetes.io/{why}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2}
            for why in ("unreachable", "not-ready")]
    return {"metadata": {"labels": {"app": app}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, "tolerations": soon, **more}}


SERVE = "hostname > /tmp/index.html; exec httpd -f -p 80 -h /tmp"


def thing(api, kind, name, spec):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NS}, "spec": spec}


def workloads(mark):
    def served(name, **spec):
        return {"selector": {"matchLabels": {"app": name}}, "template": pods(name, mark, SERVE), **spec}

    claim = {"metadata": {"name": "data"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}
    stateful = served("st", replicas=2, serviceName="st", volumeClaimTemplates=[claim],
                      persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Retain"})
    stateful["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    items = [thing("apps/v1", "Deployment", "web", served("web", replicas=4)),
             thing("apps/v1", "Deployment", "other", served("other", replicas=2, strategy={"type": "Recreate"})),
             thing("apps/v1", "StatefulSet", "st", stateful),
             thing("apps/v1", "DaemonSet", "ds", served("ds"))]
    for name, more, template in (
            ("never", {"completionMode": "Indexed"}, pods("never", mark, "sleep 3", restartPolicy="Never")),
            ("onfailure", {}, pods("onfailure", mark, "sleep 5", restartPolicy="OnFailure"))):
        items.append(thing("batch/v1", "Job", name, {"completions": 4, "parallelism": 2, "backoffLimit": 1000, **more,
                                                     "template": template}))
    for name in ("web", "other", "st", "ds"):
        headless = {"clusterIP": "None"} if name == "st" else {}
        items.append(thing("v1", "Service", name, {"selector": {"app": name}, "ports": [{"port": 80}], **headless}))
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class Diary(threading.Thread):
    """Creates ConfigMaps and deletes every third, whatever happens; remembers what was acknowledged."""

    def __init__(self, cluster):
        super().__init__()
        pki = cluster.data / "pki"
        self.context = ssl.create_default_context(cafile=pki / "ca.crt")
        self.context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.written, self.erased, self.unknown = set(), set(), set()
        self.over = threading.Event()

    def ask(self, method, path, body=None):
        url = f"https://172.28.128.10:6443/api/v1/namespaces/{NS}/configmaps{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=10):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def run(self):
        number = 0
        while not self.over.wait(0.02):
            number += 1
            name = f"page-{number}"
            if self.ask("POST", "", json.dumps({"metadata": {"name": name}}).encode()):
                self.written.add(name)
            if number % 3 == 0 and name in self.written:
                self.written.discard(name)
                (self.erased if self.ask("DELETE", f"/{name}") else self.unknown).add(name)

    def check(self, kubectl):
        self.over.set()
        self.join()
        there = set(kubectl("-n", NS, "get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split())
        assert self.written <= there, f"acknowledged and gone: {self.written - there}"
        assert not self.erased & there, f"deleted, acknowledged, and there: {self.erased & there}"
        assert self.written and self.erased
        return len(self.written) + len(self.erased)


# --- what is seen from outside ---

def processes(mark):
    """(pod uid, pid) of each process that runs in a container of ours and was not started by another one of these."""
    found, parents = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            env = dict(e.split("=", 1) for e in (entry / "environ").read_text(errors="replace").split("\0") if "=" in e)
            if env.get("CHAOS_MARK") == mark and "CHAOS_POD" in env:
                found[int(entry.name)] = env["CHAOS_POD"]
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    return [(uid, pid) for pid, uid in found.items() if parents.get(pid) not in found]


def monitors(cluster):
    """Container id -> pid of its conmon."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0") if entry.name.isdigit() else [""]
        except OSError:
            continue
        if argv[0].endswith("conmon") and any(str(cluster.home) in a for a in argv):
            found.setdefault(argv[argv.index("-c") + 1], []).append(int(entry.name))
    return found


def rules(node):
    """The node's rules but for what is chance: the order of elements, and which slot an endpoint has."""
    found = []
    for item in json.loads(on_node(node, "nft", "-j", "list", "table", "ip", "c8s").stdout)["nftables"]:
        (kind, what), = item.items()
        what.pop("handle", None)
        if what.get("name") == "ep":
            for key, _ in what.get("elem", []):
                key["concat"][3] = "local" if key["concat"][3] >= 32768 else "any"
        if "elem" in what:
            what["elem"] = sorted(json.dumps(e) for e in what["elem"])
        if kind != "metainfo":
            found.append(json.dumps(what))
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


# --- accidents ---

class Chaos:
    def __init__(self, cluster, rng):
        self.cluster, self.rng, self.kubectl = cluster, rng, cluster.kubectl("new")
        self.mark = str(cluster.home)
        self.away = {}  # node -> the verb that brings it back
        self.wanted = {"web": 4, "other": 2, "st": 2}
        self.told = []

    def k(self, *args, **kw):
        return self.kubectl("-n", NS, *args, **kw)

    def some_pod(self):
        names = self.k("get", "pods", "-o", "jsonpath={.items[*].metadata.name}").split()
        return self.rng.choice(sorted(names)) if names else None

    def kill_container(self):
        found = processes(self.mark)
        if found:
            kill(self.rng.choice(sorted(found))[1])

    def kill_monitor(self):
        found = sorted(monitors(self.cluster).items())
        if found:
            kill(self.rng.choice(found)[1][0])

    def kill_server(self):
        self.cluster.kill()
        self.away.clear()
        for accident in (self.kill_container, self.kill_monitor):
            if self.rng.random() < 0.3:
                accident()
        self.cluster.up("--nodes", "3", "--schedule-on-master")

    def delete_pod(self):
        pod = self.some_pod()
        if pod:
            how = self.rng.choice([["--grace-period=0", "--force"], ["--now"], []])
            self.k("delete", "pod", pod, "--ignore-not-found", "--wait=false", *how)

    def scale(self):
        name = self.rng.choice(sorted(self.wanted))
        self.wanted[name] = self.rng.randrange(0, 3 if name == "st" else 6)
        self.k("scale", "sts/st" if name == "st" else f"deployment/{name}", f"--replicas={self.wanted[name]}")

    def roll(self):
        self.k("set", "env", self.rng.choice(["deployment/web", "deployment/other", "sts/st", "ds/ds"]), f"ROLL={len(self.told)}")

    def take_node(self):
        name = self.rng.choice(["k8s-node1", "k8s-node2"])
        if name in self.away:
            return self.bring_back(name)
        leave, back = self.rng.choice([("cut", "heal"), ("stop", "start")])
        run(C8S, "node", leave, name)
        self.away[name] = back

    def bring_back(self, name):
        run(C8S, "node", self.away.pop(name), name)

    def flush_rules(self):
        on_node(self.rng.choice(sorted(NODES.keys() - self.away.keys())), "nft", "flush", "ruleset")

    def renew_service(self):
        self.k("delete", "service", "web")
        self.k("expose", "deployment", "web", "--port=80")

    def passing_job(self):
        """Jobs that are deleted before they have done anything; two of the same name, and one whose pods go first."""
        template = pods("passing", self.mark, "sleep 1000", restartPolicy="Never")
        for name, cascade in (("passing", "background"), ("passing", "background"), (f"passing-{len(self.told)}", "foreground")):
            spec = {"completions": 3, "parallelism": 3, "template": template}
            self.k("create", "-f", "-", input=json.dumps(thing("batch/v1", "Job", name, spec)))
            self.k("delete", "job", name, f"--cascade={cascade}", "--wait=false")

    def go_on(self, seconds):
        accidents = {self.kill_container: 5, self.kill_monitor: 2, self.kill_server: 3, self.delete_pod: 5, self.scale: 4,
                     self.roll: 2, self.take_node: 2, self.flush_rules: 1, self.renew_service: 1, self.passing_job: 1}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            accident = self.rng.choices(list(accidents), list(accidents.values()))[0]
            self.told.append(f"{seconds - (end - time.monotonic()):5.1f} {accident.__name__}")
            accident()
            self.none_twice()
            threading.Event().wait(self.rng.random() ** 2)
        for name in list(self.away):
            self.bring_back(name)

    def none_twice(self):
        """Of no pod's container two run at the same moment; whoever is seen twice is looked at again, as it may just be ending."""
        def once():
            uids = [uid for uid, _ in processes(self.mark)]
            assert len(uids) == len(set(uids)), f"twice: {[u for u in set(uids) if uids.count(u) > 1]}"
            return True
        eventually(once, "no container runs twice", timeout=3)

    # --- calm ---

    def as_wanted(self):
        """All of the workloads' own numbers, and the pods themselves; returns those that run."""
        there = self.kubectl.json("-n", NS, "get", "pods")["items"]
        per_app = {}
        for pod in there:
            per_app.setdefault(pod["metadata"]["labels"]["app"], []).append(pod)
        assert "passing" not in per_app, "pods of deleted Jobs are gone"
        for name, count in {**self.wanted, "ds": 3}.items():
            mine = per_app.get(name, [])
            ready = [p for p in mine if condition(p, "Ready") == "True" and "deletionTimestamp" not in p["metadata"]]
            assert len(mine) == len(ready) == count, f"{name}: {len(ready)} of {len(mine)} are ready, want {count}"
            kind = {"st": "sts", "ds": "ds"}.get(name, "deployment")
            status = self.kubectl.json("-n", NS, "get", kind, name)
            shown = (status["status"].get("numberReady") if kind == "ds" else status["status"].get("readyReplicas", 0),
                     status["status"]["observedGeneration"])
            assert shown == (count, status["metadata"]["generation"]), f"{name} shows {shown}"
        assert {p["spec"]["nodeName"] for p in per_app["ds"]} == set(NODES)
        assert {p["metadata"]["name"] for p in per_app.get("st", [])} == {f"st-{i}" for i in range(self.wanted["st"])}
        for name in ("never", "onfailure"):
            job = self.kubectl.json("-n", NS, "get", "job", name)["status"]
            assert job.get("succeeded") == 4 and job["conditions"][-1]["type"] == "Complete", f"job {name}: {job}"
        return [p for p in there if p["status"]["phase"] == "Running"]

    def containers_are(self, running):
        stated = {p["status"]["containerStatuses"][0]["containerID"].split("//")[1] for p in running}
        watched = monitors(self.cluster)
        assert set(watched) == stated and all(len(pids) == 1 for pids in watched.values())
        assert sorted(uid for uid, _ in processes(self.mark)) == sorted(p["metadata"]["uid"] for p in running)

    def services_are(self, running):
        for name in ("web", "other", "st", "ds"):
            ips = {p["status"]["podIP"] for p in running if p["metadata"]["labels"]["app"] == name}
            slices = self.kubectl.json("-n", NS, "get", "endpointslices", "-l", f"kubernetes.io/service-name={name}")["items"]
            offered = [a for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"] for a in e["addresses"]]
            assert sorted(offered) == sorted(ips), f"{name}: {offered}, want {ips}"
            for node in NODES if name == "st" else ():
                said = on_node(node, "dig", "+short", "@10.96.0.10", f"{name}.{NS}.svc.cluster.local").stdout.split()
                assert set(said) == ips, f"DNS of {node}: {said}, want {ips}"

    def is_calm(self):
        running = self.as_wanted()
        self.containers_are(running)
        self.services_are(running)
        return running

    def services_answer(self, running):
        for name in ("web", "ds"):
            names = {p["metadata"]["name"] for p in running if p["metadata"]["labels"]["app"] == name}
            ip = self.kubectl.json("-n", NS, "get", "service", name)["spec"]["clusterIP"]
            for node in NODES:
                seen = set()
                eventually(lambda: not names or seen.add(curl(f"http://{ip}/", node).strip()) or seen >= names,
                           f"{name} reaches all from {node}")
                assert seen <= names

    def leaks(self):
        """What is left of pods when none is left."""
        found = [f"container {c}" for c in monitors(self.cluster)] + [f"process {p}" for p in processes(self.mark)]
        for node in NODES:
            found += [l for l in on_node(node, "ip", "-o", "link").stdout.splitlines() if " pod" in l]
            found += [l for l in on_node(node, "ip", "route").stdout.splitlines() if "dev pod" in l]
            for place in (RUN / node / "pods", RUN / node / "oci", RUN / node / "exits", self.cluster.data / "nodes" / node / "pods"):
                found += [str(p) for p in place.iterdir()] if place.exists() else []
        found += [m for m in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if "/run/c8s/nodes" in m or self.mark in m]
        volumes = self.cluster.data / "volumes"
        found += [str(p) for p in volumes.iterdir()] if volumes.exists() else []
        return found


def test_accidents_leave_what_was_asked_for():
    print(f"C8S_CHAOS_SEED={SEED} C8S_CHAOS_SECONDS={SECONDS:.0f}")
    cluster = Cluster(["busybox"])
    try:
        cluster.up("--nodes", "3", "--schedule-on-master")
        chaos = Chaos(cluster, random.Random(SEED))
        chaos.kubectl("create", "namespace", NS)
        chaos.kubectl("create", "-f", "-", input=workloads(chaos.mark))
        diary = Diary(cluster)
        diary.start()
        try:
            chaos.go_on(SECONDS)
        finally:
            print("\n".join(chaos.told))
            diary.over.set()
        began = time.monotonic()
        running = eventually(chaos.is_calm, "everything is as wanted", timeout=CALM)
        print(f"calm after {time.monotonic() - began:.1f} s; {diary.check(chaos.kubectl)} acknowledged writes kept")
        chaos.services_answer(running)

        grown = {node: rules(node) for node in NODES}
        cluster.kill()
        cluster.up("--nodes", "3", "--schedule-on-master")
        eventually(lambda: [set(rules(n)) ^ set(grown[n]) for n in NODES] == [set()] * 3, "a fresh start programs the same rules")
        assert {p["metadata"]["uid"] for p in chaos.is_calm()} == {p["metadata"]["uid"] for p in running}

        chaos.kubectl("delete", "namespace", NS, "--timeout=60s")
        eventually(lambda: chaos.leaks() == [], "nothing is left of the pods")
    except BaseException:
        print(chaos.kubectl.run("get", "pods,jobs,deployments,sts,ds", "-A", "-o", "wide", check=False).stdout)
        print(chaos.leaks())
        raise
    finally:
        print(cluster.log()[-200000:])
        cluster.remove()
    assert traces() == []
