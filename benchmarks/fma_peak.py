"""What the processor can do at most: fused multiply-adds on registers, without memory."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

from llvmlite import binding, ir

# Enough independent chains to hide the latency of both units, few enough to stay in registers.
CHAINS, STEPS, ROUNDS = 12, 2_000_000, 7


def fma_peak(threads: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """GFLOP/s in float32 of some threads together: the best of several rounds."""
    lanes = 16 if binding.get_host_cpu_features().get("avx512f") else 8
    engine = _engine(lanes)
    address = engine.get_function_address("chains")
    chains = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)(address)
    chains(STEPS // 10, 0.5)
    seconds = []
    for _ in range(ROUNDS):
        workers = [threading.Thread(target=chains, args=(STEPS, 0.5)) for _ in range(threads)]
        started = clock()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds.append(clock() - started)
    return 2.0 * threads * STEPS * CHAINS * lanes / min(seconds) / 1e9


def _engine(lanes: int) -> binding.ExecutionEngine:
    module = ir.Module("fma_peak")
    number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), lanes)
    counter = ir.IntType(64)
    function = ir.Function(module, ir.FunctionType(number, [counter, number]), "chains")
    fma_type = ir.FunctionType(vector, [vector] * 3)
    fma = ir.Function(module, fma_type, f"llvm.fma.v{lanes}f32")
    entry, loop, after = (function.append_basic_block(name) for name in ("entry", "loop", "after"))
    builder = ir.IRBuilder(entry)
    factor = ir.Constant(vector, ir.Undefined)
    for lane in range(lanes):
        factor = builder.insert_element(factor, function.args[1], ir.Constant(ir.IntType(32), lane))
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(counter)
    index.add_incoming(counter(0), entry)
    sums = [builder.phi(vector) for _ in range(CHAINS)]
    following = []
    for position, total in enumerate(sums):
        total.add_incoming(ir.Constant(vector, [float(position)] * lanes), entry)
        following.append(builder.call(fma, [total, factor, factor]))
    for total, one in zip(sums, following, strict=True):
        total.add_incoming(one, loop)
    more = builder.add(index, counter(1))
    index.add_incoming(more, loop)
    builder.cbranch(builder.icmp_signed("<", more, function.args[0]), loop, after)
    builder.position_at_end(after)
    total = following[0]
    for one in following[1:]:
        total = builder.fadd(total, one)
    builder.ret(builder.extract_element(total, ir.Constant(ir.IntType(32), 0)))

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=features, opt=3
    )
    return binding.create_mcjit_compiler(binding.parse_assembly(str(module)), target)


if __name__ == "__main__":
    for count in (1, 2):
        print(f"{count} threads: {fma_peak(count):.0f} GFLOP/s")
