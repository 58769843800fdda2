"""Networks with attention or layer norms."""

from __future__ import annotations

from edgekit.projection.networks.mobile import inverted
from edgekit.projection.tape import Tape
from edgekit.projection.workload import Workload


def encoder(tape: Tape, width: int, heads: int, *, hidden: int) -> None:
    """One block of a transformer (arXiv:1706.03762)."""
    size = tape.size
    tape.touch("norm").linear(3 * width).touch("move").attention(heads, width // heads, width // heads)
    tape.linear(width).add().touch("norm").linear(hidden, act="gelu").linear(width).add().back(size, width)


def vision_transformer(resolution: int) -> Workload:
    """ViT-B/16 (arXiv:2010.11929); the class token is left out."""
    tape = Tape(resolution).conv(768, 16, 16)
    for _ in range(12):
        encoder(tape, 768, 12, hidden=3072)
    return tape.touch("norm").global_pool().linear(1000).workload


def swin(width: int, depths: tuple[int, ...], heads: int) -> Workload:
    """Swin (arXiv:2103.14030): attention inside windows of 7x7."""
    tape = Tape(224).conv(width, 4, 4).touch("norm")
    for stage, depth in enumerate(depths):
        if stage:
            tape.back(tape.size // 2, 2 * width).touch("move").touch("norm").linear(2 * width)
            width, heads = 2 * width, 2 * heads
        for _ in range(depth):
            size = tape.size
            tape.touch("norm").touch("move").linear(3 * width).attention(heads, width // heads, width // heads, tokens=49)
            tape.linear(width).touch("move").add().touch("norm").linear(4 * width, act="gelu").linear(width).add()
            tape.back(size, width)
    return tape.touch("norm").global_pool().linear(1000).workload


def convnext(widths: tuple[int, ...], depths: tuple[int, ...]) -> Workload:
    """ConvNeXt (arXiv:2201.03545)."""
    tape = Tape(224).conv(widths[0], 4, 4).touch("norm")
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            tape.touch("norm").conv(width, 2, 2)
        for _ in range(depth):
            tape.depthwise(7).touch("norm").linear(4 * width, act="gelu").linear(width).add()
    return tape.global_pool().linear(1000).workload


def levit(widths: tuple[int, ...], heads: tuple[int, ...], depth: int, key: int) -> Workload:
    """LeViT (arXiv:2104.01136): 128S is widths 128, 256, 384, heads 4, 6, 8, depths 2, 3, 4, key 16."""
    tape = Tape(224)
    for i in (8, 4, 2, 1):
        tape.conv(widths[0] // i, 3, 2, act="hard_swish" if i > 1 else None)
    for stage, (width, count) in enumerate(zip(widths, heads, strict=True)):
        for _ in range(depth + stage):
            size = tape.size
            tape.linear(count * 4 * key).touch("move").attention(count, key, 2 * key).act("hard_swish").linear(width).add()
            tape.back(size, width).linear(2 * width, act="hard_swish").linear(width).add()
        if stage < 2:
            out, size, down = widths[stage + 1], tape.size, width // key
            tape.linear(down * 5 * key)
            tape.back(-(-size // 2), width).linear(down * key)
            tape.attention(down, key, 4 * key, tokens=size * size).act("hard_swish").linear(out)
            tape.linear(2 * out, act="hard_swish").linear(out).add()
    return tape.global_pool().linear(1000).workload


def mobile_vit() -> Workload:
    """MobileViT-S (arXiv:2110.02178) at 256x256."""
    tape = Tape(256).conv(16, 3, 2, act="swish")
    for out, stride in ((32, 1), (64, 2), (64, 1), (64, 1)):
        inverted(tape, out, 3, stride, 4, act="swish")
    for out, width, depth in ((96, 144, 2), (128, 192, 4), (160, 240, 3)):
        inverted(tape, out, 3, 2, 4, act="swish")
        size = tape.conv(out, 3, act="swish").conv(width).touch("move").size
        for _ in range(depth):
            _windowed(tape, size, width)
        tape.touch("move").conv(out, act="swish").concat(2 * out).conv(out, 3, act="swish")
    return tape.conv(640, act="swish").global_pool().linear(1000).workload


def _windowed(tape: Tape, size: int, width: int) -> None:
    """MobileViT's block: each of the 4 pixels of a 2x2 patch attends to the same pixel of the other patches."""
    tape.touch("norm").linear(3 * width).attention(4, width // 4, width // 4, tokens=size * size // 4)
    tape.back(size, width).linear(width).add().touch("norm").linear(2 * width, act="swish").linear(width).add()


def mobile_vit_v2() -> Workload:
    """MobileViTv2-1.0 at 256x256 (arXiv:2206.02680): attention by one latent token, linear in the positions."""
    tape = Tape(256).conv(32, 3, 2, act="swish")
    for out, stride in ((64, 1), (128, 2), (128, 1)):
        inverted(tape, out, 3, stride, 2, act="swish")
    for out, width, depth in ((256, 128, 2), (384, 192, 4), (512, 256, 3)):
        inverted(tape, out, 3, 2, 2, act="swish")
        tape.depthwise(3, act="swish").conv(width).touch("move")
        for _ in range(depth):
            tape.touch("norm").conv(1 + 2 * width).back(tape.size, width).touch("norm").touch("activation").conv(width).add()
            tape.touch("norm").conv(2 * width, act="swish").conv(width).add()
        tape.touch("move").conv(out)
    return tape.global_pool().linear(1000).workload


def efficientformer() -> Workload:
    """EfficientFormer-L1 (arXiv:2206.01191)."""
    tape = Tape(224).conv(24, 3, 2).conv(48, 3, 2)
    for stage, (width, depth) in enumerate(((48, 3), (96, 2), (224, 6), (448, 3))):
        if stage:
            tape.conv(width, 3, 2)
        for _ in range(depth):
            tape.pool(3, 1).add().conv(4 * width, act="gelu").conv(width).add()
    tape.touch("norm").linear(8 * (2 * 32 + 128)).touch("move").attention(8, 32, 128).linear(448).add()
    tape.touch("norm").linear(4 * 448, act="gelu").linear(448).add()
    return tape.global_pool().linear(1000).workload


def efficientvit(widths: tuple[int, ...], depths: tuple[int, ...], head: tuple[int, int], *, large: bool) -> Workload:
    """EfficientViT B and L (arXiv:2205.14756): linear attention with 5x5 depthwise aggregation."""
    act = "gelu" if large else "hard_swish"
    key = 32
    tape = Tape(224).conv(widths[0], 3, 2, act=act)
    for _ in range(depths[0]):
        if large:
            tape.conv(widths[0], 3, act=act).conv(widths[0], 3).add()
        else:
            tape.depthwise(3, act=act).conv(widths[0]).add()
    for stage, (width, depth) in enumerate(zip(widths[1:], depths[1:], strict=True), 1):
        attends = stage >= 3
        if large and stage <= 2:
            tape.conv(16 * tape.channels, 3, 2, act=act).conv(width)
        else:
            inverted(tape, width, 3, 2, 24 if large else 4, act=act)
        for _ in range(depth):
            if attends:
                size = tape.size
                tape.conv(3 * width).depthwise(5).conv(3 * width, groups=3 * width // key).concat(6 * width).touch("activation")
                tape.attention(2 * width // key, key, key, tokens=key).back(size, 2 * width).conv(width).add()
                inverted(tape, width, 3, 1, 6 if large else 4, act=act)
            elif large and stage <= 2:
                tape.conv(4 * width, 3, act=act).conv(width).add()
            else:
                inverted(tape, width, 3, 1, 4, act=act)
    return tape.conv(head[0], act=act).global_pool().linear(head[1], act=act).linear(1000).workload
