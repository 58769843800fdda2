"""`edgekit doctor`: what is installed against what was tested, and what can run here."""

from __future__ import annotations

import json as json_module
import subprocess
import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

from rich.table import Table

from edgekit.cli.show import Output, print_json, print_table
from edgekit.machine import describe_machine
from edgekit.registry import OWN_TARGETS, installed

CONSTRAINTS = "constraints.txt"


def tested_versions() -> dict[str, str]:
    """The versions that edgekit's own tests ran with, from the constraints file that it ships."""
    lines = resources.files("edgekit").joinpath(CONSTRAINTS).read_text("utf-8").splitlines()
    pins = (line.partition("#")[0].strip() for line in lines)
    return dict(pin.split("==") for pin in pins if pin)


def show_checkup(*, json: bool) -> int:
    """Print versions, targets and machine. Exit code 3 if an installed target cannot convert."""
    versions = [{"package": name, "tested": tested, "installed": _installed(name)} for name, tested in tested_versions().items()]
    targets = {name: probe(name) for name in installed()}
    broken = [name for name, state in targets.items() if not state["can_convert"]]
    machine = describe_machine()
    if json:
        print_json({"schema_version": 1, "versions": versions, "targets": targets, "machine": machine})
        return 3 if broken else 0
    console = Output(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "tested", "installed", ""):
        table.add_column(heading)
    for row in versions:
        found = row["installed"]
        remark = "" if found == row["tested"] else "not installed" if not found else "not the tested version"
        table.add_row(row["package"], row["tested"], found or "-", remark)
    print_table(table)
    console.print()
    for name in sorted({*targets, *OWN_TARGETS}):
        console.print(f"{name:12} {_describe(name, targets.get(name))}", markup=False, highlight=False)
    console.print(f"\n{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}", highlight=False)
    console.print("instruction sets: " + (", ".join(machine.instruction_sets) or "none that matter"), highlight=False)
    return 3 if broken else 0


def probe(name: str) -> dict[str, str | bool]:
    """Ask a target whether it works here, in a process of its own: an SDK that crashes takes nothing with it."""
    command = [sys.executable, "-P", "-m", "edgekit.probe", name]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, str | bool] = json_module.loads(child.stdout.splitlines()[-1])
        return answer
    except (IndexError, ValueError):
        reason = child.stderr.strip().splitlines()[-1:] or [f"it ended with exit code {child.returncode}"]
        return {"can_convert": False, "runs": "no", "reason": reason[0]}


def _describe(name: str, state: dict[str, str | bool] | None) -> str:
    if state is None:
        return f'not installed: pip install "edgekit[{name}]"'
    if not state["can_convert"]:
        return f"cannot convert: {state['reason']}"
    ways = {
        "native": "converts and runs here",
        "reference": "converts here; checked with a reference runtime",
        "no": "converts here",
    }
    return ways[str(state["runs"])] + (f" ({state['reason']})" if state["reason"] else "")


def _installed(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]  # torch's "+cpu" is a build, not a version
    except PackageNotFoundError:
        return None
