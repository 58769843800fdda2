"""MobileNet and its kin."""

from __future__ import annotations

from edgekit.mobilenet.spec import V3_LARGE_TABLE, MobileNetSpec, Version, round_channels
from edgekit.projection.tape import Tape
from edgekit.projection.workload import Workload


def mobilenet(spec: MobileNetSpec) -> Workload:
    """V1, V2 and V3, from edgekit's own definition."""
    tape = Tape(spec.resolution, spec.input_channels).conv(spec.stem_channels, 3, 2, act=spec.stem_activation)
    for block in spec.blocks():
        if block.expands:
            tape.conv(block.expanded_channels, act=block.activation)
        tape.depthwise(block.kernel, block.stride, act=None if block.squeeze_channels else block.activation)
        if block.squeeze_channels:
            tape.squeeze_excite(block.squeeze_channels).act(block.activation)
        tape.conv(block.out_channels, act=None if block.projects_linearly else block.activation)
        if block.has_shortcut:
            tape.add()
    if spec.head_channels:
        tape.conv(spec.head_channels, act=spec.stem_activation)
    tape.global_pool()
    if spec.hidden_features:
        tape.linear(spec.hidden_features, act=spec.stem_activation)
    return tape.linear(spec.classes).workload


def minimalistic(width: float, resolution: int, version: Version = "v3_large") -> Workload:
    """V3 without squeeze-excite, hard-swish and 5x5 filters (tensorflow/models, research/slim/nets/mobilenet)."""
    spec = MobileNetSpec(version, width=width, resolution=resolution)
    tape = Tape(resolution).conv(spec.stem_channels, 3, 2)
    for block in spec.blocks():
        if block.expands:
            tape.conv(block.expanded_channels)
        tape.depthwise(3, block.stride).conv(block.out_channels)
        if block.has_shortcut:
            tape.add()
    return tape.conv(spec.head_channels).global_pool().linear(spec.hidden_features).linear(1000).workload


