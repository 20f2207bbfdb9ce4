"""Control flow that is decided when the file is read."""

from __future__ import annotations

from nkeras.models.onnx.reading import Branch
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Known, Value


@operator("If")
def _if(call: Call) -> list[Value]:
    if not isinstance(call.value(0), Known):
        call.fail("its condition is computed, so that it is not known which of its graphs runs.")
    name = "then_branch" if call.scalar(0) else "else_branch"
    branch = call.node.attributes.get(name)
    if not isinstance(branch, Branch):
        call.fail(f"its attribute `{name}` must be a graph.")
    return call.builder.run(branch)
