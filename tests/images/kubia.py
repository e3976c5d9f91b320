"""luksa/kubia: says which host was hit, on port 8080."""
import signal

signal.signal(signal.SIGTERM, lambda *_: __import__("os")._exit(0))  # first: process 1 ignores what it does not handle

import os  # noqa: E402
import sys  # noqa: E402

from answer import serve  # noqa: E402

print("Kubia server starting...", flush=True)
serve(8080, f"You've hit {os.uname().nodename}", sys.stdout)
