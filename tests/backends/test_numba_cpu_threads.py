"""Threads, forks and the disk cache of numba_cpu, mostly in processes of their own."""

import os
import subprocess
import sys
import textwrap
import threading

import numba
import numpy as np
import pytest

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import cache
from nkeras_numba_cpu.compile.notice import _Notice
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numba_cpu.loops.operands import operand

NOTICE = "nkeras: compiling kernels (first run only) ...\n"
X = np.random.default_rng(0).standard_normal((64, 128)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((128, 64)).astype(np.float32)


def run_script(code, **environment):
    """Standard output and error of `code` run in a fresh interpreter."""
    settings = ("NKERAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER")
    settings += ("OMP_NUM_THREADS",)
    inherited = {name: value for name, value in os.environ.items() if name not in settings}
    search_path = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**inherited, "PYTHONPATH": search_path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_two_threads_call_at_once():
    expected = KERNELS["matmul"](X, Y)
    results = []

    def work():
        results.extend(KERNELS["matmul"](X, Y) for _ in range(50))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 100
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_workqueue_survives_two_threads():
    output, _ = run_script(
        """
        import threading
        import numpy as np
        from nkeras_numba_cpu import threads
        from nkeras_numba_cpu.kernels import KERNELS

        x = np.ones((64, 128), np.float32)
        def work():
            for _ in range(100):
                KERNELS["matmul"](x, x.T)
        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print(threads.layer_name())
        """,
        NUMBA_THREADING_LAYER="workqueue",
        NUMBA_NUM_THREADS="2",
    )
    assert output == "workqueue\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_the_same_serially():
    output, _ = run_script(
        """
        import os, warnings
        import numpy as np
        from nkeras_numba_cpu import threads
        from nkeras_numba_cpu.kernels import KERNELS

        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: what is tested
        x = np.random.default_rng(0).standard_normal((64, 128)).astype(np.float32)
        before = KERNELS["matmul"](x, x.T)
        threads._lock.acquire()  # as if another thread were inside a parallel region
        child = os.fork()
        if child == 0:
            same = np.array_equal(KERNELS["matmul"](x, x.T), before)
            os._exit(0 if same and threads.serial_only() else 1)
        assert not threads.serial_only()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        NUMBA_NUM_THREADS="2",
    )
    assert output == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_before_any_kernel_keeps_its_threads():
    output, _ = run_script(
        """
        import os
        import numpy as np
        from nkeras_numba_cpu import threads
        from nkeras_numba_cpu.kernels import KERNELS

        child = os.fork()
        if child == 0:
            KERNELS["matmul"](np.ones((64, 128), np.float32), np.ones((128, 64), np.float32))
            os._exit(1 if threads.serial_only() else 0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        NUMBA_NUM_THREADS="2",
    )
    assert output == "0\n"


COUNTS = [
    ({"NKERAS_NUM_THREADS": "1"}, 1),
    ({"NKERAS_NUM_THREADS": "64"}, 2),
    *(
        ({"OMP_NUM_THREADS": omp}, count)
        for omp, count in (("1", 1), ("1,4", 1), ("64", 2), ("many", 2), ("0", 2))
    ),
    ({"NKERAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2),
]


def test_thread_count_comes_from_the_environment():
    code = f"""
        import os
        from nkeras_numba_cpu import threads

        usual = os.environ.copy()
        for chosen, _ in {COUNTS}:
            os.environ.clear()
            os.environ.update(usual | chosen)
            threads._count = None  # as a process that has not asked yet
            print(threads.get_num_threads())
        os.environ["NKERAS_NUM_THREADS"] = "many"
        threads._count = None
        try:
            threads.get_num_threads()
        except ValueError as error:
            print(error)
        """
    output, _ = run_script(code, NUMBA_NUM_THREADS="2")
    *found, refusal = output.splitlines()
    assert found == [str(count) for _, count in COUNTS]
    assert refusal == "NKERAS_NUM_THREADS must be a positive integer, received 'many'"


def test_thread_count_is_checked():
    for count in (0, threads.limit() + 1):
        with pytest.raises(ValueError, match=f"received {count}"):
            threads.set_num_threads(count)
    for count in (True, 1.0):
        with pytest.raises(TypeError, match="must be an int"):
            threads.set_num_threads(count)


def test_the_layer_is_named_without_being_started():
    output, _ = run_script(
        """
        import numpy as np, numba
        from nkeras_numba_cpu import threads
        from nkeras_numba_cpu.kernels import KERNELS

        guess = threads.layer_name()
        try:
            numba.threading_layer()
        except ValueError:
            print("not started")
        KERNELS["matmul"](np.ones((64, 128), np.float32), np.ones((128, 64), np.float32))
        print(guess == numba.threading_layer() == threads.layer_name())
        """,
        NUMBA_NUM_THREADS="2",
    )
    assert output == "not started\nTrue\n"


SMALL_WORK = """
    import numpy as np
    from nkeras_numba_cpu.compile import cache, native
    from nkeras_numba_cpu.launch import tasks
    from nkeras_numba_cpu.kernels import KERNELS

    compiled = []
    optimized = native.optimized
    native.optimized = lambda symbol, emit: compiled.append(symbol) or optimized(symbol, emit)
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    static = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}
    for tasks.SERIAL_BELOW in (10**9, 0):
        y, winner = KERNELS["max_pool"](x, **static)
        assert np.array_equal(y, x.reshape(2, 2, 2, 2, 2, 3).max(axis=(2, 4)))
    print(len([symbol for symbol in compiled if "pooling__pool" in symbol]), bool(compiled))
    print(cache.cache_note())
    """


def test_the_second_process_compiles_nothing_and_says_nothing(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": "2"}
    first, said = run_script(SMALL_WORK, **environment)
    assert first.splitlines()[0] == "1 True"
    assert said in ("", NOTICE)  # a fast machine needs less than a second
    second, said = run_script(SMALL_WORK, **environment)
    assert second.splitlines()[0] == "0 False"
    assert said == ""
    (folder,) = tmp_path.iterdir()
    assert second.splitlines()[1] == str(folder)
    assert folder.name.startswith("nkeras-")


def test_an_unknown_numba_compiles_by_its_own_pipeline(tmp_path):
    script = """
        import sys
        import numba
        numba.__version__ = "99.0.0"
        import numpy as np
        from nkeras_numba_cpu.kernels import KERNELS
        x = np.ones((3, 40), np.float32)
        print(KERNELS["dense"](x, np.ones((40, 5), np.float32), None, activation="relu").sum())
        print("nkeras_numba_cpu.pipeline" in sys.modules)
        """
    output, _ = run_script(script, NUMBA_CACHE_DIR=str(tmp_path))
    assert output == "600.0\nFalse\n"


def test_the_notice_comes_once_and_only_after_a_second(capsys):
    notice = _Notice()
    with notice, notice:
        pass
    assert capsys.readouterr().err == ""
    for _ in range(2):
        with notice:
            notice.began -= 2.0
    assert capsys.readouterr().err == NOTICE


def test_numba_functions_of_the_user_keep_their_cache_folder():
    before = numba.config.CACHE_DIR
    KERNELS["matmul"](X, Y)
    assert numba.config.CACHE_DIR == before != str(cache.cache_dir())


def test_small_work_is_serial_and_large_work_parallel(monkeypatch):
    calls = []
    kernel = tasks.Tasks(lambda task: None)
    kernel.compiled = lambda arguments: lambda region, count, given: calls.append(region != 0)
    kernel(2, tasks.SERIAL_BELOW - 1)
    monkeypatch.setattr(threads, "_count", min(2, threads.limit()))
    kernel(2, tasks.SERIAL_BELOW)
    kernel(1, tasks.SERIAL_BELOW)
    monkeypatch.setattr(threads, "_count", 1)
    kernel(2, tasks.SERIAL_BELOW)
    assert calls == [False, threads.limit() > 1, False, False]


def test_read_only_arrays_need_no_second_compilation():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    x.setflags(write=False)
    alias = operand(x)
    assert alias.flags.writeable
    assert np.shares_memory(alias, x)
    del x
    np.testing.assert_array_equal(alias, np.arange(6).reshape(2, 3))


def test_launches_are_the_same_where_threads_need_a_lock(monkeypatch):
    threads.start()  # which finds out whether they do
    monkeypatch.setattr(threads, "_thread_safe", False)
    assert threads.entry(sum) is threads.entry(sum) is not sum
    assert threads.entry(sum)([1, 2]) == 3
