"""An Android device that adb reaches, and a native program that runs artifacts there. Never run on a device by our tests.

What our tests run is adb itself with no device to be found, and these commands against a stand-in that records them.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.board.address import AdbAddress
from edgekit.board.board import Measured, OnStage, Task
from edgekit.board.portable import Native, Program
from edgekit.errors import EdgekitError, InputError, NetworkError, OutputError, TargetMissing, UsageError
from edgekit.latency import LatencyPlan
from edgekit.latency.harness import MIN_SAMPLES
from edgekit.machine import INSTRUCTION_SETS, Machine, read_cpuinfo
from edgekit.reference import Outputs
from edgekit.target import RuntimeInfo, TensorSpec

ADB = "adb"
PLACE = "/data/local/tmp"  # where the user of `adb shell` may write and run programs
MAX_SECONDS = 600.0  # of one command, besides what the plan of a measurement asks for
WARM_RUNS = 10
LOST = ("no devices", "offline", "unauthorized", "error: closed", "' not found")
FACTS = "getprop ro.product.model; getprop ro.build.version.release; uname -r; uname -m; nproc; grep MemTotal /proc/meminfo"


@dataclass(frozen=True, slots=True)
class AdbBoard:
    """A device, or the only one there is.

    Attributes:
        address: which.
        max_seconds: for one command, besides what the plan asks for.
    """

    address: AdbAddress
    max_seconds: float = MAX_SECONDS

    def measure(self, task: Task, on_stage: OnStage) -> Measured:
        """Push, run, pull, remove: see `Board.measure`."""
        if not isinstance(task.target, Native):
            raise UsageError(f"target {task.target.name} has no program that runs on an Android device; ExecuTorch's has")
        on_stage("connect")
        program = task.target.native
        path = find_program(program)
        serial = self.address.serial or only_device(_adb("devices", seconds=self.max_seconds))
        device = _Device(serial, self.max_seconds + task.planned_seconds)
        machine, node = device.describe()
        folder = device.shell(f"mktemp -d {PLACE}/edgekit-XXXXXX").strip()
        if not folder.startswith(f"{PLACE}/edgekit-"):  # it is going to be removed: make sure that it is ours
            raise EdgekitError(f"{serial} has no folder for us: {folder or 'mktemp says nothing'}")
        try:
            answers, notes = _run_there(device, program, path, task, folder, machine, on_stage)
        except BaseException as error:  # Ctrl-C too: nothing is to stay on the phone; raised again below
            left = device.remove(folder)
            if left and isinstance(error, EdgekitError):
                raise type(error)(f"{error}. {left}") from error
            raise
        left = device.remove(folder)
        runtime = RuntimeInfo(program.name, "unknown: it does not say", "CPU", "as the program was built")
        return Measured(serial, node, machine, runtime=runtime, answers=answers, notes=(*notes, left) if left else notes)


def find_program(program: Program) -> Path:
    """The program for the device, as the user names it.

    Raises:
        TargetMissing: it is not named.
        InputError: it is named and not there.
    """
    named = os.environ.get(program.variable)
    if not named:
        raise TargetMissing(
            f"a device without Python needs {program.name}, built for it with Android's NDK: say in the environment variable "
            f"{program.variable} where yours is. Nobody publishes it ready made"
        )
    if not Path(named).is_file():
        raise InputError(f"{program.variable} names {named}, and there is no such file")
    return Path(named)


def list_devices(listing: str) -> dict[str, str]:
    """States by serial number, from what `adb devices` prints. adb's own announcements begin with a star."""
    _, _, rows = listing.partition("List of devices attached")
    pairs = (line.split(None, 1) for line in rows.splitlines() if line.strip() and not line.startswith("*"))
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "unknown" for pair in pairs}


def only_device(listing: str) -> str:
    """The serial number of the only device that is ready.

    Raises:
        NetworkError: there is none, with what adb says of the others.
        UsageError: there are several.
    """
    devices = list_devices(listing)
    ready = [serial for serial, state in devices.items() if state == "device"]
    if len(ready) == 1:
        return ready[0]
    if ready:
        raise UsageError(f"there are several Android devices: say --device adb://SERIAL with one of {', '.join(ready)}")
    if devices:
        states = ", ".join(f"{serial} is {state}" for serial, state in devices.items())
        raise NetworkError(
            f"no Android device is ready: {states}. One that is unauthorized shows a question on its screen; one that is offline "
            "wants its cable out and in"
        )
    raise NetworkError("adb finds no Android device: switch on USB debugging in its developer options, and see `adb devices`")


@dataclass(frozen=True, slots=True)
class _Device:
    serial: str
    max_seconds: float

    def shell(self, command: str) -> str:
        return _adb("-s", self.serial, "shell", command, seconds=self.max_seconds)

    def push(self, path: Path, there: str) -> None:
        _adb("-s", self.serial, "push", str(path), there, seconds=self.max_seconds)

    def pull(self, there: str, path: Path) -> None:
        _adb("-s", self.serial, "pull", there, str(path), seconds=self.max_seconds)

    def remove(self, folder: str) -> str:
        """Remove a folder; if that cannot be, what to tell: whatever else went wrong there is worth more than this error."""
        try:
            self.shell(f"rm -rf {folder}")
        except EdgekitError:
            return f"{folder} on {self.serial} could not be removed: `adb -s {self.serial} shell rm -rf {folder}` does it"
        return ""

    def describe(self) -> tuple[Machine, str]:
        """The device, and its model's name."""
        model, release, kernel, architecture, cores, memory = [*self.shell(FACTS).splitlines(), *[""] * 6][:6]
        processor, flags = read_cpuinfo(self.shell("cat /proc/cpuinfo"))
        kilobytes = "".join(filter(str.isdigit, memory))
        machine = Machine(
            system=f"Android-{release} Linux-{kernel}",
            architecture=architecture,
            processor=processor or model or "unknown",
            cores=int(cores) if cores.isdigit() else 1,
            memory_bytes=int(kilobytes or 0) * 1024,
            instruction_sets=tuple(name for name in INSTRUCTION_SETS if name in flags),
            python="",
        )
        return machine, model


