"""`get_file` against a server that is slow, cuts off, redirects and lies."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nkeras as keras
from nkeras.utils import download
from tests.harness import web

DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[web.Server]:
    with web.serving() as found:
        yield found


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache; no proxy; nobody waits between tries."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setenv("no_proxy", "*")
    return folder


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which are not made."""
    made: list[float] = []
    monkeypatch.setattr(download, "sleep", made.append)
    return made


def get_file(*args: Any, **kwargs: Any) -> Path:
    return Path(keras.utils.get_file(*args, **kwargs))


def refusal(kind: type[Exception], *args: Any, **kwargs: Any) -> str:
    """What is said, and that nothing is left behind."""
    with pytest.raises(kind) as caught:
        get_file(*args, **kwargs)
    text = str(caught.value)
    assert len(text) <= 400
    assert text.count("\n") <= 2
    return text


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_downloaded_once(server: web.Server, home: Path) -> None:
    url = server.offer("data.bin", DATA)
    path = get_file(origin=url)
    assert path == home / "datasets" / "data.bin"
    assert path.read_bytes() == DATA
    assert get_file(origin=url) == path
    assert server.asked == ["data.bin"]
    assert files(home) == ["datasets", "datasets/data.bin"]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"fname": "other.bin"}, "home/datasets/other.bin"),
        ({"fname": Path("other.bin")}, "home/datasets/other.bin"),
        ({"cache_subdir": "a/b"}, "home/a/b/data.bin"),
        ({"cache_subdir": Path("a", "b")}, "home/a/b/data.bin"),
        ({"cache_dir": "elsewhere"}, "elsewhere/datasets/data.bin"),
        ({"cache_dir": Path("elsewhere"), "cache_subdir": ""}, "elsewhere/data.bin"),
        ({"cache_dir": "~/mine"}, "user/mine/datasets/data.bin"),
    ],
)
def test_where_it_lies(
    server: web.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    path = get_file(origin=server.offer("data.bin", DATA), **given)
    assert path.resolve() == tmp_path / place
    assert path.read_bytes() == DATA


def test_an_absolute_subdir_takes_the_place_of_the_cache(
    server: web.Server, tmp_path: Path
) -> None:
    folder = tmp_path / "absolute"
    path = get_file(origin=server.offer("data.bin", DATA), cache_subdir=str(folder))
    assert path == folder / "data.bin"


def test_the_home_folder_is_the_default(
    server: web.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert get_file(origin=server.offer("data.bin", DATA)) == tmp_path / ".keras/datasets/data.bin"


def test_where_the_home_folder_cannot_be_written(
    server: web.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(no_folder))
    monkeypatch.setenv("USERPROFILE", str(no_folder))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    url = server.offer("data.bin", DATA)
    for _ in range(2):
        assert get_file(origin=url) == temporary / ".keras/datasets/data.bin"
    assert server.asked == ["data.bin"]
    if hasattr(os, "getuid"):
        monkeypatch.setattr(os, "getuid", lambda: -1)
        assert "belongs to somebody else" in refusal(OSError, origin=url)


def test_a_cache_that_is_no_folder(server: web.Server, home: Path) -> None:
    home.write_text("a file")
    text = refusal(OSError, origin=server.offer("data.bin", DATA))
    assert "KERAS_HOME" in text
    assert str(home / "datasets") in text


@pytest.mark.parametrize(
    "given",
    [
        {"file_hash": SHA256},
        {"file_hash": SHA256.upper(), "hash_algorithm": "sha256"},
        {"file_hash": MD5},
        {"file_hash": MD5, "hash_algorithm": "md5"},
        {"md5_hash": MD5},
        {"md5_hash": "0" * 32, "file_hash": SHA256},
    ],
)
def test_the_right_hash(server: web.Server, given: Any) -> None:
    url = server.offer("data.bin", DATA)
    assert get_file(origin=url, **given).read_bytes() == DATA
    assert get_file(origin=url, **given).read_bytes() == DATA
    assert server.asked == ["data.bin"]


@pytest.mark.parametrize(
    "given", [{"file_hash": "0" * 64}, {"file_hash": "0" * 32}, {"md5_hash": "0" * 32}]
)
def test_another_hash(server: web.Server, home: Path, given: Any) -> None:
    text = refusal(ValueError, origin=server.offer("data.bin", DATA), **given)
    assert "Incomplete or corrupted file detected" in text
    assert "data.bin" in text
    assert files(home / "datasets") == []
    assert server.asked == ["data.bin"]


def test_the_old_file_stays_if_the_new_one_is_wrong(server: web.Server, home: Path) -> None:
    old = home / "datasets" / "data.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    refusal(ValueError, origin=server.offer("data.bin", DATA[:-1]), file_hash=SHA256)
    assert old.read_bytes() == b"old"
    assert get_file(origin=server.offer("data.bin", DATA), file_hash=SHA256) == old
    assert old.read_bytes() == DATA


def test_a_file_put_there_by_hand(home: Path) -> None:
    path = home / "datasets" / "data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    assert get_file(origin="http://nowhere.invalid/data.bin", file_hash=SHA256) == path


def test_a_cache_that_may_only_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_a_file_put_there_by_hand(home)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert get_file(origin="http://nowhere.invalid/data.bin", file_hash=SHA256).is_file()
    assert "KERAS_HOME" in refusal(OSError, origin="http://nowhere.invalid/other.bin")


def test_force_download(server: web.Server) -> None:
    url = server.offer("data.bin", b"first", b"second")
    get_file(origin=url)
    assert get_file(origin=url).read_bytes() == b"first"
    assert get_file(origin=url, force_download=True).read_bytes() == b"second"


def test_without_network_one_error_says_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    url = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
    text = refusal(OSError, "mnist.npz", url)
    for part in (url, "'mnist.npz'", str(home / "datasets"), "Name or service not known"):
        assert part in text
    assert files(home / "datasets") == []


def test_nobody_listens(waits: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/data.bin"
        assert "refused" in refusal(OSError, origin=url)
    assert waits == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: web.Server, waits: list[float], status: int) -> None:
    busy = web.content(b"busy", status)
    path = get_file(origin=server.offer("data.bin", busy, busy, busy, web.content(DATA)))
    assert path.read_bytes() == DATA
    assert waits == [1, 2, 4]


def test_a_server_that_stays_busy(server: web.Server, home: Path, waits: list[float]) -> None:
    text = refusal(OSError, origin=server.offer("data.bin", web.content(b"", 503)))
    assert "503" in text
    assert "tried 4 times" in text
    assert waits == [1, 2, 4]
    assert files(home / "datasets") == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_what_does_not_pass_is_asked_once(server: web.Server, status: int) -> None:
    text = refusal(OSError, origin=server.offer("data.bin", web.content(b"", status)))
    assert f"the server answers {status}" in text
    assert server.asked == ["data.bin"]


@pytest.mark.parametrize(
    ("said", "waited"),
    [("7", 7), ("100000", 30), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("soon", 1), ("-3", 1)],
)
def test_retry_after(server: web.Server, waits: list[float], said: str, waited: float) -> None:
    busy = web.content(b"", 429, headers={"Retry-After": said})
    get_file(origin=server.offer("data.bin", busy, web.content(DATA)))
    assert waits == [waited]


def test_a_connection_that_breaks_off(server: web.Server, waits: list[float]) -> None:
    half = web.content(DATA[:1000], length=len(DATA))
    path = get_file(origin=server.offer("data.bin", half, web.hang_up, web.content(DATA)))
    assert path.read_bytes() == DATA
    assert waits == [1, 2]


def test_a_connection_that_always_breaks_off(server: web.Server, home: Path) -> None:
    half = web.content(DATA[:1000], length=len(DATA))
    text = refusal(OSError, origin=server.offer("data.bin", half))
    assert f"ended after 1000 of {len(DATA)} bytes" in text
    assert files(home / "datasets") == []


def test_a_length_that_is_too_small(server: web.Server) -> None:
    """What is read is whole by what the server says; only a hash can tell."""
    url = server.offer("data.bin", web.content(DATA, length=1000))
    assert "Incomplete" in refusal(ValueError, origin=url, file_hash=SHA256)


@pytest.mark.parametrize("length", [None, -7, "many", "9" * 5000])
def test_lengths_that_say_nothing(server: web.Server, length: Any) -> None:
    url = server.offer("data.bin", web.content(DATA, length=length))
    assert get_file(origin=url, file_hash=SHA256).read_bytes() == DATA


def chunked(request: Any, chunks: list[bytes], end: bytes) -> None:
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.send_header("Connection", "close")
    request.end_headers()
    for chunk in chunks:
        request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    request.wfile.write(end)


def test_chunks(server: web.Server, waits: list[float]) -> None:
    chunks = [DATA[:5], DATA[5:70000], DATA[70000:]]
    url = server.offer(
        "data.bin",
        lambda request: chunked(request, chunks[:2], b""),
        lambda request: chunked(request, chunks[:1], b"nonsense\r\n"),
        lambda request: chunked(request, chunks, b"0\r\n\r\n"),
    )
    assert get_file(origin=url).read_bytes() == DATA
    assert waits == [1, 2]


def test_a_silent_server(
    server: web.Server, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(download, "SECONDS_OF_SILENCE", 0.2)
    until = threading.Event()
    url = server.offer("data.bin", web.silent(until), web.content(DATA))
    assert get_file(origin=url).read_bytes() == DATA
    assert waits == [1]
    until.set()


def test_a_server_that_sends_a_byte_at_a_time(
    server: web.Server, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(download, "SECONDS_OF_SLOWNESS", 0.2)
    until = threading.Event()
    url = server.offer("data.bin", web.dribble(DATA, until, 0.03), web.content(DATA))
    assert get_file(origin=url).read_bytes() == DATA
    assert waits == [1]
    until.set()


def test_redirects(server: web.Server) -> None:
    final = server.offer("final.bin", DATA)
    second = server.offer("second", web.redirect(final, 307))
    path = get_file(origin=server.offer("data.bin", web.redirect(second)))
    assert path.name == "data.bin"
    assert path.read_bytes() == DATA
    assert server.asked == ["data.bin", "second", "final.bin"]


def test_a_redirect_to_itself(server: web.Server) -> None:
    url = server.offer("data.bin", web.redirect("/data.bin"))
    assert "redirect" in refusal(OSError, origin=url)
    assert len(server.asked) < 12


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "FILE:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "//:x"]
)
def test_redirects_that_are_refused(server: web.Server, home: Path, url: str) -> None:
    refusal(OSError, origin=server.offer("data.bin", web.redirect(url)))
    assert files(home / "datasets") == []


def test_no_redirect_from_https_to_http() -> None:
    import io
    import urllib.request

    request = urllib.request.Request("https://example.invalid/data.bin")
    args = (request, io.BytesIO(), 302, "", {})
    with pytest.raises(download.NoDownload, match="redirects from https to 'http://"):
        download._Redirects().redirect_request(*args, "http://example.invalid/data.bin")
    assert download._Redirects().redirect_request(*args, "https://example.invalid/other")


@pytest.mark.parametrize(
    "origin", [None, 3, "data.bin", "ftp://a/b", "data:,x", "/etc/passwd", "http://["]
)
def test_origins_that_are_refused(origin: Any) -> None:
    assert "`origin`" in refusal(ValueError, "data.bin", origin)


@pytest.mark.parametrize("origin", ["http://a b/c", "http:///x", "http://a:b/c"])
def test_origins_that_are_no_url(origin: str) -> None:
    refusal(OSError, "data.bin", origin)


@pytest.mark.parametrize(
    "given",
    [
        {"fname": "a/b"},
        {"fname": ".."},
        {"fname": "."},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1/a/"},
        {"origin": "http://127.0.0.1/a/.."},
        {"file_hash": "abc"},
        {"file_hash": 3},
        {"file_hash": "g" * 64},
        {"file_hash": MD5, "hash_algorithm": "sha256"},
        {"file_hash": SHA256, "hash_algorithm": "md5"},
        {"hash_algorithm": "sha1"},
        {"extract": True, "archive_format": "rar"},
        {"extract": True, "archive_format": None},
        {"extract": True, "archive_format": []},
        {"extract": True, "archive_format": 3},
        {"extract": True, "archive_format": ["zip", 3]},
    ],
)
def test_arguments_that_are_wrong(server: web.Server, given: dict[str, Any]) -> None:
    given = {"origin": server.offer("data.bin", DATA), **given}
    refusal(ValueError, **given)
    assert server.asked == []


@pytest.mark.parametrize(
    "given",
    [
        {"fname": 3},
        {"fname": b"a"},
        {"fname": "a\0b"},
        {"cache_dir": 3},
        {"cache_subdir": 3},
        {"cache_subdir": None},
        {"untar": "no"},
        {"extract": "no"},
        {"force_download": "no"},
    ],
)
def test_types_that_are_wrong(given: Any) -> None:
    assert next(iter(given)) in refusal(TypeError, origin="http://127.0.0.1/a", **given)


def test_local_files(tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(DATA)
    assert get_file(origin=source.as_uri(), file_hash=MD5).read_bytes() == DATA
    assert "No such file" in refusal(OSError, origin=(tmp_path / "none.bin").as_uri())


def test_what_is_shown(server: web.Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.offer("data.bin", web.content(b"", 503), web.content(DATA))
    get_file(origin=url)
    first, second, bar = capsys.readouterr().out.splitlines()
    assert first == f"Downloading data from {url}"
    assert second == "the server answers 503 Service Unavailable; next try in 1 s"
    assert bar.startswith(f"{len(DATA)}/{len(DATA)} ")


def test_what_is_asked(server: web.Server) -> None:
    get_file(origin=server.offer("data.bin", DATA))
    assert server.headers[0]["User-Agent"] == "nkeras"
    assert not {"Cookie", "Authorization", "Referer"} & set(server.headers[0])


def test_two_processes_at_once(server: web.Server, home: Path) -> None:
    """Each writes a file of its own: what has the name is whole at any moment."""
    url = server.offer("data.bin", DATA)
    code = (
        "import sys, nkeras\n"
        "path = nkeras.utils.get_file(origin=sys.argv[1], force_download=True)\n"
        "print(len(open(path, 'rb').read()))"
    )
    command = [sys.executable, "-W", "error", "-c", code, url]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [text.split()[-1] for text in said] == [str(len(DATA))] * 2
    assert files(home) == ["datasets", "datasets/data.bin"]


def test_a_kill_in_the_middle_leaves_the_old_file(server: web.Server, home: Path) -> None:
    path = get_file(origin=server.offer("data.bin", b"old"))
    until = threading.Event()
    url = server.offer("data.bin", web.dribble(DATA, until, 0.05))
    code = "import sys, nkeras; nkeras.utils.get_file(origin=sys.argv[1], force_download=True)"
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as process:
        while len(server.asked) < 2 and process.poll() is None:
            until.wait(0.02)
        process.kill()
    until.set()
    assert path.read_bytes() == b"old"


def test_nothing_of_the_web_is_loaded_before() -> None:
    code = (
        "import sys, nkeras; nkeras.utils.get_file; nkeras.datasets\n"
        "print(*sorted({'urllib.request', 'http.client', 'ssl'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == ""
