"""coremltools, imported without what it probes for and does not need.

At import coremltools also imports scikit-learn, executorch, torchao and transformers wherever they are installed
(coremltools/_deps), for converters that edgekit does not call: 3 to 5 s more, and a warning about scikit-learn's version. They
are made to look missing while it imports, and given back afterwards. Nothing here sends telemetry: coremltools has none.
"""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

_UNNEEDED = ("sklearn", "executorch", "torchao", "transformers")


def import_coremltools() -> Any:
    """Import coremltools, or return it where it is imported already."""
    if "coremltools" in sys.modules:
        return sys.modules["coremltools"]
    hidden = {name: sys.modules[name] for name in _UNNEEDED if name in sys.modules}
    for name in _UNNEEDED:
        sys.modules[name] = None  # type: ignore[assignment]  # None: `import` raises ImportError
    # "Torch 2.13 has not been tested with coremltools", "Failed to load _MLModelProxy" (no Core ML here: `probe` says so)
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return importlib.import_module("coremltools")
    finally:
        logger.setLevel(level)
        for name in _UNNEEDED:
            del sys.modules[name]
        sys.modules.update(hidden)
