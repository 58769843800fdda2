"""The `.mlpackage` folder: `Manifest.json`, and files under `Data/` that it and the model refer to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError

_MODEL_FOLDER = "@model_path/"


@dataclass(frozen=True, slots=True)
class Package:
    """An opened package.

    Attributes:
        root: the `.mlpackage` folder.
        model: the file that holds the model's protobuf message.
    """

    root: Path
    model: Path

    @classmethod
    def open(cls, root: Path) -> Package:
        """Find the model of a package through its manifest.

        Raises:
            InputError: no folder, no manifest, no root item in it, or a path that leaves the package.
        """
        manifest = root / "Manifest.json"
        try:
            content = json.loads(manifest.read_bytes())
            version = str(content["fileFormatVersion"])
            item = str(content["itemInfoEntries"][content["rootModelIdentifier"]]["path"])
        except OSError as error:
            raise InputError(f"{root} is not an .mlpackage folder: cannot read {manifest} ({error.strerror})") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(f"{manifest} names no root model ({error!r}): copy or convert the package again") from error
        if version.partition(".")[0] != "1":
            raise InputError(f"{manifest} has format version {version}; only version 1 is known")
        return cls(root, _inside(root, root / "Data" / item, f"{manifest}: item {item!r}"))

    def weight_file(self, name: str) -> Path:
        """Resolve the name that a program gives to a weight file, `@model_path/weights/weight.bin`.

        Raises:
            InputError: the name is not relative to the model, or leaves the package.
        """
        if not name.startswith(_MODEL_FOLDER):
            raise InputError(f"{self.model}: weight file {name!r} should start with {_MODEL_FOLDER}")
        path = self.model.parent / name.removeprefix(_MODEL_FOLDER)
        return _inside(self.root, path, f"{self.model}: weight file {name!r}")


def _inside(root: Path, path: Path, what: str) -> Path:
    """Follow symbolic links too: neither they nor `..` may lead out of the package."""
    try:
        resolved = path.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} is not a path ({error})") from error
    if not resolved.is_relative_to(root.resolve()):
        raise InputError(f"{what} leads out of the package: do not trust this file")
    return resolved
