"""Trainer: `fit`, `evaluate` and `predict`. Adapt data, loop epochs, loop steps, tell callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np

from nkeras.callbacks.callback_list import CallbackList, to_numbers
from nkeras.callbacks.history import History
from nkeras.core import tape, tree
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.tracebacks import entry
from nkeras.core.typing import CallbacksLike, Data, Logs, Structure, Verbose
from nkeras.training.data import (
    check_split,
    class_weight_to_sample_weights,
    count_samples,
    holds_arrays,
    pack_x_y_sample_weight,
    rows_or_array,
    to_arrays,
    to_tensors,
    train_validation_split,
    unpack_x_y_sample_weight,
)
from nkeras.training.epochs import Epochs, limited_epochs
from nkeras.training.progress import Progress
from nkeras.training.source import Source
from nkeras.training.sources import adapt, check_count, check_epochs
from nkeras.training.step import Steps


class Trainer(Steps):
    """What a model has beside a layer: training, evaluation and prediction on data."""

    history: History | None = None
    stop_evaluating: bool = False
    stop_predicting: bool = False

    @entry
    def fit(
        self,
        x: Data = None,
        y: Data = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: CallbacksLike = None,
        validation_split: float = 0.0,
        validation_data: Data = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Data = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | list[int] = 1,
    ) -> History:
        """Train for a number of epochs.

        Args:
            x: inputs: array, tensor or list of numbers; a memmap or an HDF5 dataset, which may be
                larger than memory; a list or dict of them for several inputs; or batches `(x, y)`
                or `(x, y, sample_weight)` from a generator, a PyDataset or any other iterable.
            y: targets, as `x`; None where `x` gives batches.
            batch_size: samples of a step; 32 for None. Only for arrays.
            epochs: index of the epoch to end before; that is their number if `initial_epoch` is 0.
            verbose: 0 silent, 1 a progress bar, 2 one line for each epoch; `"auto"` is 1.
            callbacks: list of callbacks.
            validation_split: share of the samples, the last ones, that is kept for validation.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or batches, for validation.
            shuffle: draw the order of the samples anew for each epoch; `"batch"`: only inside each
                batch. Numbers come from the global seed. Generators and iterables keep their order.
                Of more than 64 MiB in a file, blocks are drawn, and samples of some blocks mixed.
            class_weight: dict from class index to the weight of its samples.
            sample_weight: weights `(samples,)`, or as the output for weights inside samples.
            initial_epoch: index of the first epoch.
            steps_per_epoch: steps of an epoch; all batches for None.
            validation_steps: steps of a validation; all batches for None.
            validation_batch_size: `batch_size` for None.
            validation_freq: validate each so many epochs, or after the epochs listed, from 1.

        Returns:
            History with the results of each epoch as floats in `history`.

        Raises:
            ValueError: an argument does not fit, or the model is not compiled.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.layers.Dense(1)])
            >>> model.compile("sgd", "mse")
            >>> history = model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=2, verbose=0)
            >>> len(history.history["loss"])
            2

        Source: https://keras.io/api/models/model_training_apis/#fit-method
        """
        self._assert_compile_called("fit")
        check_epochs("epochs", epochs)
        epochs = limited_epochs(epochs)
        check_epochs("initial_epoch", initial_epoch)
        check_count("validation_batch_size", validation_batch_size)
        check_count("validation_steps", validation_steps)
        if validation_split != 0:
            check_split(validation_split)
        if validation_split and validation_data is None:
            parts = train_validation_split((x, y, sample_weight), validation_split)
            (x, y, sample_weight), validation_data = parts
        source = adapt(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight)
        self._check_targets(source)
        data = Epochs(source, steps_per_epoch, self.steps_per_execution)
        validation = None
        if validation_data is not None:
            size = validation_batch_size or batch_size
            val = _unpack_validation(validation_data)
            validation = Epochs(
                adapt(*val, size, validation_steps), validation_steps, self.steps_per_execution
            )
        with closing(data):
            self._prepare(data)
            told = self._callbacks(callbacks, verbose, epochs, data, add_history=True)
            with told.telling():
                self._train_epochs(data, validation, told, initial_epoch, epochs, validation_freq)
        assert self.history is not None
        return self.history

    def _prepare(self, data: Epochs) -> None:
        """Build the model and its optimizer before the first callback."""
        if not self.built and self._needs_call():
            x, _, _ = unpack_x_y_sample_weight(to_tensors(data.peek()))
            with tape.paused():
                self._forward(x, training=False)
        if self.optimizer is not None and not self._overrides("train_step"):
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)

    def try_step(self, data: Epochs) -> None:
        """Make what the first step makes: metrics, and in a step of the user's own optimizers too.

        Weights, seeds and so on are to be put back behind it.

        Args:
            data: give the batch; it still comes.
        """
        batch = to_tensors(data.peek())
        if self._overrides("train_step", "compute_metrics"):
            self.train_step(batch)
        else:
            with tape.paused():
                self._test(batch)

    def _check_targets(self, source: Source) -> None:
        """Look at the first targets, for a loss that is known; a new one looks at its first."""
        loss = self._assert_compile_called("fit").loss
        if loss is not None and loss.built:
            _, y, _ = unpack_x_y_sample_weight(source.head())
            if y is not None:
                loss.check_targets(y)

    def _needs_call(self) -> bool:
        """False for a model of others that only its own `train_step` calls."""
        raise NotImplementedError

    def _callbacks(
        self,
        callbacks: CallbacksLike,
        verbose: Verbose,
        epochs: int,
        data: Epochs,
        add_history: bool = False,
    ) -> CallbackList:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                f'Argument `verbose` must be "auto", 0, 1 or 2. Received: verbose={short(verbose)}'
            )
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks,
            add_history=add_history,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=data.num_batches,
        )

    def _train_epochs(
        self,
        data: Epochs,
        validation: Epochs | None,
        callbacks: CallbackList,
        initial_epoch: int,
        epochs: int,
        validation_freq: int | Sequence[int],
    ) -> None:
        self.stop_training = False
        progress = Progress(self, data, callbacks, initial_epoch)
        callbacks.on_train_begin()
        progress.begin_training()
        logs = dict(progress.logs)
        first, last = progress.epoch, progress.epoch if progress.is_over(epochs) else epochs
        try:
            for epoch in range(first, last):
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                progress.begin_epoch()
                results = self._train_steps(data, callbacks, progress)
                if data.exhausted:
                    break
                logs = to_numbers(self._results(results))
                if validation is not None and _is_due(epoch, validation_freq):
                    validation.close()  # each validation sees the same steps
                    found = self._test_steps(validation, callbacks)
                    logs.update({f"val_{name}": value for name, value in found.items()})
                callbacks.on_epoch_end(epoch, logs)
                progress.end_epoch(epoch, logs)
                if self.stop_training:
                    break
        finally:
            if self.optimizer is not None and epochs > initial_epoch:
                self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)

    def _train_steps(self, data: Epochs, callbacks: CallbackList, progress: Progress) -> Logs:
        logs: Logs = progress.logs if progress.step else {}
        if progress.step and self.stop_training:  # a callback ended what is resumed here
            return logs
        compiled = self._assert_compile_called("fit")
        if self.built:
            compiled.variables = self.trainable_variables
        try:
            with closing(data.steps()) as steps:
                for begin, end, batches in steps:
                    callbacks.on_train_batch_begin(begin)
                    for batch in batches:
                        logs = self._run_step("train", batch)
                    callbacks.on_train_batch_end(end, logs)
                    progress.end_step(end, logs)
                    if self.stop_training:
                        break
        finally:
            compiled.variables = None
        return logs

    def _test_steps(self, data: Epochs, callbacks: CallbackList) -> dict[str, Structure]:
        logs: Logs = {}
        self.stop_evaluating = False
        callbacks.on_test_begin()
        self.reset_metrics()
        with closing(data.steps()) as steps:
            for begin, end, batches in steps:
                callbacks.on_test_batch_begin(begin)
                for batch in batches:
                    logs = self._run_step("test", batch)
                callbacks.on_test_batch_end(end, logs)
                if self.stop_evaluating:
                    break
        numbers = to_numbers(self._results(logs))
        callbacks.on_test_end(numbers)
        return numbers

    @entry
    def evaluate(
        self,
        x: Data = None,
        y: Data = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Data = None,
        steps: int | None = None,
        callbacks: CallbacksLike = None,
        return_dict: bool = False,
    ) -> Structure:
        """Loss and metrics on data.

        Args:
            x: as in `fit`.
            y: as in `fit`.
            batch_size: samples of a step; 32 for None. Only for arrays.
            verbose: as in `fit`.
            sample_weight: as in `fit`.
            steps: number of steps; all batches for None.
            callbacks: list of callbacks.
            return_dict: return a dict from name to result instead of a list.

        Returns:
            The loss, a float, or a list of loss and metrics in the order of `metrics_names`, or a
            dict.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.layers.Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse")
            >>> model.evaluate(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
            1.0

        Source: https://keras.io/api/models/model_training_apis/#evaluate-method
        """
        self._assert_compile_called("evaluate")
        source = adapt(x, y, sample_weight, batch_size, steps)
        self._check_targets(source)
        data = Epochs(source, steps, self.steps_per_execution)
        with closing(data):
            told = self._callbacks(callbacks, verbose, 1, data)
            with told.telling():
                logs = self._test_steps(data, told)
        return logs if return_dict else self._in_order(logs)

    @entry
    def predict(
        self,
        x: Data,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: CallbacksLike = None,
    ) -> Structure:
        """The outputs for inputs.

        It never changes the model, and several threads may call it at once. Arrays of one batch or
        less are computed at once, with a progress bar only if `verbose` is 1 or 2.

        Args:
            x: inputs as in `fit`, or batches of them.
            batch_size: samples of a step; 32 for None. Only for arrays.
            verbose: as in `fit`.
            steps: number of steps; all batches for None.
            callbacks: list of callbacks.

        Returns:
            NumPy array `(samples, ...)`, or the structure of them that the model returns. No
            samples give an array of size 0.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.layers.Dense(2)])
            >>> model.predict(np.ones((5, 3)), verbose=0).shape
            (5, 2)

        Source: https://keras.io/api/models/model_training_apis/#predict-method
        """
        check_count("batch_size", batch_size)
        if steps is None and not callbacks and _fits_one_batch(x, batch_size, verbose):
            return self.predict_on_batch(x)
        data = Epochs(adapt(x, None, None, batch_size, steps), steps, self.steps_per_execution)
        with closing(data):
            told = self._callbacks(callbacks, verbose, 1, data)
            with told.telling():
                found = self._predict_steps(data, told)
        return tree.map_structure(lambda *parts: np.concatenate(parts), *found)

    def _predict_steps(self, data: Epochs, callbacks: CallbackList) -> list[Structure]:
        if self.stop_predicting:
            self.stop_predicting = False
        found: list[Structure] = []
        callbacks.on_predict_begin()
        with closing(data.steps()) as steps:
            for begin, end, batches in steps:
                callbacks.on_predict_batch_begin(begin)
                found += [self._predict_batch(batch) for batch in batches]
                callbacks.on_predict_batch_end(end, {"outputs": found[-1]})
                if self.stop_predicting:
                    break
        callbacks.on_predict_end()
        return found

    @entry
    def train_on_batch(
        self,
        x: Data,
        y: Data = None,
        sample_weight: Data = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Structure:
        """One step of training.

        Args:
            x: inputs of one batch.
            y: targets.
            sample_weight: as in `fit`.
            class_weight: as in `fit`.
            return_dict: return a dict from name to result instead of a list.

        Returns:
            As `evaluate`, for this batch.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.layers.Dense(1, kernel_initializer="zeros")])
            >>> model.compile("sgd", "mse")
            >>> model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
            1.0

        Source: https://keras.io/api/models/model_training_apis/#train_on_batch-method
        """
        self._assert_compile_called("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(
                    "Arguments `sample_weight` and `class_weight` cannot be specified at the same "
                    "time."
                )
            sample_weight = class_weight_to_sample_weights(y, class_weight)
        return self._on_batch("train", x, y, sample_weight, return_dict)

    @entry
    def test_on_batch(
        self, x: Data, y: Data = None, sample_weight: Data = None, return_dict: bool = False
    ) -> Structure:
        """Loss and metrics on one batch.

        Args:
            x: inputs.
            y: targets.
            sample_weight: as in `fit`.
            return_dict: return a dict from name to result instead of a list.

        Returns:
            As `evaluate`.

        Source: https://keras.io/api/models/model_training_apis/#test_on_batch-method
        """
        self._assert_compile_called("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    def _on_batch(
        self, kind: str, x: Structure, y: Structure, sample_weight: Structure, return_dict: bool
    ) -> Structure:
        data = to_arrays(x, "x"), to_arrays(y, "y"), to_arrays(sample_weight, "sample_weight")
        count_samples(*data)
        self.reset_metrics()
        logs = to_numbers(self._run_step(kind, pack_x_y_sample_weight(*data)))
        return logs if return_dict else self._in_order(logs)

    @entry
    def predict_on_batch(self, x: Data) -> Structure:
        """The outputs for inputs that fit into one batch.

        Args:
            x: inputs.

        Returns:
            NumPy array, or the structure of them that the model returns.

        Source: https://keras.io/api/models/model_training_apis/#predict_on_batch-method
        """
        if isinstance(x, (list, tuple)):  # several inputs, not a batch with targets
            return self._predict_batch(pack_x_y_sample_weight(to_arrays(x, "x")))
        return self._predict_batch(x)

    def _predict_batch(self, batch: Structure) -> Structure:
        return self._run_planned("predict", batch, self._predict, _to_numpy)


def _to_numpy(outputs: Structure) -> Structure:
    # Copies: an output may share its memory with an input or a weight.
    if type(outputs) is np.ndarray:
        return outputs.copy()
    return tree.map_structure(np.array, outputs)


def _fits_one_batch(x: Structure, batch_size: int | None, verbose: Verbose) -> bool:
    if isinstance(x, (Tensor, np.ndarray)):
        samples = x.shape[0] if x.shape else 1
    elif x is not None and holds_arrays(x):
        samples = count_samples(to_arrays(x, "x", rows_or_array))
    else:
        return False
    return samples == 0 or (verbose in ("auto", 0) and samples <= (batch_size or 32))


def _unpack_validation(validation_data: Data) -> tuple[Structure, Structure, Structure]:
    if isinstance(validation_data, (list, tuple)):
        return unpack_x_y_sample_weight(validation_data)
    return validation_data, None, None


def _is_due(epoch: int, validation_freq: int | Sequence[int]) -> bool:
    if isinstance(validation_freq, int) and validation_freq > 0:
        return (epoch + 1) % validation_freq == 0
    if isinstance(validation_freq, (list, tuple, set)):
        return epoch + 1 in validation_freq
    raise ValueError(
        "Argument `validation_freq` must be a positive integer or a list of epochs. "
        f"Received: validation_freq={short(validation_freq)} (of type "
        f"{type(validation_freq).__name__})"
    )
