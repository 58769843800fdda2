from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.matrix.config import Goals, Limits, Model, Timing
from edgekit.matrix.file import MAX_BYTES, parse_config, read_config
from edgekit.matrix.template import first_config

FILE = Path("edgekit.toml")
WHOLE = """
models = ["digits"]
targets = ["onnx", "openvino"]
precisions = ["float32", "int8"]
calibration = "digits"
evaluation = "digits"
latency = {iterations = 50}
options.onnx = {opset = 18, fast = true}
[goals]
min_sqnr_db = 30
openvino = {min_sqnr_db = 40.5, max_p95_ms = 5}
"""


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_config(text, FILE)
    return str(caught.value)


def test_a_whole_file() -> None:
    found = parse_config(WHOLE, FILE)
    assert found.entries == (Model(model="digits"),)
    assert found.latency == Timing(iterations=50)
    assert found.options == {"onnx": {"opset": 18, "fast": True}}
    assert found.goals == Goals(min_sqnr_db=30, targets={"openvino": Limits(min_sqnr_db=40.5, max_p95_ms=5)})
    assert found.goals.of("openvino") == Limits(min_sqnr_db=40.5, max_p95_ms=5)
    assert found.goals.of("onnx") == Limits(min_sqnr_db=30)


@pytest.mark.parametrize(("written", "meant"), [("true", Timing()), ("false", False), ("{}", Timing())])
def test_latency_may_be_a_yes_or_a_no(written: str, meant: Timing | bool) -> None:
    assert parse_config(f"models = ['a']\nlatency = {written}", FILE).latency == meant


