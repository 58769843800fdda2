"""Detectors, as ncnn's benchmark has them (Tencent/ncnn, benchmark/models)."""

from __future__ import annotations

from edgekit.mobilenet.spec import V1_TABLE, MobileNetSpec
from edgekit.projection.networks.classic import fire, resnet
from edgekit.projection.networks.mobile import inverted, shuffle_stages
from edgekit.projection.tape import Tape
from edgekit.projection.workload import Workload


def _v1_body(resolution: int, pairs: int = 13) -> Tape:
    tape = Tape(resolution).conv(32, 3, 2)
    for row in V1_TABLE[:pairs]:
        tape.depthwise(3, row.s).conv(row.c)
    return tape


def _boxes(tape: Tape, at: tuple[int, int], anchors: int, kernel: int, classes: int = 21) -> None:
    """SSD's two predictors on one map: places and classes."""
    for out in (4 * anchors, classes * anchors):
        tape.back(*at).conv(out, kernel).touch("move")


def mobilenet_ssd() -> Workload:
    """MobileNet V1 and SSD at 300x300."""
    tape = _v1_body(300, 11)
    maps = [(tape.size, 512)]
    for row in V1_TABLE[11:]:
        tape.depthwise(3, row.s).conv(row.c)
    maps.append((tape.size, 1024))
    for squeezed, out in ((256, 512), (128, 256), (128, 256), (64, 128)):
        tape.conv(squeezed).conv(out, 3, 2)
        maps.append((tape.size, out))
    for i, at in enumerate(maps):
        _boxes(tape, at, 6 if i else 3, 1)
    return tape.back(1, 21 * 1917).touch("norm").detect(1917, 25).workload


def squeezenet_ssd() -> Workload:
    """SqueezeNet and SSD at 300x300."""
    tape = Tape(300).conv(64, 3, 2, valid=True).pool(3, 2, up=True)
    maps = []
    for i, (squeezed, expanded) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256), (96, 384), (96, 384)), 2
    ):
        fire(tape, squeezed, expanded)
        if i in (5, 9, 10, 11):
            maps.append((tape.size, tape.channels))
        if i in (3, 5, 9, 10):
            tape.pool(3, 2, up=True)
    for squeezed, out in ((128, 256), (64, 128)):
        tape.conv(squeezed).conv(out, 3, 2)
        maps.append((tape.size, out))
    for i, at in enumerate(maps):
        _boxes(tape, at, 6 if i else 4, 3)
    return tape.back(1, 21 * 8032).touch("norm").detect(8032, 25).workload


def mobilenet_yolo() -> Workload:
    """MobileNet V1 and YOLO at 416x416."""
    tape = _v1_body(416)
    tape.depthwise().conv(1024)
    deep = (tape.size, 1024)
    _upsampled(tape.back(deep[0], 1024), 512, 4)
    tape.add().depthwise().conv(1024).conv(125)
    return tape.back(*deep).conv(125).detect(5 * (13**2 + 26**2), 25).workload


def _upsampled(tape: Tape, channels: int, kernel: int) -> None:
    """A depthwise transposed convolution of stride 2: each input pixel is spread over kernel x kernel outputs."""
    tape.back(tape.size, channels).depthwise(kernel).upsample()


def mobilenetv2_yolov3() -> Workload:
    """MobileNet V2 and YOLO V3 at 352x352."""
    spec = MobileNetSpec("v2", resolution=352)
    tape = Tape(352).conv(32, 3, 2)
    for block in spec.blocks():
        inverted(tape, block.out_channels, 3, block.stride, block.expanded_channels / block.in_channels)
    tape.conv(1280).depthwise().conv(576)
    deep = (tape.size, 576)
    tape.upsample().pool(2, 1)
    tape.back(22, 576).depthwise().conv(576).add().depthwise().conv(576).conv(75)
    return tape.back(*deep).conv(75).detect(3 * (11**2 + 22**2), 25).workload


def yolov4_tiny() -> Workload:
    """YOLOv4-tiny at 416x416 (arXiv:2011.08036)."""
    tape = Tape(416).conv(32, 3, 2).conv(64, 3, 2)
    for channels in (64, 128, 256):
        tape.conv(channels, 3)
        size, half = tape.size, channels // 2
        tape.touch("move").back(size, half).conv(half, 3).conv(half, 3).concat(channels).conv(channels)
        tape.concat(2 * channels)
        tape.pool(2, 2)
    tape.conv(512, 3).conv(256)
    tape.conv(512, 3).conv(255).back(13, 256).conv(128).upsample().concat(384)
    return tape.conv(256, 3).conv(255).detect(3 * (13**2 + 26**2), 85).workload


