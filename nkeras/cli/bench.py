"""`python -m nkeras bench`: one model on each backend, or in nkeras and its peers."""

from __future__ import annotations

import argparse
import json
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.cli import against, peer_cases
from nkeras.cli.words import positive

if TYPE_CHECKING:
    from nkeras.backend.protocol import Backend
    from nkeras.core.typing import Config, Shapes, Structure
    from nkeras.models import Model

DESCRIPTION = "time a model on each backend, layer by layer, or against other frameworks"

_SEED = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, backends, batch size, and where to write JSON."""
    parser.add_argument(
        "--model",
        default="convnet",
        metavar="MODEL",
        help="mlp, convnet (the default), or path.py:function, where the function returns a model",
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        help="the backends to compare; all that work here by default, but not a simulator",
    )
    parser.add_argument("--batch", type=positive, default=32, help="batch size, 32 by default")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="time for each measurement, 1 by default"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    against.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, write the JSON file."""
    from nkeras.core.errors import BackendError

    try:
        result = _against(options) if options.against else _backend_by_backend(options)
    except (ValueError, OSError, BackendError) as error:
        print(f"nkeras bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _against(options: argparse.Namespace) -> dict[str, Any]:
    if options.backends:
        raise ValueError("--against and --backends are two comparisons: use one of them.")
    return against.compare(
        options.model,
        options.against,
        options.peers_python,
        options.threads,
        options.rounds,
        options.batch,
    )


def _backend_by_backend(options: argparse.Namespace) -> dict[str, Any]:
    import nkeras

    nkeras.utils.set_random_seed(_SEED)
    names = _backends(options.backends)
    result = compare(model_of(options.model), names, options.batch, options.seconds)
    print(table(result))
    return result


def _backends(wanted: list[str] | None) -> list[str]:
    import nkeras
    from nkeras.backend import registry

    if wanted is not None:
        return [registry.load(name).name for name in wanted]
    found = [name for name, state in nkeras.backends().items() if state in ("active", "available")]
    found = [name for name in found if "simulator" not in registry.load(name).device]
    return sorted(found, key=lambda name: (name != "numpy", name))


# Models


def model_of(name: str) -> Model:
    """A built-in model, or what `path.py:function` returns."""
    if name in against.MODELS:
        return built_in(name)
    path, separator, function = name.rpartition(":")
    if not separator:
        raise ValueError(f"A model is mlp, convnet or path.py:function. Received: {name!r}")
    names = runpy.run_path(path)
    if function not in names:
        raise ValueError(f"There is no {function!r} in {path}.")
    return names[function]()


def built_in(name: str) -> Model:
    """One of the models that every peer has: `"mlp"` or `"convnet"`, compiled."""
    import nkeras

    model = peer_cases.keras_model(nkeras, name)
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    return model


# Measuring


def compare(model: Model, names: list[str], batch: int, seconds: float) -> dict[str, Any]:
    """Time a functional or Sequential model with one input and one output on several backends.

    Args:
        model: the model; compiled with mean squared error if it has not been.
        names: backends, the first of which the others are compared with.
        batch: batch size.
        seconds: about how long to measure each thing.

    Returns:
        The numbers, as the JSON file has them; times in seconds.

    Raises:
        ValueError: it is another kind of model.
    """
    import nkeras

    if getattr(model, "_graph", None) is None:
        raise ValueError(
            "bench needs a functional model, or a Sequential one that begins with an Input. "
            f"Received: {model!r}"
        )
    generator = np.random.default_rng(_SEED)
    x = generator.random((batch, *sample_shape(model.input_shape)), dtype=np.float32)
    if not model.compiled:
        model.compile(optimizer="sgd", loss="mean_squared_error")
    weights = model.get_weights()
    with nkeras.use_backend("numpy"):
        reference = model.predict(x, batch_size=batch, verbose=0)
    y = nkeras.utils.to_categorical(reference.argmax(-1), reference.shape[-1])
    measured = {}
    for name in names:
        with nkeras.use_backend(name) as backend:
            model.set_weights(weights)
            outputs = model.predict(x, batch_size=batch, verbose=0)
            measured[name] = {
                "device": backend.device,
                "predict": measure(lambda: model.predict(x, batch_size=batch, verbose=0), seconds),
                "layers": _layer_times(model, x, backend, seconds),
                "difference": float(np.abs(outputs - reference).max(initial=0.0)),
                "train step": measure(lambda: model.train_on_batch(x, y), seconds),
            }
    model.set_weights(weights)
    parameters = model.count_params()
    return {"model": model.name, "parameters": parameters, "batch": batch, "backends": measured}


def sample_shape(shape: Shapes) -> tuple[int, ...]:
    """The sizes of one sample; unknown ones become 32."""
    if not isinstance(shape, tuple):
        raise ValueError(f"A model with one input is needed. Received: input_shape={shape}")
    return tuple(32 if size is None else size for size in shape[1:])


def measure(function: Callable[[], object], seconds: float = 1.0) -> float:
    """The median time of a call in seconds, after two calls to compile and warm up.

    Args:
        function: what to call; it must wait for its result.
        seconds: stop after about this time, but not before five calls.
    """
    function()
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _layer_times(model: Model, x: np.ndarray, backend: Backend, seconds: float) -> dict[str, float]:
    """The median forward time of each layer (or call of an op), in their order."""
    import nkeras

    times: dict[str, list[float]] = {}

    def call(operation: Any, arguments: Sequence[object], named: Config) -> Structure:
        started = time.perf_counter()
        result = operation(*arguments, **named)
        backend.synchronize()
        name = getattr(operation, "name", None) or operation.__name__
        times.setdefault(name, []).append(time.perf_counter() - started)
        return result

    graph = model.need_graph()
    inputs = [nkeras.ops.convert_to_tensor(x)]
    measure(lambda: graph.run(inputs, call), seconds)
    return {name: statistics.median(own[2:] or own) for name, own in times.items()}


# The table


def table(result: dict[str, Any]) -> str:
    """The numbers as text, one column for each backend."""
    names = list(result["backends"])
    measured = [result["backends"][name] for name in names]
    rows = [["", *names]]
    rows.append(["predict", *_cells([result["predict"] for result in measured])])
    rows.append(["train step", *_cells([result["train step"] for result in measured])])
    for layer in measured[0]["layers"]:
        rows.append([f"  {layer}", *_cells([result["layers"][layer] for result in measured])])
    differences = [f"{result['difference']:.1e}" for result in measured]
    rows.append(["difference from numpy", *differences])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"{result['model']}: {result['parameters']:,} parameters, batch {result['batch']}",
        *(f"{name}: {result['device']}" for name, result in zip(names, measured, strict=True)),
        "",
    ]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    if len(names) > 1:
        lines += ["", f"In brackets: the time on {names[0]} divided by this one."]
    return "\n".join(lines)


def _cells(times: list[float]) -> list[str]:
    cells = [_duration(times[0])]
    for again in times[1:]:
        cells.append(f"{_duration(again)} ({times[0] / max(again, 1e-9):5.2f}x)")
    return cells


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.2f} {unit}"
    return f"{seconds / 1e-6:.0f} us"
