"""Who may import what, and what start-up costs, by names in sys.modules and not by seconds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "numpy",
    "PIL",
    "safetensors",
    "msgspec",
    "coremltools",
    "executorch",
    "onnx",
    "onnxruntime",
    "openvino",
    "pydantic",
)
SDKS = {"coremltools", "executorch", "onnx", "onnx_ir", "onnxscript", "onnxruntime", "openvino", "nncf", "transformers"}
# module -> packages it may import at its top, besides the standard library and edgekit
ALLOWED = {
    "errors": set(),
    "target": set(),
    "precision": set(),
    "registry": set(),
    "board.__init__": set(),
    "board.address": set(),
    "board.keeper": set(),
    "board.order": set(),
    "board.portable": set(),
    "board.refusal": set(),
    "board.runner": set(),
    "board.run": set(),
    "board.adb": {"numpy"},
    "board.board": {"numpy"},
    "board.conversation": {"numpy", "msgspec"},
    "board.measurement": {"numpy"},
    "board.parcel": {"numpy"},
    "board.ssh": {"msgspec"},
    "latency.__init__": set(),
    "latency.plan": set(),
    "latency.record": set(),
    "latency.harness": set(),
    "latency.memory": set(),
    "latency.noise": set(),
    "latency.comparison": set(),
    "latency.sustained": set(),
    "alone": set(),
    "turns": set(),
    "machine": set(),
    "request": set(),
    "mobilenet.spec": set(),
    "mobilenet.layers": set(),
    "mobilenet.layouts": set(),
    "mobilenet.overrides": set(),
    "option": {"msgspec"},
    "foreign": {"numpy", "PIL", "msgspec"},
    "interface": {"numpy", "PIL"},
    "preprocessing": {"numpy", "PIL"},
    "samples": {"numpy", "PIL"},
    "examination": set(),
    "envelope": set(),
    "parity": set(),
    "judge": {"numpy"},
    "spread": {"numpy"},
    "document": {"msgspec"},
    "forkserver": set(),
    "job": set(),
    "scratch": set(),
    "reference": {"numpy"},
    "prediction": {"numpy"},
    "accuracy": set(),
    "dataset": {"numpy"},
    "evaluation": {"numpy"},
    "scores": {"numpy"},
    "manifest": {"msgspec"},
    "profile": set(),
    "report": set(),
    "merge": set(),
    "launcher": set(),
    "desk": set(),
    "output": set(),
    "worker": set(),
    "pipeline": {"numpy", "msgspec"},
    "preparation": set(),
    "naming": set(),
    "run": {"msgspec"},
    "conversion": set(),
    "calibration": set(),
    "sensitivity": set(),
    "operators": set(),
    "breakdown": set(),
    "payoff": set(),
    "evaluator": {"numpy"},
    "shared": {"numpy"},
    "matrix.cache": set(),
    "matrix.cell": set(),
    "matrix.change": set(),
    "matrix.difference": set(),
    "matrix.pace": set(),
    "matrix.config": {"msgspec"},
    "matrix.count": set(),
    "matrix.execution": set(),
    "matrix.expectation": set(),
    "matrix.fingerprint": {"msgspec"},
    "matrix.goal": set(),
    "matrix.publication": set(),
    "matrix.record": set(),
    "matrix.site": set(),
    "matrix.verdict": set(),
    "matrix.contradiction": set(),
    "matrix.file": {"msgspec"},
    "matrix.mistake": set(),
    "matrix.place": {"tree_sitter", "tree_sitter_toml"},
    "matrix.schema": {"msgspec"},
    "matrix.start": {"msgspec"},
    "matrix.template": set(),
    "matrix.source": set(),
    "matrix.union": set(),
    "matrix.wording": set(),
    "matrix.junit": {"junitparser"},
    "matrix.summary": set(),
    "matrix.page.__init__": set(),
    "matrix.page.card": set(),
    "matrix.page.document": {"jinja2"},
    "matrix.page.plot": {"numpy"},
    "projection.workload": set(),
    "projection.tape": set(),
    "projection.setting": set(),
    "projection.figure": set(),
    "projection.cost": set(),
    "projection.database": set(),
    "projection.project": set(),
    "projection.networks.catalogue": set(),
    "projection.likeness": {"numpy"},
    "projection.scale": {"numpy"},
    "projection.panel": {"numpy"},
    "projection.cores": {"numpy"},
    "projection.accelerators": {"numpy"},
    "projection.fit": {"numpy"},
    "projection.predict": {"numpy"},
    "projection.trial": {"numpy"},
    "projection.held": {"numpy"},
    "projection.interval": {"numpy"},
    "projection.widths": set(),
    "projection.summary": {"numpy"},
    "projection.shipping": set(),
}


def imports_at_top(path: Path) -> set[str]:
    """Packages imported when the module is, those for type checking alone left out."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"edgekit"}


