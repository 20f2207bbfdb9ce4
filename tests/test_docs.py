"""The documentation points at what exists, and its recipes for additions work as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nkeras

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"`((?:nkeras|backends|tests|examples|benchmarks)/[\w/.]+\.\w+)`", text)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_index_links_all_pages() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", text))
    assert linked == {page.name for page in PAGES} - {"index.md"}


def test_glossary_is_in_order_a_sentence_for_each_word() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line.startswith("- ")]
    assert [line for line in entries if not re.fullmatch(r"- \*\*.+?\*\*: .+\.", line)] == []
    names = [line.split("**")[1].lower() for line in entries]
    assert names == sorted(set(names))
    assert {"primitive", "kernel", "recording", "guard", "plan", "replay"} <= set(names)


def test_python_of_backends_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile(block, "backends.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == "numba_cpu"


def test_python_of_looking_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "looking.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile("".join(blocks), "looking.md", "exec"), {})
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["model.html", "model.svg", "other.svg"]


def test_the_recipe_of_an_optimizer() -> None:
    text = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    block = next(block for block in blocks if "SignSGD" in block)
    imports = "from nkeras import ops\nfrom nkeras.optimizers.optimizer import Optimizer\n"
    imports += "from nkeras.optimizers.shared import with_shared_arguments\n"
    names: dict[str, Any] = {}
    exec(f"from __future__ import annotations\n{imports}{block}", names)
    made = names["SignSGD"](0.5, 0.0, None, 2.0)
    assert (made.clipnorm, "clipnorm: " in type(made).__doc__) == (2.0, True)
    w = nkeras.Variable([1.0, -1.0])
    made.apply([nkeras.ops.convert_to_tensor([3.0, -2.0])], [w])
    assert w.numpy().tolist() == [0.5, -0.5]
    assert type(made).from_config(made.get_config()).get_config() == made.get_config()


# The recipes of adding.md, done in a copy of the sources.

MISSING_PARTS = {
    "op": '''
@op
def squared_distances(x: Any, y: Any) -> Any:
    """Squared distances."""
    return _squared_distances(*promoted(x, y))
''',
}
CHECKS = (
    "tests/ops/test_primitives.py",
    "tests/ops/test_against_keras.py::test_every_op_has_a_case",
    "tests/export/test_onnx_primitives.py",
    "tests/layers/test_enumeration.py::test_every_exported_layer_has_a_case",
    "tests/layers/test_tables.py::test_layer_is_sound",
    "tests/activations/test_activations.py::test_every_activation_has_a_case",
    "tests/losses/test_parity.py::test_every_loss_is_in_the_table",
    "tests/metrics/test_parity.py::test_every_metric_is_in_the_table",
)
CHOSEN = "squared_distances or softcap or lisht or enumeration or Scale or every"
TRAIN = """
import numpy as np
import nkeras

