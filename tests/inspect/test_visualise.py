"""Pages of models: what is in the file, what is refused; test_page_in_browser.py opens them."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.inspect import watched as watched_module
from nkeras.inspect.content import content_of
from nkeras.inspect.moments import spread_of
from nkeras.inspect.recording import fitted, limit_of, rounded, thinned
from nkeras.inspect.watched import Watched
from tests.inspect.models import Looking, Subclassed, nested, residual

IMAGES = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype("float32")


def data_of(html: str) -> dict[str, Any]:
    return json.loads(
        re.findall('<script type="application/json" id="page">(.*?)</script>', html)[0]
    )


def test_one_file_without_addresses(tmp_path: Path) -> None:
    page = nkeras.visualise(residual(), IMAGES, tmp_path / "model.html")
    html = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert html == page.html
    assert not re.findall(r"""(?:https?:)?//[\w-]+\.\w|src=|href=|@import|url\(""", html)
    assert "default-src 'none'" in html
    code = re.sub(r'<script type="[^>]*>.*?</script>', "", html, flags=re.DOTALL)
    assert len(code.encode()) < 120_000
    assert "sandbox" in page._repr_html_()


def test_values_are_those_of_the_model() -> None:
    model = residual()
    page = data_of(nkeras.visualise(model, IMAGES, None).html)
    keys = [box["key"] for box in page["boxes"]]
    assert keys[0] == "image"
    assert set(model.activations(IMAGES)) <= set(keys)
    assert page["isLive"]
    shapes = {box["key"]: box["moments"][0]["values"]["shape"] for box in page["boxes"]}
    assert shapes["conv_0"] == [3, 8, 8, 4]
    sources = {box["key"]: [keys[source] for source in box["sources"]] for box in page["boxes"]}
    assert sources["sum_0"] == ["first", "norm_0"]
    for layout in page["layouts"]:
        assert len(layout["places"]) == len(keys)


