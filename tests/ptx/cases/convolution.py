"""Convolutions on the plain kernels and on those for depthwise ones; locally connected ones."""

from tests.ptx.case import Case, arrays

SAME = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
ODD = {"strides": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (1, 2), "groups": 2}
DEPTHWISE = {**SAME, "groups": 8}


def convolution(x, kernel, y, settings, names, name, dtypes=("float32", "float64")):
    """A convolution, with and without what follows, and its gradients."""
    forward, backward_input = names
    epilogue = {**settings, "activation": "relu"}
    cases = []
    for dtype in dtypes:
        own = (forward.format(dtype),)
        terms = arrays(x, kernel, kernel[-1:], y)
        cases += [
            Case("conv", own, arrays(x, kernel), settings, (dtype,), f"{name}-{dtype}"),
            Case("conv_bias", own, terms, epilogue, (dtype,), f"{name}-{dtype}"),
        ]
    return [
        *cases,
        Case(
            "conv_grad_input",
            (backward_input,),
            arrays(y, kernel),
            {**settings, "input_shape": x},
            dtypes,
            name,
        ),
        Case(
            "conv_grad_kernel",
            ("conv_backward_kernel", "sum_of_parts"),
            arrays(x, y),
            {**settings, "kernel_shape": kernel},
            dtypes,
            name,
        ),
    ]


PLAIN = ("conv_forward_{}", "conv_backward_input")
IN_FOURS = ("depthwise_forward", "depthwise_backward_input")
LOCAL = {"window": (2, 3), "strides": (2, 1)}

CASES = [
    *convolution((2, 5, 6, 3), (3, 3, 3, 5), (2, 5, 6, 5), SAME, PLAIN, "same"),
    *convolution((1, 5, 6, 4), (2, 3, 2, 6), (1, 3, 4, 6), ODD, PLAIN, "odd"),
    *convolution(
        (2, 4, 5, 8), (3, 3, 1, 8), (2, 4, 5, 8), DEPTHWISE, IN_FOURS, "depthwise", ("float32",)
    ),
    Case(
        "locally_connected",
        ("locally_connected_forward",),
        arrays((2, 5, 4, 3), (4, 18, 5), (2, 2, 5)),
        {**LOCAL, "activation": "relu"},
    ),
    Case(
        "locally_connected_grad_input",
        ("locally_connected_backward_input",),
        arrays((2, 2, 2, 5), (4, 18, 5)),
        {**LOCAL, "input_shape": (2, 5, 4, 3)},
    ),
    Case(
        "locally_connected_grad_kernel",
        ("locally_connected_backward_kernel",),
        arrays((2, 5, 4, 3), (2, 2, 2, 5)),
        LOCAL,
    ),
]
