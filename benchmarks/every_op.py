"""Every public operation at two sizes, against NumPy, Keras on JAX (jitted) and Keras on torch.

    python benchmarks/every_op.py --peers-python .peers/bin/python

Keras' functions have our names and arguments, so one expression serves all. A name of `nkeras.ops`
or `nkeras.random` without a case is an error. At the end stand the operations that take more than
three times as long as the fastest peer, and longer than Python needs for a few calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from every_op_cases import CASES, NOT_TIMED, SIZES
from measuring import FOLDER, Question, options

from nkeras import ops, random
from nkeras.cli.peer_table import duration
from nkeras.cli.peers import Bar, Measured, Row

FRAMEWORKS = ("nkeras", "numpy", "keras-jax", "keras-torch")
LIMIT = 3.0  # times the fastest peer
OVERHEAD = 100e-6  # seconds: what takes less is Python's, not the operation's


def names() -> set[str]:
    """What has a case or a reason to have none."""
    images = (f"image.{name}" for name in ops.image.__all__)
    return {*ops.__all__, *images, *(f"random.{name}" for name in random.__all__)}


def check() -> None:
    """Every public name has a case, and nothing else has."""
    known = {*CASES, *NOT_TIMED}
    if names() != known:
        raise SystemExit(
            f"without a case: {sorted(names() - known)}; no public name: {sorted(known - names())}"
        )


def rows(sizes: Sequence[str]) -> Iterator[Row]:
    """A row for each op and size."""
    for name, expression in sorted(CASES.items()):
        for size in sizes:
            bars = (Bar(1 / LIMIT),) if size == "large" else ()
            case: dict[str, object] = {"expression": expression, "count": SIZES[size]}
            yield Row(f"{name} {size}", case, bars, group=name)


def slow(results: Iterable[Measured]) -> list[tuple[float, Measured]]:
    """By how much longer than the fastest peer takes, the worst first."""
    found = []
    for result in results:
        peer = result.fastest()
        if peer is None or "nkeras" not in result.rounds:
            continue
        times = 1.0 / result.ratio(peer)
        if times > LIMIT and result.median("nkeras") > OVERHEAD:
            found.append((times, result))
    return sorted(found, key=lambda item: -item[0])


def main() -> None:
    check()
    parser = options(__doc__, rounds=3)
    parser.add_argument("--size", choices=SIZES, help="one size only; then no file is written")
    chosen = parser.parse_args()
    chosen.no_json = chosen.no_json or chosen.size is not None
    wanted = list(rows([chosen.size] if chosen.size else list(SIZES)))
    question = Question("every_op", wanted, FRAMEWORKS, chosen)
    results = question.take_turns(FOLDER / "every_op_worker.py")
    print(
        f"\nMore than {LIMIT:g} times as long as the fastest peer, and than {duration(OVERHEAD)}:"
    )
    for times, result in slow(results):
        peer = result.fastest()
        assert peer is not None
        print(
            f"{times:6.1f}x  {result.row.name}: {duration(result.median('nkeras'))}, "
            f"{peer} {duration(result.median(peer))}"
        )


if __name__ == "__main__":
    main()
