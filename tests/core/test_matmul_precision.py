"""The setting of products of float32."""

import pytest

from nkeras import config


def test_setting():
    assert config.matmul_precision() == "float32"
    try:
        config.set_matmul_precision("tensorfloat32")
        assert config.matmul_precision() == "tensorfloat32"
    finally:
        config.set_matmul_precision("float32")


@pytest.mark.parametrize("value", ["bfloat16", "highest", None])
def test_others_are_refused(value):
    with pytest.raises(ValueError, match="set_matmul_precision"):
        config.set_matmul_precision(value)