def _run_there(
    device: _Device, program: Program, path: Path, task: Task, folder: str, machine: Machine, on_stage: OnStage
) -> tuple[tuple[Outputs, ...], tuple[str, ...]]:
    """Push, run and pull: the answers, and what the program says of its speed."""
    on_stage("load")
    device.push(path, f"{folder}/{program.name}")
    device.push(task.job.path, f"{folder}/model")
    device.shell(f"chmod 755 {folder}/{program.name}")
    on_stage("parity")
    first = task.threads[0] or machine.cores
    answers = tuple(_answer(device, program, task, folder, sample, first) for sample in task.samples_nchw)
    if not task.plan:
        return answers, ()
    on_stage("latency")
    numbers = dict.fromkeys(number or machine.cores for number in task.threads)
    return answers, tuple(dict.fromkeys(_time(device, program, task.plan, folder, number) for number in numbers))


def _answer(
    device: _Device, program: Program, task: Task, folder: str, sample_chw: NDArray[np.float32], num_threads: int
) -> Outputs:
    with tempfile.TemporaryDirectory() as here:
        given = Path(here) / "input"
        given.write_bytes(np.ascontiguousarray(sample_chw, np.dtype("<f4")).tobytes())
        device.push(given, f"{folder}/input")
        _run(device, program, folder, runs=1, num_threads=num_threads)
        return {spec.name: _pull(device, program, folder, spec, i, Path(here)) for i, spec in enumerate(task.job.outputs)}


def _time(device: _Device, program: Program, plan: LatencyPlan, folder: str, num_threads: int) -> str:
    """What the program says of its own speed, in words: it keeps no samples, and so there are no percentiles."""
    first = program.mean_ms(_run(device, program, folder, runs=1, num_threads=num_threads))
    fitting = int(plan.max_seconds * 1000 / first) if first else plan.iterations  # the program itself knows no limit
    runs = WARM_RUNS + min(plan.iterations, max(MIN_SAMPLES, fitting))
    mean = program.mean_ms(_run(device, program, folder, runs=runs, num_threads=num_threads))
    if first is None or mean is None:
        return f"no latency measured: {program.name} does not print its time. It has to be built with logging, to stderr"
    unasked = ", and --sustain is not measured" if plan.sustain_seconds else ""
    return (
        f"{program.name} says, with {num_threads} threads: {first:.2f} ms for a first inference, and a mean of "
        f"{mean:.2f} ms over {runs}, the first included; it keeps no samples, so there are no percentiles{unasked}"
    )


def _run(device: _Device, program: Program, folder: str, *, runs: int, num_threads: int) -> str:
    words = program.arguments(model="model", inputs="input", outputs="output", num_threads=num_threads, runs=runs)
    return device.shell(f"cd {folder} && ./{program.name} {' '.join(words)} 2>&1")


def _pull(device: _Device, program: Program, folder: str, spec: TensorSpec, index: int, here: Path) -> NDArray[np.float32]:
    name = program.output_file("output", index)
    device.pull(f"{folder}/{name}", here / name)
    values = np.frombuffer((here / name).read_bytes(), np.dtype(spec.dtype).newbyteorder("<"))
    if values.size != np.prod(spec.shape):
        raise InputError(f"{program.name} wrote {values.size} values of {spec.name}, and the artifact has {list(spec.shape)}")
    return values.reshape(spec.shape).astype(np.float32)


def _adb(*arguments: str, seconds: float) -> str:
    """Run adb and return what it printed.

    Raises:
        EdgekitError: it failed; the class says at what.
    """
    try:
        done = subprocess.run([ADB, *arguments], capture_output=True, text=True, errors="replace", check=False, timeout=seconds)
    except OSError as error:
        raise TargetMissing(f"{ADB} cannot be run ({error.strerror}): install Android's platform-tools") from error
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"`adb {' '.join(arguments)}` was not done after {seconds:g} s") from error
    if done.returncode == 0:
        return done.stdout
    raise error_of(arguments, done.returncode, f"{done.stdout}\n{done.stderr}".strip())


def error_of(arguments: Sequence[str], code: int, complaint: str) -> EdgekitError:
    """The error for a command of adb that ended with a code other than 0, and all that it printed."""
    last = complaint.splitlines()[-1].strip() if complaint else "it says nothing"
    command = f"`adb {' '.join(arguments)}`"
    if "No space left" in complaint:
        return OutputError(f"the device's disk is full: {last}. Make room in {PLACE}")
    if any(words in complaint for words in LOST):
        return NetworkError(f"the device is not reached, or was lost: {last}. `adb devices` lists those that are there")
    if "not executable" in complaint or "Exec format error" in complaint:
        return TargetMissing(f"the program is not built for this device: {last}")
    return EdgekitError(f"{command} ended with exit code {code}: {complaint}")
