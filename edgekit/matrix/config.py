"""edgekit.toml: what is converted to what, and which goals it has to reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edgekit.mobilenet.spec import Padding

FILE_NAME = "edgekit.toml"

# null stands outside: what a bound is of cannot be null
_AtLeast0 = Annotated[float, Meta(ge=0)]
_Above0 = Annotated[float, Meta(gt=0)]
_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Resolution = Annotated[int, Meta(ge=16, le=4096)]
_Word = Annotated[str, Meta(min_length=1)]
# (?!\n): in Python, $ is before a last line break, too
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?!\n)$", max_length=100)]
_Value = str | int | float | bool
# edgekit.precision.PRECISIONS, written out for the type checker
Precision = Literal["float32", "float16", "int8", "int8-weights", "palettized-8", "palettized-6", "palettized-4", "pruned-50"]
_IMAGES = "real pictures for parity: a folder; by default those edgekit ships"
_CALIBRATION = "pictures for int8, 100 or more: a folder, a list of files, or `digits`; by default `digits` for that model"
_EVALUATION = "labelled pictures to count accuracy on: what `edgekit evaluate` takes"
_DISTINCT = {"uniqueItems": True}
_Targets = Annotated[
    tuple[_Word, ...],
    Meta(
        min_length=1,
        description="targets to convert to, by name, or `all` that are installed",
        examples=[["coreml", "onnx"]],
        extra_json_schema=_DISTINCT,
    ),
]
_Precisions = Annotated[
    tuple[Precision, ...],
    Meta(min_length=1, description="of the artifacts; each target makes those that it has", extra_json_schema=_DISTINCT),
]
_Resolutions = Annotated[
    tuple[_Resolution, ...],
    Meta(
        min_length=1,
        description="heights and widths of the input, in pixels; by default the checkpoint's own alone",
        extra_json_schema=_DISTINCT,
    ),
]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artifact has to reach. A goal that is left out is none."""

    min_sqnr_db: Annotated[_AtLeast0 | None, Meta(description="SQNR against PyTorch, the worst of all outputs, in dB")] = None
    max_top1_drop: Annotated[
        _AtLeast0 | None,
        Meta(description="points of top-1, of 100, below the float model at most; needs `evaluation`"),
    ] = None
    max_p95_ms: Annotated[_Above0 | None, Meta(description="95th percentile of the latency here, in ms")] = None
    max_size_mb: Annotated[_Above0 | None, Meta(description="size of all the artifact's files, in MB of 1,000,000 bytes")] = None
    min_delegated: Annotated[
        _Fraction | None, Meta(description="fraction of the network that runs on the accelerator, from 0 to 1")
    ] = None

    def over(self, other: Limits) -> Limits:
        """These, and where one is left out the other's."""
        return Limits(
            **{name: getattr(other if getattr(self, name) is None else self, name) for name in Limits.__struct_fields__}
        )


class Goals(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goals of all cells, and what a target has instead: `[goals.openvino]`."""

    targets: Annotated[Mapping[str, Limits], Meta(description="by target; in the file these are tables inside of `goals`")] = {}

    def of(self, target: str) -> Limits:
        """What a target's artifacts have to reach."""
        return self.targets.get(target, Limits()).over(self)


class Timing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the latency is measured."""

    iterations: Annotated[int, Meta(ge=20, le=1_000_000, description="timed inferences, after warm-up")] = 100
    max_seconds: Annotated[float, Meta(ge=0.1, le=3600, description="stop timing after this long")] = 2.0
    warmup: Annotated[float, Meta(ge=0.1, le=3600, description="seconds to wait at most for a steady state")] = 2.0


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, and in what it differs from the rest of the file. What is left out is as at the top of the file."""

    model: Annotated[_Word, Meta(description="folder, file, Hugging Face id, or `digits`, which edgekit ships")]
    name: Annotated[
        _Name | None, Meta(description="of its artifacts: letters, digits, `_`, `.`, `-`; by default that of the folder or file")
    ] = None
    resolutions: _Resolutions | None = None
    targets: _Targets | None = None
    precisions: _Precisions | None = None
    width: Annotated[_Above0 | None, Meta(description="channel multiplier, where the checkpoint does not say")] = None
    padding: Annotated[
        Padding | None,
        Meta(description="`symmetric` (PyTorch's) or `same` (TensorFlow's), where the checkpoint does not say"),
    ] = None
    norm_eps: Annotated[_Above0 | None, Meta(description="epsilon of the batch norms, where the checkpoint does not say")] = None
    labels: Annotated[_Word | None, Meta(description="text file with one label a line")] = None
    images: Annotated[_Word | None, Meta(description=_IMAGES)] = None
    calibration: Annotated[_Word | None, Meta(description=_CALIBRATION)] = None
    evaluation: Annotated[_Word | None, Meta(description=_EVALUATION)] = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """edgekit.toml: models, targets and precisions of a matrix, and the goals of its cells. Paths are relative to the file."""

    models: Annotated[tuple[Model | _Word, ...], Meta(min_length=1, description="tables `[[models]]`, or a list of names")]
    targets: _Targets = ("all",)
    precisions: _Precisions = ("float32",)
    resolutions: _Resolutions | None = None
    images: Annotated[_Word | None, Meta(description=_IMAGES)] = None
    calibration: Annotated[_Word | None, Meta(description=_CALIBRATION)] = None
    evaluation: Annotated[_Word | None, Meta(description=_EVALUATION)] = None
    allow_overlap: Annotated[bool, Meta(description="count accuracy on pictures that were calibrated on, too")] = False
    weight_bits: Annotated[int, Meta(ge=7, le=8, description="of int8; 7 never overflow on CPUs without VNNI")] = 8
    threads: Annotated[int, Meta(ge=1, le=1024, description="of the runtimes")] = 1
    output: Annotated[_Word, Meta(description="folder that gets one folder per artifact, and the reports")] = "out"
    latency: Annotated[Timing | bool, Meta(description="how to measure it; true for the defaults, false not to")] = msgspec.field(
        default_factory=Timing
    )
    options: Annotated[
        Mapping[str, Mapping[str, _Value]], Meta(description="a table per target: what `--option` is on the command line")
    ] = {}
    goals: Annotated[Goals, Meta(description="what every artifact has to reach; a table inside, for one target")] = msgspec.field(
        default_factory=Goals
    )

    @property
    def entries(self) -> tuple[Model, ...]:
        """All models, as tables."""
        return tuple(Model(model=each) if isinstance(each, str) else each for each in self.models)
