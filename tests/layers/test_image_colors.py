"""Layers for colors: against Keras by the same transformation, and what holds for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from tests.layers.image_cases import ALWAYS, COLORS, MIXED, SHAPE, options_of, photos
from tests.layers.image_parity import compare, data_for

ALL = [*COLORS, *MIXED]
# With integers Keras adds in their dtype, where too much begins again, or refuses them.
FLOATS_IN_KERAS = {"RandomBrightness", "RandomSaturation"}
# Keras draws the transformation anew; for a batch it makes one histogram.
ELSEWHERE = {"RandomColorJitter", "Equalization"}
# Of steps: a value at an edge may lie on either side.
JUMPS = {"RandomPosterization", "Solarization", "ContrastLimitedAdaptiveHistogramEqualization"}


# Which changes they run is read from tensors.
READ_BY_PYTHON = {"RandAugment", "AugMix"}
# What they do to boxes and masks is not defined, or takes other arguments.
IMAGES_IN_KERAS = {"RandomGrayscale", "ContrastLimitedAdaptiveHistogramEqualization"}


def as_first(images: np.ndarray) -> np.ndarray:
    return np.moveaxis(images, -1, -3)


def made(name: str, **options: Any) -> Any:
    return getattr(layers, name)(**options_of(name, **options))


def check(name: str, dtype: str, high: float, data_format: str = "channels_last") -> None:
    data = data_for(SHAPE)
    data["images"] = photos(dtype, high)
    if data_format == "channels_first":
        data["images"] = as_first(data["images"]).copy()
    if name in IMAGES_IN_KERAS:
        data = {"images": data["images"]}
    options = options_of(name, value_range=(0, high), data_format=data_format)
    options["bounding_box_format"] = "xyxy"
    is_half = dtype == "float16"
    if is_half:
        options["dtype"] = "float16"
    floats = name in FLOATS_IN_KERAS and dtype == "uint8"
    compare(name, options, data, 6e-3 if is_half else 1e-5, floats_for_keras=floats)


@pytest.mark.parametrize("name", ["RandomContrast", "RandomHue"])
def test_images_are_those_of_keras(name: str, oracle: Any) -> None:
    check(name, "float32", 255.0)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in COLORS if name not in ELSEWHERE])
@pytest.mark.parametrize(
    ("dtype", "high"), [("float32", 255.0), ("float32", 1.0), ("uint8", 255.0)]
)
def test_dtypes_and_ranges(name: str, dtype: str, high: float, oracle: Any) -> None:
    check(name, dtype, high)


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name in COLORS if name not in ELSEWHERE | {"AutoContrast"}]
)
def test_channels_first_in_keras(name: str, oracle: Any) -> None:
    check(name, "float32", 255.0, "channels_first")


@pytest.mark.long
@pytest.mark.parametrize(
    "name",  # Keras computes contrast in the dtype of the factor
    [name for name in COLORS if name not in ELSEWHERE | JUMPS | {"RandomContrast"}],
)
def test_half_types(name: str, oracle: Any) -> None:
    check(name, "float16", 1.0)


@pytest.mark.long
def test_jitter_without_chance_is_that_of_keras(oracle: Any) -> None:
    options = {
        "brightness_factor": (0.1, 0.1),
        "contrast_factor": (0, 0),
        "saturation_factor": (0.3, 0.3),
        "hue_factor": (1.0, 1.0),  # half a turn: the same in both directions
    }
    compare("RandomColorJitter", options, {"images": photos()})


@pytest.mark.long
def test_equalization_of_one_image_is_that_of_keras(oracle: Any) -> None:
    # Keras counts `x * 255 / 255`, and looks up `x / 255 * 255`: whole numbers may be the next one.
    images = np.random.default_rng(2).uniform(0.0, 255.0, (1, 12, 16, 3)).astype("float32")
    for bins, high in ((256, 255.0), (16, 1.0)):
        data = {"images": images * (high / 255.0)}
        compare("Equalization", {"bins": bins, "value_range": (0, high)}, data)


@pytest.mark.parametrize("name", ALL)
def test_layouts_single_images_and_backends(name: str) -> None:
    images = photos()
    with nkeras.use_backend("numpy"):
        layer = made(name)
        wanted = layer(images, training=True).numpy()
        assert wanted.shape == SHAPE
        assert wanted.dtype == np.float32
        assert (wanted != images).any()
        off = layer(images, training=False).numpy()
        assert name in ALWAYS or (off == images).all()
        first = made(name, data_format="channels_first")(as_first(images), training=True)
        if name != "RandomErasing":  # whose noise lies the other way
            np.testing.assert_allclose(first.numpy(), as_first(wanted), 1e-4, 2e-3)
        one = made(name)(images[0], training=True).numpy()
        assert one.shape == SHAPE[1:]
        if name == "CutMix":
            np.testing.assert_array_equal(one, images[0])
    with nkeras.use_backend("numba_cpu"):
        found = made(name)(images, training=True).numpy()
        np.testing.assert_allclose(found, wanted, 1e-4, 2e-3)
        x = nkeras.Input((None, None, 3))
        model = nkeras.Model(x, made(name)(x))
        assert model.output_shape == (None, None, None, 3)
        np.testing.assert_array_equal(model(images, training=True).numpy(), found)


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
def test_replayed_functions_draw_anew(name: str) -> None:
    layer, plain = made(name), made(name)
    images = ops.convert_to_tensor(photos())
    compiled = nkeras.function(lambda x: layer(x, training=True))
    seen = set()
    for _ in range(6):
        found = compiled(images).numpy()
        np.testing.assert_array_equal(found, plain(images, training=True).numpy())
        seen.add(found.tobytes())
    assert bool(compiled.refusals()) == (name in READ_BY_PYTHON)
    assert len(seen) > 1 or name in ALWAYS | {"Equalization"}


@pytest.mark.parametrize("name", list(COLORS))
def test_what_lies_beside_images_stays(name: str) -> None:
    data = data_for(SHAPE) | {"labels": np.eye(4, dtype="float32"), "other": "kept"}
    found = made(name, bounding_box_format="xyxy")(data, training=True)
    np.testing.assert_array_equal(found["labels"], data["labels"])
    np.testing.assert_array_equal(found["segmentation_masks"], data["segmentation_masks"])
    for key, value in data["bounding_boxes"].items():
        np.testing.assert_array_equal(found["bounding_boxes"][key], value)
    assert found["other"] == "kept"


def test_brightness() -> None:
    drawn = made("RandomBrightness", factor=(-0.2, 0.4)).get_random_transformation(
        np.zeros((4000, 1, 1, 3))
    )
    change = drawn["rgb_delta"].numpy() / 255
    assert change.shape == (4000, 1, 1, 1)
    assert -0.2 <= change.min() < -0.19
    assert 0.39 < change.max() < 0.4
    assert abs(change.mean() - 0.1) < 0.01
    images = np.full((1, 1, 1, 3), 100, "uint8")
    assert layers.RandomBrightness((1.0, 1.0))(images).numpy().tolist() == [[[[255.0] * 3]]]
    assert layers.RandomBrightness((-1.0, -1.0))(images).numpy().tolist() == [[[[0.0] * 3]]]


def test_contrast_goes_both_ways() -> None:
    layer = layers.RandomContrast(0.5, seed=1)
    assert layer.factor == (0.5, 0.5)
    drawn = layer.get_random_transformation(np.zeros((4000, 1, 1, 3)))["contrast_factor"].numpy()
    assert 0.5 <= drawn.min() < 0.51
    assert 1.49 < drawn.max() < 1.5
    images = photos()
    flat = layers.RandomContrast((1.0, 0.0)).transform_images(images, {"contrast_factor": [0.0]})
    mean = images.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(flat, np.broadcast_to(mean, SHAPE), 1e-5)


def test_invert_knows_both_ends_of_its_range() -> None:
    layer = layers.RandomInvert((1.0, 1.0), value_range=(-1, 3))
    assert layer([[[-1.0, 0.5, 3.0]]]).numpy().tolist() == [[[3.0, 1.5, -1.0]]]
    np.testing.assert_array_equal(layers.RandomInvert(0.0)(photos()), photos())


def test_posterization_keeps_bits() -> None:
    layer = layers.RandomPosterization(5, seed=3)
    assert layer.factor == (1, 5)
    images = photos("uint8")
    drawn = layer.get_random_transformation(np.zeros((500, 1, 1, 3)))["shift_factor"].numpy()
    assert sorted(set(drawn.tolist())) == [3, 4, 5, 6, 7]
    for shift in (3, 7):
        found = layer.transform_images(images, {"shift_factor": [shift] * 4})
        np.testing.assert_array_equal(found, images >> shift << shift)
    always = layers.RandomPosterization((2, 2), value_range=(0, 1))
    values = always([[[0.1, 0.3, 0.6, 1.0]]]).numpy()
    np.testing.assert_allclose(values[0, 0] * 255, [0, 64, 128, 192], atol=1e-4)


@pytest.mark.parametrize(("value", "wanted"), [(0, 255), (64, 191), (127, 128), (191, 64)])
def test_solarization(value: int, wanted: int) -> None:
    images = np.full((2, 2, 2, 3), value, "uint8")
    assert (layers.Solarization()(images).numpy() == wanted).all()
    above = layers.Solarization(threshold_factor=(128 / 255, 128 / 255))(images).numpy()
    assert (above == (wanted if value >= 128 else value)).all()
    added = layers.Solarization((0.2, 0.2), (1.0, 1.0), value_range=(0, 510))(images)
    np.testing.assert_allclose(added, value + 102, rtol=1e-6)


def test_saturation() -> None:
    images = photos()
    grey = layers.RandomSaturation((0.0, 0.0))(images).numpy()
    np.testing.assert_array_equal(grey, np.broadcast_to(images.max(-1, keepdims=True), SHAPE))
    same = layers.RandomSaturation((0.5, 0.5))(images).numpy()
    np.testing.assert_allclose(same, images, 1e-4, 1e-2)
    full = layers.RandomSaturation((1.0, 1.0))(images).numpy()
    colored = np.ptp(images, -1) > 0
    np.testing.assert_allclose(full[colored].min(-1), 0.0, atol=1e-3)
    np.testing.assert_array_equal(full[~colored], images[~colored])
    assert layers.RandomSaturation(0.4).factor == (0, 0.4)


def test_hue_turns_round() -> None:
    images = photos(high=1.0)
    layer = layers.RandomHue(1.0, value_range=(0, 1), seed=2)
    there = layer.transform_images(images, {"factor": [0.3, -0.3, 0.5, 1.0]})
    back = layer.transform_images(there, {"factor": [-0.3, 0.3, 0.5, 0.0]})
    np.testing.assert_allclose(back, images, atol=1e-5)
    np.testing.assert_allclose(there.numpy().max(-1), images.max(-1), atol=1e-6)
    drawn = layer.get_random_transformation(np.zeros((4000, 1, 1, 3)))["factor"].numpy()
    assert (np.abs(drawn) <= 0.5).all()
    assert 0.45 < (drawn < 0).mean() < 0.55


def test_grey_keeps_the_dtype() -> None:
    images = photos("uint8")
    found = layers.RandomGrayscale(1.0)(images)
    assert found.dtype == "uint8"
    assert (np.ptp(found.numpy(), -1) == 0).all()
    drawn = layers.RandomGrayscale(0.25, seed=1).get_random_transformation(
        np.zeros((4000, 1, 1, 3))
    )
    assert abs(drawn.numpy().mean() - 0.25) < 0.03


def test_jitter_of_one_kind_is_its_layer() -> None:
    images = photos()
    for kind, name in (
        ("brightness", "RandomBrightness"),
        ("contrast", "RandomContrast"),
        ("saturation", "RandomSaturation"),
        ("hue", "RandomHue"),
    ):
        jitter = layers.RandomColorJitter(**{f"{kind}_factor": (0.4, 0.4)}, seed=3)
        single = getattr(layers, name)((0.4, 0.4))
        drawn = jitter.get_random_transformation(images)
        assert list(drawn) == [f"random_{kind}"]
        np.testing.assert_array_equal(
            jitter.transform_images(images, drawn),
            single.transform_images(images, drawn[f"random_{kind}"]),
        )


def test_blur_and_sharpness() -> None:
    ones = np.ones((1, 2, 2, 3), "float32")
    drawn = {"blur_factor": [0.3732, 0.8654], "should_apply_blur": [True]}
    blurred = layers.RandomGaussianBlur().transform_images(ones, drawn)
    np.testing.assert_allclose(blurred, np.full_like(ones, 0.7273), atol=1e-4)
    images = photos()
    np.testing.assert_array_equal(layers.RandomGaussianBlur(0)(images), images)
    np.testing.assert_allclose(layers.RandomSharpness((0.5, 0.5))(images), images, atol=1e-4)
    assert layers.RandomGaussianBlur(sigma=2.5).sigma == (0, 2.5)


def test_auto_contrast() -> None:
    images = np.arange(1.0, 13.0, dtype="float32").reshape(1, 2, 2, 3)
    found = layers.AutoContrast()(images).numpy()
    wanted = np.array([0.0, 85.0, 170.0, 255.0])
    np.testing.assert_allclose(found.reshape(4, 3), np.repeat(wanted[:, None], 3, 1), 1e-6)
    flat = np.full((1, 2, 2, 3), 9.0, "float32")
    np.testing.assert_array_equal(layers.AutoContrast()(flat), flat)
    np.testing.assert_array_equal(layers.AutoContrast()(flat.astype("uint8")), flat)


def test_equalization_makes_values_frequent_alike() -> None:
    random = np.random.default_rng(1)
    images = (random.uniform(0, 1, (2, 64, 64, 3)) ** 3 * 255).astype("float32")
    found = layers.Equalization()(images).numpy()
    counts, _ = np.histogram(found, 8, (0, 255.01))
    assert counts.min() > 0.7 * counts.mean()
    alone = layers.Equalization()(images[:1]).numpy()
    np.testing.assert_array_equal(found[:1], alone)  # images do not see their neighbours
    flat = np.full((1, 8, 8, 3), 128.0, "float32")
    np.testing.assert_array_equal(layers.Equalization()(flat), flat)


def test_tiles_raise_the_contrast_of_their_own() -> None:
    images = np.zeros((1, 32, 32, 1), "float32")
    images[0, :, 16:] = 200.0
    images += np.random.default_rng(1).uniform(0, 10, images.shape).astype("float32")
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization(
        tile_grid_size=(2, 2), clip_limit=0.0
    )
    found = layer(images).numpy()
    assert found[0, :, :8].std() > 50
    assert found[0, :, 24:].std() > 50
    assert layer(images.astype("uint8")).dtype == "uint8"


def test_erasing() -> None:
    images = np.full((400, 10, 10, 3), 50.0, "float32")
    layer = layers.RandomErasing((1.0, 1.0), (0.25, 0.25), (0, 100, 300), seed=4)
    found = layer(images).numpy()
    erased = found[..., 0] != 50
    assert erased.sum((1, 2)).max() <= 36
    assert abs(erased.mean() - 0.25) < 0.02
    np.testing.assert_array_equal(found[erased], np.tile([0.0, 100.0, 255.0], (erased.sum(), 1)))
    noisy = layers.RandomErasing((1.0, 1.0), (1.0, 1.0), value_range=(0, 1), seed=4)(images)
    values = noisy.numpy()
    assert abs((values == 0).mean() - 0.5) < 0.01
    assert abs((values == 1).mean() - 0.1587) < 0.01
    untouched = layers.RandomErasing(0.0)(images)
    np.testing.assert_array_equal(untouched, images)
    drawn = {
        "apply_erasing": np.array([True]),
        "batch_masks": np.array([[[[True], [False]], [[False], [False]]]]),
        "fill_value": 0,
    }
    found = layers.RandomErasing().transform_images(np.ones((1, 2, 2, 1)), drawn)
    assert found.numpy()[0, ..., 0].tolist() == [[0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("RandomBrightness", {"factor": 1.1}, "argument `factor` must be .* from -1 to 1"),
        ("RandomBrightness", {"value_range": "wide"}, "argument `value_range` must be two numbers"),
        ("RandomContrast", {"value_range": [10]}, "argument `value_range` must be two numbers"),
        ("RandomContrast", {"factor": (0.1, 0.2, 0.3)}, "argument `factor` must be a number, or"),
        ("RandomPosterization", {"factor": 9}, "argument `factor` must be .* from 1 to 8"),
        ("Solarization", {"threshold_factor": 1.5}, "argument `threshold_factor` must be"),
        ("RandomGrayscale", {"factor": -0.1}, "argument `factor` must be a number from 0 to 1"),
        ("RandomGaussianBlur", {"kernel_size": 4}, "argument `kernel_size` must be an odd number"),
        ("RandomGaussianBlur", {"sigma": -1.0}, "argument `sigma` must be"),
        ("Equalization", {"bins": 1}, "argument `bins` must be an int of at least 2"),
        (
            "ContrastLimitedAdaptiveHistogramEqualization",
            {"tile_grid_size": 8},
            "argument `tile_grid_size` must be two positive int",
        ),
        ("RandomErasing", {"fill_value": (1, 2)}, "argument `fill_value` must be a number, three"),
        ("RandomErasing", {"scale": 2.0}, "argument `scale` must be"),
        ("RandAugment", {"num_ops": -1}, "argument `num_ops` must be an int"),
        ("RandAugment", {"interpolation": "cubic"}, "argument `interpolation` must be"),
        ("AugMix", {"alpha": 0}, "argument `alpha` must be a positive number"),
        ("AugMix", {"num_chains": 0}, "argument `num_chains` must be a positive int"),
        ("MixUp", {"alpha": -1}, "argument `alpha` must be a positive number"),
        ("CutMix", {"factor": 2.0}, "argument `factor` must be"),
    ],
)
def test_bad_arguments_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        made(name, **options)


@pytest.mark.parametrize(
    "name", ["RandomSaturation", "RandomHue", "RandomColorDegeneration", "RandomColorJitter"]
)
def test_colors_have_three_channels(name: str) -> None:
    with pytest.raises(ValueError, match=r"must have 3 channels .*Received 1 channels"):
        made(name)(np.zeros((2, 8, 8, 1)), training=True)
