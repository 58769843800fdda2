"""Which tensors of a captured network become int8.

Weights: symmetric, one scale per output channel, -127 to 127. Activations: one scale and zero point per tensor, -128 to 127, the
range with the smallest squared error. This is the arithmetic that all four targets have (Jacob et al., arXiv:1712.05877;
Krishnamoorthi, arXiv:1806.08342).

An activation that a runtime applies inside the convolution (ReLU, ReLU6) is quantised after it and not before: what it cuts off
needs no room in the range. ExecuTorch's own quantizer does so for ReLU and not for ReLU6: measured on MobileNet V1 1.0/224 with
the same observers, 12 dB of SQNR instead of 21.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import PerChannelMinMaxObserver
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer, SharedQuantizationSpec

from edgekit.quantization.observer import RangeObserver

_KEY = "quantization_annotation"
_SMALLEST_SCALE = 2**-12
ACTIVATIONS = QuantizationSpec(
    dtype=torch.int8,
    quant_min=-128,
    quant_max=127,
    qscheme=torch.per_tensor_affine,
    is_dynamic=False,
    observer_or_fake_quant_ctr=RangeObserver.with_args(eps=_SMALLEST_SCALE),
)


def weights(bits: int) -> QuantizationSpec:
    """What weights become: with 8 bits -127 to 127.

    With 7 bits the sum of two products of bytes fits int16, where processors without VNNI saturate it: AVX2's vpmaddubsw, which
    is what onnxruntime and OpenVINO use there.
    """
    largest = 2 ** (bits - 1) - 1
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-largest,
        quant_max=largest,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        is_dynamic=False,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver.with_args(eps=_SMALLEST_SCALE),
    )


_aten = torch.ops.aten
PRODUCTS = frozenset({_aten.conv2d.default, _aten.conv2d.padding, _aten.linear.default})
_CUTS = frozenset({_aten.relu.default, _aten.relu_.default, _aten.hardtanh.default, _aten.hardtanh_.default})
_ELEMENTWISE = frozenset(
    {
        _aten.add.Tensor,
        _aten.add_.Tensor,
        _aten.mul.Tensor,
        _aten.mul_.Tensor,
        _aten.hardswish.default,
        _aten.hardswish_.default,
        _aten.hardsigmoid.default,
        _aten.sigmoid.default,
    }
)
# what only moves values about, or averages them: the range of its result is that of what it is given
_SAME_RANGE = frozenset(
    {
        _aten.pad.default,
        _aten.constant_pad_nd.default,
        _aten.adaptive_avg_pool2d.default,
        _aten.avg_pool2d.default,
        _aten.mean.dim,
        _aten.flatten.using_ints,
        _aten.view.default,
        _aten.reshape.default,
        _aten.dropout.default,
    }
)


class Int8Quantizer(Quantizer):  # type: ignore[misc]  # untyped SDK
    """Annotates a graph for torchao's `prepare_pt2e`."""

    def __init__(self, weight_bits: int = 8) -> None:
        """Give weights fewer than 8 bits if asked to; they are stored as int8 all the same."""
        super().__init__()
        self._weights = weights(weight_bits)

    def annotate(self, model: GraphModule) -> GraphModule:
        """Say of every operator which of its tensors are int8."""
        for node in model.graph.nodes:
            if node.op != "call_function" or _KEY in node.meta:
                continue
            if node.target in PRODUCTS:
                self._annotate_product(node)
            elif node.target in _ELEMENTWISE or node.target in _CUTS:
                node.meta[_KEY] = _annotation(dict.fromkeys(_values(node), ACTIVATIONS), ACTIVATIONS)
            elif node.target in _SAME_RANGE:
                source = _values(node)[0]
                node.meta[_KEY] = _annotation({source: ACTIVATIONS}, SharedQuantizationSpec((source, node)))
        return model

    def validate(self, model: GraphModule) -> None:
        """Nothing can be wrong with an annotation made here."""

    def _annotate_product(self, node: Node) -> None:
        inputs = {node.args[0]: ACTIVATIONS, node.args[1]: self._weights}
        readers = list(node.users)
        if len(readers) == 1 and readers[0].target in _CUTS:
            node.meta[_KEY] = _annotation(inputs, None)
            readers[0].meta[_KEY] = _annotation({}, ACTIVATIONS)
        else:
            node.meta[_KEY] = _annotation(inputs, ACTIVATIONS)


def _annotation(inputs: object, output: object) -> QuantizationAnnotation:
    return QuantizationAnnotation(input_qspec_map=inputs, output_qspec=output, _annotated=True)


def _values(node: Node) -> list[Node]:
    """Its inputs that are tensors of the network and no weights."""
    return [given for given in node.all_input_nodes if given.op != "get_attr"]