def early_v3_large() -> Workload:
    """The early V3-Large of ncnn's benchmark: 246 MMACs, with 160 channels at 14x14 (Tencent/ncnn, mobilenet_v3.param)."""
    tape = Tape(224).conv(16, 3, 2, act="hard_swish")
    for i, row in enumerate(V3_LARGE_TABLE):
        before, size = tape.channels, tape.size
        exp, stride = (672, row.s) if i == 13 else (row.exp, 1 if i == 12 else row.s)
        stride = 2 if i == 13 else stride
        act = "hard_swish" if row.nl == "HS" else "relu"
        if exp != before:
            tape.conv(exp, act=act)
        tape.depthwise(row.k, stride, act=None if row.se else act)
        if row.se:
            tape.squeeze_excite(exp // 4).touch("elementwise")
        tape.conv(row.out)
        if before == row.out and size == tape.size and stride == 1:
            tape.add()
    return tape.conv(960, act="hard_swish").global_pool().linear(1280, act="hard_swish").linear(1000).workload


def inverted(tape: Tape, out: int, kernel: int, stride: int, expansion: float, *, squeeze: float = 0, act: str = "relu") -> None:
    """One inverted residual; `squeeze` is the share of the block's input channels that squeeze-excite keeps."""
    before, size = tape.channels, tape.size
    if expansion != 1:
        tape.conv(round(before * expansion), act=act)
    tape.depthwise(kernel, stride, act=act)
    if squeeze:
        tape.squeeze_excite(max(1, int(before * squeeze)))
    tape.conv(out)
    if before == out and size == tape.size:
        tape.add()


# kernel, expansion, out, repetitions, stride, squeeze
MNASNET_A1 = (
    (3, 6, 24, 2, 2, 0),
    (5, 3, 40, 3, 2, 0.25),
    (3, 6, 80, 4, 2, 0),
    (3, 6, 112, 2, 1, 0.25),
    (5, 6, 160, 3, 2, 0.25),
    (3, 6, 320, 1, 1, 0),
)
MNASNET_B1 = (
    (3, 3, 24, 3, 2, 0),
    (5, 3, 40, 3, 2, 0),
    (5, 6, 80, 3, 2, 0),
    (3, 6, 96, 2, 1, 0),
    (5, 6, 192, 4, 2, 0),
    (3, 6, 320, 1, 1, 0),
)


def mnasnet(width: float, resolution: int, table: tuple[tuple[float, ...], ...] = MNASNET_B1) -> Workload:
    """MnasNet (arXiv:1807.11626); the head keeps 1280 channels at every width.

    B1 is what torchvision, TensorFlow's hosted models and ncnn call MnasNet, at the expansions of torchvision's.
    """
    tape = Tape(resolution).conv(round_channels(32 * width), 3, 2).depthwise(3).conv(round_channels(16 * width))
    for kernel, expansion, out, repetitions, stride, squeeze in table:
        for i in range(int(repetitions)):
            inverted(tape, round_channels(out * width), int(kernel), 1 if i else int(stride), expansion, squeeze=squeeze)
    return tape.conv(1280).global_pool().linear(1000).workload


# expansion, kernel, out, stride
PROXYLESS_MOBILE = (
    *((1.5, 5, 32, 2), (3, 3, 32, 1)),
    *((3, 7, 40, 2), (3, 3, 40, 1), (3, 5, 40, 1), (3, 5, 40, 1)),
    *((6, 7, 80, 2), (3, 5, 80, 1), (3, 5, 80, 1), (3, 5, 80, 1)),
    *((6, 5, 96, 1), (3, 5, 96, 1), (3, 5, 96, 1), (3, 5, 96, 1)),
    *((6, 7, 192, 2), (6, 7, 192, 1), (3, 7, 192, 1), (3, 7, 192, 1)),
    (6, 7, 320, 1),
)


def proxyless() -> Workload:
    """ProxylessNAS for mobile phones (arXiv:1812.00332), as ncnn's benchmark has it."""
    tape = Tape(224).conv(32, 3, 2).depthwise(3).conv(32)
    for expansion, kernel, out, stride in PROXYLESS_MOBILE:
        inverted(tape, out, kernel, stride, expansion)
    return tape.conv(1280).global_pool().linear(1000).workload


EFFICIENTNET = (  # arXiv:1905.11946, table 1: kernel, expansion, out, repetitions, stride
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)


def efficientnet(width: float, depth: float, resolution: int, *, lite: bool = False) -> Workload:
    """EfficientNet (arXiv:1905.11946): B0 is 1.0, 1.0; B4 is 1.4, 1.8.

    The lite ones have ReLU6, no squeeze-excite, and ends that do not grow (tensorflow/tpu, models/official/efficientnet/lite).
    """
    act, squeeze, last = ("relu6", 0.0, len(EFFICIENTNET) - 1) if lite else ("swish", 0.25, -1)
    tape = Tape(resolution).conv(32 if lite else round_channels(32 * width), 3, 2, act=act)
    for stage, (kernel, expansion, out, repetitions, stride) in enumerate(EFFICIENTNET):
        count = repetitions if lite and stage in (0, last) else -int(-repetitions * depth // 1)
        for i in range(count):
            inverted(tape, round_channels(out * width), kernel, 1 if i else stride, expansion, squeeze=squeeze, act=act)
    return tape.conv(1280 if lite else round_channels(1280 * width), act=act).global_pool().linear(1000).workload


# fused, expansion, out, repetitions, stride
EFFICIENTNET_V2_S = (
    (True, 1, 24, 2, 1),
    (True, 4, 48, 4, 2),
    (True, 4, 64, 4, 2),
    (False, 4, 128, 6, 2),
    (False, 6, 160, 9, 1),
    (False, 6, 256, 15, 2),
)
EFFICIENTNET_V2_B0 = (
    (True, 1, 16, 1, 1),
    (True, 4, 32, 2, 2),
    (True, 4, 48, 2, 2),
    (False, 4, 96, 3, 2),
    (False, 6, 112, 5, 1),
    (False, 6, 192, 8, 2),
)


def efficientnet_v2(table: tuple[tuple[bool, int, int, int, int], ...], stem: int, resolution: int) -> Workload:
    """EfficientNetV2 (arXiv:2104.00298, table 4)."""
    tape = Tape(resolution).conv(stem, 3, 2, act="swish")
    for fused, expansion, out, repetitions, stride in table:
        for i in range(repetitions):
            step = 1 if i else stride
            if not fused:
                inverted(tape, out, 3, step, expansion, squeeze=0.25, act="swish")
                continue
            before, size = tape.channels, tape.size
            if expansion == 1:
                tape.conv(out, 3, step, act="swish")
            else:
                tape.conv(before * expansion, 3, step, act="swish").conv(out)
            if before == out and size == tape.size:
                tape.add()
    return tape.conv(1280, act="swish").global_pool().linear(1000).workload


SHUFFLENET_V2 = {  # arXiv:1807.11164, table 5; 0.25, 0.33 and 2.0 as PaddleClas has them
    0.25: (24, 24, 48, 96, 512),
    0.33: (24, 32, 64, 128, 512),
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 244, 488, 976, 2048),
}


def shuffle_stages(tape: Tape, widths: tuple[int, ...], act: str = "relu") -> None:
    """The three stages of ShuffleNet V2."""
    for out, repetitions in zip(widths, (4, 8, 4), strict=False):
        half = out // 2
        for i in range(repetitions):
            size, channels = tape.size, tape.channels
            if i == 0:
                tape.depthwise(3, 2).conv(half, act=act).back(size, channels).conv(half, act=act).depthwise(3, 2)
            else:
                tape.back(size, half).conv(half, act=act).depthwise(3)
            tape.conv(half, act=act).concat(out).touch("move")


def shufflenet_v2(width: float, act: str = "relu") -> Workload:
    """ShuffleNet V2 (arXiv:1807.11164), of a width in `SHUFFLENET_V2`."""
    stem, *stages, head = SHUFFLENET_V2[width]
    tape = Tape(224).conv(stem, 3, 2, act=act).pool(3, 2)
    shuffle_stages(tape, tuple(stages), act)
    return tape.conv(head, act=act).global_pool().linear(1000).workload


def shufflenet_v1() -> Workload:
    """ShuffleNet V1 with three groups (arXiv:1707.01083, table 1), as ncnn's benchmark has it."""
    tape = Tape(224).conv(24, 3, 2).pool(3, 2)
    for out, repetitions, middle in ((240, 4, 60), (480, 8, 120), (960, 4, 240)):
        for i in range(repetitions):
            size, before = tape.size, tape.channels
            if i:
                tape.conv(middle, groups=3).touch("move").depthwise(3).conv(out, groups=3).add().touch("elementwise")
                continue
            tape.pool(3, 2).back(size, before)
            first = before == 24
            squeezed = 54 if first else before // 4
            tape.conv(squeezed, groups=1 if first else 3).touch("move").depthwise(3, 2).conv(out - before, groups=3)
            tape.concat(out).touch("elementwise")
    return tape.global_pool().linear(1000).workload


GHOSTNET = (  # arXiv:1911.11907, table 7: kernel, expanded, out, squeeze-excite, stride
    *((3, 16, 16, False, 1), (3, 48, 24, False, 2), (3, 72, 24, False, 1), (5, 72, 40, True, 2), (5, 120, 40, True, 1)),
    *((3, 240, 80, False, 2), (3, 200, 80, False, 1), (3, 184, 80, False, 1), (3, 184, 80, False, 1)),
    *((3, 480, 112, True, 1), (3, 672, 112, True, 1), (5, 672, 160, True, 2)),
    *((5, 960, 160, False, 1), (5, 960, 160, True, 1), (5, 960, 160, False, 1), (5, 960, 160, True, 1)),
)


def ghostnet(width: float, resolution: int) -> Workload:
    """GhostNet (arXiv:1911.11907): half of the channels from 1x1 convolutions, half from 3x3 filters on those."""

    def ghost(out: int) -> None:
        tape.conv(-(-out // 2)).depthwise(3).concat(out)

    tape = Tape(resolution).conv(round_channels(16 * width, 4), 3, 2)
    for kernel, exp, channels, squeezes, stride in GHOSTNET:
        size, before = tape.size, tape.channels
        expanded, out = round_channels(exp * width, 4), round_channels(channels * width, 4)
        ghost(expanded)
        if stride > 1:
            tape.depthwise(kernel, stride)
        if squeezes:
            tape.squeeze_excite(round_channels(expanded * 0.25, 4))
        ghost(out)
        if stride > 1 or before != out:
            tape.back(size, before).depthwise(kernel, stride).conv(out)
        tape.add()
    return tape.conv(round_channels(960 * width, 4)).global_pool().linear(1280).linear(1000).workload
