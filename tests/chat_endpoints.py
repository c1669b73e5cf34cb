"""Endpoints on loopback that speak the chat-completions protocol: one that behaves, and ones that do not."""

import json
import random
import socket
import struct
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(text, *, finish="stop", usage=(100, 50), **message):
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return body


def recombined(body):
    """Answer as a model of independent columns would: each value from some example of the wanted group."""
    user = body["messages"][-1]["content"]
    n, _, rest = user.rpartition("Write exactly ")[2].partition(" new row")
    group = rest.partition("of the group ")[2].partition(". Every row")[0]
    rows, inside = [], False
    for line in user.split("\n"):
        if "rows of the group " in line:
            inside = line.endswith(f"rows of the group {group}")
        elif inside and line.startswith("{"):
            rows.append(json.loads(line))
    rng = random.Random(body.get("seed", 0))
    made = [{name: rng.choice(rows)[name] for name in rows[0]} for _ in range(int(n))] if rows else []
    return completion(json.dumps({"rows": made}))


class Endpoint:
    """A server that answers by a function of the request's body and its number.

    What the function returns is sent: a dict as JSON; bytes as they are; a number as a status; a tuple of
    status, headers and body; or a function that is given the handler.
    """

    def __init__(self, answer):
        self.answer = answer
        self.bodies, self.headers, self.times = [], [], []
        self.active = self.most_active = 0
        self.lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                endpoint.serve(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """Keep quiet: clients that hang up are what these tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def serve(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self.times.append(time.monotonic())
            self.active += 1
            self.most_active = max(self.most_active, self.active)
        try:
            self.send(handler, self.answer(body, number))
        finally:
            with self.lock:
                self.active -= 1

    def send(self, handler, answer):
        status, headers = 200, {"Content-Type": "application/json"}
        if callable(answer):
            answer(handler)
            return
        if isinstance(answer, int):
            answer = (answer, {}, {"error": {"message": f"status {answer}", "type": "x", "code": None}})
        if isinstance(answer, tuple):
            status, more, answer = answer
            headers |= more
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


def hang(seconds):
    def serve(handler):
        time.sleep(seconds)
        handler.close_connection = True

    return serve


def drip(seconds):
    """Send a byte now and then, so that no single read times out."""

    def serve(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
        handler.close_connection = True

    return serve


def drop(handler):
    """Promise a long body, send the beginning of it, and reset the connection."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def flood(megabytes):
    """Send a body of many megabytes, without saying how long it is."""

    def serve(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        part = b"x" * 2**20
        for _ in range(megabytes):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    return serve


@contextmanager
def serving(answer=None):
    """Run an endpoint for the time of a block; without a function it behaves well."""
    endpoint = Endpoint(answer or (lambda body, number: recombined(body)))
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        endpoint.server.server_close()
        thread.join(5)
