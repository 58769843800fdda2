"""Which network a published name means: name, width and resolution to a workload, and to the family it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.projection.networks import attention, classic, detection, mobile
from edgekit.projection.workload import Workload

RESNET50 = (3, 4, 6, 3)
# name -> family, maker of width and resolution
NETWORKS: dict[str, tuple[str, Callable[[float, int], Workload]]] = {
    "mobilenet_v1": ("mobilenet_v1", lambda w, r: mobile.mobilenet(MobileNetSpec("v1", width=w, resolution=r))),
    "mobilenet_v2": ("mobilenet_v2", lambda w, r: mobile.mobilenet(MobileNetSpec("v2", width=w, resolution=r))),
    "mobilenet_v3_large": ("mobilenet_v3", lambda w, r: mobile.mobilenet(MobileNetSpec("v3_large", width=w, resolution=r))),
    "mobilenet_v3_small": ("mobilenet_v3", lambda w, r: mobile.mobilenet(MobileNetSpec("v3_small", width=w, resolution=r))),
    "mobilenet_v3_large_early": ("mobilenet_v3", lambda w, r: mobile.early_v3_large()),
    "mobilenet_v3_large_minimalistic": ("mobilenet_v3", mobile.minimalistic),
    "mobilenet_v3_small_minimalistic": ("mobilenet_v3", lambda w, r: mobile.minimalistic(w, r, "v3_small")),
    "mnasnet": ("mnasnet", mobile.mnasnet),
    "mnasnet_a1": ("mnasnet", lambda w, r: mobile.mnasnet(w, r, mobile.MNASNET_A1)),
    "proxylessnasnet": ("proxyless", lambda w, r: mobile.proxyless()),
    "ghostnet": ("ghostnet", mobile.ghostnet),
    "efficientnet_b0": ("efficientnet", lambda w, r: mobile.efficientnet(1.0, 1.0, r)),
    "efficientnet_b1": ("efficientnet", lambda w, r: mobile.efficientnet(1.0, 1.1, r)),
    "efficientnet_b2": ("efficientnet", lambda w, r: mobile.efficientnet(1.1, 1.2, r)),
    "efficientnet_b3": ("efficientnet", lambda w, r: mobile.efficientnet(1.2, 1.4, r)),
    "efficientnet_b4": ("efficientnet", lambda w, r: mobile.efficientnet(1.4, 1.8, r)),
    "efficientnet_lite0": ("efficientnet_lite", lambda w, r: mobile.efficientnet(1.0, 1.0, r, lite=True)),
    "efficientnet_lite1": ("efficientnet_lite", lambda w, r: mobile.efficientnet(1.0, 1.1, r, lite=True)),
    "efficientnet_lite2": ("efficientnet_lite", lambda w, r: mobile.efficientnet(1.1, 1.2, r, lite=True)),
    "efficientnet_lite3": ("efficientnet_lite", lambda w, r: mobile.efficientnet(1.2, 1.4, r, lite=True)),
    "efficientnet_lite4": ("efficientnet_lite", lambda w, r: mobile.efficientnet(1.4, 1.8, r, lite=True)),
    "efficientnetv2_b0": ("efficientnet_v2", lambda w, r: mobile.efficientnet_v2(mobile.EFFICIENTNET_V2_B0, 32, r)),
    "efficientnet_v2_s": ("efficientnet_v2", lambda w, r: mobile.efficientnet_v2(mobile.EFFICIENTNET_V2_S, 24, r)),
    "shufflenet_v1_g3": ("shufflenet_v1", lambda w, r: mobile.shufflenet_v1()),
    "shufflenet_v2": ("shufflenet_v2", lambda w, r: mobile.shufflenet_v2(w)),
    "shufflenet_v2_swish": ("shufflenet_v2", lambda w, r: mobile.shufflenet_v2(w, "swish")),
    "alexnet": ("alexnet", lambda w, r: classic.alexnet()),
    "vgg16": ("vgg", lambda w, r: classic.vgg((2, 2, 3, 3, 3))),
    "vgg19": ("vgg", lambda w, r: classic.vgg((2, 2, 4, 4, 4))),
    "squeezenet1.0": ("squeezenet", lambda w, r: classic.squeezenet("1.0", r)),
    "squeezenet1.1": ("squeezenet", lambda w, r: classic.squeezenet("1.1", r)),
    "resnet18": ("resnet", lambda w, r: classic.resnet((2, 2, 2, 2), bottleneck=False, resolution=r)),
    "resnet34": ("resnet", lambda w, r: classic.resnet((3, 4, 6, 3), bottleneck=False, resolution=r)),
    "resnet152": ("resnet", lambda w, r: classic.resnet((3, 8, 36, 3), bottleneck=True, resolution=r)),
    "resnet50": ("resnet", lambda w, r: classic.resnet(RESNET50, bottleneck=True, resolution=r)),
    "resnet50_caffe": ("resnet", lambda w, r: classic.resnet(RESNET50, bottleneck=True, early_stride=True, resolution=r)),
    "resnet101": ("resnet", lambda w, r: classic.resnet((3, 4, 23, 3), bottleneck=True, resolution=r)),
    "resnet_v2_101": ("resnet", lambda w, r: classic.resnet((3, 4, 23, 3), bottleneck=True, resolution=r)),
    "wideresnet50": ("resnet", lambda w, r: classic.resnet(RESNET50, bottleneck=True, width=128, resolution=r)),
    "resnext50": ("resnext", lambda w, r: classic.resnet(RESNET50, bottleneck=True, width=128, groups=32, resolution=r)),
    "resnext101": ("resnext", lambda w, r: classic.resnet((3, 4, 23, 3), bottleneck=True, width=256, groups=32, resolution=r)),
    "densenet121": ("densenet", lambda w, r: classic.densenet121()),
    "googlenet": ("inception", lambda w, r: classic.googlenet()),
    "inception_v1": ("inception", lambda w, r: classic.googlenet(paper=False)),
    "inception_v2": ("inception", lambda w, r: classic.inception_v2()),
    "inception_v3": ("inception", lambda w, r: classic.inception_v3(r)),
    "inception_v4": ("inception", lambda w, r: classic.inception_v4()),
    "inception_resnet_v2": ("inception", lambda w, r: classic.inception_resnet_v2()),
    "regnet": ("regnet", lambda w, r: classic.regnet((96, 192, 432, 1008), (2, 6, 15, 2), 48, squeeze=False, resolution=r)),
    "regnet_y_800mf": ("regnet", lambda w, r: classic.regnet((64, 144, 320, 784), (1, 3, 8, 2), 16, squeeze=True, resolution=r)),
    "regnety_400m": ("regnet", lambda w, r: classic.regnet((48, 104, 208, 440), (1, 3, 6, 6), 8, squeeze=True, resolution=r)),
    "nasnet_mobile": ("nasnet", lambda w, r: classic.nasnet_mobile()),
    "mobilenet_ssd": ("mobilenet_ssd", lambda w, r: detection.mobilenet_ssd()),
    "squeezenet_ssd": ("squeezenet_ssd", lambda w, r: detection.squeezenet_ssd()),
    "mobilenet_yolo": ("mobilenet_yolo", lambda w, r: detection.mobilenet_yolo()),
    "mobilenetv2_yolov3": ("mobilenet_yolo", lambda w, r: detection.mobilenetv2_yolov3()),
    "yolov4-tiny": ("yolov4", lambda w, r: detection.yolov4_tiny()),
    "yolo-fastest-1.1": ("yolo-fastest", lambda w, r: detection.yolo_fastest()),
    "yolo-fastestv2": ("yolo-fastest", lambda w, r: detection.yolo_fastest_v2()),
    "FastestDet": ("yolo-fastest", lambda w, r: detection.fastest_det()),
    "nanodet_m": ("nanodet", lambda w, r: detection.nanodet_m()),
    "blazeface": ("blazeface", lambda w, r: detection.blazeface()),
    "centernet_resnet34": ("centernet", lambda w, r: detection.centernet()),
    "vision_transformer": ("vit", lambda w, r: attention.vision_transformer(r)),
    "swin_tiny": ("swin", lambda w, r: attention.swin(96, (2, 2, 6, 2), 3)),
    "swin_small": ("swin", lambda w, r: attention.swin(96, (2, 2, 18, 2), 3)),
    "swin_base": ("swin", lambda w, r: attention.swin(128, (2, 2, 18, 2), 4)),
    "convnext_tiny": ("convnext", lambda w, r: attention.convnext((96, 192, 384, 768), (3, 3, 9, 3))),
    "convnext_base": ("convnext", lambda w, r: attention.convnext((128, 256, 512, 1024), (3, 3, 27, 3))),
    "levit": ("levit", lambda w, r: attention.levit((128, 256, 384), (4, 6, 8), 2, 16)),
    "mobile_vit": ("mobile_vit", lambda w, r: attention.mobile_vit()),
    "mobilevit_v2": ("mobile_vit", lambda w, r: attention.mobile_vit_v2()),
    "efficientformer": ("efficientformer", lambda w, r: attention.efficientformer()),
    "efficientvit_b2_cls": (
        "efficientvit",
        lambda w, r: attention.efficientvit((24, 48, 96, 192, 384), (1, 3, 4, 4, 6), (2304, 2560), large=False),
    ),
    "efficientvit_l2_cls": (
        "efficientvit",
        lambda w, r: attention.efficientvit((32, 64, 128, 256, 512), (1, 2, 2, 8, 8), (3072, 3200), large=True),
    ),
}
# Drawn up at one resolution in pixels, that of the source or else of its paper.
DRAWN_AT = {
    **dict.fromkeys(("mobilenet_v3_large_early", "proxylessnasnet", "shufflenet_v1_g3", "shufflenet_v2"), 224),
    **dict.fromkeys(("shufflenet_v2_swish", "vgg16", "vgg19", "densenet121", "googlenet", "inception_v1"), 224),
    **dict.fromkeys(("inception_v2", "nasnet_mobile"), 224),
    **dict.fromkeys(("swin_tiny", "swin_small", "swin_base", "convnext_tiny", "convnext_base", "levit", "mobile_vit"), 224),
    **dict.fromkeys(("efficientformer", "efficientvit_b2_cls", "efficientvit_l2_cls"), 224),
    **{"alexnet": 227, "inception_v4": 299, "inception_resnet_v2": 299, "mobilevit_v2": 256},
    **{"mobilenet_ssd": 300, "squeezenet_ssd": 300, "mobilenet_yolo": 416, "mobilenetv2_yolov3": 352, "yolov4-tiny": 416},
    **{"yolo-fastest-1.1": 320, "yolo-fastestv2": 352, "FastestDet": 352, "nanodet_m": 320, "blazeface": 128},
    "centernet_resnet34": 512,
}
# Networks of any width. ShuffleNet V2 has those that its authors list; what others call their width is in the name.
OF_ANY_WIDTH = (
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "mobilenet_v3_large_minimalistic"),
    *("mobilenet_v3_small_minimalistic", "mnasnet", "mnasnet_a1", "ghostnet"),
)
# the same network under the names of other sources
ALIASES = {
    "squeezenet1.0?": "squeezenet1.0",
    "squeezenet": "squeezenet1.0",
    "squeezenet-int8": "squeezenet1.1",
    "squeezenet-ssd": "squeezenet_ssd",
    "mobilenet-ssd": "mobilenet_ssd",
    "mobilenet-yolo": "mobilenet_yolo",
    "resnet50_v1": "resnet50",
    "resnet50_v2": "resnet50",
    "resnet152_v2": "resnet152",
    "densenet": "densenet121",
    "vit": "vision_transformer",
}


# what one source calls by a name that means another network elsewhere
OF_SOURCE = {
    ("ncnn", "mobilenet_v3_large"): "mobilenet_v3_large_early",
    ("ncnn", "resnet50"): "resnet50_caffe",
    ("qai-hub", "googlenet"): "inception_v1",
}


def canonical(name: str, source: str = "") -> str:
    """The name in `NETWORKS` of what a source calls so."""
    return OF_SOURCE.get((source, name)) or ALIASES.get(name, name)


def family_of(name: str) -> str:
    """The family of a network: what is held back together. An unknown network is its own."""
    name = canonical(name)
    return NETWORKS[name][0] if name in NETWORKS else name


@lru_cache(maxsize=512)
def workload_of(name: str, width: float, resolution: int) -> Workload | None:
    """The work of a published network, or None if its operators are not known here, or not in this size."""
    name = canonical(name)
    if name not in NETWORKS or resolution != DRAWN_AT.get(name, resolution):
        return None
    is_drawn = width in mobile.SHUFFLENET_V2 if name.startswith("shufflenet_v2") else width == 1.0 or name in OF_ANY_WIDTH
    return NETWORKS[name][1](width, resolution) if is_drawn else None


def usual_resolution(name: str) -> int:
    """In pixels, where a source does not state one."""
    return DRAWN_AT.get(canonical(name), 224)
