"""Peak memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from edgekit.errors import EdgekitError


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux hands getrusage's figure down from parent to child (getrusage(2), "ru_maxrss"); VmHWM starts with the program.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise EdgekitError("/proc/self/status has no VmHWM: edgekit cannot tell the peak memory on this system")