def test_nested_models() -> None:
    samples = [np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")]
    page = data_of(nkeras.visualise(nested(), samples, None).html)
    keys = [box["key"] for box in page["boxes"]]
    assert {"inner/a", "inner/a#2", "multiply"} <= set(keys)
    assert len(page["inputs"]) == 2
    assert [frame["name"] for frame in page["layouts"][0]["frames"]] == ["inner", "inner"]


def test_subclassed_models() -> None:
    x = np.ones((2, 5), "float32")
    for model, live in ((Subclassed(), True), (Looking(), False)):
        model(x)
        page = data_of(nkeras.visualise(model, x, None).html)
        assert page["isLive"] == live
    assert [box["name"] for box in page["boxes"]] == [model.name]


@pytest.mark.parametrize("samples", [np.zeros((0, 8, 8, 3)), np.zeros((65, 8, 8, 3)), 3.0])
def test_samples_are_checked(samples: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument `samples` must have from 1 to 64"):
        nkeras.visualise(residual(), samples, tmp_path / "model.html")
    assert not list(tmp_path.iterdir())


def test_thinning() -> None:
    values = np.arange(2 * 40 * 40 * 64, dtype="float32").reshape(2, 40, 40, 64)
    kept = thinned(values, 8000)
    assert kept.values[0].size <= 8000
    channels = kept.values.shape[-1]
    np.testing.assert_array_equal(kept.values, values[:, :: kept.step, :: kept.step, :channels])
    assert kept.alive.tolist() == [True] * 64
    earlier = thinned(values, 40_000)
    assert earlier.step < kept.step
    again = fitted(earlier, rounded(kept))
    assert (again.step, again.values.dtype) == (kept.step, np.uint8)
    assert again.low is not None
    close = again.low + again.scale * again.values.astype("float64")
    np.testing.assert_allclose(close, kept.values, atol=0.51 * again.scale)
    assert thinned(values, 10**6).values.shape == values.shape
    assert thinned(np.ones((2, 5000)), 100).values.shape == (2, 100)
    assert thinned(np.ones((2,)), 100).values.shape == (2,)
    assert limit_of([5, 5], 100) == 5


@pytest.mark.parametrize(
    ("shape", "is_input", "kind"),
    [
        ((8, 8, 3), True, "image"),
        ((8, 8), True, "image"),
        ((8, 8, 3), False, "maps"),
        ((4, 8, 8, 3), False, "maps"),
        ((12, 8, 8, 3), True, "image"),
        ((4000,), True, "wave"),
        ((4096,), True, "strip"),
        ((128, 2), True, "wave"),
        ((128, 2), False, "matrix"),
        ((12, 5), False, "matrix"),
        ((700,), False, "strip"),
        ((), False, "strip"),
    ],
)
def test_contents(shape: tuple[int, ...], is_input: bool, kind: str) -> None:
    content = content_of(shape, is_input)
    assert content["kind"] == kind
    wide = content["columns"] * content["width"]
    assert wide <= 240


def test_view(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.keras"
    residual().save(path)
    np.save(tmp_path / "x.npy", IMAGES)
    words = ["view", str(path), "--no-browser"]
    assert main([*words, "--input", str(tmp_path / "x.npy"), "--samples", "2"]) == 0
    page = data_of((tmp_path / "model.html").read_text(encoding="utf-8"))
    assert (page["name"], page["samples"]) == ("residual", 2)
    assert main([*words, "--output", str(tmp_path / "other.html")]) == 0
    assert "Random numbers" in capsys.readouterr().out
    assert data_of((tmp_path / "other.html").read_text(encoding="utf-8"))["samples"] == 8
    assert main(["view", str(tmp_path / "none.keras"), "--no-browser"]) == 1
    assert capsys.readouterr().err.startswith("nkeras view: ")


@pytest.mark.parametrize("causal", [False, True])
def test_scores_of_attention(causal: bool) -> None:
    x = nkeras.Input((5, 4))
    layer = nkeras.layers.MultiHeadAttention(2, 3, name="attention")
    own = nkeras.layers.Attention(name="plain")
    y = layer(x, x, use_causal_mask=causal)
    model = nkeras.Model(x, own([y, x]))
    samples = np.random.default_rng(4).normal(size=(3, 5, 4)).astype("float32")
    watched = Watched(model, samples)
    watched.record()
    keys = [leaf.key for leaf in watched.leaves]
    scores = watched.moments[0].scores
    _, expected = layer(samples, samples, use_causal_mask=causal, return_attention_scores=True)
    np.testing.assert_allclose(scores[keys.index("attention")], expected.numpy(), atol=1e-6)
    assert scores[keys.index("plain")].shape == (3, 1, 5, 5)
    assert (scores[keys.index("attention")][0, 0, 0, 1] == 0) == causal
    page = data_of(nkeras.visualise(model, samples, None).html)
    assert page["boxes"][keys.index("attention")]["moments"][0]["scores"]["shape"] == [3, 2, 5, 5]


def test_norms_of_gradients() -> None:
    model = residual()
    targets = [0, 1, 1]
    model.compile(loss=nkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    page = data_of(nkeras.visualise(model, IMAGES, None, targets=targets).html)
    boxes = {box["key"]: box for box in page["boxes"]}
    gradient = model.gradients(IMAGES, np.array(targets)).outputs["sum_1"]
    norm = boxes["sum_1"]["moments"][0]["norm"]
    assert norm == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert "norm" not in boxes["image"]["moments"][0]
    model.compile(loss="categorical_crossentropy")  # wants vectors
    page = data_of(nkeras.visualise(model, IMAGES, None, targets=targets).html)
    assert "norm" not in page["boxes"][1]["moments"][0]


def test_text() -> None:
    words = nkeras.layers.TextVectorization(output_sequence_length=5, vocabulary=["cat", "dog"])
    x = nkeras.Input((1,), dtype="string")
    model = nkeras.Model(x, nkeras.layers.Embedding(9, 3, name="vectors")(words(x)))
    samples = np.array([["a cat"], ["the dog"]], dtype=object)
    page = data_of(nkeras.visualise(model, samples, None).html)
    assert "values" not in page["boxes"][0]["moments"][0]
    assert page["boxes"][2]["moments"][0]["values"]["shape"] == [2, 5, 3]
    assert not page["isLive"]


def trained(path: Path | None, epochs: int = 5, **named: Any) -> nkeras.callbacks.Visualise:
    model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(3, name="out")])
    model.compile(loss="mse", metrics=["mae"])
    x = np.random.default_rng(2).normal(size=(20, 4)).astype("float32")
    pages = nkeras.callbacks.Visualise(path, x[:6], **named)
    model.fit(x, x[:, :3], epochs=epochs, validation_split=0.5, verbose=0, callbacks=[pages])
    return pages


def test_epochs_of_a_training(tmp_path: Path) -> None:
    trained(tmp_path / "page.html", every=2)
    page = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page["moments"] == ["before", "epoch 2", "epoch 4", "epoch 5"]
    assert [len(box["moments"]) for box in page["boxes"]] == [4, 4]
    assert {name: len(values) for name, values in page["history"].items()} == dict.fromkeys(
        ("loss", "mae", "val_loss", "val_mae"), 5
    )
    with pytest.raises(ValueError, match="every"):
        nkeras.callbacks.Visualise(None, np.ones((1, 4)), every=0)


@pytest.mark.parametrize("size", [None, 8])
def test_large_models_get_few_samples_at_a_time(
    size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = residual()
    images = nkeras.Input(batch_shape=(3, 8, 8, 3)) if size else model.input
    fixed = nkeras.Model(images, model(images)) if size else model
    whole = nkeras.visualise(fixed, IMAGES, None).html
    counts: list[int] = []
    run = type(model).__call__

    def counted(self: nkeras.Model, x: nkeras.Tensor, *args: Any, **named: Any) -> Any:
        counts.append(x.shape[0])
        return run(self, x, *args, **named)

    monkeypatch.setattr(watched_module, "_AT_ONCE", 1)
    monkeypatch.setattr(watched_module, "_costs", lambda model: {})
    monkeypatch.setattr(type(model), "__call__", counted)
    parts = nkeras.visualise(fixed, IMAGES, None).html
    assert set(counts) == ({3} if size else {1})
    sheet = re.compile('id="s0-2">(.*?)<')
    found = [
        np.frombuffer(base64.b64decode(sheet.findall(one)[0]), "<f4") for one in (whole, parts)
    ]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_weights_of_epochs(tmp_path: Path) -> None:
    pages = trained(tmp_path / "page.html", every=5)
    moments = data_of((tmp_path / "page.html").read_text(encoding="utf-8"))["boxes"][1]["moments"]
    assert [set(moment["weights"]) for moment in moments] == [{"kernel", "bias"}] * 2
    kernels = [moment["spreads"][0] for moment in moments]
    assert [kernel["name"] for kernel in kernels] == ["kernel", "kernel"]
    assert kernels[0]["norm"] != kernels[1]["norm"]
    assert sum(kernels[0]["counts"]) == 12
    last = pages.model.layers[0].kernel.numpy()
    assert kernels[1]["norm"] == pytest.approx(np.linalg.norm(last), rel=1e-5)
    small = trained(None, every=1, megabytes=1e-4)._watched
    assert small is not None
    assert [moment.bytes_beside for moment in small.moments] == [0] * 5 + [60]


def test_spreads_of_strange_weights() -> None:
    spread = spread_of("w", np.array([np.nan, np.inf, 1.0, 1.0 + 1e-7], "float32"))
    assert sum(spread.counts) == 2
    assert spread_of("w", np.zeros((0, 3))).norm == 0


def test_many_epochs_share_the_room() -> None:
    model = residual()
    model.compile(loss="mse")
    pages = nkeras.callbacks.Visualise(None, IMAGES, megabytes=0.05)
    model.fit(IMAGES, np.zeros((3, 2)), epochs=4, verbose=0, callbacks=[pages])
    assert pages._watched is not None
    _, arrays = pages._watched.page()
    assert sum(len(text) for name, text in arrays.texts() if name.startswith("s")) < 70_000


def ask(address: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urlopen(Request(address, headers=headers), timeout=20) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_server_answers_its_own_page_only() -> None:
    page = nkeras.visualise(residual(), IMAGES, None, serve=True)
    assert page.address is not None
    assert page.server is not None
    port = page.server.port
    try:
        status, html = ask(page.address)
        assert status == 200
        assert b"connect-src 'self'" in html
        assert ask(f"http://127.0.0.1:{port}/")[0] == 403
        assert ask(f"http://127.0.0.1:{port}/%C3%BC/")[0] == 403
        assert ask(f"http://127.0.0.1:{port}/%C3%BC/")[0] == 403
        assert ask(page.address, Host="example.org")[0] == 403
        assert ask(page.address, Host=f"example.org:{port}")[0] == 403
        assert ask(page.address + "../../etc/passwd")[0] in (403, 404)
        assert ask(page.address + "news?have=x")[0] == 200
    finally:
        page.close()
    with pytest.raises(URLError):
        ask(f"http://127.0.0.1:{port}/")


def post(address: str, data: bytes, kind: str = "application/json") -> tuple[int, Any]:
    request = Request(address, data, {"Content-Type": kind}, method="POST")
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_server_runs_the_model() -> None:
    model = residual()
    page = nkeras.visualise(model, IMAGES, None, serve=True)
    try:
        run = f"{page.address}run"
        data = json.dumps({"inputs": [IMAGES[1].ravel().tolist()]}).encode()
        status, found = post(run, data)
        assert status == 200
        last = found["values"][-1]
        values = np.frombuffer(base64.b64decode(last["text"]), "<f4").reshape(last["shape"])
        np.testing.assert_allclose(values, model(IMAGES[1:2]).numpy(), atol=1e-6)
        assert post(run, data, "text/plain")[0] == 404
        for wrong in (b"{", b"[]", b'{"inputs": []}', b'{"inputs": [[1, 2]]}', b'{"inputs": 3}'):
            status, found = post(run, wrong)
            assert status == 400
            assert len(found) < 500
    finally:
        page.close()


def test_the_server_follows_a_training() -> None:
    pages = trained(None, epochs=3, serve=True)
    assert pages.server is not None
    try:
        news = json.loads(ask(f"{pages.server.address}news?have=2")[1])
        assert [moment["title"] for moment in news["moments"]] == ["epoch 2", "epoch 3"]
        assert len(news["history"]["loss"]) == 3
    finally:
        pages.server.close()
