"""Compressed weights in a package: coremltools' passes, told to store what the weights already are.

Which values the weights have was decided before (`edgekit.mobilenet.compression`), the same for every target. So these passes
have nothing to choose, and lose nothing: a table takes in the values that there are, a scale is found again in a channel's
largest value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.mobilenet.compression import MIN_SIZE
from edgekit.precision import COMPRESSED, INT8
from edgekit_coreml.sdk import import_coremltools

ct = import_coremltools()  # first, for the module below would import it without its precautions

from coremltools.optimize import coreml as optimize  # noqa: E402

from edgekit_coreml.names import ROUNDINGS  # noqa: E402
from edgekit_coreml.sharing import SHARING  # noqa: E402

TABLE_BITS = (1, 2, 4, 6, 8)
"""Those that Core ML has had since iOS 16."""


def make_pipeline(precision: str, minimum_deployment_target: str) -> Any:
    """coremltools' usual passes, with one at the end that makes a package of a precision of 8 bits or less as small as it can be.

    Raises:
        UsageError: that precision for iOS 15, which has no operators for it.
    """
    pipeline = ct.PassPipeline()
    if precision == INT8:
        pipeline.append_pass(SHARING)
        pipeline.append_pass(ROUNDINGS)
    if precision in COMPRESSED:
        if ct.target[minimum_deployment_target] < ct.target.iOS16:  # the pass would do nothing, and not say so
            raise UsageError(
                f"Core ML has had compressed weights since iOS 16: {precision} needs --option minimum_deployment_target=iOS16"
            )
        name, config = _PASSES[precision.partition("-")[0]]
        pipeline.append_pass(name)
        pipeline.set_options(name, {"config": optimize.OptimizationConfig(config)})
    return pipeline


def find_table(weights: NDArray[np.float16]) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """Take the values that a tensor has.

    coremltools' own mode "unique" sorts in float16, where numpy 2.4 gives unsorted results on CPUs that have instructions for it:
    300,000 weights of 173 values had 245, too many for a table, and stayed as they were.

    Returns:
        The table, filled up with zeros to a power of 2 that the format has, and a number for each weight, in row-major order.

    Raises:
        ValueError: more values than any table has.
    """
    values, indices = np.unique(weights.astype(np.float32), return_inverse=True)
    sizes = [2**bits for bits in TABLE_BITS if 2**bits >= len(values)]
    if not sizes:
        raise ValueError(f"weights of {len(values)} different values have no table")
    return np.pad(values, (0, sizes[0] - len(values))).astype(np.float16), indices.reshape(-1).astype(np.uint8)


_PASSES = {
    "int8": (
        "compression::linear_quantize_weights",
        optimize.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel", weight_threshold=MIN_SIZE),
    ),
    "palettized": (
        "compression::palettize_weights",
        optimize.OpPalettizerConfig(mode="custom", lut_function=find_table, weight_threshold=MIN_SIZE),
    ),
    "pruned": ("compression::prune_weights", optimize.OpThresholdPrunerConfig(weight_threshold=MIN_SIZE)),
}
