"""`benchmarks/projection.py` on files of figures that are small, and not what it was made for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "projection.py"
HEAD = "suggested_split,source_id,model,precision,runtime,compute_unit,threads,device,chipset,latency_ms,statistic"
NETWORKS = {"mobilenet_v1": 12, "mobilenet_v2": 10, "resnet18": 40, "squeezenet1.1": 9}


def row(model: str, latency_ms: float, device: str = "Board", split: str = "dev") -> str:
    return f"{split},us,{model},fp32,ncnn,cpu,1,{device},Cortex-A76,{latency_ms},mean"


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, Path]:
    """Four networks on two boards; another network on them; and figures that are of split "context" alone."""
    rows = {
        "known": [row(model, ms * slow, device) for model, ms in NETWORKS.items() for device, slow in (("A", 1), ("B", 2))],
        "asked": [row("mnasnet", 11, "A")],
        "context": [row("mnasnet", 11, "A", "context"), row("mnasnet", 22, "B", "context")],
    }
    for name, of in rows.items():
        (tmp_path / name).write_text("\n".join([HEAD, *of, ""]))
    return {name: tmp_path / name for name in rows}


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCHMARK, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_goals_that_no_figure_is_about_have_no_row(files: Mapping[str, Path]) -> None:
    done = ran("--data", files["known"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "anchored CPUs" in done.stdout
    assert "Qualcomm" not in done.stdout
    assert "nan" not in done.stdout


@pytest.mark.parametrize("role", ["--test", "--fit"])
def test_figures_of_context_are_left_out_and_counted(files: Mapping[str, Path], role: str) -> None:
    other = "--fit" if role == "--test" else "--test"
    done = ran(role, files["context"], other, files["known"])
    assert done.returncode == 0
    assert f"left out: 2 figures of split 'context' in {files['context']}\n" in done.stderr


def test_nobody_reads_any_more_and_it_ends_in_silence(files: Mapping[str, Path]) -> None:
    """As `head` does when it has its lines; here nobody ever read."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, str(BENCHMARK), "--fit", str(files["known"]), "--test", str(files["asked"])]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
