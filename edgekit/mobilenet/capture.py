"""Eval mode, batch norm folded, `torch.export`: the one program that every target of a run is given."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgekit.mobilenet.network import ConvUnit, MobileNet

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """Return a copy whose batch norms are part of the convolutions before them.

    A third off every conversion, and what each SDK would do by itself, each in its own way. Folded in float64, so that
    the only rounding is the last one to float32.
    """
    folded = copy.deepcopy(network).eval()
    for unit in folded.modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            unit.conv = fuse_conv_bn_eval(unit.conv.double(), unit.norm.double()).float()
            unit.norm = nn.Identity()
    return folded


def capture(network: MobileNet) -> ExportedProgram:
    """Export the folded network for a batch of one image of the spec's size.

    Returns:
        A float32 program of one NCHW input.
    """
    spec = network.spec
    image_nchw = torch.zeros(1, spec.input_channels, spec.resolution, spec.resolution)
    with torch.no_grad():
        return torch.export.export(fold_batch_norm(network), (image_nchw,))
