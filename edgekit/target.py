"""THE CONTRACT between edgekit and a target plugin: two Protocols and the frozen records they exchange.

A plugin is a distribution of its own that advertises one `Target` in the entry-point group `edgekit.targets`. It knows how to
build an artifact and how to run one, and nothing else: parity and latency are judged by shared code, so that the figures of two
targets mean the same thing.

Protocols and not base classes: a third party's plugin needs our names at type-checking time only, and can never inherit
behaviour that a later version changes. Before adding a member, ask whether a function outside would do; what only some
runtimes can tell belongs in a second small Protocol.

Nothing here imports torch, numpy or an SDK, so that listing the targets stays as cheap as reading their metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    from edgekit.manifest import ModelCard


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output.

    Attributes:
        name: as the artifact calls it.
        shape: sizes, batch included.
        dtype: numpy's name for it, e.g. "float32". An input of "uint8" is a picture, which the artifact normalises itself.
        layout: one letter per axis, e.g. "NCHW" or "NK".
        softmax_of: the network's output that this is the softmax of, where it is one.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    softmax_of: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """The captured network and the names of what goes in and out. Shared by all targets of a run.

    Attributes:
        exported: float32, eval mode, batch norm folded; of precision int8, with the roundings of `edgekit.quantization` in it.
        inputs: float32 NCHW.
        outputs: float32, in the order the program returns them.
    """

    exported: ExportedProgram
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an output must reach to pass.

    The yardstick is PyTorch's own answer to the same inputs in the same arithmetic, so that one rule fits a network that rounds
    well and one that does not. Real images and synthetic inputs are judged apart: a network was never trained on a checkerboard,
    may be ill-conditioned there, and no app asks it; such inputs are there to find overflow and gross errors.

    Attributes:
        yardstick: the answer to compare with: PyTorch's in "float32" or "float16", or "stored-float16", the network's in float64
            with weights and every result rounded to float16, for a runtime that is known to round just these.
        max_loss_db: how many dB of SQNR the artifact may be below the yardstick, worst image against worst image.
        max_synthetic_loss_db: likewise for the synthetic inputs.
        min_sqnr_db: and what images must reach whatever the yardstick says, in dB against the float64 reference.
        max_peak_error: on images, largest absolute error divided by the largest absolute reference value.
        reason: where the limits come from. Required: a limit without a reason is a guess.
        max_yardstick_db: the yardstick counts as no better than this, where being better is luck and no measure.
    """

    yardstick: Literal["float32", "float16", "stored-float16"]
    max_loss_db: float
    max_synthetic_loss_db: float
    min_sqnr_db: float
    max_peak_error: float
    reason: str
    max_yardstick_db: float = 320.0


