"""What is counted as integer, and what as float."""

from __future__ import annotations

from edgekit_onnx.kernels import count_kernels


def test_products_are_counted_and_what_computes_in_float_is_named() -> None:
    kernels = count_kernels(
        ["QuantizeLinear", "Transpose", "QLinearConv", "FusedConv", "QLinearAdd", "HardSigmoid", "Mul", "QGemm"]
    )
    assert (kernels.integer_products, kernels.products) == (2, 3)
    assert kernels.float_ops == ("FusedConv", "HardSigmoid", "Mul")
    assert str(kernels) == "int8 in 2 of 3 products, float32 in FusedConv, HardSigmoid, Mul"


def test_an_operator_that_nobody_knows_counts_as_float() -> None:
    assert count_kernels(["QLinearConv", "Gelu"]).float_ops == ("Gelu",)


def test_nothing_in_float() -> None:
    assert str(count_kernels(["QLinearConv", "QGemm", "DequantizeLinear"])) == "int8 in 2 of 2 products"


def test_no_product_no_part() -> None:
    assert count_kernels(["Reshape"]).fraction is None
