#!/usr/bin/env python3
"""Figures of the Service data path: see net.c, which measures. Arguments: none."""
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
with tempfile.TemporaryDirectory(dir="/run") as scratch:
    subprocess.run([ROOT / "build/tests/bench_net", scratch], check=True)
    subprocess.run(f"umount {scratch}/pod*", shell=True)
