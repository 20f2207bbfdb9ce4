"""Event files: what TensorBoard reads, with the records and messages of tensorboardX."""

from __future__ import annotations

import functools
import itertools
import os
import socket
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from nkeras.utils.png import png

_BUCKETS = 30  # of a histogram, and
_IMAGES = 3  # images of a batch: what tf.summary writes
_BETWEEN_FLUSHES = 2.0  # seconds
_counter = itertools.count()


@functools.cache
def messages() -> Any:
    """The protocol buffers and the writer of tensorboardX.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.graph_pb2 import GraphDef
        from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboardX.proto.tensor_pb2 import TensorProto
        from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboardX.record_writer import RecordWriter
        from tensorboardX.proto import types_pb2  # isort: skip
    except ImportError as error:
        raise ImportError(
            "TensorBoard: event files are written by the package tensorboardX, which cannot be "
            f"imported ({error}). Install it: pip install 'nkeras[tensorboard]'"
        ) from error
    return SimpleNamespace(
        Event=Event,
        GraphDef=GraphDef,
        RecordWriter=RecordWriter,
        Summary=Summary,
        SummaryMetadata=SummaryMetadata,
        TensorProto=TensorProto,
        TensorShapeProto=TensorShapeProto,
        types=types_pb2,
    )


class EventFile:
    """An event file in a folder; it is made for the first event, and anew after `close`.

    Values have the form that `tf.summary` gives them.

    Args:
        folder: made where it does not exist.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._writer: Any = None
        self._flushed = 0.0

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A number of the dashboards Time Series and Scalars."""
        proto = messages()
        shape = proto.TensorShapeProto()
        tensor = proto.TensorProto(
            dtype=proto.types.DT_FLOAT, tensor_shape=shape, float_val=[value]
        )
        self._add(tag, tensor, step, "scalars")

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """How values are distributed, in 30 buckets of equal width; those not finite are left out.

        Of complex numbers it is their absolute values.
        """
        proto = messages()
        buckets = _buckets(values)
        tensor = proto.TensorProto(
            dtype=proto.types.DT_DOUBLE,
            tensor_shape=_shape(proto, buckets.shape),
            tensor_content=buckets.astype("<f8").tobytes(),
        )
        self._add(tag, tensor, step, "histograms")

    def images(self, tag: str, images: np.ndarray, step: int) -> None:
        """The first three of some images `(images, height, width, 1, 3 or 4)` of uint8."""
        _, height, width, _ = images.shape
        texts = [str(width).encode(), str(height).encode()]
        texts += [png(image) for image in images[:_IMAGES]]
        self._add_texts(tag, texts, step, "images", (len(texts),))

    def text(self, tag: str, text: str, step: int) -> None:
        """Text in Markdown."""
        self._add_texts(tag, [text.encode()], step, "text", ())

    def keras_model(self, tag: str, json: str, step: int) -> None:
        """The configuration of a model, of which TensorBoard makes the graph of its layers."""
        self._add_texts(tag, [json.encode()], step, "graph_keras_model", (), b"1")

    def graph(self, graph: Any) -> None:
        """A GraphDef: the graph that a run has."""
        self._write(graph_def=graph.SerializeToString())

    def flush(self) -> None:
        """Let TensorBoard see what was written, at most once in two seconds."""
        now = time.monotonic()
        if self._writer is not None and now - self._flushed > _BETWEEN_FLUSHES:
            self._writer.flush()
            self._flushed = now

    def close(self) -> None:
        """Write what is left, and close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _add_texts(
        self,
        tag: str,
        texts: list[bytes],
        step: int,
        plugin: str,
        shape: Sequence[int],
        version: bytes = b"",
    ) -> None:
        proto = messages()
        tensor = proto.TensorProto(
            dtype=proto.types.DT_STRING, tensor_shape=_shape(proto, shape), string_val=texts
        )
        self._add(tag, tensor, step, plugin, version)

    def _add(self, tag: str, tensor: Any, step: int, plugin: str, version: bytes = b"") -> None:
        proto = messages()
        data = proto.SummaryMetadata.PluginData(plugin_name=plugin, content=version)
        metadata = proto.SummaryMetadata(plugin_data=data)
        value = proto.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._write(step=step, summary=proto.Summary(value=[value]))

    def _write(self, **what: Any) -> None:
        proto = messages()
        now = time.time()
        if self._writer is None:
            os.makedirs(self._folder, exist_ok=True)
            # TensorBoard reads files in the order of the seconds; those of one second are several.
            origin = f"{int(now)}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"
            path = os.path.join(self._folder, f"events.out.tfevents.{origin}.v2")
            self._writer = proto.RecordWriter(path)
            self._flushed = time.monotonic()
            self._write(file_version="brain.Event:2")
        self._writer.write(proto.Event(wall_time=now, **what).SerializeToString())


def _shape(proto: Any, sizes: Sequence[int]) -> Any:
    return proto.TensorShapeProto(dim=[proto.TensorShapeProto.Dim(size=size) for size in sizes])


def _buckets(values: np.ndarray) -> np.ndarray:
    """Rows of left edge, right edge and count; all in the last one where values are equal."""
    if np.iscomplexobj(values):
        values = np.abs(values)
    values = values.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return np.zeros((_BUCKETS, 3))
    low, high = values.min(), values.max()
    if low == high:
        rows = np.full((_BUCKETS, 3), low)
        rows[:, 2] = 0
        rows[-1, 2] = values.size
        return rows
    counts, edges = np.histogram(values, _BUCKETS)
    return np.stack([edges[:-1], edges[1:], counts], axis=1)
