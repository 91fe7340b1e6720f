"""A web server on this machine for files of weights: it behaves as bad as it is told to, request by request."""

import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        name = self.path.lstrip("/")
        server.asked.append((name, dict(self.headers)))
        acts = server.acts.get(name, [missing])
        act = acts.pop(0) if len(acts) > 1 else acts[0]  # the last one holds on
        act(self, server.content.get(name, b""))

    def log_message(self, *_):
        pass

    def head(self, code, **headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def asked_from(self, mark='"1"'):
        """First byte asked for; 0 where the file changed since."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found and self.headers.get("If-Range", mark) == mark else 0


def ranged(handler, content, mark='"1"', sent=None):
    """What a good server does; `sent` is how many bytes it gives before the connection ends."""
    first = handler.asked_from(mark)
    if first >= len(content) > 0:
        handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
        return
    body = content[first:]
    if first:
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.head(206, Content_Range=span, Content_Length=len(body), ETag=mark)
    else:
        handler.head(200, Content_Length=len(body), ETag=mark)
    handler.wfile.write(body[:sent])


def breaking(sent):
    return lambda handler, content: ranged(handler, content, sent=sent)


def stalling(sent):
    def act(handler, content):
        ranged(handler, content, sent=sent)
        handler.server.over.wait(30)

    return act


def trickling(size, pause_s):
    """A slow server: a few bytes at a time."""

    def act(handler, content):
        first = handler.asked_from()
        ranged(handler, content, sent=0)
        for place in range(first, len(content), size):
            handler.wfile.write(content[place : place + size])
            handler.server.over.wait(pause_s)

    return act


def without_range(handler, content):
    handler.head(200, Content_Length=len(content))
    handler.wfile.write(content)


def claiming(length, sent=None):
    """A server that lies about the length of the file."""

    def act(handler, content):
        first = handler.asked_from()
        handler.head(200, Content_Length=length) if not first else handler.head(
            206, Content_Range=f"bytes {first}-{length - 1}/{length}", Content_Length=max(length - first, 0)
        )
        handler.wfile.write(content[first:][:sent])

    return act


def chunked(handler, content):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for place in range(0, len(content), 1000):
        block = content[place : place + 1000]
        handler.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def unannounced(handler, content):
    """Neither length nor chunks: the end of the connection is the end of the file."""
    handler.head(200)
    handler.wfile.write(content)


def wrong_part(handler, content):
    """A server that answers another range than the one asked for."""
    if handler.asked_from():
        handler.head(206, Content_Range=f"bytes 1-{len(content) - 1}/{len(content)}", Content_Length=len(content) - 1)
        handler.wfile.write(content[1:])
    else:
        ranged(handler, content)


def refusing(code, **headers):
    return lambda handler, _: handler.head(code, Content_Length=0, **headers)


def moved(to):
    return refusing(302, Location=f"/{to}")


missing = refusing(404)


@contextmanager
def running():
    """Serve until the end of the block; `content` and `acts` by name, `asked` are the requests so far."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.content, server.acts, server.asked, server.over = {}, {}, [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
