"""TensorBoard: what training does, as event files for the dashboards of that name."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, ClassVar

import numpy as np

from nkeras.callbacks.callback import Callback, Logs
from nkeras.callbacks.callback_list import to_numbers
from nkeras.callbacks.tensorboard.arguments import checked_count, checked_update, profiled_batches
from nkeras.callbacks.tensorboard.event_file import EventFile, messages
from nkeras.callbacks.tensorboard.model_graph import conceptual_graph, model_graph
from nkeras.callbacks.tensorboard.pictures import weight_images
from nkeras.callbacks.tensorboard.profiler import Profiler, table, write_trace
from nkeras.callbacks.tensorboard.projector import Metadata, Projector
from nkeras.core import config
from nkeras.core.errors import as_bool, short, warn
from nkeras.core.typing import Config
from nkeras.optimizers import LossScaleOptimizer, MultiOptimizer


class TensorBoard(Callback):
    """Writes results, weights, the model's graph, profiles and embeddings for TensorBoard.

    It needs the package tensorboardX (`pip install 'nkeras[tensorboard]'`), neither TensorFlow nor
    TensorBoard itself; where the package crc32c is installed too, many images and histograms are
    written a thousand times faster. `tensorboard --logdir=logs` shows what lies in `log_dir/train`
    and `log_dir/validation`, under Keras' names:

    - `epoch_loss` and so on for each epoch, `epoch_learning_rate`; `batch_loss` and so on with
      `update_freq`; `evaluation_loss_vs_iterations` of each evaluation;
      `epoch_steps_per_second` and `batch_steps_per_second`;
    - `<path of the weight>/histogram` and `/image`;
    - the graph, of functional and sequential models: conceptual (tag `keras`), and by calls;
    - of profiled batches the tables `batch_<last>/primitives` and `batch_<last>/layers` under Text,
      and a trace in `train/plugins/profile/<time>/<host>.trace.json.gz`, which
      https://ui.perfetto.dev and `chrome://tracing` show. These batches run as they come, not by
      their plan: kernels are those of other batches, but for merged ones, Python takes longer.
      Kernels that run for the first time compile: choose a later batch;
    - `projector_config.pbtxt`, and embeddings as `train/<layer>_embeddings.tsv`, as they were last.

    Three things differ from Keras, which needs TensorFlow here. Results of epochs and evaluations
    are written whatever `update_freq` is, as they are meant to be. Images show negative weights,
    not black: zero is gray. The projector finds its embeddings, for Keras writes weights into files
    that it cannot read. `tf.summary` inside of `train_step` writes nothing; what `train_step`
    returns is written.

    Args:
        log_dir: folder, which no other callback should use.
        histogram_freq: write histograms of the weights each so many epochs; never for 0.
        write_graph: write the graph of the model.
        write_images: also write weights as images, together with histograms.
        write_steps_per_second: write how many steps are done in a second.
        update_freq: `"epoch"`: results are written behind each epoch; an int: also each so many
            steps; `"batch"`: also for each step.
        profile_batch: index of a step, from 1, to be profiled, a pair (first, last), or both as
            text, such as `"5,10"`; none for 0.
        embeddings_freq: write the embeddings of `Embedding` layers each so many epochs; never for
            0.
        embeddings_metadata: file with the names of the rows, relative to `log_dir`: one for all
            `Embedding` layers, or a dict by name of the layer.

    Raises:
        ImportError: tensorboardX is not installed.
        ValueError: an argument does not fit; `embeddings_metadata` names a layer that the model
            lacks.

    Example:
        >>> import tempfile
        >>> import nkeras
        >>> board = nkeras.callbacks.TensorBoard(tempfile.mkdtemp(), histogram_freq=1)

    Source: https://keras.io/api/callbacks/tensorboard/
    """

    accepts_lazy_logs = True  # results of steps are fetched when they are written

    saved_attributes: ClassVar[Sequence[str]] = ("_step",)

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int | str | tuple[int, int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Metadata = None,
    ) -> None:
        super().__init__()
        messages()  # rather now than after an epoch
        self.log_dir = str(log_dir)
        self.histogram_freq = checked_count("histogram_freq", histogram_freq)
        self.write_graph = as_bool(write_graph, "write_graph", "TensorBoard")
        self.write_images = as_bool(write_images, "write_images", "TensorBoard")
        self.write_steps_per_second = as_bool(
            write_steps_per_second, "write_steps_per_second", "TensorBoard"
        )
        self.update_freq = checked_update(update_freq)
        self.profile_batch = profile_batch
        self._first_profiled, self._last_profiled = profiled_batches(profile_batch)
        self.embeddings_freq = checked_count("embeddings_freq", embeddings_freq)
        self.embeddings_metadata = embeddings_metadata
        self._train = EventFile(os.path.join(self.log_dir, "train"))
        self._validation = EventFile(os.path.join(self.log_dir, "validation"))
        self._projector: Projector | None = None
        self._profiler: Profiler | None = None
        self._drawn: Any = None  # the model whose graph is written
        self._is_in_fit = False
        self._step = 0
        self._steps_before_epoch = 0
        self._epoch_began = self._batch_began = 0.0
        self._warned: set[str] = set()

    def set_model(self, model: Any) -> None:
        """Take over the model, and write where the projector finds its embeddings."""
        super().set_model(model)
        self._close()
        if self.embeddings_freq:
            self._projector = Projector(self.log_dir, model, self.embeddings_metadata)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Count steps anew, and write the model's graph."""
        self._is_in_fit = True
        self._step = 0
        self._write_graph()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the files."""
        self._close()

    def on_test_begin(self, logs: Logs = None) -> None:
        """Write the model's graph, outside of `fit`."""
        self._write_graph()

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Write the model's graph."""
        self._write_graph()

    def on_test_end(self, logs: Logs = None) -> None:
        """Write the results by the number of updates so far."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            step = int(optimizer.iterations)
            for name, value in (logs or {}).items():
                self._scalar(self._validation, f"evaluation_{name}_vs_iterations", value, step)
        if self._is_in_fit:
            self._validation.flush()
        else:
            self._close()

    def on_predict_end(self, logs: Logs = None) -> None:
        """Close the files, outside of `fit`."""
        if not self._is_in_fit:
            self._close()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Begin to profile, if it is time."""
        self._step += 1
        self._batch_began = time.perf_counter()
        if self._first_profiled <= self._step <= self._last_profiled:
            self._profiler = self._profiler or Profiler()
            self._profiler.begin(f"step {self._step}")

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Write the results of the step, if it is time."""
        seconds = time.perf_counter() - self._batch_began
        if self._profiler is not None:
            self._profiler.end()
            if self._step >= self._last_profiled:
                self._write_profile()
        if not isinstance(self.update_freq, int) or self._step % self.update_freq:
            return
        if self.write_steps_per_second:
            self._train.scalar("batch_steps_per_second", 1.0 / max(seconds, 1e-9), self._step)
        if isinstance(logs, Mapping):
            for name, value in to_numbers(logs).items():
                self._scalar(self._train, f"batch_{name}", value, self._step)
        self._train.flush()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remember when it was."""
        self._steps_before_epoch = self._steps_done()
        self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the results of the epoch; weights and embeddings, if it is time."""
        if logs:
            self._write_epoch(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self._projector is not None and epoch % self.embeddings_freq == 0:
            self._projector.write()
        self._train.flush()
        self._validation.flush()

    def _on_interruption(self) -> None:
        self._close()

    def _close(self) -> None:
        self._is_in_fit = False
        with ExitStack() as stack:  # each is closed, also where the disk is full
            stack.callback(self._validation.close)
            stack.callback(self._train.close)
            if self._profiler is not None:
                self._profiler.end()
                self._write_profile()

    # What is written.

    def _scalar(self, file: EventFile, tag: str, value: Any, step: int) -> None:
        if np.ndim(value) == 0 and not isinstance(value, str):
            file.scalar(tag, float(value), step)
        elif tag not in self._warned:
            self._warned.add(tag)
            warn(f"TensorBoard: {tag} is not written, for it is no number: {short(value)}")

    def _write_epoch(self, epoch: int, logs: Config) -> None:
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        train.update(self._learning_rates())
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._epoch_began, 1e-9)
            train["steps_per_second"] = (self._steps_done() - self._steps_before_epoch) / seconds
        for name, value in train.items():
            self._scalar(self._train, f"epoch_{name}", value, epoch)
        for name, value in logs.items():
            if name.startswith("val_"):
                tag = f"epoch_{name.removeprefix('val_')}"
                self._scalar(self._validation, tag, value, epoch)

    def _learning_rates(self) -> dict[str, float]:
        optimizer = getattr(self.model, "optimizer", None)
        if isinstance(optimizer, LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        if optimizer is None:
            return {}
        if isinstance(optimizer, MultiOptimizer):
            return {
                f"learning_rate_{one.name}": float(one.learning_rate)
                for one in optimizer.optimizers
            }
        return {"learning_rate": float(optimizer.learning_rate)}

    def _steps_done(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        return self._step if optimizer is None else int(optimizer.iterations)

    def _write_weights(self, epoch: int) -> None:
        channels_last = config.image_data_format() == "channels_last"
        weights = [weight for layer in self.model.layers for weight in layer.weights]
        for weight in {id(weight): weight for weight in weights}.values():  # layers may share them
            values = weight.numpy()
            self._train.histogram(f"{weight.path}/histogram", values, epoch)
            images = weight_images(values, channels_last) if self.write_images else None
            if images is not None:
                self._train.images(f"{weight.path}/image", images, epoch)

    def _write_graph(self) -> None:
        model: Any = self.model
        if not self.write_graph or self._drawn is model:
            return
        self._drawn = model
        if type(model).__name__ not in ("Functional", "Sequential"):
            return
        try:
            text = conceptual_graph(model)
        except (TypeError, ValueError) as error:  # of a layer of the user's
            warn(f"TensorBoard: the model has no configuration, which is left out: {short(error)}")
        else:
            self._train.keras_model("keras", text, 0)
        graph = model_graph(model)
        if graph is not None:
            self._train.graph(graph)

    def _write_profile(self) -> None:
        profiler, self._profiler = self._profiler, None
        if profiler is None or not profiler.spans:
            return
        tag = f"batch_{self._step}"
        self._train.text(f"{tag}/primitives", table(profiler.spans, "name"), self._step)
        self._train.text(f"{tag}/layers", table(profiler.spans, "layer"), self._step)
        run = datetime.now().strftime("%Y_%m_%d_%H_%M_%S_%f")  # TensorBoard sorts them
        file = f"{socket.gethostname()}.trace.json.gz"
        folder = os.path.join(self.log_dir, "train", "plugins", "profile", run)
        write_trace(os.path.join(folder, file), profiler.spans)
