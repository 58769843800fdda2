"""The command line: parse, call, print. No logic, and nothing heavy imported before a command runs."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Annotated

import typer

from edgekit import __version__
from edgekit.cli import artifact, cache, compare, convert, describe, devices, evaluate, init, matrix, profile, train
from edgekit.errors import EdgekitError
from edgekit.garbage import collect_rarely

app = typer.Typer(
    name="edgekit",
    epilog="Exit codes: 0 ok - 1 negative result - 2 usage - 3 target or runtime missing - 4 network - 5 input/output - "
    "70 internal error - 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs as much as all the rest of the start-up
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
convert.register(app)
artifact.register(app)
profile.register(app)
compare.register(app)
init.register(app)
matrix.register(app)
cache.register(app)
evaluate.register(app)
describe.register(app)
devices.register(app)
train.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"edgekit {__version__}")
        raise typer.Exit


@app.callback()
def _edgekit(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """One MobileNet, four targets (Core ML, ExecuTorch, OpenVINO, ONNX), each checked against PyTorch and profiled."""


def main() -> None:
    """Run the command line. Every exception ends here, as one message and an exit code."""
    collect_rarely()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a cancelled CI job, a closed terminal: clean up as for Ctrl-C
        signal.signal(number, signal.default_int_handler)
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a label may need more than the terminal has
    warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated", FutureWarning)  # torch, of itself
    sys.exit(_run())


def _run() -> int:
    try:
        # Spelled out, because for the first flag it parses typer imports pydantic: twice the time of the whole command.
        if sys.argv[1:] in (["targets"], ["targets", "--json"]):
            return describe.targets(json="--json" in sys.argv)
        code = app(standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # typer's own reading of Ctrl-C
            return _interrupted()
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        error.show(sys.stderr)  # type: ignore[attr-defined]  # all that the parser raises have it; the type has no name
        return 2
    except EdgekitError as error:
        print(f"edgekit: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # `edgekit ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # what nobody foresaw: shown whole, for it is ours
        import traceback

        traceback.print_exc()
        print("edgekit: this is a bug of edgekit's; please report it with the lines above", file=sys.stderr)
        return EdgekitError.exit_code


def _interrupted() -> int:
    print("edgekit: interrupted", file=sys.stderr)
    return 130