YOLO_FASTEST = (  # expanded, out, stride
    *((8, 4, 1), (8, 4, 1), (24, 8, 2), (32, 8, 1), (32, 8, 1), (32, 8, 2), (48, 8, 1), (48, 8, 1), (48, 16, 1)),
    *((96, 16, 1), (96, 16, 1), (96, 16, 1), (96, 16, 1), (96, 24, 2)),
    *((136, 24, 1), (136, 24, 1), (136, 24, 1), (136, 24, 1), (136, 48, 2)),
    *((224, 48, 1), (224, 48, 1), (224, 48, 1), (224, 48, 1), (224, 48, 1)),
)


def yolo_fastest() -> Workload:
    """Yolo-Fastest 1.1 at 320x320."""
    tape = Tape(320).conv(8, 3, 2)
    for expanded, out, stride in YOLO_FASTEST:
        before, size = tape.channels, tape.size
        tape.conv(expanded).depthwise(3, stride).conv(out)
        if before == out and size == tape.size:
            tape.add()
    size = tape.size
    for kernel in (3, 5, 9):
        tape.back(size, 48).pool(kernel, 1)
    tape.concat(192).conv(96)
    tape.depthwise(5).conv(96).depthwise(5).conv(96).conv(255)
    tape.back(size, 96).upsample().concat(120)
    return tape.depthwise(5).conv(120).depthwise(5).conv(120).conv(255).detect(3 * (10**2 + 20**2), 85).workload


def yolo_fastest_v2() -> Workload:
    """Yolo-FastestV2 at 352x352, on a ShuffleNet V2 with 48, 96 and 192 channels."""
    tape = Tape(352).conv(24, 3, 2).pool(3, 2)
    shuffle_stages(tape, (48, 96, 192))
    tape.conv(72)
    _fastest_heads(tape)
    tape.back(11, 192).upsample().concat(288).conv(72)
    _fastest_heads(tape)
    return tape.workload


def _fastest_heads(tape: Tape) -> None:
    size = tape.size
    for outs in ((12,), (3, 80)):
        tape.back(size, 72).depthwise(5).conv(72).depthwise(5).conv(72)
        for out in outs:
            tape.back(size, 72).conv(out)
    tape.back(size, 95).touch("move").touch("norm").touch("move")


def fastest_det() -> Workload:
    """FastestDet at 352x352, on the same ShuffleNet V2."""
    tape = Tape(352).conv(24, 3, 2).pool(3, 2)
    shuffle_stages(tape, (48, 96, 192))
    tape.upsample().back(44, 48).pool(3, 2).concat(336).conv(96)
    size = tape.size
    for _ in range(6):
        tape.back(size, 96).depthwise(5)
    tape.concat(288).conv(96).add().conv(96)
    for out in (80, 4, 1):
        tape.back(size, 96).depthwise(5).conv(out)
    return tape.touch("norm").concat(85).workload


def nanodet_m() -> Workload:
    """NanoDet-m at 320x320, on ShuffleNet V2 1.0."""
    tape = Tape(320).conv(24, 3, 2).pool(3, 2)
    shuffle_stages(tape, (116, 232, 464))
    for size, channels in ((40, 116), (20, 232), (10, 464)):
        tape.back(size, channels).conv(96)
    for size in (20, 40, 20, 10):  # the pyramid: up, up, down, down
        tape.back(size, 96).touch("move").add()
    for size in (40, 20, 10):
        tape.back(size, 96).depthwise().conv(96).depthwise().conv(96).conv(112).act("sigmoid").touch("move").touch("move")
    return tape.workload


def blazeface() -> Workload:
    """BlazeFace at 128x128 (arXiv:1907.05047), without its predictors."""
    tape = Tape(128).conv(24, 5, 2)
    for out, stride in zip(
        (24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88, 96, 96, 96, 96, 96), (1, 1, 2, 1, 1, 2) + (1,) * 10, strict=True
    ):
        step = 2 if out == 96 and tape.channels == 88 else stride
        size, before = tape.size, tape.channels
        if step > 1:
            tape.pool(2, 2).back(size, before)
        if before != out:
            tape.touch("move")
        tape.depthwise(3, step).conv(out).add()
    return tape.workload


def centernet() -> Workload:
    """A ResNet-34 of 512x512 with CenterNet's three transposed convolutions (arXiv:1904.07850)."""
    body = resnet((3, 4, 6, 3), bottleneck=False, resolution=512, classes=0)
    tape = Tape(16, 512)
    for out in (256, 128, 64):
        tape.conv(out, 3).upsample().conv(out, 3)
    size = tape.size
    for out in (80, 2, 2):
        tape.back(size, 64).conv(64, 3).conv(out)
    return body + tape.workload
