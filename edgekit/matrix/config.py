"""edgekit.toml: what is converted to what, and which goals it has to reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

FILE_NAME = "edgekit.toml"

_AtLeast0 = Annotated[float, Meta(ge=0)]
_Above0 = Annotated[float, Meta(gt=0)]
_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Resolution = Annotated[int, Meta(ge=16, le=4096)]
_Word = Annotated[str, Meta(min_length=1)]
_Names = Annotated[tuple[_Word, ...], Meta(min_length=1)]
_Value = str | int | float | bool


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

    targets: Mapping[str, Limits] = {}  # in the file: tables inside of `goals`

    def of(self, target: str) -> Limits:
        """What a target's artifacts have to reach."""
        return self.targets.get(target, Limits()).over(self)


class Timing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the latency is measured."""

    iterations: Annotated[int, Meta(ge=20, le=1_000_000, description="timed inferences, after warm-up")] = 100
    max_seconds: Annotated[float, Meta(ge=0.1, le=3600, description="stop timing after this long")] = 2.0
    warmup: Annotated[float, Meta(ge=0.1, le=3600, description="seconds to wait at most for a steady state")] = 2.0


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, and in what it differs from the rest of the file."""

    model: Annotated[_Word, Meta(description="folder, file, Hugging Face id, or `digits`, which edgekit ships")]
    name: Annotated[
        str | None, Meta(pattern=r"^[\w][\w.-]*$", description="of its artifacts; by default that of the folder or file")
    ] = None
    resolutions: Annotated[tuple[_Resolution, ...] | None, Meta(min_length=1)] = None
    targets: _Names | None = None
    precisions: _Names | None = None
    width: _Above0 | None = None
    padding: Annotated[str | None, Meta(description="`symmetric` or `same`, where the checkpoint does not say")] = None
    norm_eps: _Above0 | None = None
    labels: Annotated[str | None, Meta(description="text file with one label a line")] = None
    images: str | None = None
    calibration: str | None = None
    evaluation: str | None = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """edgekit.toml. Paths are relative to it."""

    models: Annotated[tuple[Model | str, ...], Meta(min_length=1, description="tables, or names alone")]
    targets: Annotated[_Names, Meta(description="plugins, or `all` that are installed")] = ("all",)
    precisions: _Names = ("float32",)
    resolutions: Annotated[
        tuple[_Resolution, ...] | None, Meta(min_length=1, description="input sizes in pixels; by default each checkpoint's own")
    ] = None
    images: Annotated[str | None, Meta(description="real pictures for parity: a folder; by default those edgekit ships")] = None
    calibration: Annotated[
        str | None, Meta(description="pictures for int8, 100 or more: a folder, a list of files, or `digits`")
    ] = None
    evaluation: Annotated[str | None, Meta(description="labelled pictures to count accuracy on; see `edgekit evaluate`")] = None
    allow_overlap: Annotated[bool, Meta(description="count on pictures that were calibrated on, too")] = False
    weight_bits: Annotated[int, Meta(ge=7, le=8, description="of int8")] = 8
    threads: Annotated[int, Meta(ge=1, le=1024, description="of the runtimes")] = 1
    output: Annotated[_Word, Meta(description="folder that gets one folder per artifact, and the reports")] = "out"
    latency: Annotated[Timing | bool, Meta(description="how to measure it, or false not to")] = msgspec.field(
        default_factory=Timing
    )
    options: Annotated[Mapping[str, Mapping[str, _Value]], Meta(description="by target, as `--option` on the command line")] = {}
    goals: Goals = msgspec.field(default_factory=Goals)

    @property
    def entries(self) -> tuple[Model, ...]:
        """All models, as tables."""
        return tuple(Model(model=each) if isinstance(each, str) else each for each in self.models)
