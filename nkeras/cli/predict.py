"""`nkeras predict`: what a model in a file makes of arrays in a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nkeras.cli.words import attempt, loaded, positive
from nkeras.core.errors import short

if TYPE_CHECKING:
    import numpy as np

DESCRIPTION = "apply a model in a file to arrays in .npy or .npz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, input, output, batch size and backend."""
    parser.add_argument("model", type=Path, help="file of the model, such as model.keras")
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        help=".npy with the samples; for several inputs .npz with an array for the name of each",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help=".npy to write; for several outputs .npz",
    )
    parser.add_argument(
        "--batch-size", type=positive, default=32, help="samples at a time, 32 by default"
    )
    parser.add_argument(
        "--backend",
        help="numpy, cpu, cuda or the name of a plugin; cpu unless NKERAS_BACKEND is set",
    )


def run(options: argparse.Namespace) -> int:
    """Load, predict, write."""

    def work() -> None:
        from nkeras.backend import registry
        from nkeras.core.files import replacing
        from nkeras.saving import arrays
        from nkeras.saving.models import load_model

        if options.backend:
            registry.set_backend(options.backend)
        registry.active()
        # Opened first: what cannot be written should be said before the work.
        with replacing(options.output) as file:
            given = arrays.load(options.input)
            model = load_model(options.model, compile=False)
            loaded()
            inputs = _for_inputs(model, given)
            predicted = model.predict(inputs, batch_size=options.batch_size, verbose=0)
            arrays.save(file, options.output, _by_name(model, predicted))

    return attempt("predict", work)


def _for_inputs(model: Any, given: dict[str, np.ndarray]) -> Any:
    """The arrays as `predict` takes them: by the names of inputs, or in the file's order."""
    names = _names(model, "input_names")
    if len(given) == 1 and len(names) <= 1:
        return next(iter(given.values()))
    if set(given) == set(names):
        return given
    if len(names) in (0, len(given)) and all(name.startswith("arr_") for name in given):
        return list(given.values())  # NumPy has numbered them
    raise ValueError(
        f"the model has inputs of the names {short(names)}. Received arrays of the names "
        f"{short(list(given))}."
    )


def _names(model: Any, kind: str) -> list[str]:
    """Those of inputs or outputs; none of a model without a graph."""
    return list(getattr(model, kind, ()))


def _by_name(model: Any, predicted: Any) -> dict[str, np.ndarray]:
    if isinstance(predicted, dict):
        return predicted
    outputs = list(predicted) if isinstance(predicted, (list, tuple)) else [predicted]
    names = _names(model, "output_names")
    if len(names) != len(outputs) or len(set(names)) < len(names):
        names = [f"output_{number}" for number in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))
