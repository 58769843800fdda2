"""The target: what it is called, what it must reach, and where its two halves are.

Converting and running need different parts of coremltools. All of it takes seconds to import, and what only runs a package needs
the generated message definitions alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, cast

from edgekit.examination import OperationError
from edgekit.option import parse_options
from edgekit.profile import StaticProfile
from edgekit.target import (
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    Runner,
    RuntimeInfo,
    Tolerance,
)
from edgekit_coreml.options import COMPUTE_UNITS, CoreMLOptions, in_force
from edgekit_coreml.tolerance import TOLERANCES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edgekit.foreign import Answer
    from edgekit_coreml.reference import Mode

NO_CORE_ML = (
    "Core ML exists only on Apple systems; here a reference runtime executes the saved package instead, which shows whether its "
    "numbers are right, and not how a device rounds or how long it takes"
)


class CoreMLTarget:
    """Makes `.mlpackage` folders, and runs them with Core ML or, where there is none, with the reference runtime."""

    name = "coreml"
    packages = ("coremltools",)
    tolerances: Mapping[str, Tolerance] = TOLERANCES

    def probe(self) -> Availability:
        """coremltools is looked up, not imported: running a package needs a part of it only, and its import takes seconds."""
        try:
            version("coremltools")
        except PackageNotFoundError:
            return Availability(False, "no", 'coremltools is not installed: pip install "edgekit[coreml]"')
        if sys.platform == "darwin":
            return Availability(can_convert=True, runs="native")
        return Availability(can_convert=True, runs="reference", reason=NO_CORE_ML)

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.mlpackage`.

        Raises:
            edgekit.errors.UsageError: an unknown option or value, or one that the precision does not allow.
        """
        options = in_force(parse_options(CoreMLOptions, job.options, target=self.name), job.precision)
        from edgekit_coreml.converter import convert

        return convert(job, options)

    def load(self, job: LoadJob) -> Runner:
        """Load the saved package into Core ML, or into the reference runtime where there is none."""
        if sys.platform == "darwin":
            from edgekit_coreml.native import CoreMLRunner

            options = parse_options(CoreMLOptions, job.options, target=self.name)
            return CoreMLRunner(job, options.compute_units)
        from edgekit_coreml.runner import ReferenceRunner

        return ReferenceRunner(job)

    def answer(
        self, path: Path, inputs: Sequence[Mapping[str, Path]], *, num_threads: int
    ) -> tuple[RuntimeInfo, tuple[Answer, ...]]:
        """Run anybody's `.mlpackage`."""
        from edgekit_coreml.foreign import answer

        return answer(path, inputs, num_threads=num_threads)

    def arithmetics(self) -> Mapping[str, str]:
        """Those of the reference runtime, which is on every system; on macOS also Core ML's, one for each choice of units."""
        from edgekit_coreml.reference.arithmetic import ARITHMETICS

        native = COMPUTE_UNITS if sys.platform == "darwin" else {}
        return {name: arithmetic.description for name, arithmetic in ARITHMETICS.items()} | native

    def load_as(self, job: LoadJob, arithmetic: str) -> Runner:
        """Load the saved package into the reference runtime, or into Core ML for the units of this name.

        Raises:
            edgekit.errors.UsageError: no such arithmetic.
        """
        if sys.platform == "darwin" and arithmetic in COMPUTE_UNITS:
            from edgekit_coreml.native import CoreMLRunner

            return CoreMLRunner(job, arithmetic)
        from edgekit_coreml.runner import ReferenceRunner

        return ReferenceRunner(job, cast("Mode", arithmetic))  # it checks

    def judge_operations(self, job: LoadJob, samples: Sequence[Mapping[str, NDArray[np.float32]]]) -> tuple[OperationError, ...]:
        """Judge the operators of a quantised package alone."""
        from edgekit_coreml.features import features_of
        from edgekit_coreml.reference.arithmetic import ARITHMETICS
        from edgekit_coreml.reference.layerwise import judge_operations
        from edgekit_coreml.runner import mode_of

        inputs = [features_of(sample, job.inputs) for sample in samples]
        return judge_operations(job.path, ARITHMETICS[mode_of(job)], inputs)

    def static_profile(self, job: LoadJob) -> StaticProfile:
        """Count what the operators cost, and tell where they run: as Core ML plans it or, without it, as was published."""
        options = parse_options(CoreMLOptions, job.options, target=self.name)
        from edgekit_coreml.profile import profile_package

        profile = profile_package(job.path, options.compute_units)
        if sys.platform == "darwin":
            from edgekit_coreml.plan import with_plan

            return with_plan(profile, job.path, options.compute_units)
        return profile