MISTAKES = {
    "type": ("models = ['a']\n[goals]\nmin_sqnr_db = \"high\"", '3:15: goals.min_sqnr_db: "high" is not a number'),
    "whole": ("models = ['a']\nthreads = 2.0", "2:11: threads: 2.0 is not a whole number"),
    "date": ("models = ['a']\noutput = 2026-01-01", "2:10: output: 2026-01-01 is not a string"),
    "alternatives": ("models = [3]", "1:11: models[0]: 3 is not a string or a table"),
    "latency": ("models = ['a']\nlatency = 3", "2:11: latency: 3 is not true, false or a table"),
    "option": ("models = ['a']\n[options.onnx]\na = []", "3:5: options.onnx.a: a list is not a string, a number, true or false"),
    "choice": ("models = ['a']\nprecisions = ['int4']", '2:15: precisions[0]: "int4" is not a choice: did you mean int8?'),
    "padding": ("[[models]]\nmodel = 'a'\npadding = 'x'", '3:11: models[0].padding: "x" is not a choice: there are: same, symm'),
    "minimum": ("models = ['a']\nresolutions = [224, 3]", "2:21: resolutions[1]: 3 is below 16"),
    "maximum": ("models = ['a']\nweight_bits = 9", "2:15: weight_bits: 9 is above 8"),
    "above": ("models = ['a']\ngoals.max_p95_ms = 0", "2:20: goals.max_p95_ms: 0 is not above 0"),
    "none": ("models = []", "1:10: models: the list is empty: it needs one at least"),
    "empty": ("models = ['']", "1:11: models[0]: the string is empty"),
    "name": ("[[models]]\nmodel = 'a'\nname = 'a/b'", '3:8: models[0].name: "a/b" cannot be a name'),
    "newline": ("[[models]]\nmodel = 'a'\nname = \"a\\n\"", '3:8: models[0].name: "a\\n" cannot be a name'),
    "missing": ("targets = ['onnx']", "1:1: `models` is missing"),
    "missing in a list": ("[[models]]\nmodel = 'a'\n[[models]]\nname = 'b'", "3:1: models[1]: `model` is missing"),
    "key": ("models = ['a']\nthread = 2", "2:1: thread: there is no such key here; did you mean threads?"),
    "no such key": ("models = ['a']\n[latency]\nzzz = 2", "3:1: latency.zzz: there is no such key here; there are: iterations,"),
    "quoted key": ("models = ['a']\n'thr eads' = 2", "2:1: 'thr eads': there is no such key here; did you mean threads?"),
    "goal": ("models = ['a']\n[goals]\nmin_sqr = 2", "3:1: goals.min_sqr: there is no such key here; did you mean min_sqnr_db?"),
    "below a header": (
        "[[models]]\nmodel = 'a'\nthreads = 2",
        "3:1: models[0].threads: there is no such key here; it is one of the",
    ),
    "of a target": (
        "models = ['a']\ngoals.onnx.max_size = 2",
        "2:12: goals.onnx.max_size: there is no such key here; did you mean",
    ),
    "not finite": ("models = ['a']\ngoals.max_p95_ms = inf", "2:20: goals.max_p95_ms: inf is not a number that can be compared"),
    "bits": ("models = ['a']\nthreads = 99999999999999999999", "2:11: threads: the number has more than 64 bits"),
    "null": ("models = ['a']\nimages = \"\\u0000\"", "2:10: images: the string has a null character"),
    "twice": ("models = ['a']\ntargets = ['onnx', 'onnx']", '2:20: targets[1]: "onnx" is there twice'),
    "one name": ("models = ['x/a', 'y/A.pth']", "1:18: models[1]: its artifacts would be called A, as those of x/a"),
    "long name": (f"models = ['{'a' * 101}']", "1:11: models[0]: what its artifacts would be called is no name for a folder"),
    "no path": (f"models = ['{'a' * 5000}']", "1:11: models[0].model: this can be no path: File name too long"),
    "nobody": ("models = ['a']\nimages = '~nobody-of-that-name/x'", "2:10: images: this can be no path"),
    "int8": ("models = ['a']\nprecisions = ['float32', 'int8']", "2:26: precisions[1]: int8 of a needs `calibration`"),
    "drop": ("models = ['a']\n[goals]\nmax_top1_drop = 1", "3:17: goals.max_top1_drop: the accuracy of a is not counted"),
    "drop of one": (
        "models = ['a']\n[goals.onnx]\nmax_top1_drop = 1",
        "3:17: goals.onnx.max_top1_drop: the accuracy of a is not",
    ),
    "misspelt": ("models = ['a']\ntargets = ['opnvino']", "2:12: targets[0]: there is no target opnvino; did you mean openvino?"),
    "goals of": (
        "models = ['a']\ntargets = ['onnx']\n[goals.coreml]\n",
        "3:8: goals.coreml: nothing is converted to a target coreml",
    ),
    "options of": (
        "models = ['a']\n[options.coreM1]\n",
        "2:10: options.coreM1: nothing is converted to a target coreM1; did you",
    ),
    "syntax": ("models = ['a'\n", "2:1: this is not TOML: Unclosed array"),
    "key twice": ("models = ['a']\nmodels = ['b']", "2:15: this is not TOML: Cannot overwrite a value"),
    "digits": (f"threads = {'9' * 5000}", "1:1: this is not TOML: Exceeds the limit"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_mistake_is_told_with_its_place(name: str, end: str) -> None:
    text, told = MISTAKES[name]
    assert complaint(text.replace("\n", end)).startswith(f"edgekit.toml:{told}")


RIGHT = {
    "digits are calibrated on digits": "models = ['digits']\nprecisions = ['int8']",
    "pictures of the model": "[[models]]\nmodel = 'a'\nprecisions = ['int8']\ncalibration = 'b'",
    "int8 for another model": "precisions = ['int8']\n[[models]]\nmodel = 'digits'\n[[models]]\nmodel = 'a'\n"
    "precisions = ['float32']",
    "a name for the second": "[[models]]\nmodel = 'x/a'\n[[models]]\nmodel = 'y/a'\nname = 'b'",
    "evaluation of the model": "goals.max_top1_drop = 1\n[[models]]\nmodel = 'a'\nevaluation = 'b'",
    "a goal of a target that the model does not have": "goals.onnx.max_top1_drop = 1\n[[models]]\nmodel = 'a'\n"
    "targets = ['coreml']\n[[models]]\nmodel = 'b'\ntargets = ['onnx']\nevaluation = 'c'",
    "a target of somebody else's": "models = ['a']\n[options.tflite]\nx = 1",
    "a target of one model": "goals.coreml.max_size_mb = 1\n[[models]]\nmodel = 'a'\ntargets = ['coreml']",
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_complained_about(name: str) -> None:
    assert parse_config(RIGHT[name], FILE).models


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    told = complaint("thread = 1\nmodels = [1]\n[goals]\nmax_p95_ms = -1\n[latency]\niterations = 'x'\nmax_seconds = nan").split(
        "\n"
    )
    assert told[0] == "edgekit.toml cannot be used:"
    assert [line.split(": ")[1] for line in told[1:]] == [
        "thread",
        "models[0]",
        "goals.max_p95_ms",
        "latency.iterations",
        "latency.max_seconds",
    ]


def test_a_thousand_mistakes_are_told_by_fifty() -> None:
    told = complaint("\n".join(f"key{number} = 1" for number in range(3000))).split("\n")
    assert len(told) == 52
    assert told[-1] == "and more"


def test_a_model_is_called_as_its_folder_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "edgekit.toml").write_text("models = ['a', 'b']")
    with pytest.raises(InputError, match=re.escape("models[1]: its artifacts would be called a")):
        read_config(tmp_path / "edgekit.toml")


def test_files_that_are_none(tmp_path: Path) -> None:
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * 10_000_000)
    for path, told in (
        (tmp_path, "is a folder"),
        (tmp_path / "nothing.toml", "no such file"),
        (tmp_path / "big.toml" / "x", "cannot read"),
        (Path("/dev/zero"), f"more than {MAX_BYTES:,} bytes"),
        (big, "more than"),
        (tmp_path / "a\0b", "null byte"),
    ):
        with pytest.raises(InputError, match=told):
            read_config(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"models = ['a']\nx = '\xff'", r":2:6: the byte 0xff is not UTF-8"),
        ("models = ['a']".encode("utf-16"), r":1:1: the byte 0xff is not UTF-8"),
        (b"models = ['a']\n\0", r":2:1: this is not TOML"),
        (b"\x7fELF\x02\x01\x01", r":1:1: this is not TOML"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a." * 50_000 + b"a = 1", "nested too deeply"),
        (b"[" + b'"a" . ' * 40_000 + b"a]", "nested too deeply"),
        (b"a = " + b"{a = " * 300 + b"1" + b"}" * 300, "there is no such key"),
        (b"\r" * 1000, "this is not TOML"),
        (b"", "`models` is missing"),
    ],
)
def test_hostile_contents(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "edgekit.toml").write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_config(tmp_path / "edgekit.toml")


