"""Upstream's conformance of sig-node and sig-storage, name by name in few pods: what a container finds in its volumes, who it is,
and how subPathExpr is read."""
import json

from harness import eventually
from test_pods import Pods, box

SLEEP = "sleep 1000000"


def volume(name, **source):
    return {"name": name, **source}


def mount(name, path, **more):
    return {"name": name, "mountPath": path, **more}


def finished(pods, name):
    return eventually(lambda: pods.get(name)["status"]["phase"] in ("Succeeded", "Failed") and pods.get(name)["status"]["phase"], name)


def said(pods, name):
    assert finished(pods, name) == "Succeeded", pods("logs", name, "--all-containers")
    return pods("logs", name).splitlines()


def look(*paths):
    """Mode, owner and contents of files behind their links."""
    return "; ".join(f"echo {p} $(stat -L -c '%a %u %g' {p}) $(cat {p})" for p in paths)


def objects(pods):
    pods("create", "configmap", "map", "--from-literal=data-1=value-1", "--from-literal=data-2=value-2")
    pods("patch", "configmap", "map", "-p", '{"binaryData":{"raw":"3q2+7w=="}}')
    pods("create", "secret", "generic", "secret", "--from-literal=data-1=value-1", "--from-literal=data-2=value-2")
    pods("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fixed"},
                                                "data": {"a": "1"}, "immutable": True}))
    assert "field is immutable when `immutable` is set" in pods.kubectl.fails(
        "-n", pods.namespace, "patch", "configmap", "fixed", "-p", '{"data":{"a":"2"}}')
    assert "field is immutable when `immutable` is set" in pods.kubectl.fails(
        "-n", pods.namespace, "patch", "configmap", "fixed", "-p", '{"immutable":false}')


def sources(kind, name_field, name):
    """A volume of the kind in each of the forms that the tests name."""
    item = {"items": [{"key": "data-2", "path": "path/to/data-2"}]}
    item_mode = {"items": [{"key": "data-2", "path": "path/to/data-2", "mode": 0o400}]}
    plain = {name_field: name}
    return [volume(f"{kind.lower()}-{form}", **{kind: {**plain, **more}}) for form, more in (
        ("plain", {}), ("mode", {"defaultMode": 0o400}), ("map", item), ("itemmode", item_mode))]


def projected(kind, name):
    item = {"items": [{"key": "data-2", "path": "path/to/data-2"}]}
    return [volume(f"projected-{kind.lower()}-{form}", projected={**mode, "sources": [{kind: {"name": name, **more}}]})
            for form, mode, more in (("plain", {}, {}), ("mode", {"defaultMode": 0o400}, {}), ("map", {}, item))]


