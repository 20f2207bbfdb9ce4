"""How long kernels take: by primitive, by layer, and as a trace of some steps.

A profiler observes a step as recorders do (`nkeras.core.observer`), so that the step runs as it
comes, not by its plan; its results are the same.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from nkeras.backend import registry
from nkeras.backend.protocol import Array, Kernel
from nkeras.core import observer
from nkeras.core.files import replacing
from nkeras.core.guards import Guard
from nkeras.core.operation import Operation
from nkeras.core.primitive import Primitive
from nkeras.core.typing import Structure

OUTSIDE = "outside of layers"  # losses, metrics, updates


class Span(NamedTuple):
    """What took from `begin` to `end`, in nanoseconds.

    Attributes:
        name: of the step, layer or primitive.
        kind: `"step"`, `"layer"`, `"gradient"` (the way back through a layer) or `"kernel"`.
        layer: path of the innermost layer around.
        details: what the trace tells besides.
    """

    name: str
    kind: str
    begin: int
    end: int
    layer: str
    details: Mapping[str, object]


class Profiler(observer.Observer):
    """Takes down how long each kernel of a step takes.

    After each kernel it waits until the device is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []
        self._stack: list[tuple[str, int]] = []  # paths of the layers around, since when
        self._token: Any = None
        self._step = ("", 0)

    def begin(self, step: str) -> None:
        """Observe what this thread does from now on, a step of this name."""
        self._step = (step, time.perf_counter_ns())
        self._token = observer.begin(self)

    def end(self) -> None:
        """Observe no more."""
        if self._token is None:
            return
        observer.end(self._token)
        self._token = None
        name, begin = self._step
        self.spans.append(Span(name, "step", begin, time.perf_counter_ns(), OUTSIDE, {}))
        self.guard, self._stack = Guard(), []
        self.losses.clear()

    # What the engine reports.

    def enter(self, layer: Operation) -> None:
        """A layer is called."""
        self._stack.append((_path(layer), time.perf_counter_ns()))

    def leave(self, layer: Operation, outputs: Structure) -> None:
        """The call is over."""
        if self._stack:
            path, begin = self._stack.pop()
            details = {"class": type(layer).__name__}
            self.spans.append(Span(path, "layer", begin, time.perf_counter_ns(), path, details))

    def run(
        self,
        primitive: Primitive[Any],
        kernel: Kernel,
        arrays: Sequence[Array | None],
        static: Mapping[str, object],
    ) -> Any:
        """Call a kernel and wait for it."""
        backend = registry.active()
        begin = time.perf_counter_ns()
        found = kernel(*arrays, **static)
        backend.synchronize()
        end = time.perf_counter_ns()
        inputs = [None if one is None else f"{one.dtype}{list(one.shape)}" for one in arrays]
        layer = self._stack[-1][0] if self._stack else OUTSIDE
        self.spans.append(
            Span(primitive.name, "kernel", begin, end, layer, {"layer": layer, "inputs": inputs})
        )
        return found

    def backward(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The step of a tape, known by the layer that it leads back through."""
        if not self._stack:
            return step
        path = self._stack[-1][0]

        def timed(*arguments: Any) -> Any:
            begin = time.perf_counter_ns()
            self._stack.append((path, begin))
            try:
                return step(*arguments)
            finally:
                self._stack.pop()
                end = time.perf_counter_ns()
                self.spans.append(Span(f"gradient of {path}", "gradient", begin, end, path, {}))

        return timed


def _path(layer: Any) -> str:
    found = getattr(layer, "_scope_path", None)
    return "/".join(found()) if found is not None else layer.name


@contextmanager
def profiling(step: str = "step") -> Generator[Profiler, None, None]:
    """Profile what this thread does inside.

    Args:
        step: its name in the trace.

    Example:
        >>> import nkeras
        >>> with profiling() as profiler:
        ...     _ = nkeras.ops.matmul(nkeras.ops.ones((2, 3)), nkeras.ops.ones((3, 4)))
        >>> "matmul" in [span.name for span in profiler.spans]
        True
    """
    profiler = Profiler()
    profiler.begin(step)
    try:
        yield profiler
    finally:
        profiler.end()


def table(spans: Sequence[Span], by: str) -> str:
    """The times of kernels as a table in Markdown, the longest first.

    Args:
        spans: what a profiler took down.
        by: `"name"` (of the primitive) or `"layer"`.
    """
    whole = sum(span.end - span.begin for span in spans if span.kind == "step")
    times: dict[str, tuple[int, int]] = {}
    for span in spans:
        if span.kind == "kernel":
            count, total = times.get(getattr(span, by), (0, 0))
            times[getattr(span, by)] = (count + 1, total + span.end - span.begin)
    rows = sorted(times.items(), key=lambda row: -row[1][1])
    rest = whole - sum(total for _, (_, total) in rows)
    rows.append(("Python between kernels", (0, max(rest, 0))))
    head = (
        f"| {'primitive' if by == 'name' else by} | kernel calls | ms | share |\n|---|--:|--:|--:|"
    )
    lines = [
        f"| {name} | {count} | {total / 1e6:.3f} | {100 * total / max(whole, 1):.1f} % |"
        for name, (count, total) in rows
    ]
    return "\n".join([head, *lines])


def write_trace(path: str, spans: Sequence[Span]) -> None:
    """Write a trace in Chrome's format, which Perfetto and `chrome://tracing` show.

    Args:
        path: file to write, `*.json.gz`; its folder is made where it does not exist.
        spans: what a profiler took down.
    """
    process, begin = os.getpid(), min((span.begin for span in spans), default=0)
    name = f"nkeras on {registry.active().name} ({registry.active().device})"
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}},
        {"ph": "M", "pid": process, "tid": 1, "name": "thread_name", "args": {"name": "steps"}},
    ]
    # What lies around comes first where two begin at one time.
    for span in sorted(spans, key=lambda span: (span.begin, -span.end)):
        events.append(
            {
                "ph": "X",
                "pid": process,
                "tid": 1,
                "name": span.name,
                "cat": span.kind,
                "ts": (span.begin - begin) / 1000,
                "dur": (span.end - span.begin) / 1000,
                "args": dict(span.details),
            }
        )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = json.dumps({"displayTimeUnit": "ms", "traceEvents": events})
    with replacing(path, "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))
