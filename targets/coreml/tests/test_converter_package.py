"""The saved folder: what lies in it, who may read it, what it says of itself, and which systems it is for."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coremltools.proto import Model_pb2
from torch import nn

from edgekit.errors import UsageError
from edgekit.manifest import ModelCard
from edgekit.mobilenet.network import MobileNet, SqueezeExcite
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.target import Conversion, ConvertJob
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

SPECIFICATIONS = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9, "iOS26": 10}


def model_of(conversion: Conversion) -> Any:
    return Model_pb2.Model.FromString((conversion.path / "Data/com.apple.CoreML/model.mlmodel").read_bytes())


def kinds_of(conversion: Conversion) -> Counter[str]:
    (block,) = model_of(conversion).mlProgram.functions["main"].block_specializations.values()
    return Counter(operation.type for operation in block.operations)


def test_the_folder_holds_what_its_manifest_names(converted: Callable[..., Conversion]) -> None:
    root = converted().path
    entries = json.loads((root / "Manifest.json").read_text())["itemInfoEntries"].values()
    named = {root / "Data" / entry["path"] for entry in entries}
    files = {path for path in root.rglob("*") if path.is_file()}
    assert {path.name for path in files} == {"Manifest.json", "model.mlmodel", "weight.bin"}
    for path in files - {root / "Manifest.json"}:
        assert named & {path, *path.parents}


def test_others_may_read_what_the_user_lets_them(network: MobileNet, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        root = CoreMLTarget().convert(ConvertJob(capture_program(network), "float32", {}, tmp_path)).path
    finally:
        os.umask(before)
    for path in root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def test_the_temporary_folder_stays_empty(network: MobileNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    out.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    CoreMLTarget().convert(ConvertJob(capture_program(network), "float32", {}, out))
    assert tempfile.gettempdir() == str(temporary)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("target", SPECIFICATIONS)
def test_every_system_is_converted_for(converted: Callable[..., Conversion], target: str) -> None:
    conversion = converted("float16", minimum_deployment_target=target, compute_units="CPU_AND_NE")
    model = model_of(conversion)
    assert model.specificationVersion == SPECIFICATIONS[target]
    assert conversion.format == f"Core ML ML Program, specification {SPECIFICATIONS[target]}"
    assert conversion.options["minimum_deployment_target"] == target
    assert conversion.options["compute_units"] == "CPU_AND_NE"
    assert model.description.metadata.userDefined["edgekit.minimum_deployment_target"] == target
    assert model.description.metadata.userDefined["edgekit.compute_units"] == "CPU_AND_NE"
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32), dtype=np.float32)
    (logits,) = ReferenceModel(conversion.path).predict({"image": image}).values()
    assert logits.shape == (1, 5)


def test_a_system_that_has_no_ml_programs_is_refused(network: MobileNet, tmp_path: Path) -> None:
    job = ConvertJob(capture_program(network), "float32", {"minimum_deployment_target": "iOS14"}, tmp_path)
    with pytest.raises(UsageError, match="iOS14"):
        CoreMLTarget().convert(job)


def test_the_metadata_says_what_it_is_and_where_it_comes_from(converted: Callable[..., Conversion], card: ModelCard) -> None:
    metadata = model_of(converted("float16")).description.metadata
    assert metadata.versionString == card.sha256[:12]
    assert "finches" in metadata.shortDescription
    assert (metadata.author, metadata.license) == ("", "")
    known = metadata.userDefined
    assert known["edgekit.version"] == version("edgekit")
    assert known["edgekit.torch_version"] == version("torch")
    assert known["edgekit.checkpoint_sha256"] == card.sha256
    assert known["edgekit.precision"] == "float16"
    assert known["com.github.apple.coremltools.source"] == f"torch=={version('torch')}"
    assert "com.apple.coreml.model.preview.type" not in known


def test_the_users_words_stand(converted: Callable[..., Conversion]) -> None:
    words = {"author": "A. Nuthatch", "license": "CC0-1.0", "version": "2.1", "description": "Birds, mostly."}
    metadata = model_of(converted(**words)).description.metadata
    found = (metadata.author, metadata.license, metadata.versionString, metadata.shortDescription)
    assert found == tuple(words.values())


def test_the_inputs_description_tells_the_preprocessing(converted: Callable[..., Conversion]) -> None:
    description = model_of(converted()).description
    (given,), (output,) = description.input, description.output
    for part in ("shorter side resized to 40", "cropped at its centre to 32 x 32", "red, green, blue", "0.485 0.456 0.306"):
        assert part in given.shortDescription
    assert "softmax" in output.shortDescription


def test_arrays_are_float32_unless_asked_otherwise(converted: Callable[..., Conversion]) -> None:
    for options, expected in (({}, "float32"), ({"io": "float16"}, "float16")):
        for precision in ("float32", "float16"):
            conversion = converted(precision, **options)
            model = ReferenceModel(conversion.path)
            (given,), (output,) = model.inputs, model.outputs
            assert (given.name, given.dtype) == ("image", expected)
            assert (output.name, output.dtype) == ("logits", expected)
            assert [spec.dtype for spec in (*conversion.inputs, *conversion.outputs)] == [expected] * 2


def test_float16_arrays_need_a_system_that_has_them(network: MobileNet, tmp_path: Path) -> None:
    options = {"io": "float16", "minimum_deployment_target": "iOS15"}
    with pytest.raises(UsageError, match="iOS16 or later"):
        CoreMLTarget().convert(ConvertJob(capture_program(network), "float16", options, tmp_path))


def test_float16_casts_at_its_edges_and_nowhere_else(converted: Callable[..., Conversion]) -> None:
    assert kinds_of(converted("float16"))["cast"] == 2
    assert kinds_of(converted("float16", io="float16"))["cast"] == 0


def test_hard_swish_stays_whole(card: ModelCard, tmp_path: Path) -> None:
    """Decomposed it is an addition, a clip, a product and a division, each rounded in float16."""
    spec = MobileNetSpec("v3_small", width=0.35, resolution=32, classes=5)
    network = MobileNet(spec).eval()
    job = ConvertJob(capture_program(network), "float16", {}, tmp_path, replace(card, spec=spec))
    kinds = kinds_of(CoreMLTarget().convert(job))
    swishes = sum(isinstance(module, nn.Hardswish) for module in network.modules())
    gates = sum(isinstance(module, SqueezeExcite) for module in network.modules())
    assert kinds["sigmoid_hard"] == swishes + gates
    assert kinds["mul"] == swishes + gates
    assert not kinds["clip"] + kinds["real_div"]
