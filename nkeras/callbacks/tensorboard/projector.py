"""The embedding projector: its configuration, and the embeddings as files with tabs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.layers import Embedding

Metadata: TypeAlias = "str | Mapping[str, str] | None"


class Projector:
    """The embeddings of a model, for TensorBoard's dashboard Projector.

    Args:
        folder: `log_dir`; `projector_config.pbtxt` is written there.
        model: its `Embedding` layers are shown.
        metadata: file with the names of the rows, for all or by name of the layer.

    Raises:
        ValueError: the metadata name a layer that the model lacks.
    """

    def __init__(self, folder: str, model: Any, metadata: Metadata) -> None:
        self._folder = folder
        self._layers = [layer for layer in model.layers if isinstance(layer, Embedding)]
        self._check(metadata)
        entries = [
            "embeddings {\n"
            f"  tensor_name: {_quoted(f'{layer.name}/embeddings')}\n"
            f"  tensor_path: {_quoted(_path(layer))}\n"
            f"{_metadata_line(layer, metadata)}"
            "}\n"
            for layer in self._layers
        ]
        os.makedirs(folder, exist_ok=True)
        with replacing(os.path.join(folder, "projector_config.pbtxt"), "w") as file:
            file.write("".join(entries))

    def _check(self, metadata: Metadata) -> None:
        if metadata is None or isinstance(metadata, str):
            return
        known = [layer.name for layer in self._layers]
        unknown = [name for name in metadata if name not in known]
        if unknown:
            raise ValueError(
                "TensorBoard: argument `embeddings_metadata` names layers that are no `Embedding` "
                f"of the model. Received: {short(unknown)}. Expected some of: {short(known)}"
            )

    def write(self) -> None:
        """The embeddings of now, in place of those of before."""
        for layer in self._layers:
            if not layer.built:
                continue
            # What the layer gives, also where its weights are integers or adapted.
            rows = layer(np.arange(layer.input_dim)).numpy().astype(np.float32)
            path = os.path.join(self._folder, _path(layer))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with replacing(path, "w") as file:
                for row in rows:
                    file.write("\t".join([f"{value:.9g}" for value in row.tolist()]) + "\n")


def _path(layer: Embedding) -> str:
    """Below the folder of the configuration, as the projector wants it; with `/` everywhere."""
    return f"train/{re.sub(r'[^A-Za-z0-9_.-]', '_', layer.name)}_embeddings.tsv"


def _metadata_line(layer: Embedding, metadata: Metadata) -> str:
    path = metadata if metadata is None or isinstance(metadata, str) else metadata.get(layer.name)
    return "" if path is None else f"  metadata_path: {_quoted(os.fspath(path))}\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
