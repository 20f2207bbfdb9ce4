"""Chromium without a window, driven over a pipe by its own protocol: no package is needed.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, _NAMES)), "")
_SECONDS = 60.0

# The browser reads from 3 and writes to 4.
_LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_FUNCTIONS = """
const later = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 5)));
const named = name => model.boxes.findIndex(box => box.key === name);
const text = id => document.getElementById(id).innerText;
const view = document.getElementById("view");
/** Where a unit of a card is in the window. */
function spot(number, tile, row, column) {
  const { paint, tilePlace, boxes, camera } = model, { grid } = paint(number);
  const { left, top } = view.getBoundingClientRect();
  const [x, y, w, h] = tilePlace(boxes[number], tile, grid);
  return [left + (x + (column + 0.5) * w / grid.columns - camera.x) * camera.zoom,
    top + (y + (row + 0.5) * h / grid.rows - camera.y) * camera.zoom];
}
function press(key, target = document.body) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}
const found = {};
"""


class Browser:
    """One Chromium; its folder holds the profile."""

    def __init__(self, folder: Path) -> None:
        to_read, to_write = os.pipe(), os.pipe()
        command = [
            *(sys.executable, "-c", _LAUNCH, str(to_read[0]), str(to_write[1]), PROGRAM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
            *("--enable-unsafe-swiftshader", "--window-size=1300,900"),
            f"--user-data-dir={folder / 'profile'}",
        ]
        self._process = subprocess.Popen(
            command,
            pass_fds=(to_read[0], to_write[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        self._to, self._from = to_read[1], to_write[0]
        self._count = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; gives its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str, session: str) -> None:
        """Until an event comes."""
        while not any(self._is(event, method, session) for event in self.events):
            self.events.append(self._read())

    @staticmethod
    def _is(event: dict[str, Any], method: str, session: str) -> bool:
        return event.get("method") == method and event.get("sessionId") == session

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], end - time.monotonic())
            assert ready, "Chromium does not answer"
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "Chromium has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


class Tab:
    """A page that is open."""

    def __init__(self, browser: Browser, page: Path | str, dark: bool = False) -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.address = page if isinstance(page, str) else page.as_uri()
        self.call("Page.navigate", url=self.address)
        browser.wait_for("Page.loadEventFired", self.session)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self.browser.call(method, self.session, **parameters)

    def run(self, script: str) -> dict[str, Any]:
        """Run a script that fills `found`; gives that."""
        code = f"(async () => {{ {_FUNCTIONS} {script}; await later(); return found; }})()"
        answer = self.call(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True
        )
        details = answer.get("exceptionDetails")
        assert details is None, details
        return answer["result"]["value"]

    def mouse(self, kind: str, x: float, y: float, pressed: bool = False) -> None:
        """Move, press or release the mouse: `"Moved"`, `"Pressed"`, `"Released"`."""
        button = "none" if kind == "Moved" and not pressed else "left"
        self.call(
            "Input.dispatchMouseEvent",
            **{"type": f"mouse{kind}", "x": x, "y": y, "button": button, "clickCount": 1},
            buttons=int(pressed),
        )

    def click(self, x: float, y: float) -> None:
        """Click a place."""
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, True)
        self.mouse("Released", x, y)

    def screenshot(self, path: Path) -> bytes:
        """The page as PNG, written to a file."""
        data = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        path.write_bytes(data)
        return data

    @property
    def errors(self) -> list[str]:
        """What scripts have raised, and what the browser has refused."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        own = [e for e in self.browser.events if e.get("sessionId") == self.session]
        found = [json.dumps(event["params"]) for event in own if event["method"] in kinds]
        return [words for words in found if '"source": "rendering"' not in words]

    @property
    def requests(self) -> list[str]:
        """What the page has asked for, besides itself."""
        own = [e for e in self.browser.events if e.get("sessionId") == self.session]
        asked = [e["params"]["request"]["url"] for e in own if e["method"] == _ASKED]
        return [address for address in asked if address != self.address]


_ASKED = "Network.requestWillBeSent"
