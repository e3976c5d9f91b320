#!/usr/bin/env python3
"""A cluster of its own for the API's figures: see api.c, which measures. Arguments: none."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness

cluster = harness.Cluster([])
try:
    cluster.up()
    subprocess.run([harness.ROOT / "build/tests/bench_api", "172.28.128.10", "6443", cluster.data / "pki", str(cluster.pid()),
                    cluster.data], check=True)
finally:
    cluster.remove()
