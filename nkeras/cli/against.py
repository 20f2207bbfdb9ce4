"""`python -m nkeras bench --against`: one model in nkeras and in its peers, in turns."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from nkeras.cli.peer_cases import SHAPES
from nkeras.cli.peer_table import Table, remarks
from nkeras.cli.peers import CASES, MODULES, Measured, Peer, Row, take_turns, versions

# Raw JAX, TensorFlow and NumPy have no models; scripts in `benchmarks/` compare with them.
PEERS = [
    name for name in MODULES if name not in ("nkeras", "numpy", "jax", "tensorflow", "keras-torch")
]
MODELS = tuple(SHAPES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The peers, where they are installed, and the threads of all."""
    parser.add_argument(
        "--against",
        type=_names,
        metavar="NAMES",
        help=f"time the model against these instead, of {','.join(PEERS)}; not with --backends",
    )
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        metavar="PATH",
        help="an interpreter that has the peers; this one by default",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=usable_cores(),
        help="of nkeras and its peers; all by default",
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each peer, 7 by default")


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


def usable_cores() -> int:
    """The cores of this machine; on Linux those that a container or taskset leaves."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rows(model: str, batch: int) -> list[Row]:
    """A prediction of one and of a batch, and a training step."""
    named = [
        ("predict 1", {"do": "predict", "batch": 1}),
        (f"predict {batch}", {"do": "predict", "batch": batch}),
        (f"train step {batch}", {"do": "train step", "batch": batch}),
    ]
    return [Row(name, {"model": model, **case}) for name, case in named]


def compare(
    model: str, against: list[str], python: str, threads: int, rounds: int, batch: int
) -> dict[str, object]:
    """Measure a built-in model in nkeras and its peers, printing a table.

    Args:
        model: `"mlp"` or `"convnet"`.
        against: names of peers; those that are not installed are named and skipped.
        python: the interpreter that has the peers.
        threads: of every framework.
        rounds: turns of each.
        batch: of the prediction of many and of the training step.

    Returns:
        The numbers, as the JSON file has them; times in seconds.

    Raises:
        ValueError: the model is another one, or the interpreter does not work.
    """
    if model not in MODELS:
        raise ValueError(
            f"--against needs a model that every peer has: {', '.join(MODELS)}. Received: {model!r}"
        )
    found = versions(python, against)
    for name in against:
        if name not in found:
            print(f"{name}: not installed in {python}, skipped")
    found = versions(sys.executable, ["nkeras"]) | found
    for name, parts in found.items():
        print(f"{name}: {', '.join(f'{part} {version}' for part, version in parts.items())}")
    wanted = rows(model, batch)
    table = Table(list(found), wanted)
    print(f"{model}, {threads} threads, {platform.machine()}\n\n{table.head()}", flush=True)
    peers = [
        Peer(name, sys.executable if name == "nkeras" else python, str(CASES), threads)
        for name in found
    ]
    results: list[Measured] = []
    try:
        for turn in take_turns(wanted, peers, rounds):
            results.append(turn)
            print(table.line(turn), flush=True)
    finally:
        for peer in peers:
            peer.close()
    print("", *remarks(results), sep="\n")
    measured = [result.as_json() for result in results]
    return {"model": model, "threads": threads, "versions": found, "rows": measured}
