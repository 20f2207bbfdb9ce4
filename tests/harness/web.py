"""A web server on loopback whose answers are written by the test: slow, cut off, lying."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


def content(
    data: bytes,
    status: int = 200,
    length: int | None = -1,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Bytes, with their length in the head, another one, or (None) no word of it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        if length is not None:
            request.send_header("Content-Length", str(len(data) if length == -1 else length))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def redirect(url: str, status: int = 302) -> Answer:
    """To another place, with a body that nobody wants."""
    return content(b"moved", status, headers={"Location": url})


def dribble(data: bytes, pause: threading.Event, seconds: float) -> Answer:
    """A byte at a time, with a pause after each, until the event is set."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        for byte in data:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            if pause.wait(seconds):
                return

    return answer


def silent(until: threading.Event) -> Answer:
    """Nothing at all, until the event is set."""
    return lambda _: until.wait(20) and None  # type: ignore[func-returns-value]


def hang_up(_: BaseHTTPRequestHandler) -> None:
    """The connection ends before a word is said."""


class Server:
    """The server: `answers[path]` is a list, whose last one is given again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    def offer(self, path: str, *answers: Answer | bytes) -> str:
        """The URL of a path, with what it answers."""
        self.answers[path] = [content(a) if isinstance(a, bytes) else a for a in answers]
        return f"{self.url}/{path}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server in a thread, for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            server.asked.append(path)
            server.headers.append(dict(self.headers))
            answers = server.answers.get(path) or [content(b"no such file", 404)]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the other side had enough

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = Server(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
