"""What is sent: orders survive the way, and the program is sources and nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

from edgekit.board.order import FILE_NAME, Order, encode_order, read_order
from edgekit.board.parcel import pack_program
from edgekit.latency import LatencyPlan
from edgekit.target import LoadJob, TensorSpec

IMAGE = TensorSpec("image", (1, 3, 224, 224), "float32", "NCHW")
SCORES = TensorSpec("scores", (1, 10), "float32", "NK", softmax_of="logits")
JOB = LoadJob(Path("artifact/model.onnx"), "float32", {"opset": "20"}, (IMAGE,), (SCORES,), 1, ("cat", "Ünicode"))
ORDER = Order("edgekit_onnx.runner:OnnxRunner", {"onnxruntime": "onnxruntime"}, JOB, LatencyPlan(50, 1.5, 0.5, 60))


def test_an_order_arrives_as_it_was_sent(tmp_path: Path) -> None:
    for order in (ORDER, replace(ORDER, plan=None)):
        (tmp_path / FILE_NAME).write_bytes(encode_order(order))
        found = read_order(tmp_path, num_threads=4)
        assert found == replace(order, job=replace(JOB, path=tmp_path / JOB.path, num_threads=4))


def test_the_program_is_sources_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(pack_program(["edgekit"]))) as archive:
        names = archive.namelist()
    assert {Path(name).suffix for name in names} == {".py"}
    assert names[0] == "__main__.py"
    assert {"edgekit/board/runner.py", "edgekit/latency/__init__.py", "edgekit/target.py"} <= set(names)


def test_the_program_starts_without_anything_that_is_installed(tmp_path: Path) -> None:
    """-I -S: no site-packages, no environment, no current folder. What is missing is told, and not raised."""
    (tmp_path / "runner.pyz").write_bytes(pack_program(["edgekit"]))
    order = replace(ORDER, needs={"math": "math", "no_such_runtime": "no-such-runtime"})
    (tmp_path / FILE_NAME).write_bytes(encode_order(order))
    command = [sys.executable, "-I", "-S", str(tmp_path / "runner.pyz"), str(tmp_path), "answer", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    start, missing = done.stdout.splitlines()
    assert start == '{"stage": "import"}'
    assert "no-such-runtime" in missing
    assert "math" not in missing
