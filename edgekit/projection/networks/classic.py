"""The large convolutional networks."""

from __future__ import annotations

from edgekit.projection.tape import Tape
from edgekit.projection.workload import Workload


def alexnet() -> Workload:
    """AlexNet as Caffe has it, with two groups (Krizhevsky et al. 2012)."""
    tape = Tape(227).conv(96, 11, 4, valid=True).touch("lrn").pool(3, 2, valid=True).conv(256, 5, groups=2).touch("lrn")
    tape.pool(3, 2, valid=True).conv(384, 3).conv(384, 3, groups=2).conv(256, 3, groups=2).pool(3, 2, valid=True)
    return tape.flatten().linear(4096).linear(4096).linear(1000).workload


def vgg(repetitions: tuple[int, int, int, int, int]) -> Workload:
    """VGG (arXiv:1409.1556, table 1): VGG-16 is column D, VGG-19 column E."""
    tape = Tape(224)
    for out, count in zip((64, 128, 256, 512, 512), repetitions, strict=True):
        for _ in range(count):
            tape.conv(out, 3)
        tape.pool(2, 2)
    return tape.flatten().linear(4096).linear(4096).linear(1000).workload


def resnet(
    repetitions: tuple[int, ...],
    *,
    bottleneck: bool,
    width: int = 64,
    groups: int = 1,
    resolution: int = 224,
    classes: int = 1000,
    early_stride: bool = False,
) -> Workload:
    """ResNet, ResNeXt and Wide ResNet (arXiv:1512.03385, 1611.05431, 1605.07146).

    Args:
        repetitions: blocks in each stage.
        bottleneck: 1x1, 3x3, 1x1 instead of two 3x3.
        width: of the 3x3 convolutions of the first stage.
        groups: of the 3x3 convolutions.
        resolution: height and width of the input in pixels.
        classes: 0 leaves the head away.
        early_stride: the first 1x1 has the stride, as in the paper, and not the 3x3, as in torchvision.
    """
    tape = Tape(resolution).conv(64, 7, 2).pool(3, 2)
    for stage, count in enumerate(repetitions):
        out = 64 * 2**stage * (4 if bottleneck else 1)
        for i in range(count):
            size, before, stride = tape.size, tape.channels, 2 if stage and not i else 1
            middle = width * 2**stage
            if bottleneck:
                first, second = (stride, 1) if early_stride else (1, stride)
                tape.conv(middle, 1, first).conv(middle, 3, second, groups=groups).conv(out)
            else:
                tape.conv(middle, 3, stride).conv(out, 3)
            if before != out or stride > 1:
                tape.back(size, before).conv(out, 1, stride)
            tape.add()
    return tape.global_pool().linear(classes).workload if classes else tape.workload


