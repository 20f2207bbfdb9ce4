"""Names of Keras 3.15 that nkeras lacks, each with its reason.

One table serves the errors of `nkeras.layers.LSTM` and docs/keras-compatibility.md. A module stands
for all names in it. A test finds what Keras has but is neither offered nor here, and what is both.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import currentframe
from types import FrameType, ModuleType
from typing import Any

from nkeras.core.errors import nearest, short

COMING = "coming"
NOT_OFFERED = "not offered"

# (state, reason, names after "nkeras."); the reason ends a sentence that the error begins.
_ROWS = (
    (
        NOT_OFFERED,
        "a model runs on one device; choose it with `nkeras.set_backend`",
        "distribution",
    ),
    (
        NOT_OFFERED,
        "code of another framework cannot run on nkeras' backends",
        "config.is_nnx_enabled callbacks.OrbaxCheckpoint",
    ),
    (
        NOT_OFFERED,
        "code of JAX cannot run on nkeras' backends; write the function with `nkeras.ops` in the "
        "`call` of a `Layer`, and give it the weights by `set_weights`",
        "layers.FlaxLayer layers.JaxLayer",
    ),
    (
        NOT_OFFERED,
        "a TensorFlow SavedModel cannot run on nkeras' backends; build the same layers in nkeras, "
        "and give them the weights that Keras reads from it by `set_weights`",
        "layers.TFSMLayer",
    ),
    (
        NOT_OFFERED,
        "a torch module cannot run on nkeras' backends; build the same layers in nkeras, and give "
        "them the arrays of its `state_dict()` by `set_weights` (kernels of torch lie transposed)",
        "layers.TorchModuleWrapper",
    ),
    (
        NOT_OFFERED,
        "nkeras sends nothing anywhere; it downloads data sets and what `get_file` is asked for",
        "callbacks.RemoteMonitor",
    ),
    (
        NOT_OFFERED,
        "there are no kernels for int4, float8, GPTQ and AWQ; int8 is what nkeras quantizes to",
        """quantizers.AWQConfig quantizers.Float8QuantizationConfig quantizers.GPTQConfig
        quantizers.Int4QuantizationConfig quantizers.abs_max_quantize_grouped_with_zero_point
        quantizers.compute_float8_amax_history quantizers.compute_float8_scale
        quantizers.fake_quant_with_min_max_vars quantizers.pack_int4
        quantizers.quantize_and_dequantize quantizers.unpack_int4 dtype_policies.AWQDTypePolicy
        dtype_policies.GPTQDTypePolicy dtype_policies.Int4DTypePolicy
        dtype_policies.QuantizedFloat8DTypePolicy""",
    ),
    (
        NOT_OFFERED,
        'it writes SavedModels, which only TensorFlow can; `model.export(path, format="onnx")` '
        "writes what ONNX Runtime and most converters read",
        "export.ExportArchive",
    ),
    (
        NOT_OFFERED,
        "nkeras never runs code from a configuration or a file, so there is nothing to allow",
        "config.enable_unsafe_deserialization",
    ),
    (
        NOT_OFFERED,
        "shapes are inferred without a scope, by `compute_output_spec`",
        "SymbolicScope",
    ),
    (NOT_OFFERED, "Keras has it for scripts of Keras 2 only", "optimizers.legacy"),
)

# qualified name -> (state, reason)
TABLE = {name: (state, reason) for state, reason, names in _ROWS for name in names.split()}


_SPACES = ("ops.numpy.", "ops.nn.", "ops.linalg.")  # they offer what `ops` does


def reason(qualified: str) -> tuple[str, str] | None:
    """State and reason of a name such as `"layers.LSTM"`, or of the module that it is in."""
    for space in _SPACES:
        if qualified.startswith(space) and (known := reason(f"ops.{qualified[len(space) :]}")):
            return known
    while qualified:
        if qualified in TABLE:
            return TABLE[qualified]
        qualified = qualified.rpartition(".")[0]
    return None


def explain(
    module: str, later: Mapping[str, str] | None = None, inside: Sequence[str] = ()
) -> None:
    """Give a module a `__getattr__`, whose error says why the module lacks a name.

    It is set unseen: type checkers believe in every name of a module that defines one.

    Args:
        module: the module's `__name__`.
        later: names to load when they are first asked for, and from which module of nkeras.
        inside: modules inside this one, to load when they are first asked for.
    """
    later = later or {}

    def __getattr__(name: str) -> Any:
        if name in later:
            return getattr(import_module(f"nkeras.{later[name]}"), name)
        if name in inside:
            return import_module(f"{module}.{name}")
        raise error(module, name)

    vars(sys.modules[module])["__getattr__"] = __getattr__


def error(module: str, name: str) -> Exception:
    """What the `__getattr__` of a module raises for a name that the module lacks.

    Args:
        module: the module's `__name__`.
        name: the name that it lacks.
    """
    asking = _asking()
    text = f"module {module!r} has no attribute {short(name)}"
    known = reason(f"{module}.{name}".removeprefix("nkeras."))
    if known is not None:
        text = f"{text}, which is {known[0]}: {known[1]}."
    elif not (name.startswith("_") or (asking and "importlib" in asking.f_code.co_filename)):
        text = f"{text}.{nearest(name, public_names(sys.modules[module]))}"
    if asking and _imports(asking):  # which hides the text of AttributeErrors
        return ImportError(text, name=module)
    # With an object, Python would add its own guess behind ours.
    return AttributeError(text, name=name, obj=None)


def names_of(module: str) -> list[str]:
    """The `__all__` of a module, given by name, that offers what it has imported so far."""
    return public_names(sys.modules[module])


def _asking() -> FrameType | None:
    """The frame that asks for a name: it called `__getattr__`, `error` and this function."""
    frame = currentframe()
    for _ in range(3):
        frame = frame and frame.f_back
    return frame


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: its `__all__`, or what it has of nkeras that is not private."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(name for name in dir(module) if name[0] != "_" and _is_ours(module, name))


def _is_ours(module: ModuleType, name: str) -> bool:
    if name not in vars(module):
        return True  # it is loaded when it is asked for
    home = str(getattr(vars(module)[name], "__module__", ""))
    return home.startswith("nkeras") if hasattr(module, "__path__") else home == module.__name__


def _imports(frame: FrameType) -> bool:
    """Whether a frame is at the instruction of `from ... import ...`."""
    from opcode import opmap

    at = frame.f_lasti
    return at >= 0 and frame.f_code.co_code[at] == opmap["IMPORT_FROM"]
