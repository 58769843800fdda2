"""One clear message, the right exit code, and nothing left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec
from tests.e2e.conftest import Cli, Outcome


def assert_clean_failure(outcome: Outcome, code: int, *parts: str, output: Path) -> None:
    assert outcome.code == code, outcome.stderr
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("edgekit: ")]
    assert len(lines) == 1
    for part in parts:
        assert part in lines[0]
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""
    assert not output.exists()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_missing_model(cli: Cli, output: Path, tmp_path: Path) -> None:
    outcome = cli("convert", "-t", "onnx", "-m", tmp_path / "nowhere.pth", "-o", output)
    assert_clean_failure(outcome, 5, "no such model", "nowhere.pth", output=output)


def test_a_truncated_safetensors(cli: Cli, output: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_file(MobileNet(MobileNetSpec("v2", width=0.25)).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    outcome = cli("convert", "-t", "onnx", "-m", path, "-o", output)
    assert_clean_failure(outcome, 5, "not a whole safetensors file", output=output)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploded",)


def test_a_pickle_with_code_in_it_is_refused_and_not_run(cli: Cli, output: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"stem.conv.weight": _Bomb()}, path)
    outcome = cli("convert", "-t", "onnx", "-m", path, "-o", output, env={"PWD": str(tmp_path)}, cwd=tmp_path)
    assert_clean_failure(outcome, 5, "would run Python code", output=output)
    path.write_bytes(pickle.dumps(_Bomb()))
    outcome = cli("convert", "-t", "onnx", "-m", path, "-o", output, cwd=tmp_path)
    assert outcome.code == 5
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_another_model(cli: Cli, output: Path, tmp_path: Path) -> None:
    path = tmp_path / "resnet.safetensors"
    save_file({"layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3)}, path)
    outcome = cli("convert", "-t", "onnx", "-m", path, "-o", output)
    assert_clean_failure(outcome, 5, "not the tensors of a MobileNet", "layer1.0.conv1.weight", output=output)


def test_a_tensor_of_another_shape_is_named(cli: Cli, output: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    state = MobileNet(MobileNetSpec("v2", width=0.25)).state_dict()
    state["blocks.3.depthwise.conv.weight"] = torch.zeros(7, 1, 3, 3)
    save_file(state, path)
    outcome = cli("convert", "-t", "onnx", "-m", path, "-o", output)
    assert_clean_failure(outcome, 5, "blocks.3.depthwise.conv.weight", "[7, 1, 3, 3]", output=output)


def test_an_unknown_target_lists_those_installed_and_the_install_line(cli: Cli, output: Path) -> None:
    outcome = cli("convert", "-t", "tensorrt", "-o", output)
    assert_clean_failure(outcome, 2, "tensorrt", "coreml, executorch, onnx, openvino", 'pip install "edgekit[', output=output)


def test_an_unknown_precision(cli: Cli, output: Path) -> None:
    assert_clean_failure(cli("convert", "-t", "onnx", "-p", "int3", "-o", output), 2, "float32, float16", output=output)


def test_an_unknown_option_lists_the_valid_ones(cli: Cli, output: Path) -> None:
    outcome = cli("convert", "-t", "onnx", "--option", "opsett=18", "-o", output, "--json")
    assert outcome.code == 2
    assert "opset" in outcome.reports["digits-onnx-float32"]["problem"]["message"]
    assert not list(output.rglob("model.*"))


def test_an_output_folder_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = cli("convert", "-t", "onnx", "-o", tmp_path / "file" / "out")
    assert_clean_failure(outcome, 5, "cannot write", output=tmp_path / "file" / "out")


def test_a_folder_of_somebody_elses_is_not_replaced(cli: Cli, output: Path) -> None:
    theirs = output / "digits-onnx-float32"
    theirs.mkdir(parents=True)
    (theirs / "thesis.txt").write_text("years of work")
    (theirs / "report.json").write_text("{}")
    outcome = cli("convert", "-t", "onnx", "-o", output, "--force")
    assert outcome.code == 5
    assert (theirs / "thesis.txt").read_text() == "years of work"


def test_an_unknown_flag_is_a_usage_error(cli: Cli) -> None:
    outcome = cli("convert", "--tarrget", "onnx")
    assert outcome.code == 2
    assert "--target" in outcome.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(output: Path, signal_number: int) -> None:
    command = [sys.executable, "-m", "edgekit", "convert", "-t", "executorch", "-t", "onnx", "-o", str(output)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.rstrip().endswith(": convert"):
                break
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal_number)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""
    assert not output.exists()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive, f"workers outlived the run: {alive}"