@pytest.mark.parametrize(("text", "loads"), [("models = ['a']", False), ("models = ['a']\nthread = 1", True)])
def test_what_finds_mistakes_is_imported_for_them_alone(tmp_path: Path, text: str, loads: bool) -> None:
    (tmp_path / "edgekit.toml").write_text(text)
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgekit.matrix.file import read_config\n"
        "try: read_config(Path('edgekit.toml'))\nexcept Exception: pass\n"
        "print({'jsonschema', 'tree_sitter', 'numpy', 'torch', 'rich', 'typer'} & sys.modules.keys() or '')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ("jsonschema" in done.stdout, "tree_sitter" in done.stdout) == (loads, loads)
    assert "numpy" not in done.stdout
    assert loads or not done.stdout.strip()


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text("\ufeffmodels = ['a']")
    assert read_config(tmp_path / "edgekit.toml").models == ("a",)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "edgekit.toml").write_bytes(content)
    with pytest.raises(InputError):
        assert read_config(tmp_path / "edgekit.toml").models == (), "a file by chance"


@settings(max_examples=200)
@given(
    whole=st.sampled_from([WHOLE, first_config(["digits"], ["onnx", "openvino"])]),
    begin=st.integers(0, 1500),
    length=st.integers(0, 40),
    new=st.sampled_from(
        ["", "0", "-1", "nan", "[", "]]", "'", '"""', "=", ".", "\n", "\r", "{}", "true", "é", "𝄞", "[goals]", "1979-05-27"]
    ),
)
def test_a_damaged_file_is_read_or_refused_line_by_line(whole: str, begin: int, length: int, new: str) -> None:
    begin %= len(whole)
    text = whole[:begin] + new + whole[begin + length :]
    try:
        assert parse_config(text, FILE).models
    except InputError as error:
        lines = [line for line in str(error).split("\n") if line not in ("edgekit.toml cannot be used:", "and more")]
        for line in lines:
            place = re.match(r"edgekit\.toml:(\d+):(\d+): .", line)
            assert place, line
            assert int(place[1]) <= text.count("\n") + 1