def densenet121() -> Workload:
    """DenseNet-121 (arXiv:1608.06993): the batch norms before convolutions cannot be folded, and pass twice over the tensor."""
    tape = Tape(224).conv(64, 7, 2).pool(3, 2)
    for stage, count in enumerate((6, 12, 24, 16)):
        for _ in range(count):
            size, before = tape.size, tape.channels
            tape.touch("elementwise", 2).conv(128).conv(32, 3).back(size, before).concat(before + 32)
        if stage < 3:
            tape.touch("elementwise", 2).conv(tape.channels // 2).pool(2, 2)
    return tape.touch("elementwise", 2).global_pool().linear(1000).workload


def squeezenet(version: str, resolution: int) -> Workload:
    """SqueezeNet 1.0 and 1.1 (arXiv:1602.07360)."""
    tape = Tape(resolution)
    fires = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    tape.conv(*((64, 3, 2) if version == "1.1" else (96, 7, 2)), valid=True).pool(3, 2, up=True)
    for i, (squeezed, expanded) in enumerate(fires):
        fire(tape, squeezed, expanded)
        if i in ((1, 3) if version == "1.1" else (2, 6)):
            tape.pool(3, 2, up=True)
    return tape.conv(1000).global_pool().workload


def fire(tape: Tape, squeezed: int, expanded: int) -> None:
    """Squeeze 1x1, then 1x1 and 3x3 side by side."""
    size = tape.conv(squeezed).size
    tape.conv(expanded).back(size, squeezed).conv(expanded, 3).concat(2 * expanded)


def branches(tape: Tape, *paths: tuple[tuple[int | str, int | tuple[int, int], int], ...], valid: bool = False) -> None:
    """Inception's parallel paths: each a chain of (out or "pool", kernel, stride); the outputs are joined."""
    size, before = tape.size, tape.channels
    total = 0
    for path in paths:
        tape.back(size, before)
        for out, kernel, stride in path:
            shrinks = valid and stride > 1
            if out == "pool":
                tape.pool(kernel if isinstance(kernel, int) else kernel[0], stride, valid=shrinks)
            else:
                assert isinstance(out, int)
                tape.conv(out, kernel, stride, valid=shrinks)
        total += tape.channels
    tape.concat(total)


GOOGLENET = (  # arXiv:1409.4842, table 1
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    None,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    None,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def googlenet(*, paper: bool = True) -> Workload:
    """GoogLeNet, Inception V1 (arXiv:1409.4842); later ones have batch norm and 3x3 in place of LRN and 5x5."""
    tape = Tape(224).conv(64, 7, 2).pool(3, 2)
    if paper:
        tape.touch("lrn").conv(64).conv(192, 3).touch("lrn")
    else:
        tape.conv(64).conv(192, 3)
    fifth = 5 if paper else 3
    tape.pool(3, 2)
    for row in GOOGLENET:
        if row is None:
            tape.pool(3, 2)
            continue
        a, b, c, d, e, f = row
        branches(tape, ((a, 1, 1),), ((b, 1, 1), (c, 3, 1)), ((d, 1, 1), (e, fifth, 1)), (("pool", 3, 1), (f, 1, 1)))
    return tape.global_pool().linear(1000).workload


def inception_v2() -> Workload:
    """Inception V2 with batch norm (arXiv:1502.03167, figure 5); the stem is separable in TensorFlow's."""
    tape = Tape(224).conv(64, 7, 2).pool(3, 2).conv(64).conv(192, 3).pool(3, 2)
    rows = (
        (64, 64, 64, 64, 96, 32),
        (64, 64, 96, 64, 96, 64),
        (0, 128, 160, 64, 96, 0),
        (224, 64, 96, 96, 128, 128),
        (192, 96, 128, 96, 128, 128),
        (160, 128, 160, 128, 160, 96),
        (96, 128, 192, 160, 192, 96),
        (0, 128, 192, 192, 256, 0),
        (352, 192, 320, 160, 224, 128),
        (352, 192, 320, 192, 224, 128),
    )
    for a, b, c, d, e, f in rows:
        if a:
            branches(tape, ((a, 1, 1),), ((b, 1, 1), (c, 3, 1)), ((d, 1, 1), (e, 3, 1), (e, 3, 1)), (("pool", 3, 1), (f, 1, 1)))
        else:
            branches(tape, ((b, 1, 1), (c, 3, 2)), ((d, 1, 1), (e, 3, 1), (e, 3, 2)), (("pool", 3, 2),))
    return tape.global_pool().linear(1000).workload


def inception_v3(resolution: int) -> Workload:
    """Inception V3 (arXiv:1512.00567)."""
    tape = Tape(resolution).conv(32, 3, 2, valid=True).conv(32, 3, valid=True).conv(64, 3).pool(3, 2, valid=True)
    tape.conv(80).conv(192, 3, valid=True).pool(3, 2, valid=True)
    for pooled in (32, 64, 64):
        branches(
            tape,
            ((64, 1, 1),),
            ((48, 1, 1), (64, 5, 1)),
            ((64, 1, 1), (96, 3, 1), (96, 3, 1)),
            (("pool", 3, 1), (pooled, 1, 1)),
        )
    branches(tape, ((384, 3, 2),), ((64, 1, 1), (96, 3, 1), (96, 3, 2)), (("pool", 3, 2),), valid=True)
    for c in (128, 160, 160, 192):
        sevens = ((c, (7, 1), 1), (c, (1, 7), 1), (c, (7, 1), 1), (192, (1, 7), 1))
        branches(
            tape,
            ((192, 1, 1),),
            ((c, 1, 1), (c, (1, 7), 1), (192, (7, 1), 1)),
            ((c, 1, 1), *sevens),
            (("pool", 3, 1), (192, 1, 1)),
        )
    branches(
        tape,
        ((192, 1, 1), (320, 3, 2)),
        ((192, 1, 1), (192, (1, 7), 1), (192, (7, 1), 1), (192, 3, 2)),
        (("pool", 3, 2),),
        valid=True,
    )
    for _ in range(2):
        branches(  # the forks inside two branches, as chains with the same work
            tape,
            ((320, 1, 1),),
            ((384, 1, 1), (768, (1, 3), 1)),
            ((448, 1, 1), (384, 3, 1), (768, (1, 3), 1)),
            (("pool", 3, 1), (192, 1, 1)),
        )
    return tape.global_pool().linear(1000).workload


def inception_v4() -> Workload:
    """Inception V4 (arXiv:1602.07261, figures 3 to 9)."""
    tape = Tape(299).conv(32, 3, 2, valid=True).conv(32, 3, valid=True).conv(64, 3)
    branches(tape, (("pool", 3, 2),), ((96, 3, 2),), valid=True)
    branches(tape, ((64, 1, 1), (96, 3, 1)), ((64, 1, 1), (64, (7, 1), 1), (64, (1, 7), 1), (96, 3, 1)))
    tape.size -= 2  # the last 3x3 of both are without padding
    branches(tape, ((192, 3, 2),), (("pool", 3, 2),), valid=True)
    for _ in range(4):
        branches(
            tape, (("pool", 3, 1), (96, 1, 1)), ((96, 1, 1),), ((64, 1, 1), (96, 3, 1)), ((64, 1, 1), (96, 3, 1), (96, 3, 1))
        )
    branches(tape, (("pool", 3, 2),), ((384, 3, 2),), ((192, 1, 1), (224, 3, 1), (256, 3, 2)), valid=True)
    for _ in range(7):
        branches(
            tape,
            (("pool", 3, 1), (128, 1, 1)),
            ((384, 1, 1),),
            ((192, 1, 1), (224, (1, 7), 1), (256, (7, 1), 1)),
            ((192, 1, 1), (192, (1, 7), 1), (224, (7, 1), 1), (224, (1, 7), 1), (256, (7, 1), 1)),
        )
    branches(
        tape,
        (("pool", 3, 2),),
        ((192, 1, 1), (192, 3, 2)),
        ((256, 1, 1), (256, (1, 7), 1), (320, (7, 1), 1), (320, 3, 2)),
        valid=True,
    )
    for _ in range(3):
        branches(
            tape,
            (("pool", 3, 1), (256, 1, 1)),
            ((256, 1, 1),),
            ((384, 1, 1), (512, (1, 3), 1)),
            ((384, 1, 1), (448, (1, 3), 1), (512, (3, 1), 1), (512, (1, 3), 1)),
        )
    return tape.global_pool().linear(1000).workload


def inception_resnet_v2() -> Workload:
    """Inception-ResNet V2 as TensorFlow released it (arXiv:1602.07261; slim/nets/inception_resnet_v2.py)."""
    tape = Tape(299).conv(32, 3, 2, valid=True).conv(32, 3, valid=True).conv(64, 3).pool(3, 2, valid=True)
    tape.conv(80).conv(192, 3, valid=True).pool(3, 2, valid=True)
    branches(tape, ((96, 1, 1),), ((48, 1, 1), (64, 5, 1)), ((64, 1, 1), (96, 3, 1), (96, 3, 1)), (("pool", 3, 1), (64, 1, 1)))
    for _ in range(10):
        branches(tape, ((32, 1, 1),), ((32, 1, 1), (32, 3, 1)), ((32, 1, 1), (48, 3, 1), (64, 3, 1)))
        tape.conv(320).add()
    branches(tape, ((384, 3, 2),), ((256, 1, 1), (256, 3, 1), (384, 3, 2)), (("pool", 3, 2),), valid=True)
    for _ in range(20):
        branches(tape, ((192, 1, 1),), ((128, 1, 1), (160, (1, 7), 1), (192, (7, 1), 1)))
        tape.conv(1088).add()
    branches(
        tape,
        ((256, 1, 1), (384, 3, 2)),
        ((256, 1, 1), (288, 3, 2)),
        ((256, 1, 1), (288, 3, 1), (320, 3, 2)),
        (("pool", 3, 2),),
        valid=True,
    )
    for _ in range(10):
        branches(tape, ((192, 1, 1),), ((192, 1, 1), (224, (1, 3), 1), (256, (3, 1), 1)))
        tape.conv(2080).add()
    return tape.conv(1536).global_pool().linear(1000).workload


def regnet(
    widths: tuple[int, ...], depths: tuple[int, ...], group_width: int, *, squeeze: bool, resolution: int = 224
) -> Workload:
    """RegNetX and RegNetY (arXiv:2003.13678)."""
    tape = Tape(resolution).conv(32, 3, 2)
    for out, count in zip(widths, depths, strict=True):
        for i in range(count):
            size, before = tape.size, tape.channels
            tape.conv(out).conv(out, 3, 1 if i else 2, groups=max(1, out // group_width))
            if squeeze:
                tape.squeeze_excite(before // 4)
            tape.conv(out)
            if not i:
                tape.back(size, before).conv(out, 1, 2)
            tape.add()
    return tape.global_pool().linear(1000).workload


def nasnet_mobile() -> Workload:
    """NASNet-A (4 @ 1056) (arXiv:1707.07012), by the count of its cells: separable convolutions run twice each."""
    tape = Tape(224).conv(32, 3, 2, valid=True)

    def separable(channels: int, kernel: int, stride: int) -> None:
        for i in range(2):
            tape.touch("elementwise").depthwise(kernel, 1 if i else stride).conv(channels)

    def cell(channels: int, stride: int, previous: tuple[int, int]) -> None:
        size, before = tape.size, tape.channels
        tape.touch("elementwise").conv(channels)
        tape.back(*previous).touch("elementwise").conv(channels, 1, max(1, previous[0] // size))
        kernels = (5, 3, 5, 3, 3) if stride == 1 else (5, 7, 7, 5, 3)
        for kernel in kernels:
            tape.back(size, channels)
            separable(channels, kernel, stride)
        pools = 3
        for _ in range(pools):
            tape.back(size, channels).pool(3, stride)
        for _ in range(5):
            tape.add()
        tape.concat((6 if stride == 1 else 4) * channels)
        assert before

    previous = (tape.size, tape.channels)
    for channels, stride, count in ((11, 2, 1), (22, 2, 1), (44, 1, 4), (88, 2, 1), (88, 1, 4), (176, 2, 1), (176, 1, 4)):
        for _ in range(count):
            here = (tape.size, tape.channels)
            cell(channels, stride, previous)
            previous = here
    return tape.touch("elementwise").global_pool().linear(1000).workload
