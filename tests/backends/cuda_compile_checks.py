"""Compile CUDA kernels for a Hopper GPU, with neither GPU nor driver; print what goes wrong.

Run by `test_numba_cuda_compile.py` in processes of its own: `python cuda_compile_checks.py PART`.
Exits with 77 and one line if NVVM is missing.
"""

import math
import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import nkeras.backend.scalars
from nkeras.backend.body import Body
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras_numba_cuda import kernels, launch
from nkeras_numba_cuda.compiled.bound import layout_of
from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda
from nkeras_numba_cuda.kernels.custom import kernel_for as kernel_for_body
from nkeras_numba_cuda.kernels.elementwise import kernel_for
from nkeras_numba_cuda.launch import Kernel
from tests.ptx.compiling import ptx_of

CAPABILITY = (9, 0)
SKIPPED = 77
OTHERS = re.compile("att.*_(float64|bfloat16|float16)")
"""Long kernels, of which the default run compiles the first dtype alone."""
CELL = "float64[::1]"
"""Numbers that change come in it, rounded once to what the kernel computes in."""
# Large angles are reduced in float64 by the device library itself.
FLOAT64_INSIDE = ("sin", "cos", "tan", "sinc", "lanczos_window")
INTEGER = "add subtract multiply floor_divide mod negative absolute square maximum minimum"
INTEGER += " clip where sign relu floor equal less bitwise_and bitwise_or bitwise_xor bitwise_not"
INTEGER += " bitwise_left_shift bitwise_right_shift"

assert kernels.OWN


def squared(x):
    return x * x


def lengths(n, h, x, y, total, *, power):
    for c in range(x.shape[2]):
        y[n, h] += math.sqrt(squared(x[n, h, c]) + 0.5) * power
        total[c] += x[n, h, c]


BODY = Body(lengths, ("n", "h"), ("x",), ("y", "total"), ("power",), over="y", sums=("total",))
BODY_TYPES = (
    "void(int64, int64, int64, float32[:, :, ::1], float32[:, ::1], float32[:, ::1], float32)"
)
assert nkeras.backend.scalars.__all__


def with_gradients(scalars: list[Scalar]) -> Iterator[Scalar]:
    for scalar in scalars:
        yield scalar
        yield from filter(None, (scalar.gradient(by) for by in scalar.parameters))


def part(name: str) -> Iterator[tuple[str, Kernel]]:
    """The kernels of a part, with their names."""
    if name in ("kernels", "more kernels"):  # halves, for two processors
        # Those on tensor cores are compiled, and their resources looked at, elsewhere.
        found = [(key, one) for key, one in launch.KERNELS.items() if not one.warps]
        found = [(key, one) for key, one in found if not OTHERS.fullmatch(key)]
        yield from found[name == "more kernels" :: 2]
    elif name == "attention":
        yield from ((key, one) for key, one in launch.KERNELS.items() if OTHERS.fullmatch(key))
    elif name == "float32":
        floating = [value for value in SCALARS.values() if "bitwise" not in value.name]
        for one in with_gradients(floating):
            yield f"{one.name} float32", kernel_for(one, "float32", False)
    elif name == "others":
        for one in (SCALARS["add"], SCALARS["where"], SCALARS["clip"]):
            yield f"{one.name} broadcast", kernel_for(one, "float32", True)
        for chosen in ("gelu", "rint", "signbit", "isfinite", "power", "arctan2", "erf"):
            yield f"{chosen} float64", kernel_for(SCALARS[chosen], "float64", False)
        for chosen in INTEGER.split():
            yield f"{chosen} int32", kernel_for(SCALARS[chosen], "int32", False)
        for chosen in ("add", "bitwise_not", "maximum"):
            yield f"{chosen} uint8", kernel_for(SCALARS[chosen], "uint8", False)
        yield "custom float32", Kernel(kernel_for_body(BODY, "float32").function, (BODY_TYPES,))
        for chosen in ("logical_and", "logical_or", "logical_xor", "logical_not", "equal"):
            yield f"{chosen} bool", kernel_for(SCALARS[chosen], "bool", False)
    else:
        raise ValueError(f"There is no part {name!r}.")


def code_of(kernel: Kernel, signature: str) -> str:
    """The PTX; of kernels in the list what the interpreter's tests compile and keep."""
    if TARGET == "numba-cuda" and kernel in launch.KERNELS.values():
        return ptx_of(kernel.function, signature)
    code, _ = cuda.compile(kernel.function, signature, device=False, abi="numba", cc=CAPABILITY)
    return code


WIDTHS = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}


def parameters_of(code: str) -> list[int]:
    """How many bytes each parameter of the kernel has."""
    entry = code[code.index(".entry") :]
    bits = re.findall(r"\.param\s+\.(?:align\s+\d+\s+\.)?[a-z](\d+)", entry[: entry.index(")")])
    return [int(one) // 8 for one in bits]


def check(name: str, kernel: Kernel, signature: str) -> Iterator[str]:
    """What is wrong with a kernel."""
    try:
        code = code_of(kernel, signature)
    except Exception as error:  # every kernel is reported, whatever the compiler raises
        yield f"{name} {signature}: {type(error).__name__}: {str(error)[:2000]}"
        return
    if f".target sm_{CAPABILITY[0]}{CAPABILITY[1]}" not in code or ".entry" not in code:
        yield f"{name} {signature}: no kernel for this device in the generated code"
    packed = [WIDTHS[letter] for letter in layout_of(signature)]
    if packed != parameters_of(code):
        yield f"{name} {signature}: launches pack {packed}, it takes {parameters_of(code)}"
    elsewhere = name.split("_grad_")[0].split(" ")[0] in FLOAT64_INSIDE
    has_cell = "float32" in signature and CELL in signature
    computed = signature.replace(CELL, "") if has_cell else signature
    if "float64" not in computed and not elsewhere:
        read = ("ld.global.f64", "cvt.rn.f32.f64") if has_cell else ()
        wide = sorted(set(re.findall(r"\S+\.f64\b", code)) - set(read))
        if wide:
            yield f"{name} {signature}: computes in float64: {wide}"


def missing_library() -> str | None:
    """Which library of the CUDA toolkit cannot be loaded."""
    from cuda import pathfinder  # comes with numba-cuda

    for library, package in (("nvvm", "nvidia-nvvm"), ("nvrtc", "nvidia-cuda-nvrtc")):
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except pathfinder.DynamicLibNotFoundError:
            return f"lib{library} is missing (pip install {package})"
    return None


def pretend_to_have_a_gpu() -> None:
    """Answer the target, which asks the device for its capability in some places."""
    if TARGET == "numba-cuda":  # when a kernel calls a device function
        device = SimpleNamespace(compute_capability=CAPABILITY)
        vars(sys.modules["numba.cuda.dispatcher"])["get_current_device"] = lambda: device
        return
    for module in list(sys.modules.values()):
        if module.__name__.startswith(TARGET.replace("-", "_")):
            if "get_gpu_compute_capability" in vars(module):
                vars(module)["get_gpu_compute_capability"] = lambda *_: CAPABILITY


def main() -> int:
    assert not SIMULATOR, "the simulator cannot compile"
    missing = missing_library()
    if missing:
        print(missing)
        return SKIPPED
    pretend_to_have_a_gpu()
    count, failures = 0, []
    for name, kernel in part(sys.argv[1]):
        if not kernel.signatures:
            failures.append(f"{name}: no signature to compile")
        for signature in kernel.signatures:
            count += 1
            failures += check(name, kernel, signature)
    print(*failures, sep="\n")
    print(f"{count} compiled, {len(failures)} failures")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main())