def test_files_of_volumes(kubectl_new, namespace_new):
    pods = Pods(kubectl_new, namespace_new)
    objects(pods)
    volumes = sources("configMap", "name", "map") + sources("secret", "secretName", "secret") + \
        projected("configMap", "map") + projected("secret", "secret")
    field = lambda path: {"fieldRef": {"fieldPath": path}}
    limits = lambda what: {"resourceFieldRef": {"containerName": "c", "resource": what}}
    items = [{"path": "podname", **field("metadata.name")}, {"path": "mode", "mode": 0o400, **field("metadata.namespace")},
             {"path": "cpu", **limits("limits.cpu")}, {"path": "memory", **limits("requests.memory")}]
    volumes += [volume("downward", downwardAPI={"items": items}),
                volume("projected-downward", projected={"sources": [{"downwardAPI": {"items": items}}], "defaultMode": 0o440}),
                volume("all", projected={"sources": [{"configMap": {"name": "map", "items": [{"key": "data-1", "path": "map"}]}},
                                                     {"secret": {"name": "secret", "items": [{"key": "data-1", "path": "secret"}]}},
                                                     {"downwardAPI": {"items": [items[0]]}}]}),
                volume("absent", configMap={"name": "none", "optional": True})]
    files, want = [], []
    for v in volumes[:14]:
        at, form = f"/v/{v['name']}", v["name"].rsplit("-", 1)[1]
        path = f"{at}/path/to/data-2" if form in ("map", "itemmode") else f"{at}/data-1"
        files.append(path)
        want.append(f"{path} {'400' if 'mode' in form else '644'} 0 0 {'value-2' if 'data-2' in path else 'value-1'}")
    for at, mode in (("/v/downward", "644"), ("/v/projected-downward", "440")):
        for name, m, value in (("podname", mode, "files"), ("mode", "400", namespace_new), ("cpu", mode, "2"), ("memory", mode, "33554432")):
            files.append(f"{at}/{name}")
            want.append(f"{at}/{name} {m} 0 0 {value}")
    files += ["/v/all/map", "/v/all/secret", "/v/all/podname"]
    want += ["/v/all/map 644 0 0 value-1", "/v/all/secret 644 0 0 value-1", "/v/all/podname 644 0 0 files"]
    mounts = [mount(v["name"], f"/v/{v['name']}") for v in volumes]
    resources = {"limits": {"cpu": "1250m", "memory": "64Mi"}, "requests": {"memory": "32Mi"}}
    script = look(*files) + "; echo raw $(od -An -tx1 /v/configmap-plain/raw); ls /v/absent; touch /v/configmap-plain/x /v/secret-plain/x; true"
    pods.create("files", box(script, volumeMounts=mounts, resources=resources), volumes=volumes, restartPolicy="Never")
    lines = said(pods, "files")
    assert lines[:len(want)] == want
    assert lines[len(want)] == "raw de ad be ef"
    rest = lines[len(want) + 1:]
    assert [l for l in rest if "configmap-plain/x: Read-only file system" in l] and \
        [l for l in rest if "secret-plain/x: Read-only file system" in l], rest


def test_volumes_of_those_who_are_not_root(kubectl_new, namespace_new):
    pods = Pods(kubectl_new, namespace_new)
    objects(pods)
    volumes = [volume("map", configMap={"name": "map", "defaultMode": 0o440}), volume("secret", secret={"secretName": "secret", "defaultMode": 0o440}),
               volume("disk", emptyDir={}), volume("memory", emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}),
               volume("token", projected={"sources": [{"serviceAccountToken": {"path": "token"}}]})]
    mounts = [mount(v["name"], f"/v/{v['name']}") for v in volumes]
    script = "; ".join([
        "id -u; id -g; id -G", "cat /v/map/data-1 /v/secret/data-1; echo; stat -L -c '%a %u %g' /v/map/data-1 /v/secret/data-1 /v/token/token",
        "stat -c '%a %g' /v/disk /v/memory", "for d in disk memory; do echo x >/v/$d/new; stat -c '%u %g' /v/$d/new; done",
        "dd if=/dev/zero of=/v/memory/full bs=1k count=2000 2>&1 | grep -c 'No space'", "df -T /v/memory | tail -1 | awk '{print $2, $3}'"])
    pods.create("other", box(script, volumeMounts=mounts), volumes=volumes, restartPolicy="Never",
                securityContext={"runAsUser": 1000, "runAsGroup": 1500, "fsGroup": 1234, "supplementalGroups": [60000]})
    lines = said(pods, "other")
    assert lines[:3] == ["1000", "1500", "1500 1234 60000"] or sorted(lines[2].split()) == ["1234", "1500", "60000"], lines
    assert lines[3:] == ["value-1value-1", "440 0 1234", "440 0 1234", "640 1000 1234", "2777 1234", "2777 1234",
                         "1000 1234", "1000 1234", "1", "tmpfs 1024"], lines
    own = [volume("disk", emptyDir={}), volume("memory", emptyDir={"medium": "Memory"})]
    pods.create("shared", box("stat -c %a /d /m; echo hello >/d/f; chmod 600 /d/f; sleep 1000000", "one",
                              volumeMounts=[mount("disk", "/d"), mount("memory", "/m")]),
                box(SLEEP, "two", volumeMounts=[mount("disk", "/e")]), volumes=own)
    pods.ready("shared")
    assert pods("logs", "shared", "-c", "one") == "777\n777\n" and pods("exec", "shared", "-c", "two", "--", "cat", "/e/f") == "hello\n"


