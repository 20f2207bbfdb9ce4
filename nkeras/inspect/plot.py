"""Pictures of models' graphs, as files and in notebooks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nkeras.core.errors import is_a, short, warn
from nkeras.core.files import replacing
from nkeras.inspect.dot import check_arguments, model_to_dot
from nkeras.inspect.labels import label
from nkeras.inspect.outline import outline
from nkeras.inspect.picture import Picture
from nkeras.inspect.placing import Direction
from nkeras.inspect.svg import Lines, svg_of

if TYPE_CHECKING:
    from nkeras.models.model import Model

_LINES: dict[str, Lines] = {
    "ortho": "ortho",
    "curved": "curved",
    "spline": "curved",
    "polyline": "polyline",
    "line": "polyline",
}
_SECONDS = 120


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Picture:
    """Draw the graph of a model into a file; neither Graphviz nor pydot is needed.

    Args:
        model: a built model.
        to_file: path; `.svg` is written by nkeras itself, `.dot` is text for Graphviz. `.png` and
            `.pdf` are made of the SVG by the package `cairosvg` or one of the programs
            `rsvg-convert`, `resvg`, `inkscape`: where none is installed the SVG is written, with
            the suffix `.svg`, and a warning says so. Without a suffix it is a PNG.
        show_shapes: whether to name shapes of inputs and outputs.
        show_dtype: whether to name dtypes.
        show_layer_names: whether to name layers.
        rankdir: `"TB"` from top to bottom, or `"BT"`, `"LR"`, `"RL"`.
        expand_nested: whether layers of nested models are shown, in frames.
        dpi: pixels in an inch, of a PNG.
        show_layer_activations: whether to name activations.
        show_trainable: whether to say which layers are trained.
        splines: how edges run: `"ortho"` in right angles, `"curved"` and `"spline"` in curves,
            `"polyline"` and `"line"` straight.
        **kwargs: refused.

    Returns:
        A `Picture` with the path that was written; notebooks show it.

    Raises:
        ValueError: the model is not built, or an argument is not known.
        OSError: the file cannot be written; an old one is as before.

    Example:
        >>> import os, tempfile
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> path = os.path.join(tempfile.mkdtemp(), "model.svg")
        >>> plot_model(model, path, show_shapes=True).path.name
        'model.svg'

    Source: https://keras.io/api/utils/model_plotting_utils/
    """
    check_arguments("plot_model", rankdir, splines, kwargs)
    if not is_a(to_file, (str, os.PathLike)):
        raise TypeError(
            f"plot_model: argument `to_file` must be a path. Received: {short(to_file)}"
        )
    if not is_a(dpi, int) or isinstance(dpi, bool) or not 1 <= dpi <= 10_000:
        raise ValueError(
            "plot_model: argument `dpi` must be an integer from 1 to 10,000. "
            f"Received: dpi={short(dpi)}"
        )
    path = Path(to_file)
    path = path if path.suffix else path.with_suffix(".png")
    shown = (show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    direction: Any = rankdir
    found = outline(model, expand_nested)
    svg = svg_of(found, lambda box: label(box, *shown), direction, _LINES[splines])
    if path.suffix == ".dot":
        model_to_dot(
            model, *shown[:3], rankdir, expand_nested, dpi, False, *shown[3:], splines
        ).write(path)
    elif path.suffix == ".svg":
        with replacing(path, "w") as file:
            file.write(svg)
    elif path.suffix in (".png", ".pdf"):
        path = _convert(svg, path, dpi)
    else:
        raise ValueError(
            "plot_model: argument `to_file` must end in .svg, .png, .pdf or .dot. "
            f"Received: to_file={short(str(to_file))}"
        )
    return Picture(svg, path)


def plot(
    model: Model,
    path: str | os.PathLike[str] | None = None,
    rankdir: Direction = "TB",
    expand_nested: bool = True,
) -> Picture:
    """See `Model.plot`."""
    if path is not None:
        return plot_model(
            model,
            path,
            show_shapes=True,
            show_layer_names=True,
            rankdir=rankdir,
            expand_nested=expand_nested,
            show_layer_activations=True,
            splines="curved",
        )
    check_arguments("plot", rankdir, "curved", {})
    svg = svg_of(
        outline(model, expand_nested),
        lambda box: label(box, True, False, True, True, False),
        rankdir,
    )
    return Picture(svg)


def _convert(svg: str, path: Path, dpi: int) -> Path:
    """Write SVG as PNG or PDF by what is installed; the path that was written."""
    written = path.with_suffix(".svg")
    try:
        import cairosvg  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]
    except (ImportError, OSError):  # the package, or the C library that it needs
        cairosvg = None
    if cairosvg is not None:
        make = cairosvg.svg2png if path.suffix == ".png" else cairosvg.svg2pdf
        data = make(bytestring=svg.encode(), scale=dpi / 96)
    else:
        data = _by_program(svg, path.suffix[1:], dpi)
    if data is None:
        warn(
            f"plot_model: nothing here makes {path.suffix[1:].upper()} files of SVG, so "
            f"{str(written)!r} was written. `pip install cairosvg`, or install librsvg's "
            "rsvg-convert, resvg or Inkscape."
        )
        with replacing(written, "w") as file:
            file.write(svg)
        return written
    with replacing(path, "wb") as file:
        file.write(data)
    return path


def _by_program(svg: str, kind: str, dpi: int) -> bytes | None:
    """What the first program makes that is installed; None without one."""
    zoom = f"{dpi / 96:.4f}"
    commands = [
        ["rsvg-convert", f"--format={kind}", f"--zoom={zoom}"],
        ["inkscape", "--pipe", f"--export-type={kind}", f"--export-dpi={dpi}", "-o", "-"],
    ]
    if kind == "png":
        commands.insert(1, ["resvg", "--zoom", zoom, "-", "-c"])
    for command in commands:
        if shutil.which(command[0]):
            done = subprocess.run(
                command, input=svg.encode(), capture_output=True, timeout=_SECONDS, check=False
            )
            if done.returncode == 0 and done.stdout:
                return done.stdout
            raise OSError(
                f"plot_model: {command[0]} failed: {done.stderr.decode(errors='replace')[:200]}"
            )
    return None
