"""Judges artifacts on the emulated CPUs and prints a table; no times.

    make test-arm                                 # makes build/arm
    python -m tests.arm [--cpu NAME] ARTIFACT_FOLDER...

Beside each figure stands the one that this machine's own runtime left in the artifact's report.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgekit.document import read_json
from edgekit.manifest import read_manifest
from edgekit.parity import Parity
from edgekit.report import FILE_NAME, Report
from tests.arm.cpu import CPUS
from tests.arm.emulation import Emulator
from tests.arm.sysroot import DEFAULT

ROW = "{:24} {:11} {:10} {:10} {:>8} {:>8} {:7} {}"


def main() -> None:
    """Print a row per artifact and CPU. Exit code 1: some did not pass."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", choices=[cpu.name for cpu in CPUS], action="append", help="several times; all of them")
    parser.add_argument("artifacts", type=Path, nargs="+")
    arguments = parser.parse_args()
    print(ROW.format("model", "target", "precision", "emulated", "Arm dB", "here dB", "verdict", "instructions, by kind"))
    passed = True
    for folder in arguments.artifacts:
        manifest = read_manifest(folder)
        here: Report = read_json(folder / FILE_NAME, Report)
        for cpu in (each for each in CPUS if not arguments.cpu or each.name in arguments.cpu):
            verdict = Emulator(DEFAULT, cpu).judge(folder.resolve())
            passed &= verdict.parity.passed
            products = ", ".join(f"{count} {kind}" for kind, count in verdict.products.items())
            print(
                ROW.format(
                    manifest.model.name, manifest.target, manifest.precision, cpu.name, _worst_db(verdict.parity),
                    _worst_db(here.parity), "passed" if verdict.parity.passed else "FAILED", products,
                ),
                flush=True,
            )  # fmt: skip
            for problem in verdict.parity.problems:
                print(f"    {problem}")
    sys.exit(not passed)


def _worst_db(parity: Parity | None) -> str:
    """Of the pictures, for the worst output."""
    figures = [each.image_sqnr_db for each in parity.outputs if each.image_sqnr_db is not None] if parity else []
    return f"{min(figures):.1f}" if figures else "-"


if __name__ == "__main__":
    main()
