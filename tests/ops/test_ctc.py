"""CTC against all alignments one by one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import losses, ops

MASK = 1


def label_probabilities(logits: np.ndarray, mask: int = MASK) -> dict[tuple[int, ...], float]:
    """The probability of each label sequence, summed over all alignments."""
    steps, classes = logits.shape
    chances = np.exp(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(classes), repeat=steps):
        labels = tuple(c for c, _ in itertools.groupby(path) if c != mask)
        found[labels] += float(np.prod(chances[np.arange(steps), path]))
    return found


LOGITS = np.random.default_rng(4).normal(size=(6, 3))


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("labels", [(0,), (2, 2), (0, 2), (2, 0, 0), (0, 2, 0, 2), (0, 0, 2)])
def test_loss_is_the_sum_over_alignments(labels: tuple[int, ...], backend: str) -> None:
    expected = -np.log(label_probabilities(LOGITS)[labels])
    target = np.array([[*labels, 7, 7]])  # what stands behind the labels does not matter
    with nkeras.use_backend(backend):
        found = ops.ctc_loss(target, LOGITS[None], [len(labels)], [len(LOGITS)], mask_index=MASK)
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_labels_without_an_alignment(backend: str) -> None:
    """The loss is inf, as the definition says, and the others of the batch still train."""
    logits = np.stack([LOGITS, LOGITS]).astype("float32")
    target = np.array([[0, 0, 0, 2], [0, 2, 0, 2]])
    with nkeras.use_backend(backend), nkeras.GradientTape() as tape:
        x = nkeras.Variable(logits)
        found = ops.ctc_loss(target, x, [4, 4], [5, 6], mask_index=MASK)
        gradient = np.asarray(tape.gradient(found, x))
    assert np.isinf(found.numpy()).tolist() == [True, False]
    assert np.all(gradient[0] == 0)
    assert np.all(np.isfinite(gradient[1]))
    assert np.any(gradient[1] != 0)


def test_long_sequences_and_sure_models() -> None:
    logits = np.zeros((1, 2000, 20), "float32")
    logits[..., 3] = 200.0
    target = np.arange(1, 20, dtype="int32")[None]
    found = ops.ctc_loss(target, logits, [19], [2000])
    expected = ops.ctc_loss(target, logits.astype("float64"), [19], [2000])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_wide_beams_find_the_best_sequences() -> None:
    best = sorted(label_probabilities(LOGITS).items(), key=lambda item: -item[1])[:4]
    labels, scores = ops.ctc_decode(
        LOGITS[None], [6], "beam_search", beam_width=500, top_paths=4, mask_index=MASK
    )
    np.testing.assert_allclose(scores[0], [np.log(chance) for _, chance in best], rtol=1e-9)
    for row, (path, _) in zip(labels.numpy()[:, 0], best, strict=True):
        assert row.tolist() == [*path, *[-1] * (6 - len(path))]


def test_fewer_sequences_than_paths() -> None:
    labels, scores = ops.ctc_decode(LOGITS[None, :1], [0], "beam_search", top_paths=2)
    assert np.all(labels.numpy() == -1)
    np.testing.assert_array_equal(scores, [[0.0, -np.inf]])


def test_greedy_scores_have_gradients() -> None:
    x = nkeras.Variable(LOGITS[None].astype("float32"))
    with nkeras.GradientTape() as tape:
        scores = ops.ctc_decode(x, [4])[1]
    gradient = np.asarray(tape.gradient(scores, x))
    assert gradient.sum() == -4.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: ops.ctc_loss([[5]], x, [1], [6]), "label 5 in `target` is out of range"),
        (lambda x: ops.ctc_loss([[1]], x[0], [1], [6]), "`output` must have shape"),
        (lambda x: ops.ctc_loss([1], x, [1], [6]), "`target` must have shape"),
        (lambda x: ops.ctc_loss([[1]], x, [1, 2], [6]), "`target_length` must have shape"),
        (lambda x: ops.ctc_loss([[1]], x, [1], [6], mask_index=3), "`mask_index` must be in"),
        (lambda x: ops.ctc_decode(x, [6], "best"), "`strategy` must be"),
        (lambda x: ops.ctc_decode(x, [6], mask_index=-1), "`mask_index` must be in"),
        (lambda x: ops.ctc_decode(x, [6, 6]), "`sequence_lengths`"),
        (lambda x: ops.ctc_decode(x, [6], "beam_search", beam_width=0), "`beam_width` must be"),
        (lambda x: losses.ctc([1], x), "`y_true` must have shape"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call(LOGITS[None])


def test_symbolic_shapes() -> None:
    x, lengths = nkeras.KerasTensor((None, 6, 3)), nkeras.KerasTensor((None,), "int32")
    target = nkeras.KerasTensor((None, 2), "int32")
    assert ops.ctc_loss(target, x, lengths, lengths).shape == (None,)
    for strategy, paths in (("greedy", 1), ("beam_search", 3)):
        labels, scores = ops.ctc_decode(x, lengths, strategy, top_paths=3)
        assert labels.shape == (paths, None, 6)
        assert scores.shape == (None, paths)


def test_a_model_learns_to_spell() -> None:
    nkeras.utils.set_random_seed(3)
    random = np.random.default_rng(0)
    x = random.normal(size=(8, 6, 4)).astype("float32")
    y = random.integers(1, 4, (8, 2)).astype("int32")
    model = nkeras.Sequential([nkeras.layers.Flatten(), nkeras.layers.Dense(24)])
    model.add(nkeras.layers.Reshape((6, 4)))
    model.compile(nkeras.optimizers.Adam(0.05), losses.CTC())
    history = model.fit(x, y, epochs=60, batch_size=4, verbose=0)
    assert not model._plans.refusals()
    assert history.history["loss"][-1] < 0.05
    labels, _ = ops.ctc_decode(model.predict(x, verbose=0), np.full(8, 6))
    np.testing.assert_array_equal(labels[0, :, :2], y)
