"""What a kernel says that finds no memory on the GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from nkeras.core.errors import OutOfMemoryError, cut_text
from nkeras_numba_cuda.memory import array_module

_Function = TypeVar("_Function", bound=Callable[..., Any])


def explained(function: _Function, what: str) -> _Function:
    """The function, whose MemoryError says what was asked for, what is in use, what would help.

    Args:
        function: allocates on the device.
        what: what it is called in the message.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except OutOfMemoryError:
            raise
        except MemoryError as error:
            _explain(what, error)

    return run  # pyright: ignore[reportReturnType]


def _explain(what: str, error: MemoryError) -> NoReturn:
    asked = cut_text(" ".join(str(error).split()).rstrip("."), 110)
    raise OutOfMemoryError(
        f"The GPU has no memory for `{what}`: {asked}.{_in_use()} A smaller batch, the policy "
        '"mixed_bfloat16", or letting go of tensors would help. Variables are as they were, but '
        "for those that this step had assigned."
    ) from error


def _in_use() -> str:
    """What holds the memory, where the module of arrays can tell."""
    pool_of = getattr(array_module(), "get_default_memory_pool", None)
    if pool_of is None:
        return ""
    pool = pool_of()
    free, total = array_module().cuda.Device().mem_info
    used, held = pool.used_bytes(), pool.total_bytes()
    others = max(total - free - held, 0)
    return (
        f" Of {_size(total)}, arrays hold {_size(used)}, other programs {_size(others)}; "
        f"{_size(free + held - used)} are free, in pieces."
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"
