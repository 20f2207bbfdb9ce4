"""`nkeras predict`: what a model in a file makes of arrays in a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nkeras.cli.model_arrays import for_inputs, names_of
from nkeras.cli.words import attempt, loaded, positive

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
            inputs = for_inputs(model, given)
            predicted = model.predict(inputs, batch_size=options.batch_size, verbose=0)
            arrays.save(file, options.output, _by_name(model, predicted))

    return attempt("predict", work)


def _by_name(model: Any, predicted: Any) -> dict[str, np.ndarray]:
    if isinstance(predicted, dict):
        return predicted
    outputs = list(predicted) if isinstance(predicted, (list, tuple)) else [predicted]
    names = names_of(model, "output_names")
    if len(names) != len(outputs) or len(set(names)) < len(names):
        names = [f"output_{number}" for number in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))
