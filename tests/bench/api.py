#!/usr/bin/env python3
"""A cluster of its own for the API's figures: see api.c, which measures. It runs beside the server in the node's namespace, so that both
and the bare TLS server are reached by loopback and not by a bridge with its firewall. Arguments: none."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness

cluster = harness.Cluster([])
try:
    cluster.up()
    subprocess.run(["nsenter", "--net=/run/netns/k8s-master", harness.ROOT / "build/tests/bench_api", "172.28.128.10", "6443",
                    cluster.data / "pki", str(cluster.pid()), cluster.data], check=True)
finally:
    cluster.remove()
