"""One line of text to every HTTP request. Plain sockets: http.server alone takes longer to import than a container to start."""
import _thread
import socket


def serve(port, line, log):
    body = line.encode() + b"\n"
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen(128)
    while True:
        connection, (client, _) = listener.accept()
        _thread.start_new_thread(converse, (connection, client, body, log))


def converse(connection, client, body, log):
    """Answers until the client has had enough. Requests have no bodies."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pending = b""
    try:
        while True:
            while b"\r\n\r\n" not in pending:
                data = connection.recv(4096)
                if not data:
                    return
                pending += data
            head, pending = pending.split(b"\r\n\r\n", 1)
            request = head.split(b"\r\n")[0].decode("latin-1")
            keep = b"HTTP/1.1" in head.split(b"\r\n")[0] and b"connection: close" not in head.lower()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s" % (
                len(body), b"keep-alive" if keep else b"close", b"" if head.startswith(b"HEAD") else body))
            log.write(f'{client} "{request}" 200\n')
            log.flush()
            if not keep:
                return
    except OSError:
        pass
    finally:
        connection.close()
