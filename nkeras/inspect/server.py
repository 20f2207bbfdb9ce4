"""A small server beside a page, for this machine alone: it asks the model, tells of training."""

from __future__ import annotations

import json
import secrets
import threading
from base64 import b64encode
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.inspect.arrays import Arrays
from nkeras.inspect.document import page_html, plain
from nkeras.inspect.watched import Watched

_MOST_BYTES = 64_000_000  # of a request
_MESSAGE = 400


class PageServer:
    """Serves the page of what is watched, at an address that has a secret in it.

    It listens on the loopback interface only, and refuses requests with another host in their
    header, as other pages could send them, and with another token.

    Args:
        watched: a model, with at least one recorded moment.

    Attributes:
        address: of the page.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
        >>> watched = Watched(model, np.ones((3, 4), "float32"))
        >>> watched.record()
        >>> server = PageServer(watched)
        >>> server.address.startswith("http://127.0.0.1:")
        True
        >>> server.close()
    """

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.token = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}/{self.token}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self) -> str:
        """The page as of now."""
        return page_html(*self.watched.page(is_served=True))

    def run(self, request: Any) -> dict[str, Any]:
        """What the layers give for inputs: `{"inputs": [[numbers], ...]}`, one sample of each."""
        known = [np.asarray(leaf) for leaf in tree.flatten(self.watched.samples)]
        given = request.get("inputs") if isinstance(request, dict) else None
        if not isinstance(given, list) or len(given) != len(known):
            raise ValueError(f"`inputs` must be a list of {len(known)} lists of numbers.")
        arrays = [
            np.asarray(numbers, np.float64).astype(one.dtype).reshape((1, *one.shape[1:]))
            for numbers, one in zip(given, known, strict=True)
        ]
        values = self.watched.values_of(tree.pack_sequence_as(self.watched.samples, arrays))
        return {"values": [None if array is None else _described(array) for array in values]}

    def news(self, have: int) -> dict[str, Any]:
        """The moments that were recorded since a page had some, and the results of training."""
        moments: list[dict[str, Any]] = []
        for number in range(max(have, 0), len(self.watched.moments)):
            moment, arrays = self.watched.moments[number], Arrays(f"m{number}-")
            boxes = self.watched.described(moment, number, arrays)
            news = {"title": moment.title, "boxes": boxes, "texts": dict(arrays.texts())}
            moments.append(news)
        return {"moments": moments, "history": self.watched.history}


def _described(array: np.ndarray) -> dict[str, Any]:
    """An array with its numbers in it."""
    text = b64encode(array.astype("<f4").tobytes()).decode("ascii")
    return {"shape": list(array.shape), "text": text}


def _handler(owner: PageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers for one server."""

        server_version = "nkeras"
        sys_version = ""
        timeout = 30

        def do_GET(self) -> None:
            """The page, or what is new."""
            rest = self._rest()
            if rest == "":
                self._answer("text/html; charset=utf-8", owner.page())
            elif rest == "news":
                have = parse_qs(urlsplit(self.path).query).get("have", ["0"])[0]
                self._json(owner.news(int(have) if have.isascii() and have.isdigit() else 0))
            elif rest is not None:
                self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:
            """Run the model."""
            rest = self._rest()
            if rest is None:
                return
            length = self.headers.get("Content-Length", "")
            is_json = self.headers.get("Content-Type", "") == "application/json"
            if rest != "run" or not is_json:
                self.send_error(HTTPStatus.NOT_FOUND)
            elif not length.isdigit() or int(length) > _MOST_BYTES:
                self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                try:
                    self._json(owner.run(json.loads(self.rfile.read(int(length)))))
                except (ValueError, TypeError) as error:
                    self._json({"error": str(error)[:_MESSAGE]}, HTTPStatus.BAD_REQUEST)

        def _rest(self) -> str | None:
            """What stands behind the token; None where the request is refused."""
            hosts = (f"127.0.0.1:{owner.port}", f"localhost:{owner.port}")
            parts = urlsplit(self.path).path.split("/")
            token = parts[1].encode() if len(parts) > 2 else b""
            if self.headers.get("Host") not in hosts or not secrets.compare_digest(
                token, owner.token.encode()
            ):
                self.send_error(HTTPStatus.FORBIDDEN)
                return None
            return "/".join(parts[2:])

        def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
            text = json.dumps(plain(value), allow_nan=False, separators=(",", ":"))
            self._answer("application/json", text, status)

        def _answer(self, kind: str, text: str, status: HTTPStatus = HTTPStatus.OK) -> None:
            data = text.encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(data))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def served(watched: Watched) -> PageServer:
    """A server for what is watched, whose address is printed."""
    server = PageServer(watched)
    print(f"The model at work: {short(server.address)[1:-1]}")
    return server
