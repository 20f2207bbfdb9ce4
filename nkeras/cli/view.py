"""`nkeras view`: a page that shows a model in a file at work."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nkeras.cli.model_arrays import for_inputs
from nkeras.cli.words import attempt, loaded, positive

DESCRIPTION = "open a page that shows a model in a file at work"
_UNKNOWN = 32  # a size that the model leaves open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, samples, where the page goes."""
    parser.add_argument("model", type=Path, help="file of the model, such as model.keras")
    parser.add_argument(
        "--input",
        type=Path,
        help=".npy with samples; for several inputs .npz with an array for the name of each; "
        "random numbers without it",
    )
    parser.add_argument(
        "--samples", type=positive, default=8, help="how many of them to show, 8 by default"
    )
    parser.add_argument(
        "--output", type=Path, help="page to write; the model's name with .html by default"
    )
    parser.add_argument("--no-browser", action="store_true", help="write the page, do not open it")


def run(options: argparse.Namespace) -> int:
    """Load, run, write, open."""

    def work() -> None:
        from nkeras.core import tree
        from nkeras.inspect.visualise import visualise
        from nkeras.saving import arrays
        from nkeras.saving.models import load_model

        model = load_model(options.model, compile=False)
        loaded()
        if options.input is None:
            samples = _random(model, options.samples)
            print("Random numbers as samples; --input takes a file with real ones.")
        else:
            given = for_inputs(model, arrays.load(options.input))
            samples = tree.map_structure(lambda array: array[: options.samples], given)
        path = options.output or options.model.with_suffix(".html")
        visualise(model, samples, path)
        print(f"Page: {path}")
        if not options.no_browser:
            import webbrowser

            webbrowser.open(path.resolve().as_uri())

    return attempt("view", work)


def _random(model: Any, count: int) -> Any:
    """Samples of the shapes and dtypes that the model takes: numbers from 0 to 1, or 0 and 1."""
    import numpy as np

    from nkeras.core import tree
    from nkeras.inspect.outline import graph_of

    graph = graph_of(model)
    if graph is None:
        raise ValueError("the shapes of the model's inputs are not known: give samples by --input.")
    rng = np.random.default_rng(0)

    def drawn(tensor: Any) -> np.ndarray:
        shape = (count, *(_UNKNOWN if size is None else size for size in tensor.shape[1:]))
        if "float" in tensor.dtype:
            return rng.random(shape, "float32")
        return rng.integers(0, 2, shape).astype(tensor.dtype)

    if model.has_graph():
        return tree.map_structure(drawn, graph.inputs_structure)
    inputs = [tree.map_structure(drawn, argument) for argument in graph.inputs_structure]
    return inputs[0] if len(inputs) == 1 else inputs
