"""Small matrices for tests: edgekit.toml of the embedded model, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VOLATILE = {"report.json", "log.txt", "request.json", "evaluation.json"}  # times, and what workers print


def write_config(
    folder: Path,
    *,
    targets: Sequence[str],
    precisions: Sequence[str] = ("float32",),
    models: Sequence[str] = ("digits",),
    options: Mapping[str, Mapping[str, str]] | None = None,
    more: str = "",
    is_timed: bool = True,
) -> Path:
    """Write an edgekit.toml, and return its path. JSON's strings and lists are TOML's."""
    lines = [f"{key} = {json.dumps(list(value))}" for key, value in (("models", models), ("targets", targets))]
    lines += [f"precisions = {json.dumps(list(precisions))}", more]
    lines += ["[latency]", "max_seconds = 0.2", "warmup = 0.2"] if is_timed else ["latency = false"]
    for target, chosen in (options or {}).items():
        lines += [f"[options.{target}]", *(f"{key} = {json.dumps(value)}" for key, value in chosen.items())]
    path = folder / "edgekit.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def read_matrix(output: Path) -> Any:
    """matrix.json."""
    return json.loads((output / "matrix.json").read_text())


def artifacts(output: Path) -> dict[str, str]:
    """Sha256 of every file of the output's artifacts, hidden ones too, by path; what tells times is left out."""
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.parent != output and path.name not in VOLATILE
    }
