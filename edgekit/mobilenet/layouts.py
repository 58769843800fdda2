"""Where each published layout keeps the modules of our network: our module name -> theirs.

Read off the code of transformers (modeling_mobilenet_v1/v2), torchvision (models/mobilenetv2, mobilenetv3) and timm
(models/mobilenetv3, efficientnet).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from edgekit.errors import InputError
from edgekit.mobilenet.spec import MobileNetSpec, Version

Names = Iterator[tuple[str, str]]


def huggingface(spec: MobileNetSpec) -> Names:
    """transformers' MobileNetV1ForImageClassification and MobileNetV2ForImageClassification."""

    def unit(ours: str, theirs: str) -> Names:
        yield f"{ours}.conv", f"{theirs}.convolution"
        yield f"{ours}.norm", f"{theirs}.normalization"

    root = f"mobilenet_{spec.version}"
    if spec.version == "v1":
        yield from unit("stem", f"{root}.conv_stem")
        for i in range(len(spec.blocks())):
            yield from unit(f"blocks.{i}.depthwise", f"{root}.layer.{2 * i}")
            yield from unit(f"blocks.{i}.pointwise", f"{root}.layer.{2 * i + 1}")
    elif spec.version == "v2":
        yield from unit("stem", f"{root}.conv_stem.first_conv")
        yield from unit("blocks.0.depthwise", f"{root}.conv_stem.conv_3x3")
        yield from unit("blocks.0.pointwise", f"{root}.conv_stem.reduce_1x1")
        for i in range(1, len(spec.blocks())):
            yield from unit(f"blocks.{i}.expand", f"{root}.layer.{i - 1}.expand_1x1")
            yield from unit(f"blocks.{i}.depthwise", f"{root}.layer.{i - 1}.conv_3x3")
            yield from unit(f"blocks.{i}.pointwise", f"{root}.layer.{i - 1}.reduce_1x1")
        yield from unit("head", f"{root}.conv_1x1")
    else:
        raise InputError("transformers has no MobileNetV3: give a torchvision or timm checkpoint")
    yield "classifier", "classifier"


def torchvision(spec: MobileNetSpec) -> Names:
    """torchvision's mobilenet_v2, mobilenet_v3_small and mobilenet_v3_large: modules numbered in order."""

    def unit(ours: str, theirs: str, norm: str) -> Names:
        yield f"{ours}.conv", theirs
        yield f"{ours}.norm", norm

    if spec.version == "v1":
        raise InputError("torchvision has no MobileNetV1: give a Hugging Face or timm checkpoint")
    yield from unit("stem", "features.0.0", "features.0.1")
    blocks = spec.blocks()
    for i, block in enumerate(blocks):
        ours = f"blocks.{i}"
        stage = f"features.{i + 1}.{'block' if spec.is_v3 else 'conv'}"
        step = 0
        if block.expands:
            yield from unit(f"{ours}.expand", f"{stage}.0.0", f"{stage}.0.1")
            step += 1
        yield from unit(f"{ours}.depthwise", f"{stage}.{step}.0", f"{stage}.{step}.1")
        step += 1
        if block.squeeze_channels:
            yield f"{ours}.squeeze.reduce", f"{stage}.{step}.fc1"
            yield f"{ours}.squeeze.expand", f"{stage}.{step}.fc2"
            step += 1
        if spec.is_v3:
            yield from unit(f"{ours}.pointwise", f"{stage}.{step}.0", f"{stage}.{step}.1")
        else:  # V2's linear projection is a bare convolution followed by its norm
            yield from unit(f"{ours}.pointwise", f"{stage}.{step}", f"{stage}.{step + 1}")
    last = f"features.{len(blocks) + 1}"
    yield from unit("head", f"{last}.0", f"{last}.1")
    if spec.is_v3:
        yield "hidden", "classifier.0"
        yield "classifier", "classifier.3"
    else:
        yield "classifier", "classifier.1"


