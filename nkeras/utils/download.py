"""Downloading one file: whole, checked, or not at all."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, InvalidURL
from time import monotonic, sleep, time
from typing import IO, Any

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.utils import io_utils
from nkeras.utils.checksums import Checksum
from nkeras.utils.progbar import Progbar

SECONDS_OF_SILENCE = 30.0  # how long a server may send nothing
SECONDS_OF_SLOWNESS = 60.0  # how long it may send less than:
LEAST_BYTES = 2000
WAITS = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth try
LONGEST_WAIT = 30.0  # of those that a server asks for by Retry-After
_CHUNK = 1 << 16
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that may be others later


class NoDownload(Exception):
    """A file could not be downloaded; the text is the reason, the beginning of a sentence."""


class _Transient(Exception):
    """A failure that may pass: the download is tried again, after so many seconds if known."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def download(origin: str, path: str | os.PathLike[str], checksum: Checksum | None = None) -> None:
    """Download a file, whole and checked or not at all, again where a failure may pass.

    The bytes go into a file beside `path`, which gets the name once all of them are there and their
    hash is right. What may pass: a server that is busy (408, 425, 429, 5xx), silent, very slow, or
    that hangs up in the middle. Between tries are 1, 2 and 4 seconds, or what the server asks for,
    at most 30.

    Args:
        origin: URL, http, https or file.
        path: file to write, in a folder that is there.
        checksum: what the hash must be, if that is known.

    Raises:
        NoDownload: the last try failed too, or the first one for good. The text is one reason.
        ValueError: the hash is another one.
        OSError: the file cannot be written.
    """
    io_utils.print_msg(f"Downloading data from {origin}")
    for wait in (*WAITS, None):
        try:
            with replacing(path) as target:
                _receive(origin, target, checksum)
            return
        except _Transient as failure:
            if wait is None:
                raise NoDownload(f"{failure} (tried {len(WAITS) + 1} times)") from failure
            seconds = min(LONGEST_WAIT, wait if failure.wait is None else failure.wait)
            io_utils.print_msg(f"{failure}; next try in {seconds:.0f} s")
            sleep(seconds)


def _receive(origin: str, target: IO[bytes], checksum: Checksum | None) -> None:
    with closing(_open(origin)) as response:
        length = _length(response.headers)
        found = checksum.new() if checksum else None
        bar = Progbar(length, unit_name="byte")
        received = 0
        for chunk in _chunks(response):
            target.write(chunk)
            received += len(chunk)
            if found:
                found.update(chunk)
            if length is None or received < length:
                bar.update(received)
    if length is not None and received != length:
        raise _Transient(f"the connection ended after {received} of {length} bytes")
    bar.update(received, finalize=True)
    if checksum and found and found.hexdigest() != checksum.digits:
        raise ValueError(checksum.difference(found.hexdigest()))


def _open(origin: str) -> Any:
    request = urllib.request.Request(as_url(origin), headers={"User-Agent": "nkeras"})
    try:
        return _opener().open(request, timeout=SECONDS_OF_SILENCE)
    except urllib.error.HTTPError as error:
        with closing(error):
            reason = f"the server answers {error.code} {str(error.reason)[:100]}".rstrip()
            if error.code in _BUSY:
                raise _Transient(reason, _seconds(error.headers.get("Retry-After"))) from error
            raise NoDownload(reason) from error
    except urllib.error.URLError as error:  # nobody was reached: that rarely passes in seconds
        raise NoDownload(f"it cannot be reached ({_text(error.reason)})") from error
    except InvalidURL as error:
        raise NoDownload(f"that is no URL ({_text(error)})") from error
    except (OSError, HTTPException) as error:
        raise _broken(error) from error


def _chunks(response: Any) -> Iterator[bytes]:
    # Of a local file there is no `read1`; of a connection, `read` would wait for a whole chunk.
    read = getattr(response, "read1", response.read)
    since, received = monotonic(), 0
    while True:
        try:
            chunk = read(_CHUNK)
        except (OSError, HTTPException) as error:
            raise _broken(error) from error
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        if monotonic() - since > SECONDS_OF_SLOWNESS:
            if received < LEAST_BYTES:
                raise _Transient(f"the server sent {received} bytes in {SECONDS_OF_SLOWNESS:.0f} s")
            since, received = monotonic(), 0


def _broken(error: Exception) -> _Transient:
    if isinstance(error, TimeoutError):
        return _Transient(f"the server is silent for {SECONDS_OF_SILENCE:.0f} s")
    return _Transient(f"the connection broke ({_text(error)})")


def _text(reason: object) -> str:
    said = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
    return " ".join(said.split())[:100] or type(reason).__name__


def as_url(origin: object) -> str:
    """A URL that can be downloaded from.

    Raises:
        ValueError: it is something else.
    """
    reason = ""
    if isinstance(origin, str) and re.match(r"(https?|file)://", origin, re.IGNORECASE):
        try:
            urllib.parse.urlsplit(origin)
            return origin
        except ValueError as error:
            reason = f" ({error})"
    raise ValueError(
        "get_file(): argument `origin` must be a URL that begins with http://, https:// or "
        f"file://. Received: {short(origin)}{reason}"
    )


def _length(headers: Message) -> int | None:
    text = str(headers.get("Content-Length") or "").strip()
    chunked = "chunked" in str(headers.get("Transfer-Encoding") or "").lower()
    return int(text) if re.fullmatch("[0-9]{1,18}", text) and not chunked else None


def _seconds(retry_after: str | None) -> float | None:
    """What `Retry-After` says: a number of seconds or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except (TypeError, ValueError):
        return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Only to the web, and never from https to http: a file on this machine is no web page."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The next request, if it may be made."""
        fp.close()  # unread: it may have no end
        before, after = (
            urllib.parse.urlsplit(url).scheme.lower() for url in (req.full_url, newurl)
        )
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise NoDownload(f"the server redirects from {before} to {newurl[:60]!r}: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """One that knows the web and files, but neither ftp: nor data:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirects,
        urllib.request.FileHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPSHandler,
    ):
        opener.add_handler(handler())
    opener.addheaders = []
    return opener
