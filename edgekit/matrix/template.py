"""The edgekit.toml that `edgekit init` writes: it works at once with what is installed, and shows what else there is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edgekit.matrix.cell import ALL, EMBEDDED

SCHEMA_NAME = "edgekit.schema.json"

_HEAD = """\
#:schema ./{schema}
# What `edgekit matrix` converts to what, and the goals of every artifact.
# Every key: `edgekit schema config`. Paths are relative to this file.

targets = {targets}  # or ["all"]: those installed wherever this runs
"""
_PICTURES = """\
precisions = ["float32", "float16", "int8"]
calibration = "digits"  # int8: pictures like those the app will see, 100 or more; "digits" are those that edgekit ships
"""
_NO_PICTURES = """\
precisions = ["float32", "float16"]
# With 100 pictures or more like those the app will see, also int8:
# precisions = ["float32", "float16", "int8"]
# calibration = "photographs"
"""
_MIDDLE = """\
# resolutions = [192, 224]       # by default each checkpoint's own alone
# evaluation = "labelled"        # labelled pictures, one folder per class, to count accuracy on
# images = "photographs"         # for parity; by default those that edgekit ships
# latency = false                # by default measured: 100 inferences or 2 seconds, after warm-up
# output = "out"
"""
_TAIL = """
# A goal that an artifact misses makes the exit code 1. Without one, its numbers alone decide.
[goals]
# min_sqnr_db = 30.0             # against PyTorch, the worst of all outputs
# max_top1_drop = 1.0            # points of 100 below the float model; needs `evaluation`
# max_p95_ms = 20.0              # on the machine that runs this
# max_size_mb = 20.0
# min_delegated = 0.9            # of the network, to the accelerator

# [goals.{target}]  # for one target, instead of the above
# min_sqnr_db = 40.0
"""


def first_config(models: Sequence[str], targets: Sequence[str]) -> str:
    """Write an edgekit.toml.

    Args:
        models: as the user names them; int8 is among the precisions where it is the embedded one alone.
        targets: installed; where there are none, the file is for all that will be.
    """
    chosen = list(targets) or [ALL]
    parts = [_HEAD.format(schema=SCHEMA_NAME, targets=f"[{', '.join(quote(each) for each in chosen)}]")]
    parts.append(_PICTURES if set(models) == {EMBEDDED} else _NO_PICTURES)
    parts.append(_MIDDLE)
    parts += [f"\n[[models]]\nmodel = {quote(model)}\n" for model in models]
    parts.append('# name = "short"                 # what its artifacts are called; by default as the folder or file\n')
    parts.append(_TAIL.format(target=chosen[0] if targets else "onnx"))
    return "".join(parts)


def quote(text: str) -> str:
    """A string as TOML has it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