FLOAT32_TOLERANCE = Tolerance(
    "float32",
    max_loss_db=12.0,
    max_synthetic_loss_db=25.0,
    min_sqnr_db=85.0,
    max_peak_error=1e-4,
    reason="every runtime sums in its own order, and folds batch norm: float32's 24 bits leave 100 to 125 dB after fifty layers, "
    "in PyTorch as elsewhere; the largest loss seen is 7 dB on photographs and 20 dB on a checkerboard, while bfloat16 anywhere "
    "costs 60",
)
FLOAT16_TOLERANCE = Tolerance(
    "float16",
    max_loss_db=15.0,
    max_synthetic_loss_db=25.0,
    min_sqnr_db=25.0,
    max_peak_error=0.1,
    reason="float16's 11 bits leave 40 to 50 dB on photographs, in PyTorch as elsewhere; kernels that also accumulate in float16 "
    "(XNNPACK's depthwise on x86) were seen to lose 11 dB more on photographs and 20 dB on a checkerboard",
)
INT8_TOLERANCE = Tolerance(
    "float32",
    max_loss_db=6.0,
    max_synthetic_loss_db=12.0,
    min_sqnr_db=12.0,
    max_peak_error=0.5,
    reason="the yardstick is torch running the int8 program with float32 sums: one sum that is rounded to the next step spreads "
    "from layer to layer, so that two correct runtimes end 27 to 37 dB apart, or nowhere where no sum was near the middle of two "
    "steps; kernels that saturate were seen at 7 to 17 dB",
    max_yardstick_db=30.0,
)


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the target's SDK is here, and how far an artifact can be judged on this system.

    Attributes:
        can_convert: the SDK is installed and works.
        runs: "native" (the vendor's runtime), "reference" (a stand-in that executes the artifact itself), or "no".
        reason: why not, and what to do; for "reference", what the verdict cannot know.
    """

    can_convert: bool
    runs: Literal["native", "reference", "no"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """What really ran, as the runtime itself says where it can.

    Attributes:
        runtime: e.g. "onnxruntime".
        version: the runtime's version.
        device: e.g. "CPU".
        precision: the effective arithmetic, in words.
        kind: "native", or "reference" for a stand-in whose time is not the device's.
        delegated_fraction: part of the operators that the accelerated backend took, 0 to 1. None: cannot be known.
        undelegated_ops: names of those it did not take.
    """

    runtime: str
    version: str
    device: str
    precision: str
    kind: Literal["native", "reference"] = "native"
    delegated_fraction: float | None = None
    undelegated_ops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConvertJob:
    """What a target is asked to make.

    Attributes:
        program: the network.
        precision: one of the target's `precisions`.
        options: the user's `--option key=value` pairs, unparsed.
        out_dir: an empty folder for the artifact's files and nothing else.
        card: the model behind the program, for formats that carry labels, preprocessing or provenance.
    """

    program: Program
    precision: str
    options: Mapping[str, str]
    out_dir: Path
    card: ModelCard | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a target made.

    Attributes:
        path: the artifact's entry file or folder, inside `ConvertJob.out_dir`.
        format: e.g. "ONNX opset 20".
        options: the options in force, defaults included, as strings.
        notes: facts a user should know, one sentence each.
        inputs: of the artifact, where they are not the program's; empty where they are.
        outputs: likewise.
    """

    path: Path
    format: str
    options: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadJob:
    """An artifact to run.

    Attributes:
        path: the artifact's entry file or folder.
        precision: as requested at conversion.
        options: as `Conversion.options`.
        inputs: names, shapes and dtypes, NCHW.
        outputs: names, shapes and dtypes.
        num_threads: for the runtime's intra-op pool.
        labels: of the classes, one each, or empty.
    """

    path: Path
    precision: str
    options: Mapping[str, str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    num_threads: int
    labels: tuple[str, ...] = ()


class Runner(Protocol):
    """A loaded artifact. Layout and dtype tricks stay inside it.

    A context manager: leaving it frees the runtime's resources.
    """

    @property
    def runtime(self) -> RuntimeInfo:
        """What runs, known once the artifact is loaded."""
        ...

    def infer(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run once.

        Args:
            inputs: float32 NCHW by input name; for a picture, its pixels: whole numbers from 0 to 255, channels R, G, B or one
                grey.

        Returns:
            float32 by output name, owned by the caller.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class Target(Protocol):
    """A place that a model can go to."""

    @property
    def name(self) -> str:
        """As the user types it: `coreml`."""
        ...

    @property
    def tolerances(self) -> Mapping[str, Tolerance]:
        """The precisions the target supports, with what each must reach."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions whose versions decide the artifact, for the report and the doctor."""
        ...

    def probe(self) -> Availability:
        """Look whether the SDK and the runtime are here, without converting anything."""
        ...

    def convert(self, job: ConvertJob) -> Conversion:
        """Write the artifact.

        Raises:
            edgekit.errors.UsageError: an option that does not exist, or a value that it cannot take.
        """
        ...

    def load(self, job: LoadJob) -> Runner:
        """Read the artifact back from disk and make it ready to run."""
        ...
