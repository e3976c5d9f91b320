"""yanbin/python-web: says who served, on port 80. The digits are fixed when the process starts."""
import signal

signal.signal(signal.SIGTERM, lambda *_: __import__("os")._exit(0))  # first: process 1 ignores what it does not handle

import os  # noqa: E402
import sys  # noqa: E402

from answer import serve  # noqa: E402

serve(80, f"Served by {os.uname().nodename}/{os.urandom(4).hex()}", sys.stdout)
