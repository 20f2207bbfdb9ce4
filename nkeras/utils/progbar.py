"""The progress bar of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable
from time import monotonic

import numpy as np

from nkeras.core.errors import short
from nkeras.utils import io_utils

_BOLD, _DONE, _LEFT, _RESET = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"
_COLOUR = re.compile(r"(\x1b\[\d+m)")


class Progbar:
    """A progress bar in Keras' look that leaves log files readable.

    In a terminal or notebook the line is redrawn in place. Elsewhere (a file, a pipe, a CI log,
    or with interactive logging off) nothing is drawn until the last update, which writes one
    plain line: no carriage returns, no colours.

    A redrawn line is never wider than the terminal: what does not fit is cut off, and only the last
    line of a bar is whole. `NO_COLOR` in the environment takes the colours away, and a terminal
    that cannot redraw (`TERM=dumb`) gets what a file gets.

    A metric is either shown as it comes (stateful) or averaged over the steps (stateless).

    Args:
        target: number of steps expected, or None if unknown.
        width: width of the bar in characters.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: least time between two redraws, in seconds.
        stateful_metrics: names of metrics to show as they come; all others are averaged.
        stateless_metrics: names of metrics to average; all others are shown as they come.
            At most one of the two may be given.
        unit_name: what one step is called, usually "step" or "sample".

    Example:
        >>> bar = Progbar(target=2, verbose=2)
        >>> bar.update(1, [("loss", 0.75)])
        >>> bar.update(2, [("loss", 0.25)])  # doctest: +ELLIPSIS
        2/2 - 0s - ...s/step - loss: 0.2500
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: give `stateful_metrics` (all others are averaged) or "
                "`stateless_metrics` (all others are shown as they come), not both. "
                f"Received: stateful_metrics={short(stateful_metrics)}, "
                f"stateless_metrics={short(stateless_metrics)}"
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics: set[str] | None = None
        self.stateless_metrics: set[str] | None = None
        if stateless_metrics is not None:
            self.stateless_metrics = set(stateless_metrics)
        else:
            self.stateful_metrics = set(stateful_metrics or ())

        self._in_terminal = _is_terminal()
        self._redraws = _redraws_in_place()
        self._seen_so_far = 0
        self._values: dict[str, tuple[float, int]] = {}  # name: (sum, count), in order of arrival
        self._start = monotonic()
        self._after_first_step: float | None = None
        self._last_update = -math.inf
        self._previous_width = 0

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show that `current` steps are done.

        Args:
            current: number of steps done so far.
            values: pairs `(name, value of the last step)`. On the last update the value is that
                of all steps and is shown as it comes.
            finalize: whether this is the last update; by default `current >= target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._take(current, values or (), finalize)
        self._seen_so_far = current

        now = monotonic()
        seconds_per_step = self._seconds_per_step(current, now)
        if self.verbose == 1:
            if finalize or (self._redraws and now - self._last_update >= self.interval):
                self._draw(current, now, seconds_per_step, finalize)
                self._last_update = now
        elif self.verbose == 2 and finalize and self.target:
            count = f"{current:{len(str(self.target))}d}/{self.target}"
            pace = _format_pace(seconds_per_step, self.unit_name)
            line = f"{count} - {now - self._start:.0f}s - {pace}{self._format_metrics()}"
            io_utils.print_msg(line)

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """Show that `n` more steps are done.

        Args:
            n: number of steps done since the last update.
            values: as in `update`.
        """
        self.update(self._seen_so_far + n, values)

    def _take(self, current: int, values: Iterable[tuple[str, float]], finalize: bool) -> None:
        # Values stay what they are, perhaps arrays on a device, until a line is drawn.
        for name, value in values:
            if self.stateless_metrics is None:
                averaged = name not in (self.stateful_metrics or ())
            else:
                averaged = name in self.stateless_metrics
            if not averaged or finalize:
                self._values[name] = (value, 1)
                continue
            # A repeated step counts once more, so that its value is not lost.
            steps = max(current - self._seen_so_far, 1)
            total, count = self._values.get(name, (0.0, 0))
            self._values[name] = (total + value * steps, count + steps)

    def _draw(self, current: int, now: float, seconds_per_step: float, last: bool) -> None:
        done = 0
        if self.target:
            done = min(max(int(self.width * current / self.target), 0), self.width)
            count = f"{current:{len(str(self.target))}d}/{self.target}"
        else:
            count = f"{current:7d}/Unknown"
        if self.target and not last:
            time = _format_duration(seconds_per_step * (self.target - current))
        else:
            time = f"{now - self._start:.0f}s"
        tail = f" {_format_pace(seconds_per_step, self.unit_name)}{self._format_metrics()}"

        bar = f" {'━' * self.width}" if self.target else ""
        plain = f"{count}{bar} {time}{tail}"
        if not (self._redraws and io_utils.is_interactive_logging_enabled()):
            if last:
                io_utils.print_msg(plain)
            return
        if self.target:
            count = f"{_BOLD}{count}{_RESET}"
            bar = f" {_DONE}{'━' * done}{_RESET}" if done else " "
            bar += f"{_LEFT}{'━' * (self.width - done)}{_RESET}"
        line = f"{count}{bar} {_BOLD}{time}{_RESET}{tail}"
        width = _columns(plain)
        if self._in_terminal and not last:
            # The cursor must not leave the line: a carriage return only goes to its beginning.
            room = max(shutil.get_terminal_size().columns - 1, 1)
            if width > room:
                line, width = _cut(line, room), room
        if os.environ.get("NO_COLOR"):
            line = _COLOUR.sub("", line)
        cover = " " * (self._previous_width - width)
        io_utils.print_msg(f"\r{line}{cover}", line_break=last)
        self._previous_width = width

    def _format_metrics(self) -> str:
        text = ""
        for name, (total, count) in self._values.items():
            average = float(np.mean(np.asarray(total))) / max(count, 1)
            digits = f"{average:.4f}" if abs(average) > 1e-3 else f"{average:.4e}"
            text += f" - {name}: {digits}"
        return text

    def _seconds_per_step(self, current: int, now: float) -> float:
        if not current:
            return 0.0
        # The first step compiles and warms up: it says nothing about those to come.
        if self._after_first_step is not None and current > 1:
            pace = (now - self._after_first_step) / (current - 1)
        else:
            pace = (now - self._start) / current
        if current == 1:
            self._after_first_step = now
        return pace


def _is_terminal() -> bool:
    is_terminal = getattr(sys.stdout, "isatty", None)
    return is_terminal is not None and is_terminal()


def _redraws_in_place() -> bool:
    if _is_terminal():
        return os.environ.get("TERM") != "dumb"
    return "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def _columns(text: str) -> int:
    """How many columns of a terminal a text without colours takes."""
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(line: str, room: int) -> str:
    """The beginning of a line, with all its colours, that takes at most `room` columns."""
    kept = ""
    for part in _COLOUR.split(line):
        if _COLOUR.fullmatch(part):
            kept += part
            continue
        for character in part:
            room -= _columns_of(character)
            if room < 0:
                break
            kept += character
    return kept


def _format_duration(seconds: float) -> str:
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    if seconds > 60:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole}s"


def _format_pace(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit}"
    return f"{seconds * 1e6:.0f}us/{unit}"
