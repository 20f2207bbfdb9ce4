"""The CUDA backend on a GPU: is it right, and how fast is it? One command, at most seven minutes.

    python benchmarks/cuda_check.py                 on a machine with an NVIDIA GPU
    python benchmarks/cuda_check.py --dry-run       all of it in the simulator, on tiny shapes

Each stage is a process of its own with a limit, so that a failure costs only itself. The table
comes last; benchmarks/results/cuda_check.json has the same rows, also of a run that is cut short.
docs/cuda.md says how to read them. The exit status is 1 if a row says WRONG or FAILED.

nkeras need not be installed: a checkout will do, and no network. What must be there: NumPy,
ml_dtypes, h5py, Numba, numba-cuda, CuPy 14 with cuBLAS, pytest (the tests' tables); torch, JAX and
Keras where they are. Packages that a machine lacks, such as Keras, are carried along as wheels:

    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \\
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \\
        -d .whl keras==3.15.* namex optree
    # and there, without network:
    pip install --no-index --no-deps --target /tmp/site .whl/*.whl
    PYTHONPATH=/tmp/site python benchmarks/cuda_check.py --json RESULT.json
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent / "backends")]

from benchmarks.cuda_stages.installed import environment  # noqa: E402
from benchmarks.cuda_stages.rows import WRONG, Row, failed, row  # noqa: E402

ROOT = FOLDER.parent
WORKER = "benchmarks.cuda_stages.worker"
SECONDS = 400.0  # for all stages together
MOST_WRONG = 12
"""Rows of a stage that say WRONG or FAILED and are shown in the table; the file has all."""
DRY_THREADS = "1"  # of each process


@dataclass(frozen=True)
class Stage:
    """What runs in processes of its own.

    Attributes:
        name: of the module in `cuda_stages`.
        title: in the table.
        limit: seconds.
        parts: processes that share the work.
        timed: whether its times count, so that nothing else may run beside it.
    """

    name: str
    title: str
    limit: float
    parts: int = 1
    timed: bool = True


STAGES = (
    Stage("versions", "0 versions", 40, timed=False),
    Stage("smoke", "1 smoke", 60),
    Stage("operations", "2 operations against numpy", 120, 5, timed=False),
    Stage("layers", "2 layers against numpy", 120, 4, timed=False),
    Stage("sanitizer", "3 compute-sanitizer", 100, 3, timed=False),
    Stage("out_of_memory", "9 out of memory", 60, timed=False),
    Stage("matmul", "4 products against cuBLAS", 70),
    Stage("convolution", "5 convolutions against torch", 70),
    Stage("bandwidth", "6 share of the copy's bandwidth", 60),
    Stage("graphs", "7 graphs", 40),
    Stage("fit", "8 fit", 100),
)


@dataclass
class Part:
    """A process of a stage, and what it writes."""

    stage: Stage
    process: subprocess.Popen[str]
    output: IO[str]
    errors: IO[str]
    ends: float

    def rows(self) -> list[Row]:
        """What it said, when it has ended or must."""
        late = False
        try:
            self.process.wait(max(0.1, self.ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            late = True
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        lines, said = (_text(file).splitlines() for file in (self.output, self.errors))
        found = [row(line) for line in lines if line.startswith("{") and line.endswith("}")]
        told = [line for line in said if line.strip()]
        if late:
            found.append(failed(self.stage.name, f"took longer than {self.stage.limit:.0f} s"))
        elif self.process.returncode and not any(one.verdict == "FAILED" for one in found):
            found.append(failed(self.stage.name, told[-1] if told else "it ended"))
        return found


def _text(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()


@dataclass
class Check:
    """One run: what is done, and what came of it.

    Attributes:
        dry: in the simulator.
        environment: of the processes.
        results: rows and seconds by the title of the stage.
    """

    dry: bool
    environment: dict[str, str]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, stages: Sequence[Stage], ends: float) -> None:
        """Run stages side by side.

        Args:
            stages: start together.
            ends: when they must have ended, at the latest.
        """
        started = time.monotonic()
        if ends - started < 1.0:
            for stage in stages:
                self._keep(stage, [failed(stage.name, "no time was left")], 0.0)
            return
        running = [(stage, self._start(stage, ends)) for stage in stages]
        for stage, parts in running:
            rows = [one for part in parts for one in part.rows()]
            self._keep(stage, rows, time.monotonic() - started)

    def _start(self, stage: Stage, ends: float) -> list[Part]:
        count = 1 if self.dry else stage.parts
        ends = min(ends, time.monotonic() + stage.limit)
        return [self._part(stage, number, count, ends) for number in range(count)]

    def _part(self, stage: Stage, number: int, count: int, ends: float) -> Part:
        output, errors = (tempfile.TemporaryFile("w+") for _ in range(2))
        command = [sys.executable, "-m", WORKER, stage.name, str(number), str(count)]
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=self.environment,
            start_new_session=True,  # its children end with it
        )
        return Part(stage, process, output, errors, ends)

    def _keep(self, stage: Stage, rows: list[Row], seconds: float) -> None:
        self.results[stage.title] = {"seconds": seconds, "rows": rows}
        wrong = sum(one.verdict in WRONG for one in rows)
        print(f"{stage.title}: {seconds:.0f} s, {wrong} wrong", flush=True)

    def save(self, path: Path) -> None:
        """Write what there is so far."""
        path.parent.mkdir(parents=True, exist_ok=True)
        answer = {
            "question": "cuda_check",
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "dry run": self.dry,
            "stages": {
                title: result | {"rows": [vars(one) for one in result["rows"]]}
                for title, result in self.results.items()
            },
        }
        path.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")

    def table(self) -> list[str]:
        """The rows stage by stage; of very many that are wrong the first."""
        lines = []
        for title, result in sorted(self.results.items()):
            lines += [f"{title} ({result['seconds']:.0f} s)"]
            wrong = 0
            for one in result["rows"]:
                wrong += one.verdict in WRONG
                if one.verdict not in WRONG or wrong <= MOST_WRONG:
                    lines.append(f"  {one.line()}")
            if wrong > MOST_WRONG:
                lines.append(f"  and {wrong - MOST_WRONG} more that are wrong, in the JSON file")
        return lines

    def is_right(self) -> bool:
        """Whether no row says otherwise."""
        return not any(
            one.verdict in WRONG for result in self.results.values() for one in result["rows"]
        )


def batches(stages: Sequence[Stage], dry: bool) -> list[list[Stage]]:
    """Stages that run side by side; a dry run has few processors, and takes them one by one."""
    found: list[list[Stage]] = []
    for stage in stages:
        beside = found and not dry and not stage.timed and not found[-1][-1].timed
        if beside and found[-1][-1].name != "versions":
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dry-run", action="store_true", help="in the simulator, tiny shapes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"{SECONDS:.0f} by default")
    names = ", ".join(stage.name for stage in STAGES)
    parser.add_argument("--only", metavar="NAMES", help=f"of {names}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the rows go")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages, print the table."""
    chosen = options(arguments)
    wanted = chosen.only.split(",") if chosen.only else [stage.name for stage in STAGES]
    stages = [stage for stage in STAGES if stage.name in wanted]
    path = chosen.json or FOLDER / "results" / "cuda_check.json"
    keeps = chosen.json is not None or not (chosen.dry_run or chosen.only)
    ends = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory() as folder:
        variables = dict(environment(Path(folder)))
        variables["NUMBA_ENABLE_CUDASIM"] = "1" if chosen.dry_run else "0"
        if chosen.dry_run:
            variables |= {"NKERAS_NUM_THREADS": DRY_THREADS, "OMP_NUM_THREADS": DRY_THREADS}
        check = Check(chosen.dry_run, variables)
        for together in batches(stages, chosen.dry_run):
            check.run(together, ends)
            if keeps:
                check.save(path)
    print("", *check.table(), sep="\n")
    print("\nWRONG or FAILED rows: see above" if not check.is_right() else "\nAll right.")
    return 0 if check.is_right() else 1


if __name__ == "__main__":
    sys.exit(main())
