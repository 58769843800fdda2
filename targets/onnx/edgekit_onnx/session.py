"""How sessions of ONNX Runtime are set."""

from __future__ import annotations

import onnxruntime

from edgekit.machine import describe_machine
from edgekit.target import LoadJob

# Without these, x86 adds two products of unsigned and signed bytes in 16 bits, too few for large ones. With the session option
# below ONNX Runtime makes the weights unsigned and takes kernels that are exact. They are slower than those of VNNI, and it would
# take them there too: whether U8S8 overflows is asked of the tables of kernels, which differ wherever there is AVX2.
# https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/platform.cpp (MlasPlatformU8S8Overflow)
SUMS_IN_32_BITS = {"avx512_vnni", "avx_vnni"}


def session_options(job: LoadJob) -> onnxruntime.SessionOptions:
    """How every session of this target is set."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not SUMS_IN_32_BITS & set(describe_machine().instruction_sets):
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options
