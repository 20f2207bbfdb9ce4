"""What the scripts share: their options, the run itself, and JSON files in benchmarks/results/."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nkeras.cli.peer_table import Table, remarks, speed
from nkeras.cli.peers import Measured, Peer, Row, take_turns, versions

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
CASES = FOLDER / "peer_cases.py"


def options(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options of every script."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        metavar="PATH",
        help="the interpreter that has the peers; this one by default",
    )
    parser.add_argument("--threads", type=int, default=2, help="of every framework, 2 by default")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"{rounds} by default")
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXTS",
        help="rows with one of these in their name, with commas between",
    )
    parser.add_argument("--against", metavar="NAMES", help="these peers only, with commas between")
    parser.add_argument(
        "--no-json",
        action="store_true",
        help="write no file; nor do --only and --against",
    )
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count the processor's time, for one thread on a machine with other work",
    )
    return parser


class Question:
    """One script's run: which rows, which frameworks, and where the answer goes.

    Args:
        name: of the JSON file.
        rows: all rows.
        frameworks: nkeras and the peers that can answer.
        chosen: the parsed options.
        value: how the table shows a value.
    """

    def __init__(
        self,
        name: str,
        rows: Sequence[Row],
        frameworks: Sequence[str],
        chosen: argparse.Namespace,
        value: Callable[[Row, float], str] = speed,
    ) -> None:
        if chosen.cpu_time:
            if chosen.threads != 1:
                raise SystemExit("--cpu-time needs --threads 1: threads that wait count, too")
            os.environ["NKERAS_BENCH_CLOCK"] = "process"
        self.name = name
        texts = chosen.only.split(",")
        self.rows = [row for row in rows if any(text in row.name for text in texts)]
        self.options = chosen
        peers = [peer for peer in frameworks if peer != "nkeras"]
        if chosen.against:
            peers = [peer for peer in peers if peer in chosen.against.split(",")]
        found = versions(chosen.peers_python, peers)
        for peer in peers:
            if peer not in found:
                print(f"{peer} is not installed in {chosen.peers_python}: skipped")
        self.versions = versions(sys.executable, ["nkeras"]) | found
        self.names = list(self.versions)
        self.value = value
        self.started = datetime.datetime.now(datetime.timezone.utc)

    def python(self, name: str) -> str:
        """The interpreter of a framework."""
        return sys.executable if name == "nkeras" else self.options.peers_python

    def take_turns(self, file: Path, seconds: float = 0.03, **numbers: Any) -> list[Measured]:
        """Measure with one worker process for each framework, and answer; what was measured."""
        workers = [
            Peer(name, self.python(name), str(file), self.options.threads) for name in self.names
        ]
        try:
            measured = take_turns(self.rows, workers, self.options.rounds, seconds)
            return self.answer(measured, **numbers)
        finally:
            for worker in workers:
                worker.close()

    def answer(self, measured: Iterable[Measured], **numbers: Any) -> list[Measured]:
        """Print each row when it is there, then the remarks; write the JSON file."""
        for name, parts in self.versions.items():
            print(f"{name}: {', '.join(f'{part} {version}' for part, version in parts.items())}")
        print(f"{machine()['processor']}, {self.options.threads} threads\n")
        table = Table(self.names, self.rows, self.value)
        print(table.head(), flush=True)
        results = []
        for result in measured:
            results.append(result)
            print(table.line(result), flush=True)
        print("", *remarks(results), sep="\n")
        chosen = self.options
        if not (chosen.no_json or chosen.only or chosen.against):
            self._save(results, numbers)
        return results

    def _save(self, results: Sequence[Measured], numbers: dict[str, Any]) -> None:
        RESULTS.mkdir(exist_ok=True)
        answer = {
            "question": self.name,
            "date": self.started.isoformat(timespec="seconds"),
            "machine": machine(),
            "threads": self.options.threads,
            "clock": "processor" if self.options.cpu_time else "wall",
            "rounds": self.options.rounds,
            "versions": self.versions,
            **numbers,
            "rows": [result.as_json() for result in results],
        }
        threads = self.options.threads
        name = self.name if threads == 2 else f"{self.name}_threads_{threads}"
        name = f"{self.name}_cpu_time" if self.options.cpu_time else name
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
        print(f"Written to {path.relative_to(FOLDER.parent)}")


def machine() -> dict[str, Any]:
    """Where the numbers were taken."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
