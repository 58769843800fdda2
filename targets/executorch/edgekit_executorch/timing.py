"""Where an inference spends its time: what ExecuTorch tells of it.

A runtime with an event tracer writes an ETDump, which `executorch.devtools.Inspector` reads. The wheels have all of the functions
and not the tracer (built without EXECUTORCH_ENABLE_EVENT_TRACER): the dump is empty, and no file is written. XNNPACK's own times
of a delegate's operators need a build option more (ENABLE_XNNPACK_PROFILING). So the runtime is asked, and its answer told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from executorch.extension.pybindings import _portable_lib
from numpy.typing import NDArray

from edgekit.operators import OperatorTimes
from edgekit.target import LoadJob
from edgekit_executorch.runner import to_tensor

NO_TRACER = (
    "ExecuTorch {version} tells no times per operator in this build: it has no event tracer (EXECUTORCH_ENABLE_EVENT_TRACER), so "
    "that its ETDump is empty"
)
UNREAD = "ExecuTorch {version} writes an ETDump in this build, which edgekit does not read: see executorch.devtools.Inspector"


def time_operators(job: LoadJob, inputs: Mapping[str, NDArray[np.float32]]) -> OperatorTimes:
    """Run an artifact once with an ETDump, and say what came of it."""
    module = _portable_lib._load_for_executorch(str(job.path), enable_etdump=True)
    module.run_method("forward", tuple(to_tensor(inputs[tensor.name]) for tensor in job.inputs))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "etdump"
        module.write_etdump_result_to_file(str(path))
        reason = UNREAD if path.is_file() else NO_TRACER
    return OperatorTimes(0, untold=reason.format(version=version("executorch")))
