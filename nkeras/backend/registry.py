"""Which backends exist and which is active: a process default, a context variable over it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import TYPE_CHECKING

from nkeras.backend.protocol import Backend
from nkeras.core.errors import BackendError, SettingError, is_a, nearest, refuse, short, warn

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "nkeras.backends"
ALIASES = {"cpu": "numba_cpu", "cuda": "numba_cuda"}
MOST_DEVICES = 64
PREFERRED = ("numba_cpu", "numpy")  # never CUDA unasked

_loaded: dict[str, Backend] = {}
_default: Backend | None = None
_scoped: ContextVar[Backend | None] = ContextVar("nkeras_backend", default=None)
_lock = RLock()


def active() -> Backend:
    """The backend that operations of this thread or task use now."""
    return _scoped.get() or _default or _choose_default()


def get_backend() -> str:
    """The name of the active backend.

    Example:
        >>> import nkeras
        >>> with nkeras.use_backend("numpy"):
        ...     nkeras.get_backend()
        'numpy'
    """
    return active().name


def set_backend(name: str) -> None:
    """Make a backend the process default, at any moment: live models continue on it.

    Args:
        name: `"numpy"`, `"numba_cpu"` (or `"cpu"`), `"numba_cuda"` (or `"cuda"`), or the name of a
            plugin's entry point; with a number behind, `"cuda:1"`, for another device than the
            first.

    Raises:
        ValueError: there is no backend of that name.
        BackendError: it cannot work on this machine; the message says why.
    """
    global _default
    _default = load(name)
    if _scoped.get() is not None:
        _scoped.set(_default)


@contextmanager
def use_backend(name: str) -> Generator[Backend, None, None]:
    """Use a backend inside a `with` block, in this thread or task only."""
    with using(load(name)) as backend:
        yield backend


@contextmanager
def using(backend: Backend) -> Generator[Backend, None, None]:
    """As `use_backend`, with a backend that need not be installed."""
    token = _scoped.set(backend)
    try:
        yield backend
    finally:
        _scoped.reset(token)


@contextmanager
def device(device_name: str) -> Generator[None, None, None]:
    """Compute on a device inside a `with` block, in this thread or task only.

    A device is a backend here: the active one where it computes on the device, else `numba_cpu` or
    `numba_cuda`; each GPU but the first one has a backend of its own, `"numba_cuda:1"`. Variables
    come along, other tensors of the backend before do not: `tensor.to("cuda:1")` moves one.

    Args:
        device_name: `"cpu"`, `"gpu"` or `"cuda"`, also with a number behind: `"gpu:1"`.

    Raises:
        ValueError: there is no such device.
        BackendError: its backend cannot work on this machine; the message says why.

    Example:
        >>> import nkeras
        >>> with nkeras.device("cpu:0"):
        ...     y = nkeras.ops.ones(3) + 1.0
        >>> y.numpy()
        array([2., 2., 2.], dtype=float32)

    Source: https://keras.io/api/utils/backend_utils/
    """
    kind, _, number = device_name.lower().partition(":") if is_a(device_name, str) else ("",) * 3
    numbers = ("", "0") if kind == "cpu" else ("", *map(str, range(MOST_DEVICES)))
    if kind not in ("cpu", "gpu", "cuda") or number not in numbers:
        wanted = '"cpu", "gpu" or "cuda", with a number behind for one of several GPUs'
        refuse("device_name", device_name, wanted, "device")
    place = "cpu" if kind == "cpu" else _numbered("cuda", number)
    current = active()
    fits = current.device.startswith("cpu") == (kind == "cpu")
    stays = fits and (kind == "cpu" or not number or current.name == load(place).name)
    with use_backend(current.name if stays else place):
        yield


def _numbered(name: str, number: str) -> str:
    """The name of a backend on a device; the first one needs no number."""
    return name if number in ("", "0") else f"{name}:{number}"


def backends() -> dict[str, str]:
    """Every installed backend with its state: `"active"`, `"available"` or why it cannot be used.

    Example:
        >>> import nkeras
        >>> nkeras.backends()["numpy"] in ("active", "available")
        True
    """
    states = {}
    for name in sorted(_entry_points()):
        try:
            loaded = load(name)
        except (BackendError, SettingError, ImportError) as error:
            states[name] = f"not available: {error}"
        else:
            states[name] = "active" if loaded is active() else "available"
    return states


def load(name: str) -> Backend:
    """The backend of that name, imported on first use."""
    if not is_a(name, str):
        raise TypeError(f"A backend is named by a string. Received: {short(name)}")
    kind, colon, number = name.partition(":")
    kind = ALIASES.get(kind, kind)
    key = _numbered(kind, str(int(number))) if number.isdecimal() else kind + colon + number
    if key not in _loaded:
        with _lock:
            if key not in _loaded:
                _loaded[key] = _on_device(kind, int(number)) if ":" in key else _load(key)
    return _loaded[key]


def _on_device(name: str, number: int) -> Backend:
    """A backend on another device than the first one."""
    backend = load(name)
    on_device = getattr(backend, "on_device", None)
    if on_device is None:
        raise BackendError(f"Backend {name!r} has one device, there is no number {number}.")
    return on_device(number)


def _load(name: str) -> Backend:
    entries = _entry_points()
    if not entries:
        raise BackendError(
            "No nkeras backend is installed: an uninstalled checkout has no entry points. "
            "Run `pip install -e .` in it."
        )
    if name not in entries:
        raise ValueError(
            f"Unknown backend: {short(name)}. Installed are {', '.join(sorted(entries))} "
            f"(and the short names {', '.join(ALIASES)}).{nearest(name, [*entries, *ALIASES])}"
        )
    try:
        return entries[name].load()()
    except (BackendError, SettingError):
        raise
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise BackendError(f"Backend {short(name)} cannot be loaded: {error}") from error
        raise BackendError(
            f"Backend {short(name)} needs Numba, which is not installed. Run `pip install numba`."
        ) from error
    except Exception as error:  # of a plugin: it must not take the other backends with it
        raise BackendError(
            f"Backend {short(name)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _choose_default() -> Backend:
    global _default
    with _lock:
        if _default is None:
            wanted = os.environ.get("NKERAS_BACKEND")
            _default = load(wanted) if wanted else _first_that_loads()
    return _default


def _first_that_loads() -> Backend:
    for name in PREFERRED[:-1]:
        try:
            return load(name)
        except BackendError as error:
            warn(
                f"nkeras uses the slow numpy backend: {error} "
                "(NKERAS_BACKEND=numpy chooses it without a warning.)"
            )
    return load(PREFERRED[-1])
