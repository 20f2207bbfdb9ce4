"""`Model.quantize`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from nkeras.core.errors import is_a, refuse, short, warn
from nkeras.layers.base import Layer
from nkeras.quantizers.configs import resolved


def quantize(
    layers: Sequence[Layer],
    mode: str | None,
    config: Any,
    filters: str | Sequence[str] | Callable[[Layer], bool] | None,
    type_check: bool,
) -> None:
    """Quantize layers that hold no other ones; warn of those with weights that cannot be."""
    resolved(mode, config)
    if filters is not None and not (is_a(filters, (str, list, tuple)) or callable(filters)):
        expected = "a regular expression, a list of them, or a function of a layer"
        refuse("filters", filters, expected, "quantize")
    for layer in layers:
        if not _is_chosen(layer, filters):
            continue
        try:
            layer.quantize(mode, type_check=type_check, config=config)
        except NotImplementedError as error:
            if layer.weights:
                warn(str(error))


def _is_chosen(layer: Layer, filters: Any) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    try:
        return any(re.search(pattern, layer.name) for pattern in patterns)
    except (TypeError, re.error):
        raise ValueError(f"quantize: {short(filters)} are no regular expressions.") from None
