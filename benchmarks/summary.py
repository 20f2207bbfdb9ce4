"""Figures of docs/benchmarks.md, from the answers in benchmarks/results/, a line for each bar.

python benchmarks/summary.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

from measuring import RESULTS

QUESTIONS = ("ops", "layers", "fit", "predict", "start_up", "memory", "images", "image_colors")
HEAD = ("what", "nkeras is so many times as good", "as", "bar", "met")


def ratio(row: dict[str, Any], bar: dict[str, Any]) -> tuple[float, str] | None:
    """A row's ratio to the best of a bar's peers, and that peer; None where one is missing."""
    median = row["median"]
    if "nkeras" not in median:
        return None
    if "at most" in bar:
        return bar["at most"] / median["nkeras"], bar["name"]
    peers = [n for n in median if n != "nkeras" and (n in bar["against"] or not bar["against"])]
    best = min(peers, key=median.__getitem__, default=None)
    return None if best is None else (median[best] / median["nkeras"], best)


def lines(answer: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A line for each bar of each group of rows."""
    groups: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for row in answer["rows"]:
        for bar in row["bars"] or [{"ratio": None, "against": []}]:
            wanted = bar.get("name") or f"{bar['ratio']} {'/'.join(bar['against'])}"
            groups.setdefault((row["group"], wanted), []).append((row, bar))
    for (group, _), pairs in groups.items():
        found = [one for one in (ratio(row, bar) for row, bar in pairs) if one is not None]
        bar = pairs[0][1]
        wanted = bar.get("name") or ("-" if bar["ratio"] is None else f"{bar['ratio']:g}")
        met = "-" if wanted == "-" else f"{sum(bool(b['met']) for _, b in pairs)} of {len(pairs)}"
        ratios = sorted(value for value, _ in found)
        text = "not measured"
        if ratios:
            text = f"{statistics.median(ratios):.2f}"
            text += f" ({ratios[0]:.2f} to {ratios[-1]:.2f})" if len(ratios) > 1 else ""
        peers = "the wanted" if "at most" in bar else ", ".join(sorted({name for _, name in found}))
        yield group, text, peers, wanted, met


def main() -> None:
    paths = [path for question in QUESTIONS for path in sorted(RESULTS.glob(f"{question}*.json"))]
    for path in paths:
        answer = json.loads(path.read_text(encoding="utf-8"))
        machine, date = answer["machine"], answer["date"][:10]
        question, threads = answer["question"], answer["threads"]
        clock = ", the processor's time" if answer.get("clock") == "processor" else ""
        print(f"\n{question}: {machine['processor']}, {threads} threads{clock}, {date}\n")
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        for line in lines(answer):
            print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    main()
