"""Products and poolings named after the modules they come from, as in `blocks.4.depthwise/Convolution`, and found again by that.

No other layer is: what stands between two products belongs to the first, and every name is a part of the XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.operators import BEFORE

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from edgekit.mobilenet.modules import Kind

_KINDS: dict[str, Kind] = {"Convolution": "conv", "GroupConvolution": "conv", "MatMul": "linear", "ReduceMean": "pool"}
_LINEAR = {"MatMul", "FullyConnected", "FullyConnectedCompressed"}  # these two are OpenVINO's own
_PRODUCTS = {"Convolution", "GroupConvolution", *_LINEAR}
# What OpenVINO puts behind the name of a product of bytes whose scale it has moved behind it (low_precision_transformations).
_SCALED = "/DequantizationMultiply"


def name_products(model: Any, exported: ExportedProgram) -> None:
    """Name the products and poolings of a model, in place.

    Args:
        model: as OpenVINO read it.
        exported: the program behind it, its modules noted at its nodes.
    """
    from edgekit.mobilenet.modules import name_modules

    found = [node for node in model.get_ordered_ops() if node.get_type_name() in _KINDS]
    paths = name_modules(exported, [_KINDS[node.get_type_name()] for node in found])
    for node, path in zip(found, paths, strict=bool(paths)):
        node.set_friendly_name(f"{path}/{node.get_type_name()}")
        if node.get_type_name() == "MatMul":  # OpenVINO calls both together after the bias
            for reader in node.output(0).get_target_inputs():
                if reader.get_node().get_type_name() == "Add":
                    reader.get_node().set_friendly_name(f"{path}/Add")


def find_module(originals: Sequence[str], layer_type: str) -> str:
    """Find the module of a layer that OpenVINO runs.

    Args:
        originals: names of the layers in the file that it was made of.
        layer_type: its own type.

    Returns:
        For a product that the file does not name, a name that is of no module; for what is neither product nor pooling, `BEFORE`.
    """
    named = {*_KINDS, "Add"} if layer_type in _LINEAR else set(_KINDS)
    for original in originals:
        module, _, kind = original.removesuffix(_SCALED).rpartition("/")
        if module and kind in named:
            return module
    return f"an unnamed {layer_type}" if layer_type in _PRODUCTS else BEFORE
