"""edgekit's target for OpenVINO, run by OpenVINO's CPU plugin."""

import sys

# OpenVINO and NNCF send usage statistics through the package openvino_telemetry unless it is missing, in which case they fall
# back to a stub of their own (openvino/tools/ovc/telemetry_utils.py, nncf/telemetry/wrapper.py). Nothing phones home from here:
# make it look missing, before either is imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: `import` raises ImportError
