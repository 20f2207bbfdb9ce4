"""EinsumDense: equations that are plain products, and others."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    for shape, equation, output_shape, bias_axes in (
        ((2, 3), "ab,bc->ac", 4, "c"),
        ((2, 5, 3), "abc,cd->abd", (5, 4), "bd"),
        ((2, 5, 3), "...x,xy->...y", 4, "y"),
        ((2, 5, 3), "abc,cde->abde", (5, 2, 4), "de"),
        ((2, 5, 3), "abc,cde->abde", (5, 2, 4), "d"),
        ((2, 5, 2, 3), "abcd,dec->abe", (5, 4), "e"),
        ((2, 5, 3), "abc,bd->adc", (4, 3), "d"),
        ((2, 5, 3), "abc,cd->adb", (4, 5), "d"),
        ((2, 5, 3, 2), "ab...,bc->ac...", 4, "c"),
        ((2, 5, 3), "abc,bd->abd", (5, 4), None),
        ((2, 5, 3), "abc,c->ab", (5,), None),
        ((2, 5, 3), "abc,d->abcd", (5, 3, 6), "d"),
    ):
        options = {"equation": equation, "output_shape": output_shape, "bias_axes": bias_axes}
        yield Case("EinsumDense", options, (shape,))
    yield case(
        "EinsumDense",
        (2, 5, 3),
        equation="abc,bcd->abd",
        output_shape=(5, 4),
        activation="relu",
        bias_axes="bd",
        kernel_initializer="he_normal",
        bias_initializer="ones",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
    )
