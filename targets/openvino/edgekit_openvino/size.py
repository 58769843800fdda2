"""What a model's XML says and nobody reads. In a small model of 8-bit weights it is a seventh of the artifact and more."""

from __future__ import annotations

import re
from typing import Any


def shorten_names(model: Any) -> None:
    """Shorten the names of layers, in place, and forget those of the tensors between them.

    `conv2d_3/aten.conv2d.default/Convolution` says `conv2d` thrice. What is not of the program gets a number.
    """
    ends = {port.get_node().get_friendly_name() for port in (*model.inputs, *model.outputs)}
    for i, node in enumerate(model.get_ordered_ops()):
        name = node.get_friendly_name()
        if "/" in name:
            node.set_friendly_name(re.sub(r"/aten\.[\w.]+(?=/)", "", name))
        elif name not in ends:
            node.set_friendly_name(f"{i:x}")
        for output in node.outputs():
            output.get_tensor().set_names(set())


def strip_indentation(xml: str) -> str:
    """It is a tenth of a small model's artifact."""
    return re.sub(r">\s+<", "><", xml)


def strip_details(xml: str) -> str:
    """Take out what a layer says of its inputs, for the layers that they come from say so too, and attributes at their default.

    OpenVINO's reader counts a layer's inputs and looks no further (ir_deserializer.cpp, parse_generic_params).
    """
    xml = re.sub(r"<input>.*?</input>", _without_sizes, xml)
    return re.sub(r' auto_broadcast="numpy"| auto_pad="explicit"| (?=/>)', "", xml)


def _without_sizes(ports: re.Match[str]) -> str:
    return re.sub(r' precision="\w+"|<dim>\d+</dim>', "", ports[0]).replace("></port>", " />")
