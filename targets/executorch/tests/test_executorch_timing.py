"""ExecuTorch tells no times of its operators, and edgekit says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from executorch.extension.pybindings import _portable_lib

from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.operators import OperatorTimer
from edgekit.testing import Made, make_artifact
from edgekit_executorch.target import ExecuTorchTarget


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An untrained V1."""
    torch.manual_seed(0)
    program = capture_program(MobileNet(MobileNetSpec("v1", 0.25, 32)).eval())
    return make_artifact(ExecuTorchTarget(), program, "float32", tmp_path_factory.mktemp("artifact"))


def tell(made: Made) -> str:
    target = ExecuTorchTarget()
    assert isinstance(target, OperatorTimer)
    times = target.operator_times(made.job(), {"image": np.zeros((1, 3, 32, 32), np.float32)}, runs=3)
    assert times.operators == ()
    return times.untold


def test_the_wheel_has_no_event_tracer(made: Made) -> None:
    """When this fails, the wheel can tell more than it could."""
    assert "no event tracer" in tell(made)


def test_a_build_with_one_is_not_called_one_without(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tracing:
        def run_method(self, name: str, inputs: tuple[torch.Tensor, ...]) -> None:
            assert (name, len(inputs)) == ("forward", 1)

        def write_etdump_result_to_file(self, path: str) -> None:
            Path(path).write_bytes(b"ED00")

    monkeypatch.setattr(_portable_lib, "_load_for_executorch", lambda path, enable_etdump: Tracing())
    assert "which edgekit does not read" in tell(made)