def timm(spec: MobileNetSpec) -> Names:
    """timm's mobilenetv1_*, mobilenetv2_*, mobilenetv3_* and their tf_ twins: blocks grouped into stages by table row."""

    def unit(ours: str, theirs: str, conv: str, norm: str) -> Names:
        yield f"{ours}.conv", f"{theirs}{conv}"
        yield f"{ours}.norm", f"{theirs}{norm}"

    yield from unit("stem", "", "conv_stem", "bn1")
    for i, (block, (stage, position)) in enumerate(zip(spec.blocks(), _timm_stages(spec), strict=True)):
        ours, theirs = f"blocks.{i}", f"blocks.{stage}.{position}."
        if block.expands:
            yield from unit(f"{ours}.expand", theirs, "conv_pw", "bn1")
            yield from unit(f"{ours}.depthwise", theirs, "conv_dw", "bn2")
            yield from unit(f"{ours}.pointwise", theirs, "conv_pwl", "bn3")
        else:
            yield from unit(f"{ours}.depthwise", theirs, "conv_dw", "bn1")
            yield from unit(f"{ours}.pointwise", theirs, "conv_pw", "bn2")
        if block.squeeze_channels:
            yield f"{ours}.squeeze.reduce", f"{theirs}se.conv_reduce"
            yield f"{ours}.squeeze.expand", f"{theirs}se.conv_expand"
    if spec.is_v3:  # the last 1x1 convolution is a stage of its own, and the layer after the pooling is "conv_head"
        stages = max(stage for stage, _ in _timm_stages(spec)) + 1
        yield from unit("head", f"blocks.{stages}.0.", "conv", "bn1")
        yield "hidden", "conv_head"
    elif spec.version == "v2":
        yield from unit("head", "", "conv_head", "bn2")
    yield "classifier", "classifier"


def edgekit(spec: MobileNetSpec) -> Names:
    """Our own names, which are every name the other layouts are mapped from."""
    for ours, _ in huggingface(spec) if spec.version == "v1" else torchvision(spec):
        yield ours, ours


LAYOUTS: Mapping[str, Callable[[MobileNetSpec], Names]] = {
    "huggingface": huggingface,
    "torchvision": torchvision,
    "timm": timm,
    "edgekit": edgekit,
}


def recognise(names: set[str]) -> tuple[str, Version]:
    """Tell layout and version from a state dict's names.

    Raises:
        InputError: the names belong to no MobileNet that edgekit knows.
    """
    if "stem.conv.weight" in names:
        if "hidden.weight" in names:
            return "edgekit", "v3_large" if "blocks.14.pointwise.conv.weight" in names else "v3_small"
        return "edgekit", "v2" if "head.conv.weight" in names else "v1"
    if any(name.startswith("mobilenet_v1.") for name in names):
        return "huggingface", "v1"
    if any(name.startswith("mobilenet_v2.") for name in names):
        return "huggingface", "v2"
    if "features.1.conv.0.0.weight" in names:
        return "torchvision", "v2"
    if "features.1.block.0.0.weight" in names:
        return "torchvision", "v3_large" if "features.16.0.weight" in names else "v3_small"
    if "conv_stem.weight" in names and "blocks.0.0.conv_dw.weight" in names:
        if "conv_head.weight" not in names:
            return "timm", "v1"
        if "bn2.weight" in names:
            return "timm", "v2"
        return "timm", "v3_large" if "blocks.6.0.conv.weight" in names else "v3_small"
    shown = ", ".join(sorted(names)[:3]) or "none at all"
    raise InputError(
        f"these are not the tensors of a MobileNet classifier (first names: {shown}). "
        "edgekit reads transformers V1 and V2, torchvision V2 and V3, timm V1, V2 and V3, and its own files"
    )


def _timm_stages(spec: MobileNetSpec) -> list[tuple[int, int]]:
    """(stage, position) of each block: timm starts a stage where the table's output width changes (V1: at stride 2)."""
    lengths = {
        "v1": (1, 2, 2, 6, 2),
        "v2": (1, 2, 3, 4, 3, 3, 1),
        "v3_small": (1, 2, 3, 2, 3),
        "v3_large": (1, 2, 3, 4, 2, 3),
    }[spec.version]
    return [(stage, position) for stage, length in enumerate(lengths) for position in range(length)]
