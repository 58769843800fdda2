"""Anybody's `.mlpackage`: what it takes is in its description, what it gives is shown as it is."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from edgekit.errors import InputError, UsageError
from edgekit.foreign import Answer
from edgekit.preprocessing import Preprocessing, read_image
from edgekit.target import RuntimeInfo
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.reference.arithmetic import ARITHMETICS
from edgekit_coreml.reference.feature import Feature
from edgekit_coreml.reference.image import MODES, ImageFeature
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.reader import read_model

COMPUTE_UNITS = "ALL"
Predict = Callable[[dict[str, Any]], dict[str, Any]]


def answer(path: Path, inputs: Sequence[Mapping[str, Path]], *, num_threads: int) -> tuple[RuntimeInfo, tuple[Answer, ...]]:
    """Run a package once for each of the inputs: see `edgekit.foreign.Stranger`."""
    torch.set_num_threads(num_threads)
    _, interface = read_model(Package.open(path))
    features = {feature.variable.name: feature for feature in interface.inputs}
    runtime, predict = _core_ml(path) if sys.platform == "darwin" else _reference(path)
    return runtime, tuple(_answer(_named(each, features, path), features, predict) for each in inputs)


def _reference(path: Path) -> tuple[RuntimeInfo, Predict]:
    """Rounded where the program is typed float16, which for a program of float32 is nowhere."""
    model = ReferenceModel(path, "float16")
    description = ARITHMETICS["float16"].description
    runtime = RuntimeInfo("reference runtime", version("edgekit-coreml"), "CPU", description, "reference")

    def predict(values: dict[str, Any]) -> dict[str, Any]:
        return model.predict(values, model.make_state() if model.states else None)

    return runtime, predict


def _core_ml(path: Path) -> tuple[RuntimeInfo, Predict]:
    """Never run by those who wrote it: see `edgekit_coreml.native`."""
    from edgekit_coreml.native import load_model

    model = load_model(path, COMPUTE_UNITS)
    precision = f"as stored, and as Core ML places it on {COMPUTE_UNITS}"
    return RuntimeInfo("Core ML", f"macOS {platform.mac_ver()[0]}", COMPUTE_UNITS, precision), model.predict


def _answer(files: Mapping[str, Path], features: Mapping[str, Feature], predict: Predict) -> Answer:
    values, notes = {}, []
    for name, file in files.items():
        values[name], *done = _read(file, name, features[name])
        notes += done
    return Answer({name: str(file) for name, file in files.items()}, predict(values), tuple(notes))


def _named(files: Mapping[str, Path], features: Mapping[str, Feature], path: Path) -> Mapping[str, Path]:
    known = ", ".join(str(feature.variable) for feature in features.values()) or "nothing"
    if "" in files:
        if len(features) != 1:
            raise UsageError(f"{path.name} takes {known}: give NAME=FILE for each of them")
        files = dict.fromkeys(features, files[""])
    if unknown := sorted(files.keys() - features.keys()):
        raise UsageError(f"{path.name} has no input {', '.join(unknown)}: it takes {known}")
    return files


def _read(file: Path, name: str, feature: Feature) -> tuple[Any, ...]:
    """Return the input's value, and a note if the file was changed for it."""
    if isinstance(feature, ImageFeature):
        return _read_picture(file, feature)
    if file.suffix != ".npy":
        raise UsageError(
            f"input {feature.variable} is an array: give {name}=FILE.npy, as numpy.save writes it. How a picture becomes these "
            "numbers, the package does not say"
        )
    try:
        array = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {file}") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} is no array that numpy.save has written ({error})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{file} holds several arrays: give {name}=FILE.npy, as numpy.save writes one")
    return (array,)


def _read_picture(file: Path, feature: ImageFeature) -> tuple[Any, ...]:
    mode = MODES[feature.color]
    picture = read_image(file)
    grey = mode != "RGB"
    channels = 1 if grey else 3
    as_it_is = Preprocessing("L" if grey else "RGB", mean=(0.0,) * channels, std=(1.0,) * channels)
    pixels = as_it_is.pixels(picture)
    height, width = pixels.shape[:2]
    notes = []
    if not feature.sizes.accepts((height, width)) and len(feature.sizes.shapes) == 1:
        (size,) = feature.sizes.shapes
        as_it_is = Preprocessing(as_it_is.color, as_it_is.mean, as_it_is.std, resize=(size[0], size[1]))
        pixels = as_it_is.pixels(picture)
        notes.append(f"{file.name} resized from {width} x {height} to {size[1]} x {size[0]} pixels, bilinear, its shape changed")
    return (Image.fromarray(pixels[:, :, 0] if grey else pixels).convert(mode), *notes)