def modules_loaded_by(code: str) -> set[str]:
    """Names in sys.modules after running code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("module", ALLOWED)
def test_a_module_imports_what_it_may(module: str) -> None:
    path = REPOSITORY / "edgekit" / (module.replace(".", "/") + ".py")
    assert imports_at_top(path) <= ALLOWED[module]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "edgekit").rglob("*.py")), ids=lambda path: path.stem)
def test_no_core_module_imports_an_sdk(path: Path) -> None:
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not names & SDKS


@pytest.mark.parametrize("path", sorted((REPOSITORY / "targets").glob("*/edgekit_*/**/*.py")), ids=lambda path: str(path.stem))
def test_a_plugin_imports_no_other_plugin_and_not_the_command_line(path: Path) -> None:
    own = next(part for part in path.parts if part.startswith("edgekit_"))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package = node.module.partition(".")[0]
            assert not package.startswith("edgekit_") or package == own
            assert not node.module.startswith(("edgekit.cli", "edgekit.run", "edgekit.conversion", "edgekit.launcher"))


@pytest.mark.parametrize("arguments", [["--help"], ["targets"], ["targets", "--json"]])
def test_start_up_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['edgekit', *{arguments!r}]\nimport edgekit.cli\n"
    code += "try: edgekit.cli.main()\nexcept SystemExit: pass"
    assert not modules_loaded_by(code) & set(HEAVY)


@pytest.mark.parametrize("arguments", [["targets"], ["targets", "--json"]])
def test_the_short_cut_prints_what_the_parser_would(arguments: list[str]) -> None:
    short = subprocess.run([sys.executable, "-m", "edgekit", *arguments], capture_output=True, text=True, check=True).stdout
    code = f"from edgekit.cli import app; app({arguments!r}, standalone_mode=False)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == short


def test_importing_edgekit_imports_nothing_of_it() -> None:
    assert not {name for name in modules_loaded_by("import edgekit") if name.startswith("edgekit.")}


def test_a_predicting_worker_needs_no_torch_for_onnx() -> None:
    """What a deployment would run must not drag the training framework along."""
    assert "torch" not in modules_loaded_by("import edgekit.pipeline, edgekit.run")


def test_what_runs_on_a_board_needs_python_alone_until_it_opens_an_artifact() -> None:
    """numpy and the runtime come with the artifact's target; msgspec and torch are not on boards."""
    assert not modules_loaded_by("import edgekit.board.runner") & set(HEAVY)


def test_files_are_small() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): count
        for folder in ("edgekit", "targets", "tests", "benchmarks")
        for path in (REPOSITORY / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_no_broad_except_without_its_reason() -> None:
    for path in [*(REPOSITORY / "edgekit").rglob("*.py"), *(REPOSITORY / "targets").glob("*/edgekit_*/**/*.py")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip().startswith(("except Exception", "except BaseException", "except:")):
                reraises = "raise" in "".join(path.read_text().splitlines()[number : number + 4])
                assert "#" in line or reraises or "cli/__init__" in str(path), f"{path}:{number}"
