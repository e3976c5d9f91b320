"""yanbin/python-web: says who served, on port 80. The digits are fixed when the process starts."""
import http.server
import secrets
import signal
import socket
import sys

IDENTITY = f"{socket.gethostname()}/{secrets.token_hex(4)}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"Served by {IDENTITY}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
