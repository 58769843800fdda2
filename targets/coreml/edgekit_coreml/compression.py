"""Compressed weights in a package: coremltools' passes, told to store what the weights already are.

Which values the weights have was decided before (`edgekit.mobilenet.compression`), the same for every target. So these passes
have nothing to choose, and lose nothing: a table takes in the values that there are, a scale is found again in a channel's
largest value.
"""

from __future__ import annotations

from typing import Any

from edgekit.mobilenet.compression import MIN_SIZE
from edgekit_coreml.sdk import import_coremltools

ct = import_coremltools()  # first, for the module below would import it without its precautions

from coremltools.optimize import coreml as optimize  # noqa: E402


def make_pipeline(precision: str) -> Any:
    """coremltools' usual passes, with one at the end that stores the weights of a compressed precision in fewer bits."""
    pipeline = ct.PassPipeline()
    kind = precision.partition("-")[0]
    if kind in _PASSES:
        name, config = _PASSES[kind]
        pipeline.append_pass(name)
        pipeline.set_options(name, {"config": optimize.OptimizationConfig(config)})
    return pipeline


_PASSES = {
    "int8": (
        "compression::linear_quantize_weights",
        optimize.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel", weight_threshold=MIN_SIZE),
    ),
    "palettized": ("compression::palettize_weights", optimize.OpPalettizerConfig(mode="unique", weight_threshold=MIN_SIZE)),
    "pruned": ("compression::prune_weights", optimize.OpThresholdPrunerConfig(weight_threshold=MIN_SIZE)),
}
