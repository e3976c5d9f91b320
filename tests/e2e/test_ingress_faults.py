"""Ingress when its HAProxy is missing, when somebody is killed, and under steady load: nothing fails, nothing is left over."""
import contextlib
import http.client
import json
import os
import pathlib
import ssl
import threading

import pytest

import harness
from harness import eventually, run
from test_ingress import ADDRESS, ask, haproxy_workers
from test_ingress_protocols import HOST, apply, echo_server, ingress, make_certificate, secret, served, service, shown

HAPROXY = "/usr/sbin/haproxy"


@contextlib.contextmanager
def without_haproxy():
    """Something that cannot be run lies over it, in this mount namespace."""
    run("mount", "--bind", "/dev/null", HAPROXY)
    try:
        yield
    finally:
        run("umount", HAPROXY)


def all_haproxies():
    """Those of this mount namespace: whoever started them."""
    mine, found = os.stat("/proc/self/ns/mnt").st_ino, set()
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.stat(entry / "ns/mnt").st_ino == mine and b"/run/c8s/ingress" in (entry / "cmdline").read_bytes():
                found.add(entry.name)
    return found


@pytest.fixture(scope="module")
def own():
    """A cluster of its own, which these tests may kill."""
    c = harness.Cluster()
    yield c
    c.remove()
    assert harness.traces() == []


def test_missing_and_killed(own):
    with contextlib.ExitStack() as stack:
        with without_haproxy():
            own.up()
            kubectl = own.kubectl("new")
            apply(kubectl, "default", [*service("echo", [stack.enter_context(echo_server())]), ingress("web")])
            eventually(lambda: "NoHAProxy" in kubectl("describe", "ingress", "web"), "it is told")
            assert kubectl("get", "ingress", "web", "-o", "jsonpath={.status.loadBalancer.ingress}") == ""
        served("web.test")
        eventually(lambda: kubectl("get", "ingress", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}") == ADDRESS)
        before = all_haproxies()
        assert len(before) == 2  # master and worker
        own.kill()
        own.up()
        served("web.test")
        eventually(lambda: len(all_haproxies()) == 2 and not before & all_haproxies(), "the new ones alone")
        assert set(haproxy_workers(own)) == all_haproxies()
        kubectl("patch", "service", "echo", "--type=merge", "-p", '{"spec":{"type":"ExternalName","externalName":"example.com"}}')
        eventually(lambda: "ExternalNameRefused" in kubectl("describe", "ingress", "web"), "it is told")
        apply(kubectl, "default", service("inside", [stack.enter_context(echo_server())]))
        kubectl("patch", "service", "echo", "--type=merge", "-p", '{"spec":{"externalName":"inside.default.svc.cluster.local"}}')
        kubectl("patch", "ingress", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/port",'
                '"value":{"number":80}}]')
        assert ask("web.test")[0] == 503
        kubectl("annotate", "ingressclass", "haproxy", "ingress.c8s.io/allow-external-names=true")
        served("web.test")
        own.kill()
        own.down()
        eventually(lambda: not all_haproxies(), "none is left")


class Load(threading.Thread):
    """Requests one after the other over a connection that is kept, until told to stop."""

    def __init__(self, tls):
        super().__init__()
        self.tls, self.stopped, self.done, self.failures = tls, threading.Event(), 0, []

    def connect(self):
        if not self.tls:
            return http.client.HTTPConnection(ADDRESS, timeout=20)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(ADDRESS, context=context, timeout=20)

    def run(self):
        connection = self.connect()
        while not self.stopped.is_set():
            try:
                connection.request("GET", "/", headers={"Host": "load.test", **({"Connection": "close"} if self.done % 10 == 0 else {})})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(answer.status)
                self.done += 1
            except OSError as error:
                self.failures.append(repr(error))
                connection.close()
            except http.client.HTTPException as error:
                self.failures.append(repr(error))
                connection.close()


@contextlib.contextmanager
def steady_load():
    loads = [Load(tls=n % 2 == 1) for n in range(6)]
    for load in loads:
        load.start()
    try:
        yield loads
    finally:
        for load in loads:
            load.stopped.set()
        for load in loads:
            load.join()


def slice_ready(kubectl, name, ready):
    endpoints = [{"addresses": [HOST], "conditions": {"ready": ready, "serving": ready}}]
    kubectl("patch", "endpointslice", name, "--type=merge", "-p", json.dumps({"endpoints": endpoints}))


def test_no_request_fails(own, tmp_path):
    """Over endpoint changes, new certificates and new Ingresses; a killed HAProxy costs at most what was on its way."""
    own.up()
    kubectl = own.kubectl("new")
    kubectl("delete", "ingress,service", "--all")
    with echo_server() as one, echo_server() as two:
        apply(kubectl, "default", [*service("load", [one, two]), secret("load", make_certificate(tmp_path, "first")),
                                   ingress("load", "load", tls="load", ssl_redirect="false")])
        eventually(lambda: shown("load.test") == "first")
        served("load.test", scheme="https")
        with steady_load() as loads:
            for n in range(50):
                slice_ready(kubectl, f"load-{two if n % 4 < 2 else one}", n % 2 == 1)
                if n % 5 == 0:
                    apply(kubectl, "default", [secret("load", make_certificate(tmp_path, f"round-{n}")), ingress(f"more-{n}", "load")])
            served("more-45.test")
            eventually(lambda: shown("load.test") == "round-45")
            eventually(lambda: all(load.done > 50 for load in loads))
        assert [load.failures for load in loads] == [[]] * len(loads)
        with steady_load() as loads:
            before = haproxy_workers(own)
            eventually(lambda: all(load.done > 5 for load in loads))
            for pid in before:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            eventually(lambda: haproxy_workers(own) and not set(before) & set(haproxy_workers(own)), "another HAProxy")
            goal = {load: load.done + 20 for load in loads}
            eventually(lambda: all(load.done > goal[load] for load in loads))
        assert all(len(load.failures) <= 1 for load in loads), [load.failures for load in loads]
    assert ask("load.test")[0] == 503