nkeras.set_backend("counting")
layers = [nkeras.layers.Scale(), nkeras.layers.Dense(2, activation="lisht")]
model = nkeras.Sequential(layers)
model.compile("sgd", "root_error", metrics=[nkeras.metrics.RootError(name="again")])
model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
x = nkeras.ops.ones((2, 3))
assert nkeras.ops.squared_distances(x, x * 2.0).numpy().tolist() == [[3.0] * 2] * 2
assert nkeras.ops.softcap(x).shape == (2, 3)
calls = x.backend.calls
assert calls["squared_distances"] == 1 and calls["sgd_update"] == 3, calls
"""


class Copy:
    """The sources in a folder, and the code blocks of a page."""

    def __init__(self, folder: Path, page: str = "adding.md") -> None:
        self.folder = folder
        for name in ("nkeras", "backends", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        self.text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        self.blocks = re.findall(r"^```python\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def block(self, part: str) -> str:
        """The first block that contains something."""
        return next(block for block in self.blocks if part in block)

    def append(self, path: str, code: str) -> None:
        """Put code at the end of a file."""
        with open(self.folder / path, "a", encoding="utf-8") as file:
            file.write(f"\n\n{code}")

    def insert(self, path: str, before: str, code: str) -> None:
        """Put code before the first place where something stands."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert before in text, (path, before)
        file.write_text(text.replace(before, code + before, 1), encoding="utf-8")

    def run(self, *words: str) -> None:
        """Run Python on the copy."""
        path = os.pathsep.join([str(self.folder), str(self.folder / "backends")])
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_recipes(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    _add_elementwise(copy)
    _add_primitive(copy)
    _add_layer_loss_and_metric(copy)
    _add_backend(copy)
    copy.run("-c", TRAIN)
    copy.run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", CHOSEN, *CHECKS)


@pytest.mark.long
def test_entering_the_cpu_backend(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "enter-cpu.md")
    copy.append("backends/nkeras_numpy/reduction.py", copy.block("def row_norms(x: Array"))
    compiled = "backends/nkeras_numba_cpu/kernels/reduction.py"
    copy.append(compiled, copy.block("def row_norms(x: np.ndarray"))
    line = "from nkeras_numba_cpu.launch.tasks import tasks"
    assert line in copy.text
    copy.insert(compiled, "from nkeras_numba_cpu.loops", f"{line}\n")
    (tmp_path / "trying.py").write_text(copy.block("import numpy as np"))
    copy.run("trying.py")
    cases = "tests/backends/test_numba_cpu_kernels.py"
    copy.insert(cases, "def batch_norm_cases():", copy.block("def row_norm_cases") + "\n\n")
    copy.insert(cases, "        batch_norm_cases,\n", "        row_norm_cases,\n")
    copy.insert(cases, 'OF_FLOATS += ("batch', 'OF_FLOATS += ("row_norms",)\n')
    capture = "tests/backends/test_numba_cpu_capture.py"
    checks = ("-k", "row_norms or every_kernel_has", cases, capture)
    copy.run("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *checks)


def _add_elementwise(copy: Copy) -> None:
    scalar = copy.block("def softcap(x, cap)") + "\n\n" + copy.block("@softcap.derivative")
    copy.append("nkeras/backend/scalars/special.py", scalar)
    copy.append("nkeras/ops/elementwise.py", copy.block("softcap = elementwise"))
    ops = "nkeras/ops/__init__.py"
    copy.insert(
        ops, "from nkeras.ops.elementwise import", "from nkeras.ops.elementwise import softcap\n"
    )
    copy.append("tests/ops/keras_cases.py", copy.block('add("softcap"'))
    copy.append("tests/ops/keras_cases.py", 'add("lisht squared_distances", "{}(x)")\n')

    copy.append("nkeras/backend/scalars/activation.py", copy.block("def lisht(x)"))
    copy.append("nkeras/ops/activation.py", copy.block("lisht = _activation"))
    exported = copy.block("import lisht as lisht")
    copy.insert(ops, "from nkeras.ops.activation import", exported)
    copy.append("nkeras/activations/__init__.py", exported)
    cases = "tests/activations/test_activations.py"
    copy.insert(cases, '    ("softmax", {}),\n', '    ("lisht", {}),\n')


def _add_primitive(copy: Copy) -> None:
    copy.append("backends/nkeras_numpy/linalg.py", copy.block("def squared_distances(x: Array"))
    compiled = "backends/nkeras_numba_cpu/kernels/linalg.py"
    copy.append(compiled, copy.block("def squared_distances(x: np.ndarray"))
    imports = "from nkeras_numba_cpu.launch.tasks import tasks\n"
    copy.insert(compiled, "from nkeras_numba_cpu.memory", imports)
    ops = "nkeras/ops/matrix_product.py"
    copy.append(ops, copy.block("def _squared_distances(x: Typed") + MISSING_PARTS["op"])
    copy.insert(ops, "from nkeras.ops.shape", "from nkeras.ops.reduction import reduce_sum\n")
    copy.append(
        "nkeras/export/onnx/writers/linalg.py", copy.block("def _squared_distances(x: Value")
    )
    public = "from nkeras.ops.matrix_product import"
    copy.insert("nkeras/ops/__init__.py", public, f"{public} squared_distances\n")
    case = copy.block('"squared_distances": [Case')
    copy.insert("tests/ops/cases.py", '    "matmul": [', f"    {case}")


def _add_layer_loss_and_metric(copy: Copy) -> None:
    layers = "nkeras/layers/__init__.py"
    copy.append("nkeras/layers/reshaping.py", copy.block("class Scale(Layer)"))
    copy.insert(
        "nkeras/layers/reshaping.py", "from nkeras import", "from nkeras import initializers\n"
    )
    export = "from nkeras.layers.reshaping import Scale as Scale\n"
    copy.insert(layers, "from nkeras.layers.reshaping", export)
    row = 'yield Case("Scale", in_keras=False)'
    assert row in copy.text
    first = '    yield case("Dense", units=4)\n'
    copy.insert("tests/layers/cases/core.py", first, f"    {row}\n")

    copy.append("nkeras/losses/regression.py", copy.block("def root_error"))
    copy.insert("nkeras/losses/regression.py", "    rsqrt,\n", "    sqrt,\n")
    imports = "".join(
        f"from nkeras.losses.regression import {name} as {name}\n"
        for name in ("RootError", "root_error")
    )
    copy.append("nkeras/losses/__init__.py", imports)
    copy.append("nkeras/metrics/regression.py", copy.block("(NamedMetric"))
    copy.insert("nkeras/metrics/regression.py", "    mean_absolute_error,\n", "    root_error,\n")
    exported = "from nkeras.metrics.regression import RootError as RootError\n"
    copy.append("nkeras/metrics/__init__.py", exported)
    for kind, row in (
        ("losses/loss_cases.py", '_case("RootError", "root_error", "real"),'),
        ("metrics/metric_cases.py", '_case("RootError", "real"),'),
    ):
        assert row in copy.text
        copy.insert(f"tests/{kind}", '    _case("LogCosh', f"    {row}\n")


def _add_backend(copy: Copy) -> None:
    (copy.folder / "nkeras_counting.py").write_text(copy.block("class Counting"))
    assert 'counting = "nkeras_counting:backend"' in copy.text
    metadata = copy.folder / "nkeras_counting-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: nkeras-counting\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[nkeras.backends]\ncounting = nkeras_counting:backend\n"
    )
