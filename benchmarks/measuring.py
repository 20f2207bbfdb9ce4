"""What the scripts share: medians, the machine's name, and JSON files in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def median_seconds(function: Callable[[], Any], calls: int, warm_up: int = 20) -> float:
    """The median time of one call."""
    for _ in range(warm_up):
        function()
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def machine() -> dict[str, Any]:
    """Where the numbers were taken."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def save(name: str, numbers: dict[str, Any]) -> None:
    """Print the numbers and write them, with the machine, to results/<name>.json."""
    for key, value in numbers.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "numbers": numbers}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
