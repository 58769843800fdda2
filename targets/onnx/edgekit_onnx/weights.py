"""Weights stored in 8 bits, computed with in float32.

Which values the weights have was decided before (`edgekit.mobilenet.compression`), the same for every target: int8 times a
float16 scale of the output channel. Both are found again here, and checked.

The graph multiplies them out: Cast, Mul by the scale. DequantizeLinear would be one operator, but ONNX Runtime takes it for a
part of an int8 graph: it is not computed when the model is loaded but in every inference, and convolutions whose weights are no
constants do without the fast layout: 1.35 times float32's latency on V1 0.25/128, unless an app sets a session option. Ordinary
operators on constants it computes once.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.mobilenet.compression import find_integers, is_compressed


def store_integers(model: ir.Model) -> None:
    """Store a graph's compressed weights as int8, in place.

    Raises:
        ValueError: weights that are not int8 times a scale.
    """
    graph = model.graph
    for value in list(graph.initializers.values()):
        assert value.const_value is not None
        weights = value.const_value.numpy()
        if not is_compressed(weights.shape):
            continue
        integers, scales = find_integers(weights)
        stored = ir.Value(name=f"{value.name}.int8", const_value=ir.tensor(integers))
        scale = ir.Value(name=f"{value.name}.scale", const_value=ir.tensor(scales.astype(np.float32)))
        exact = ir.node("Cast", [stored], attributes={"to": ir.DataType.FLOAT})
        product = ir.node("Mul", [exact.outputs[0], scale])
        ir.convenience.replace_all_uses_with(value, product.outputs[0])
        for new in (stored, scale):
            graph.register_initializer(new)
        graph.insert_before(graph[0], [exact, product])
        del graph.initializers[str(value.name)]
