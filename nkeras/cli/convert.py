"""`nkeras convert`: a model, or weights, in another format."""

from __future__ import annotations

import argparse
from pathlib import Path

from nkeras.cli.words import attempt

DESCRIPTION = "write a model or weights in another format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Both files, and what is not in their names."""
    parser.add_argument(
        "source",
        type=Path,
        help="a model (.keras, .h5, .onnx), or weights (.weights.h5, .weights.json, .safetensors)",
    )
    parser.add_argument(
        "target",
        type=Path,
        help="the file to write, whose ending names the format",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument(
        "--max-shard-size",
        type=float,
        metavar="GIGABYTES",
        help="largest size of one file of weights, for a target that ends in .weights.json",
    )


def run(options: argparse.Namespace) -> int:
    """Read and write."""

    def work() -> None:
        from nkeras.saving.convert import convert

        if options.target.exists() and not options.overwrite:
            raise FileExistsError(f"{options.target} is there already; --overwrite replaces it.")
        convert(options.source, options.target, options.max_shard_size)

    return attempt("convert", work)
