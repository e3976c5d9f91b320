#!/usr/bin/env python3
"""Cluster DNS beside Knot and unbound with the same names: the server on one core, the client on another, all over real sockets.
Arguments: [--fetch] only brings the two servers (Debian's packages, unpacked into build/), [SERVICES MS]: 10000 2000."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "build/tests/bench_dns"
SERVERS = ROOT / "build/dns-servers"
PACKAGES = ("knot unbound libknot13 libzscanner4 libdnssec9 liblmdb0 liburcu8 libfstrm0 libprotobuf-c1 libevent-2.1-7 libpython3.11 "
            "libcap-ng0 libmaxminddb0 libhiredis0.14").split()
QUESTIONS = ("A", "SRV", "NXDOMAIN", "NXDOMAIN-new")
SUFFIX = "default.svc.cluster.local."


def fetch():
    if (SERVERS / "usr/sbin/knotd").exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=scratch, check=True)
        for package in pathlib.Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, SERVERS], check=True)


def records(services):
    for i in range(services):
        yield f"svc-{i}.{SUFFIX} 5 IN A 10.97.{i // 250}.{1 + i % 250}"
        yield f"_http._tcp.svc-{i}.{SUFFIX} 5 IN SRV 0 100 80 svc-{i}.{SUFFIX}"


def knot(home, port, services):
    soa = "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
    (home / "zone").write_text("\n".join([soa, "cluster.local. 5 IN NS ns.dns.cluster.local.", *records(services)]) + "\n")
    (home / "knot.conf").write_text(f"""server:
  rundir: {home}
  listen: 127.0.0.1@{port}
  udp-workers: 1
database:
  storage: {home}
zone:
- domain: cluster.local
  file: {home}/zone
  zonefile-sync: -1
  journal-content: none
""")
    return [SERVERS / "usr/sbin/knotd", "-c", home / "knot.conf"]


def unbound(home, port, services):
    data = "\n".join(f"  local-data: '{r}'" for r in records(services))
    (home / "unbound.conf").write_text(f"""server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: {home}
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  local-zone: cluster.local. static
{data}
remote-control:
  control-enable: no
""")
    return [SERVERS / "usr/sbin/unbound", "-d", "-c", home / "unbound.conf"]


def c8s(_home, port, services):
    return [BENCH, "serve", "127.0.0.1", port, services]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(port):
    """Whether a question is answered by now: the zone is loaded."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        try:
            s.connect(("127.0.0.1", port))
            name = b"".join(bytes([len(label)]) + label.encode() for label in f"svc-0.{SUFFIX}"[:-1].split(".")) + b"\0"
            s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1")
            return s.recv(512)[6:8] == b"\0\1"
        except OSError:
            return False


def measure(name, make, port, services, ms):
    libraries = f"{SERVERS}/usr/lib/x86_64-linux-gnu:{SERVERS}/lib/x86_64-linux-gnu"
    with tempfile.TemporaryDirectory(dir="/run") as home:
        argv = ["taskset", "-c", "0", *map(str, make(pathlib.Path(home), port, services))]
        with subprocess.Popen(argv, env={**os.environ, "LD_LIBRARY_PATH": libraries}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as server:
            deadline = time.monotonic() + 60
            while not answers(port):
                assert server.poll() is None and time.monotonic() < deadline, f"{name} does not answer"
            for question in QUESTIONS:
                before = cpu_seconds(server.pid)
                out = subprocess.run(["taskset", "-c", "1", BENCH, "ask", "127.0.0.1", str(port), question, str(services), str(ms)],
                                     check=True, capture_output=True, text=True).stdout
                n, p50, p99, wrong, lost = map(int, out.split())
                used = cpu_seconds(server.pid) - before
                yield question, n / max(used, 0.01), p50, p99, wrong, lost
            server.terminate()


def main():
    if sys.argv[1:] == ["--fetch"]:
        return fetch()
    services, ms = (int(a) for a in (sys.argv[1:] or ("10000", "2000")))
    print(f"DNS: {services} Services, 64 questions at a time; answers a CPU second, latency in µs")
    print(f"{'':8} {'question':13} {'answers/CPU s':>14} {'p50':>6} {'p99':>6} {'wrong':>6} {'lost':>6}")
    for port, (name, make) in enumerate((("c8s", c8s), ("knot", knot), ("unbound", unbound)), 5300):
        for question, rate, p50, p99, wrong, lost in measure(name, make, port, services, ms):
            print(f"{name:8} {question:13} {rate:14,.0f} {p50:6} {p99:6} {wrong:6} {lost:6}", flush=True)


if __name__ == "__main__":
    main()
