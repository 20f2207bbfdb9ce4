"""What CuPy has, as a file: where CuPy is installed, `python cupy_names.py` writes it anew."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("cupy_names.json")
MODULES = ("linalg", "fft", "random")


def describe(cupy: Any) -> dict[str, Any]:
    """Names, parameters and dtypes of CuPy's functions, and the members of its arrays."""
    modules = {"": cupy, **{name: getattr(cupy, name) for name in MODULES}}
    return {
        "version": cupy.__version__,
        "members": [name for name in sorted(dir(cupy.ndarray)) if not _is_private(name)],
        "constants": [
            name
            for name, value in sorted(vars(cupy).items())
            if isinstance(value, (type, int, float, type(None))) and not _is_private(name)
        ],
        "ufuncs": {
            name: " ".join(value.types)
            for name, value in sorted(vars(cupy).items())
            if isinstance(value, cupy.ufunc)
        },
        "functions": {
            f"{module}.{name}".strip("."): _parameters(value)
            for module, functions in modules.items()
            for name, value in sorted(vars(functions).items())
            if _is_function(value, cupy) and not _is_private(name)
        },
    }


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _is_function(value: Any, cupy: Any) -> bool:
    return callable(value) and not isinstance(value, (type, cupy.ufunc))


def _parameters(function: Any) -> str:
    """`a, axis, *, dtype`; `*rest, **named` where CuPy does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "*rest, **named"
    bare = [p.replace(annotation=p.empty, default=_default(p)) for p in parameters]
    return str(inspect.Signature(bare))[1:-1]


def _default(parameter: inspect.Parameter) -> Any:
    return parameter.empty if parameter.default is parameter.empty else None


def main() -> None:
    """Write the file."""
    import cupy  # pyright: ignore[reportMissingImports]

    text = json.dumps(describe(cupy), indent=1, sort_keys=True)
    FILE.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
