"""An artifact on an emulated CPU, judged as edgekit's own line judges it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit import registry
from edgekit.board.portable import Portable
from edgekit.interface import adapt_reference
from edgekit.judge import judge, judge_compression
from edgekit.manifest import Manifest, read_manifest
from edgekit.parity import Parity
from edgekit.reference import Outputs, load_reference
from edgekit.target import Target
from tests.arm.cpu import Cpu
from tests.arm.instruction import count_products
from tests.arm.sysroot import REPOSITORY, python_of

SECONDS = 600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an artifact on an emulated CPU. No time: an emulator's says nothing about a CPU's.

    Attributes:
        parity: as of any artifact.
        products: how many of Arm's multiplying instructions were in the code that was run, by kind.
    """

    parity: Parity
    products: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulated CPU.

    Attributes:
        folder: as `tests.arm.sysroot` makes it.
        cpu: which.
    """

    folder: Path
    cpu: Cpu

    def judge(self, artifact: Path) -> Verdict:
        """Run an artifact's folder on the inputs of its reference and judge the answers.

        Raises:
            subprocess.CalledProcessError: the runner failed.
        """
        manifest, trained = read_manifest(artifact), load_reference(artifact / "reference.npz")
        reference, _ = adapt_reference(
            trained.of(manifest.precision), manifest.model.preprocessing, manifest.inputs, manifest.outputs
        )
        target = registry.load(manifest.target)
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            np.concatenate([sample.image_nchw for sample in reference.samples]).astype(np.float32).tofile(work / "inputs")
            self.run(*self._runner(target, artifact, manifest), work / "inputs", work, log=work / "log")
            answers = _read_answers(work, manifest, len(reference.samples))
            products = count_products(work / "log")
        tolerance = target.tolerances[manifest.precision]
        compression = judge_compression(trained, manifest.precision, answers)
        return Verdict(judge(reference, answers, manifest.outputs, tolerance, compression), products)

    def run(self, *command: str | Path, log: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run an arm64 program.

        Args:
            command: the program and its arguments.
            log: gets every instruction of the program, once per translation.

        Raises:
            subprocess.CalledProcessError: it failed; the error has what it printed.
        """
        view = self.folder / "cpus" / self.cpu.name
        wanted = ("-d", "in_asm", "-D", str(log)) if log else ()
        path = (self.folder / "site", REPOSITORY, *(REPOSITORY / "targets").iterdir())
        python = {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")}
        emulated = ("qemu-aarch64-static", "-cpu", self.cpu.qemu, *wanted, "-L", str(view), *map(str, command))
        return subprocess.run(emulated, check=True, capture_output=True, text=True, timeout=SECONDS, env=os.environ | python)

    def _runner(self, target: Target, artifact: Path, manifest: Manifest) -> tuple[str | Path, ...]:
        if target.name == "executorch":  # its Python runtime needs torch
            return self.folder / "run_pte", artifact / manifest.entry
        assert isinstance(target, Portable)
        return python_of(self.folder), Path(__file__).with_name("run_artifact.py"), target.opener, artifact


def _read_answers(folder: Path, manifest: Manifest, count: int) -> list[Outputs]:
    stacks = {
        output.name: np.fromfile(folder / f"{i}.f32", np.float32).reshape(count, *output.shape)
        for i, output in enumerate(manifest.outputs)
    }
    return [{name: stack[i] for name, stack in stacks.items()} for i in range(count)]
