"""Pages in a real browser: they open, compute as Python does, and say where values come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.inspect.visualise import visualise
from tests.inspect.browser import PROGRAM, Browser, Tab
from tests.inspect.models import residual

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not PROGRAM, reason="no Chromium is installed"),
]
RANDOM = np.random.default_rng(5)


def lenet() -> nkeras.Model:
    return nkeras.Sequential(
        [
            nkeras.Input((12, 12, 1), name="image"),
            layers.Conv2D(3, 3, activation="relu", bias_initializer="ones", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(4, activation="softmax", name="classes"),
        ],
        name="lenet",
    )


def u_net() -> nkeras.Model:
    x = inputs = nkeras.Input((9, 12, 2))
    x = left = layers.Conv2D(3, 3, padding="same", activation="elu")(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same", dilation_rate=1)(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.BatchNormalization(gamma_initializer="random_normal")(x)
    x = layers.LeakyReLU(negative_slope=0.1)(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.Cropping2D(((1, 0), (0, 0)))(x)
    x = layers.Concatenate()([x, left])
    x = layers.AveragePooling2D(3, 2, padding="same")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(layers.UpSampling2D(2)(x))
    x = layers.Conv2D(4, (1, 3), groups=2, activation="gelu")(x)
    return nkeras.Model(inputs, layers.LayerNormalization()(x) * 3.0 + 1.0, name="u_net")


def sequences() -> nkeras.Model:
    ids = nkeras.Input((7,), dtype="int32")
    x = layers.Embedding(11, 4)(ids)
    x = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="silu")(x)
    y = layers.GlobalMaxPooling1D()(x)
    z = layers.GlobalAveragePooling1D()(layers.Conv1DTranspose(6, 2, strides=2)(x))
    x = layers.Multiply()([layers.Dense(6, activation="sigmoid")(y), layers.Softmax()(z)])
    return nkeras.Model(ids, layers.Reshape((2, 3))(layers.Average()([x, y])), name="sequences")


def nested() -> nkeras.Model:
    inner = nkeras.Sequential(
        [nkeras.Input((3,)), layers.Dense(4, activation="mish"), layers.Dense(3)], name="inner"
    )
    x = nkeras.Input((3,))
    return nkeras.Model(x, layers.Subtract()([inner(inner(x)), x]), name="nested")


def samples_of(model: nkeras.Model, count: int = 3) -> np.ndarray:
    shape = (count, *model.input_shape[1:])
    if "int" in str(model.input.dtype):
        return RANDOM.integers(0, 11, shape).astype("int32")
    return RANDOM.normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Callable[..., Tab]:
    """Writes the page of a model and opens it."""

    def opened(model: nkeras.Model, samples: np.ndarray, *more: Any, **named: Any) -> Tab:
        dark = named.pop("dark", False)
        return Tab(
            browser,
            Path(visualise(model, samples, tmp_path / "page.html", *more, **named).path),
            dark,
        )

    return opened


def check(tab: Tab) -> None:
    assert tab.errors == []
    assert tab.requests == []


@pytest.mark.parametrize("make", [lenet, u_net, sequences, nested])
def test_the_live_pass_is_that_of_python(show: Any, make: Any) -> None:
    model = make()
    tab = show(model, samples_of(model))
    found = tab.run(
        """
        const given = model.page.inputs.map(i => (
          { shape: model.boxes[i].live.result, data: model.valueOf(i).data }));
        found.values = model.forward(given).map((value, number) => {
          const known = model.valueOf(number);
          const far = Math.max(...value.data.map((v, i) => Math.abs(v - known.data[i])));
          return { key: model.boxes[number].key, shape: value.shape, known: known.shape, far };
        });
        """
    )
    assert len(found["values"]) >= 5
    for value in found["values"]:
        assert value["shape"] == value["known"], value
        assert value["far"] < 1e-4, value
    check(tab)


def test_drawing_changes_the_prediction(show: Any) -> None:
    model = lenet()
    images = np.abs(samples_of(model))
    tab = show(model, images, ["a", "b", "c", "<d>"], [0, 1, 3])
    found = tab.run(
        """
        found.first = text("prediction");
        press("]"); await later();
        found.second = model.shown.sample;
        const { left, top } = document.getElementById("pad").getBoundingClientRect();
        found.pad = [left, top];
        """
    )
    assert "<d>" in found["first"]
    assert found["second"] == 1
    left, top = found["pad"]
    tab.mouse("Moved", left + 60, top + 60)
    tab.mouse("Pressed", left + 60, top + 60, True)
    for step in range(10):
        tab.mouse("Moved", left + 60 + 10 * step, top + 60 + 8 * step, True)
    tab.mouse("Released", left + 150, top + 132)
    after = tab.run(
        """
        found.sample = model.shown.sample; found.prediction = text("prediction");
        found.x = [...model.valueOf(0).data]; found.y = [...model.valueOf(4).data];
        document.getElementById("clear").click(); await later();
        found.cleared = [...model.valueOf(0).data];
        const own = new OffscreenCanvas(24, 24), drawn = own.getContext("2d");
        drawn.fillStyle = "white"; drawn.fillRect(12, 0, 12, 24);
        const dropped = new DataTransfer();
        dropped.items.add(new File([await own.convertToBlob()], "one.png"));
        const drop = { dataTransfer: dropped, bubbles: true, cancelable: true };
        view.dispatchEvent(new DragEvent("drop", drop));
        for (let i = 0; i < 100 && new Set(model.valueOf(0).data).size < 2; i++) await later();
        found.dropped = [...model.valueOf(0).data];
        model.choose(2);
        const buttons = [...document.querySelectorAll("#own button")];
        buttons.find(one => one.innerText === "Copy sample").click();
        await later(); await later();
        found.copied = [model.shown.sample, ...model.valueOf(0).data];
        """
    )
    assert after["sample"] == -1
    assert after["prediction"] != found["first"]
    drawn = np.array(after["x"], "float32").reshape(1, 12, 12, 1)
    assert (drawn > drawn.max() / 2).sum() > 8
    np.testing.assert_allclose(after["y"], model(drawn).numpy()[0], atol=1e-4)
    assert len(set(after["cleared"])) == 1
    halves = np.array(after["dropped"]).reshape(12, 12)
    assert halves[:, 6:].min() == pytest.approx(images.max(), rel=1e-5)
    assert halves[:, :6].max() == pytest.approx(images.min(), abs=1e-6)
    assert after["copied"][0] == -1
    np.testing.assert_allclose(after["copied"][1:], images[2].ravel(), atol=1e-5)
    check(tab)


def test_a_click_opens_the_arithmetic(show: Any) -> None:
    model = lenet()
    images = np.abs(samples_of(model))
    tab = show(model, images)
    place = tab.run('model.choose(1); found.spot = spot(named("conv"), 2, 4, 5)')["spot"]
    tab.mouse("Moved", *place)
    hovered = tab.run('found.tip = text("tip"); found.field = model.chosen.fields[0]')
    unit = model.activations(images)["conv"][1, 4, 5, 2]
    assert hovered["tip"].startswith("conv[4, 5, 2] = ")
    assert float(hovered["tip"].split(" = ")[1]) == pytest.approx(unit, rel=1e-3)
    assert hovered["field"] == {"lo": [4, 5], "hi": [6, 7]}
    tab.click(*place)
    found = tab.run(
        """
        found.panel = text("panel");
        found.drawings = document.querySelectorAll("#panel canvas").length;
        document.querySelector("#panel .go").click(); await later();
        found.followed = model.boxes[model.chosen.box].key;
        """
    )
    assert "bias 1" in found["panel"]
    assert "relu(" in found["panel"]
    assert found["panel"].count("image[") == 9
    assert found["drawings"] == 7  # values; patch, filter, products; filters, spreads
    assert found["followed"] == "image"
    place = tab.run('found.spot = spot(named("classes"), 0, 0, 1)')["spot"]
    tab.click(*place)
    words = tab.run('found.panel = text("panel")')["panel"]
    assert "softmax(" in words
    assert "smaller ones" in words
    check(tab)


def test_keys_themes_and_tables(show: Any, tmp_path: Path) -> None:
    model = lenet()
    tab = show(model, np.abs(samples_of(model)), dark=True)
    found = tab.run(
        """
        const colour = () => getComputedStyle(document.body).backgroundColor;
        found.dark = colour(); press("d"); found.light = colour();
        model.select(0); view.focus(); press("Home", view);
        const isDown = model.page.layouts[0].places[0] === model.boxes[0].place;
        press(isDown ? "ArrowDown" : "ArrowRight", view);
        press("Enter", view); await later();
        found.focus = [model.boxes[model.chosen.box].key, model.chosen.unit.index];
        const before = model.boxes[1].place; press("r");
        found.turned = before !== model.boxes[1].place;
        press("0"); const zoom = model.camera.zoom; press("+");
        found.zoomed = model.camera.zoom > zoom;
        press("Escape"); found.unit = model.chosen.unit;
        press("?"); found.dialog = document.getElementById("keys").open;
        found.rows = document.getElementById("table").rows.length;
        """
    )
    assert found["dark"] != found["light"]
    assert found["focus"] == ["conv", [0, 0, 0]]
    assert found["turned"]
    assert found["zoomed"]
    assert found["unit"] is None
    assert found["dialog"]
    assert found["rows"] == 6
    check(tab)


def test_in_space(show: Any) -> None:
    tab = show(lenet(), np.abs(samples_of(lenet())))
    found = tab.run(
        """
        press("3"); await later(); await later();
        const space = document.getElementById("space"), number = named("conv");
        const { grid } = model.paint(number), { left, top } = space.getBoundingClientRect();
        const [w, h] = [space.clientWidth, space.clientHeight];
        const [x, y, wide, high, z] = model.slabPlace(number, 1, grid);
        const corner = [x + (3 + 0.5) * wide / grid.columns, y - (2 + 0.5) * high / grid.rows, z];
        const at = model.project(model.eyeMatrix(w, h), corner, w, h);
        found.at = [left + at[0], top + at[1]];
        found.hidden = [view.hidden, space.hidden];
        const pixels = new Uint8Array(w * h * 4), gl = space.getContext("webgl2");
        model.drawSpace();
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
        const seen = new Set();
        for (let i = 0; i < pixels.length; i += 4) seen.add(pixels.slice(i, i + 3).join());
        found.colours = seen.size;
        found.error = gl.getError();
        """
    )
    assert found["hidden"] == [True, False]
    assert found["colours"] > 60
    assert found["error"] == 0
    tab.click(*found["at"])
    after = tab.run(
        """
        found.unit = [model.boxes[model.chosen.box].key, model.chosen.unit.index];
        found.yaw = model.orbit.yaw;
        """
    )
    assert after["unit"] == ["conv", [2, 3, 1]]
    x, y = 300.0, 700.0
    tab.mouse("Moved", x, y)
    tab.mouse("Pressed", x, y, True)
    for step in range(5):
        tab.mouse("Moved", x + 20 * step, y, True)
    tab.mouse("Released", x + 80, y)
    turned = tab.run('found.yaw = model.orbit.yaw; press("3"); found.flat = !view.hidden;')
    assert turned["yaw"] != after["yaw"]
    assert turned["flat"]
    check(tab)


def mlp() -> nkeras.Model:
    stack = [layers.Dense(size, activation="relu") for size in (32, 16)]
    return nkeras.Sequential([nkeras.Input((20,)), *stack, layers.Dense(3)], name="mlp")


def transformer() -> nkeras.Model:
    ids = nkeras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8)(ids)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, "relu")(x)))
    return nkeras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)), name="words")


def lstm() -> nkeras.Model:
    stack = [layers.LSTM(5, return_sequences=True), layers.LSTM(4), layers.Dense(2)]
    return nkeras.Sequential([nkeras.Input((9, 3)), *stack], name="lstm")


@pytest.mark.parametrize("make", [mlp, lenet, residual, u_net, transformer, lstm])
def test_it_draws(show: Any, make: Any) -> None:
    model = make()
    tab = show(model, samples_of(model))
    colours = tab.run(
        """
        await later();
        const { data } = view.getContext("2d").getImageData(0, 0, view.width, view.height);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
        found.colours = seen.size;
        """
    )["colours"]
    assert colours > 40
    tab.run('press("3"); await later(); press("3");')
    check(tab)


def test_a_model_that_the_page_cannot_compute_is_recorded(show: Any) -> None:
    x = nkeras.Input((5, 4))
    y = layers.LSTM(3, return_sequences=True, name="lstm")(x)
    model = nkeras.Model(x, layers.MultiHeadAttention(2, 2, name="attention")(y, y))
    tab = show(model, samples_of(model))
    assert "lstm: the page cannot compute LSTM." in tab.run('found.own = text("own")')["own"]
    tab.click(*tab.run('found.spot = spot(named("attention"), 0, 1, 2)')["spot"])
    found = tab.run(
        """
        found.panel = text("panel");
        found.scores = document.querySelectorAll("#panel .scores").length;
        """
    )
    assert "does not know how the layer computes" in found["panel"]
    assert found["scores"] == 2
    check(tab)


def test_signals_and_films(show: Any) -> None:
    sound = layers.Conv1D(3, 8, strides=4, name="conv")
    film = layers.Conv3D(2, 3, name="conv")
    for shape, layer, index in (((900, 2), sound, [450, 1]), ((5, 8, 6, 3), film, [3, 4, 2, 0])):
        model = nkeras.Sequential([nkeras.Input(shape), layer])
        images = samples_of(model)
        place = np.ravel_multi_index(index, shape) // (3 if len(shape) == 4 else 1)
        tab = show(model, images)
        found = tab.run(
            f"""
            const unit = model.unitAt(0, {place});
            Object.assign(found, {{ index: unit.index, value: unit.value }});
            model.select(0, unit);
            found.spot = spot(0, unit.tile, unit.row, unit.column);
            const pictures = () => document.querySelectorAll("#samples canvas").length;
            for (let i = 0; i < 100 && pictures() < 3; i++) await later();
            found.pictures = pictures();
            """
        )
        assert found["index"] == index
        assert found["value"] == pytest.approx(images[(0, *index)], abs=1e-6)
        assert found["pictures"] == 3
        tab.click(*found["spot"])
        assert tab.run("found.box = model.chosen.unit.number")["box"] == 0
        check(tab)


def test_epochs(browser: Browser, tmp_path: Path) -> None:
    model = nkeras.Sequential([nkeras.Input((4,)), layers.Dense(3, name="out")])
    model.compile(loss="mse")
    x = RANDOM.normal(size=(20, 4)).astype("float32")
    before = model.activations(x[:2])["out"]
    pages = nkeras.callbacks.Visualise(tmp_path / "page.html", x[:2])
    model.fit(x, x[:, :3], epochs=3, verbose=0, callbacks=[pages])
    tab = Tab(browser, tmp_path / "page.html")
    found = tab.run(
        """
        const out = () => [...model.valueOf(named("out")).data];
        found.last = out();
        const slider = document.getElementById("moment");
        slider.value = 0; slider.dispatchEvent(new Event("input")); await later();
        found.first = out(); found.text = text("training");
        model.select(named("out"), model.unitAt(named("out"), 1)); await later();
        found.panel = text("panel");
        """
    )
    kernel = pages._watched.moments[0].live[1]["weights"]["kernel"]  # type: ignore[union-attr]
    for taken, weight in zip(x[0], kernel[:, 1], strict=True):
        assert f" {taken:.4g} \u00d7 {weight:.4g} = ".replace("-", "\u2212") in found["panel"]
    assert "kernel 4 \u00d7 3" in found["panel"]
    np.testing.assert_allclose(found["first"], before[0], atol=1e-6)
    np.testing.assert_allclose(found["last"], model(x[:1]).numpy()[0], atol=1e-6)
    assert "before" in found["text"]
    assert "loss" in found["text"]
    check(tab)


def test_a_served_page_asks_the_model(browser: Browser) -> None:
    x = nkeras.Input((8, 8))
    y = layers.LSTM(3, name="lstm")(x)
    model = nkeras.Model(x, layers.Dense(2, name="out")(y))
    page = visualise(model, samples_of(model), None, serve=True)
    assert page.address is not None
    try:
        tab = Tab(browser, page.address)
        found = tab.run(
            """
            const pad = document.getElementById("pad"), { left, top } = pad.getBoundingClientRect();
            found.at = [left + 100, top + 100];
            """
        )
        tab.click(*found["at"])
        found = tab.run(
            """
            for (let i = 0; i < 200 && model.shown.sample >= 0; i++) await later();
            found.sample = model.shown.sample;
            found.x = [...model.valueOf(0).data]; found.y = [...model.valueOf(named("out")).data];
            """
        )
        assert found["sample"] == -1
        drawn = np.array(found["x"], "float32").reshape(1, 8, 8)
        np.testing.assert_allclose(found["y"], model(drawn).numpy()[0], atol=1e-5)
        assert tab.errors == []
        assert all(address.startswith(page.address) for address in tab.requests)
    finally:
        page.close()


def test_sliders(show: Any) -> None:
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name="out")])
    tab = show(model, samples_of(model))
    found = tab.run(
        """
        for (const slider of document.querySelectorAll("#own input[type=range]")) {
          slider.value = slider.min; slider.dispatchEvent(new Event("input"));
        }
        await later(); await later();
        found.x = [...model.valueOf(0).data]; found.y = [...model.valueOf(1).data];
        """
    )
    expected = model(np.array([found["x"]], "float32")).numpy()[0]
    np.testing.assert_allclose(found["y"], expected, atol=1e-5)
    check(tab)


def test_nothing_in_a_model_breaks_the_page(show: Any) -> None:
    name = (
        "<\u2215script><script>document.title='broken'<img src=x onerror=document.title='broken'>"
    )
    model = nkeras.Sequential(
        [
            nkeras.Input((2,)),
            layers.Dense(3, name=name + "\u2028\ud800" + "x" * 500),
            layers.Dense(2, name="%DATA%"),
        ],
        name="<!--<script>%ARRAYS%",
    )
    samples = np.array([[np.nan, 1.0], [np.inf, -np.inf]], "float32")
    tab = show(model, samples, ["</script>", "<b>"])
    found = tab.run('found.title = document.title; found.panel = text("panel")')
    assert found["title"].startswith("<!--<script>%ARRAYS%")
    assert "3 not finite" in found["panel"]
    check(tab)


def test_many_layers(show: Any) -> None:
    stack = [layers.ReLU(name=f"r{number}") for number in range(2000)]
    tab = show(nkeras.Sequential([nkeras.Input((4,)), *stack]), np.ones((2, 4), "float32"))
    assert tab.run("found.count = model.boxes.length")["count"] == 2001
    check(tab)


def test_large_models_are_rounded_and_thinned(show: Any) -> None:
    x = inputs = nkeras.Input((96, 96, 3))
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"c{filters}")(x)
    model = nkeras.Model(inputs, layers.GlobalAveragePooling2D(name="mean")(x))
    images = samples_of(model, 8)
    tab = show(model, images, megabytes=1.0)
    found = tab.run(
        """
        const { step, shape, data } = model.valueOf(named("c128"));
        const rounding = model.boxes[named("c128")].values.scale;
        Object.assign(found, { step, shape, data: [...data], rounding });
        """
    )
    step, shape = found["step"], found["shape"]
    assert step > 1
    values = model.activations(images)["c128"][0, ::step, ::step, : shape[-1]]
    far = np.abs(np.array(found["data"]).reshape(shape) - values).max()
    assert far <= 0.51 * found["rounding"]
    check(tab)
