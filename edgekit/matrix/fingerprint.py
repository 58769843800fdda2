"""What a result depends on, as one sha256. The same key, the same artifact: nothing is made twice."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata, util
from pathlib import Path

import msgspec

import edgekit
from edgekit import registry
from edgekit.errors import InputError, UsageError
from edgekit.latency import LatencyPlan
from edgekit.machine import Machine
from edgekit.matrix.cache import default_root
from edgekit.matrix.cell import EMBEDDED, Cell, Subject
from edgekit.matrix.digest import Digests
from edgekit.mobilenet.hub import download, is_hub_id
from edgekit.precision import INT8

CORE_PACKAGES = ("torch", "torchao", "numpy", "pillow", "safetensors")
"""Besides a plugin's own: what captures, quantises and answers."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PICTURE_LISTS = (".txt", ".csv", ".lst", ".list")


def key_of_artifact(cell: Cell) -> str:
    """Sha256 of all that an artifact and the verdict on its numbers depend on.

    That is the model's files and what the user said about them, the pictures, target, precision and options, the versions and the
    code of edgekit, of the plugin and of the SDK's packages, and the system. The machine is not in it: the report names it.

    Raises:
        EdgekitError: something of this is not there.
    """
    return _digest("artifact", _model(cell.subject), _asked(cell), software_of(cell.target))


def key_of_preparation(subject: Subject, precisions: Collection[str]) -> str:
    """Sha256 of all that the captured programs and PyTorch's answers depend on."""
    return _digest(
        "preparation", _model(subject), _int8(subject) if INT8 in precisions else None, sorted(precisions), software_of()
    )


def key_of_accuracy(artifact: str, subject: Subject) -> str:
    """Sha256 of the artifact's key and the labelled pictures."""
    assert subject.evaluation
    return _digest("accuracy", artifact, _tree(Path(subject.evaluation)))


def key_of_profile(artifact: str) -> str:
    """Sha256 of the artifact's key: what its files cost depends on nothing else."""
    return _digest("profile", artifact)


def key_of_latency(artifact: str, plan: LatencyPlan, num_threads: int, where: Machine | str) -> str:
    """Sha256 of the artifact's key, how it is measured, and the machine, or the cluster, where."""
    return _digest("latency", artifact, asdict(plan), num_threads, where if isinstance(where, str) else asdict(where))


@cache
def versions_of(target: str) -> Mapping[str, str]:
    """Versions of what makes a target's artifacts, read from metadata: no SDK is imported."""
    distribution = registry.find(target).dist
    names = [_REQUIREMENT.match(text) for text in (distribution.requires if distribution else None) or ()]
    wanted = {*CORE_PACKAGES, *(match[0] for match in names if match)}
    found = {name: _version(name) for name in sorted(wanted)} | {"edgekit": edgekit.__version__}
    return found | ({distribution.name: distribution.version} if distribution else {})


def _model(subject: Subject) -> object:
    overrides = subject.overrides
    labels = _tree_of(overrides.labels)
    return [subject.name, _checkpoint(subject.model), asdict(overrides) | {"labels": labels}, _tree_of(subject.images)]


def _asked(cell: Cell) -> object:
    asked = [cell.target, cell.precision, cell.options, cell.num_threads]
    return [*asked, _int8(cell.subject)] if cell.precision == INT8 else asked


def _int8(subject: Subject) -> object:
    searched = _tree_of(subject.evaluation) if subject.max_drop_points is not None else ""
    overlap = "" if subject.allow_overlap else _tree_of(subject.evaluation)
    return [_tree_of(subject.calibration), subject.weight_bits, subject.max_drop_points, searched, overlap]


def _checkpoint(model: str) -> str:
    """Of a model's files, whatever its form."""
    if model == EMBEDDED:
        return model
    path = Path(model.removeprefix("hf://")).expanduser()
    if not path.exists():
        if not is_hub_id(model.removeprefix("hf://")):
            raise InputError(f"no such model: {model}")
        path = download(model.removeprefix("hf://"))
    return _tree(path)


def _tree_of(path: str | None) -> str:
    return _tree(Path(path)) if path else ""


@cache
def _tree(path: Path) -> str:
    """Of a folder's files with their names, of a file, or of a list and the files that it names."""
    if str(path) == EMBEDDED:
        return EMBEDDED
    try:
        if path.is_dir():
            files = [each for each in sorted(path.rglob("*")) if each.is_file() and not _is_hidden(each, path)]
            return _digest(*zip((each.relative_to(path).as_posix() for each in files), _sha256(files), strict=True))
        if path.suffix.lower() in _PICTURE_LISTS:
            return _digest(*_sha256([path, *_listed(path)]))
        return _sha256([path])[0]
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror}") from error


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _listed(path: Path) -> Iterator[Path]:
    """Every word of a list that is the name of a file beside it."""
    for word in re.split(r"[\n\r,]", path.read_text("utf-8-sig", errors="replace")):
        named = path.parent / word.strip().strip('"')
        if word.strip() and "\0" not in word and len(word) < 1000 and named.is_file():
            yield named


def _sha256(paths: Sequence[Path]) -> list[str]:
    return _digests().sha256_of(paths)


@cache
def _digests() -> Digests:
    return Digests(default_root())


@cache
def software_of(target: str | None = None) -> str:
    """The system and what runs on it, a line each. Without a target: what prepares models.

    Raises:
        EdgekitError: there is no such target.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    lines = [f"{platform.system()} {platform.machine()}", f"Python {python}", f"edgekit's source {_code('edgekit')[:12]}"]
    if target is None:
        return "\n".join([*lines, *(f"{name} {_version(name)}" for name in CORE_PACKAGES)])
    module = registry.find(target).module.partition(".")[0]
    versions = (f"{name} {version}" for name, version in sorted(versions_of(target).items()))
    return "\n".join([*lines, f"{module}'s source {_code(module)[:12]}", *versions])


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def _code(package: str) -> str:
    """Of a package's source: whoever works on edgekit or on a plugin changes it under one version."""
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the package {package} has no source to look at")
    roots = [Path(each) for each in spec.submodule_search_locations]
    files = [file for root in roots for file in sorted(root.rglob("*")) if file.suffix in (".py", ".json", ".safetensors")]
    return _digest(*_sha256(files))


def _digest(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
