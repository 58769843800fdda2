"""Which operators and inputs there are in which version of the operators: 5 is that of iOS 15, 8 that of iOS 18.

Core ML does not load a program that uses what its version has not. The numbers are those of coremltools' definitions.
"""

from __future__ import annotations

from collections.abc import Iterable

_FIRST = 5
SINCE = {
    **dict.fromkeys(("constexpr_affine_dequantize", "constexpr_cast", "constexpr_lut_to_dense", "constexpr_sparse_to_dense"), 6),
    **dict.fromkeys(("fill_like", "pixel_unshuffle", "reshape_like"), 6),
    **dict.fromkeys(("crop_resize.pad_value", "gather.batch_dims", "gather_nd.batch_dims"), 6),
    **dict.fromkeys(("topk.return_indices", "topk.sort", "upsample_bilinear.half_pixel_centers"), 6),
    **dict.fromkeys(("dequantize", "quantize", "resize"), 7),
    **dict.fromkeys(("crop_resize.boxes", "crop_resize.box_indices", "topk.output_indices_dtype"), 7),
    **dict.fromkeys(("gather.validate_indices", "gather_along_axis.validate_indices", "gather_nd.validate_indices"), 7),
    **dict.fromkeys(("scatter.validate_indices", "scatter_along_axis.validate_indices", "scatter_nd.validate_indices"), 7),
    **dict.fromkeys(("reduce_argmax.output_dtype", "reduce_argmin.output_dtype"), 7),
    **dict.fromkeys(("constexpr_blockwise_shift_scale", "constexpr_lut_to_sparse"), 8),
    **dict.fromkeys(("constexpr_sparse_blockwise_shift_scale", "constexpr_lut_to_dense.vector_axis"), 8),
    **dict.fromkeys(("gru.input_bias", "gru.reset_after", "scaled_dot_product_attention", "slice_update"), 8),
    **dict.fromkeys(("read_state", "write_state"), 8),
}
"""The first version of an operator, or of its input; what is not here has always been there."""

UNTIL = {
    **dict.fromkeys(("crop_resize.roi", "non_maximum_suppression.score_threshold"), 6),
    **dict.fromkeys(("constexpr_lut_to_dense.shape", "constexpr_sparse_to_dense.shape"), 7),
}
"""The last version of an input that is no longer there."""


def check_version(operator: str, inputs: Iterable[str], opset: int) -> None:
    """See that an operator and its inputs are in a version of the operators.

    Raises:
        ValueError: one came later, or had gone before.
    """
    for name in (operator, *(f"{operator}.{each}" for each in inputs)):
        first, last = SINCE.get(name, _FIRST), UNTIL.get(name, opset)
        if not first <= opset <= last:
            there = f"came with {_system(first)}" if opset < first else f"went after {_system(last)}"
            raise ValueError(f"{name} {there}, and the program is of {_system(opset)}")


def _system(opset: int) -> str:
    return "iOS 26" if opset == 9 else f"iOS {opset + 10}"
