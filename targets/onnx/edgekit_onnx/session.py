"""How sessions of ONNX Runtime are set."""

from __future__ import annotations

import onnxruntime

from edgekit.precision import INT8
from edgekit.target import LoadJob
from edgekit_onnx.overflow import cpu_overflows, may_overflow


def session_options(job: LoadJob) -> onnxruntime.SessionOptions:
    """How every session of this target is set."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if job.precision == INT8 and cpu_overflows() and may_overflow(job.path):
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options
