"""manifest.json: what it says is checked against what lies beside it, and nothing in it is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.document import FileRecord, read_json, record_files, sha256_of, write_json
from edgekit.errors import InputError, OutputError
from edgekit.manifest import Manifest, ModelCard, read_manifest
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing
from edgekit.report import Report
from edgekit.request import ConvertRequest
from edgekit.target import TensorSpec

SPEC = MobileNetSpec("v3_small", 0.35, 32, 1, 3, "same", 0.002)
CARD = ModelCard(
    "m", "path/to/m", "00", "classification", SPEC, Preprocessing("L", (0.3,), (0.4,), crop=(32, 32)), ("a", "b", "ç")
)
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artifact of two files, one in a folder of its own."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "model.bin").write_bytes(b"model")
    (tmp_path / "weights" / "data.bin").write_bytes(b"weights")
    manifest = Manifest(
        schema_version=1,
        edgekit_version="0.1.0",
        model=CARD,
        target="onnx",
        format="ONNX opset 20",
        precision="float32",
        entry="model.bin",
        inputs=(TensorSpec("image", (1, 1, 32, 32), "float32", "NCHW"),),
        outputs=(TensorSpec("logits", (1, 3), "float32", "NK"),),
        files=record_files(tmp_path, tmp_path),
        options={"opset": "20"},
        notes=("a note",),
        versions={"torch": "2"},
    )
    write_json(tmp_path / "manifest.json", manifest)
    return tmp_path


def edit(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**content, **changes}), "utf-8")


def test_a_manifest_survives_the_disk(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.model == CARD
    assert (manifest.options, manifest.versions, manifest.notes) == ({"opset": "20"}, {"torch": "2"}, ("a note",))
    assert manifest.inputs == (TensorSpec("image", (1, 1, 32, 32), "float32", "NCHW"),)
    write_json(folder / "manifest.json", manifest)
    assert read_manifest(folder) == manifest


def test_files_are_recorded_with_size_and_hash(folder: Path) -> None:
    assert read_manifest(folder).files == (
        FileRecord("model.bin", 5, sha256(b"model").hexdigest()),
        FileRecord("weights/data.bin", 7, sha256(b"weights").hexdigest()),
    )
    assert read_manifest(folder).size_bytes == 12


def test_json_is_indented_plain_and_ends_with_a_newline(folder: Path) -> None:
    text = (folder / "manifest.json").read_text("utf-8")
    assert text.startswith('{\n  "schema_version": 1,\n')
    assert text.endswith("}\n")
    assert json.loads(text)["model"]["labels"] == ["a", "b", "ç"]


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_json(tmp_path / "card.json", CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*card\.json: No such file or directory"):
        write_json(tmp_path / "none" / "card.json", CARD)


@pytest.mark.parametrize("name", ["model.bin", "weights/data.bin"])
@pytest.mark.parametrize("position", [0, -1])
def test_a_flipped_bit_is_found(name: str, position: int, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[position] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} is not the file that manifest\.json describes: its sha256 differs"):
        read_manifest(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "weights" / "data.bin").unlink()
    with pytest.raises(InputError, match=r"data\.bin is missing: manifest\.json lists it"):
        read_manifest(folder)


def test_a_folder_in_the_place_of_a_file_is_missing(folder: Path) -> None:
    (folder / "model.bin").unlink()
    (folder / "model.bin").mkdir()
    with pytest.raises(InputError, match=r"model\.bin is missing"):
        read_manifest(folder)


OUTSIDE = ["../secret", "/etc/passwd", "weights/../../secret", "a/../../b"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_entry_outside_the_folder_is_refused(name: str, folder: Path) -> None:
    edit(folder, entry=name)
    with pytest.raises(InputError, match="names a file outside its folder"):
        read_manifest(folder)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_outside_the_folder_is_refused_and_not_read(name: str, folder: Path) -> None:
    edit(folder, files=[{"path": name, "size_bytes": 1, "sha256": "00"}])
    with pytest.raises(InputError, match="names a file outside its folder"):
        read_manifest(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "link").symlink_to("/etc")
    edit(folder, entry="link/passwd")
    with pytest.raises(InputError, match="names a file outside its folder"):
        read_manifest(folder)


@pytest.mark.parametrize("name", ["model\0.bin", "n" * 300, "a/" * 3000])
def test_a_name_that_no_file_can_have_is_an_input_error(name: str, folder: Path) -> None:
    edit(folder, files=[{"path": name, "size_bytes": 1, "sha256": "00"}])
    with pytest.raises(InputError):
        read_manifest(folder)


def test_an_entry_that_is_not_there_is_an_input_error(folder: Path) -> None:
    edit(folder, entry="model.onnx")
    with pytest.raises(InputError, match=r"model\.onnx"):
        read_manifest(folder)


def test_a_folder_without_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no edgekit artifact: it has no manifest\.json\. Make one with `edgekit convert`"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("version", [0, 2, 10**9])
def test_another_schema_version_is_told_before_anything_else(version: int, folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"schema_version": version, "unknown": True}))
    with pytest.raises(InputError, match=rf"schema version {version}; this edgekit reads version 1"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, r"\$\.model"),
        ({"entry": 5}, r"\$\.entry"),
        ({"files": [{"path": "model.bin", "size_bytes": -1, "sha256": ""}]}, r"\$\.files\[0\]\.size_bytes"),
        ({"schema_version": "1"}, r"\$\.schema_version"),
        ({"inputs": [{"name": "image"}]}, r"\$\.inputs\[0\]"),
        ({"inputs": []}, r"\$\.inputs"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], message: str, folder: Path) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=rf"manifest\.json is broken: .*{message}"):
        read_manifest(folder)


def test_a_definition_that_makes_no_sense_is_the_files_fault(folder: Path) -> None:
    model = json.loads((folder / "manifest.json").read_text("utf-8"))["model"]
    edit(folder, model={**model, "spec": {**model["spec"], "width": -1}})
    with pytest.raises(InputError, match=r"manifest\.json is broken: width must be greater than 0"):
        read_manifest(folder)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\xff", b'{"a":' * 100_000, b"[" * 1_000_000, b'{"schema_version": 1e999}']
)
def test_garbage_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(InputError, match=r"file\.json is broken"):
        read_json(tmp_path / "file.json", Manifest)


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_json(path, Manifest)


@SHARED_FOLDER
@given(st.binary(max_size=200), st.sampled_from([Manifest, Report, ConvertRequest]))
def test_any_bytes_are_an_input_error(tmp_path: Path, content: bytes, kind: type[Any]) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(InputError):
        read_json(tmp_path / "file.json", kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a JSON document is."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in paths_in(item, (*path, key)))]


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = document.copy()
    changed[path[0]] = with_value(document[path[0]], path[1:], value)
    return changed


@settings(SHARED_FOLDER, max_examples=200)
@given(data=st.data())
def test_a_manifest_with_any_one_value_changed_is_read_or_an_input_error(folder: Path, data: st.DataObject) -> None:
    original = folder / "original.json"
    if not original.exists():
        original.write_bytes((folder / "manifest.json").read_bytes())
    document = json.loads(original.read_bytes())
    path = data.draw(st.sampled_from(paths_in(document)))
    (folder / "manifest.json").write_text(json.dumps(with_value(document, path, data.draw(json_values))), "utf-8")
    try:
        read_manifest(folder)
    except InputError as error:
        assert str(error)  # noqa: PT017 (some changes are harmless)


def test_records_are_sorted_and_relative_to_the_root(folder: Path) -> None:
    records = record_files(folder / "weights", folder)
    assert [record.path for record in records] == ["weights/data.bin"]


def test_sha256_is_the_standard_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_report_is_read_as_strictly(folder: Path) -> None:
    write_json(folder / "card.json", replace(CARD, labels=()))
    with pytest.raises(InputError, match=r"card\.json is broken"):
        read_json(folder / "card.json", Report)