def test_who_a_container_is(kubectl_new, namespace_new):
    pods = Pods(kubectl_new, namespace_new)
    containers = {"readonly": ({"readOnlyRootFilesystem": True}, "touch /x 2>&1; true", "touch: /x: Read-only file system"),
                  "writable": ({"readOnlyRootFilesystem": False}, "touch /x && echo yes", "yes"),
                  "user": ({"runAsUser": 65534}, "id -u", "65534"),
                  "root": ({"runAsUser": 0}, "id -u", "0"),
                  "bound": ({"allowPrivilegeEscalation": False, "runAsUser": 1000}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"),
                  "free": ({"allowPrivilegeEscalation": True, "runAsUser": 1000}, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0"),
                  "plain": ({"privileged": False}, "ip link add dummy0 type dummy 2>&1; true", "ip: RTNETLINK answers: Operation not permitted"),
                  "nonroot": ({"runAsNonRoot": True, "runAsUser": 1000}, "echo ran", "ran")}
    pods.create("who", *(box(script, name, securityContext=context) for name, (context, script, _) in containers.items()),
                restartPolicy="Never")
    assert finished(pods, "who") == "Succeeded"
    assert {n: pods("logs", "who", "-c", n).strip() for n in containers} == {n: want for n, (_, _, want) in containers.items()}
    pods.create("refused", box("true", securityContext={"runAsNonRoot": True}))
    waiting = eventually(lambda: pods.container("refused")["state"].get("waiting", {}).get("message") and
                         pods.container("refused")["state"]["waiting"], "refused")
    assert waiting["reason"] == "CreateContainerConfigError" and "container has runAsNonRoot and image will run as root" in waiting["message"]


def complaint(pods, name):
    def check():
        waiting = pods.container(name)["state"].get("waiting", {})
        return waiting.get("message") and (waiting["reason"], waiting["message"])
    return eventually(check, f"{name} says why")


def test_sub_paths(kubectl_new, namespace_new):
    pods = Pods(kubectl_new, namespace_new)
    objects(pods)
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "ABSOLUTE", "value": "/tmp"}]
    volumes = [volume("map", configMap={"name": "map"}), volume("secret", secret={"secretName": "secret"}), volume("dir", emptyDir={}),
               volume("down", downwardAPI={"items": [{"path": "sub/name", "fieldRef": {"fieldPath": "metadata.name"}}]}),
               volume("proj", projected={"sources": [{"configMap": {"name": "map"}}]})]
    mounts = [mount("map", "/one", subPath="data-1"), mount("map", "/etc/issue", subPath="data-2"), mount("secret", "/two", subPath="data-1"),
              mount("down", "/three", subPath="sub/name"), mount("proj", "/four", subPath="data-2"), mount("dir", "/logs", subPathExpr="$(POD)/x"),
              mount("dir", "/whole")]
    script = "cat /one /etc/issue /two /three /four; echo; touch /logs/here; ls /whole/sub/x"
    pods.create("sub", box(script, volumeMounts=mounts, env=env), volumes=volumes, restartPolicy="Never")
    assert said(pods, "sub") == ["value-1value-2value-1subvalue-2", "here"]
    for name, expr, message in (("absolute", "$(ABSOLUTE)", "error SubPath `/tmp` must not be an absolute path"),
                                ("missing", "$(NOBODY)", 'missing value for "NOBODY"')):
        pods.create(name, box("true", env=env, volumeMounts=[mount("dir", "/x", subPathExpr=expr)]), volumes=[volumes[2]])
        assert complaint(pods, name) == ("CreateContainerConfigError", message)
    late = [{"name": "LATE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['late']"}}}]
    pods.create("late", box(SLEEP, env=late, volumeMounts=[mount("dir", "/x", subPathExpr="$(LATE)/x")]), volumes=[volumes[2]])
    assert complaint(pods, "late")[1] == "error SubPath `/x` must not be an absolute path"
    pods("annotate", "pod", "late", "late=up", "--overwrite")
    pods.ready("late")
