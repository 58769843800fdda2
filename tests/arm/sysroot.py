"""Makes a folder in which arm64 programs run on this machine, without a board and without changing the system.

    python -m tests.arm.sysroot build/arm

apt, with this system's sources and a state of its own, fetches Debian's arm64 packages, which are unpacked and not installed; pip
fetches the runtimes' aarch64 wheels; Debian's cross compiler builds the runner for ExecuTorch. It needs no root rights.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.arm.cpu import CPUS

REPOSITORY = Path(__file__).parents[2]
DEFAULT = REPOSITORY / "build" / "arm"
READY = ".ready"
TOOLS = {  # what must be there, and the Debian package that brings it
    "qemu-aarch64-static": "qemu-user-static",
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
PACKAGES = ("python3", "libstdc++6")
WHEELS = ("numpy", "onnxruntime", "openvino")  # of edgekit's constraints
EXECUTORCH = "1.5.1"  # the first whose wheel brings ExecuTorch as libraries for C++; it runs what 1.4 made
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_35_aarch64")  # by what glibc they need; Debian 12 has 2.36


def missing_tools() -> tuple[str, ...]:
    """Debian packages that are needed and not here."""
    return tuple(package for tool, package in TOOLS.items() if not shutil.which(tool))


def make_root(folder: Path) -> None:
    """Make the folder anew.

    Raises:
        subprocess.CalledProcessError: apt, pip or the compiler failed; what they said is on stderr.
    """
    shutil.rmtree(folder, ignore_errors=True)
    _unpack_packages(folder)
    _unpack_wheels(folder)
    for cpu in CPUS:  # the same root for all, but what /proc/cpuinfo says
        view = folder / "cpus" / cpu.name
        (view / "proc").mkdir(parents=True)
        (view / "proc" / "cpuinfo").write_text(cpu.cpuinfo)
        for part in (folder / "root").iterdir():
            (view / part.name).symlink_to(part)
    _compile(folder)
    (folder / READY).touch()


def _unpack_packages(folder: Path) -> None:
    state = folder / "apt"
    for part in ("lists/partial", "archives/partial", "log"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()  # nothing is installed: dependencies are fetched, too
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::Cache": state,
        "Dir::Log": state / "log",
        "Dir::State": state,
        "Dir::State::status": state / "status",
    }
    apt = ("apt-get", "-qq", *(part for name, value in options.items() for part in ("-o", f"{name}={value}")))
    _run(*apt, "update")
    _run(*apt, "install", "--yes", "--download-only", *PACKAGES)
    for package in sorted((state / "archives").glob("*.deb")):
        _run("dpkg-deb", "--extract", package, folder / "root")
    shutil.rmtree(state)


def _unpack_wheels(folder: Path) -> None:
    python = python_of(folder).name.removeprefix("python")
    platforms = [part for name in PLATFORMS for part in ("--platform", name)]
    pip: tuple[str | Path, ...] = (
        sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq", "--no-deps", "--only-binary=:all:",
        *platforms, "--python-version", python, "--dest", folder / "wheels",
    )  # fmt: skip
    _run(*pip, "--constraint", REPOSITORY / "edgekit" / "constraints.txt", *WHEELS)
    _run(*pip, f"executorch=={EXECUTORCH}")
    for wheel in (folder / "wheels").iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
    shutil.rmtree(folder / "wheels")


def _compile(folder: Path) -> None:
    """As executorch-config.cmake of the wheel has it; the libraries register what they bring, so the linker must keep them."""
    executorch = folder / "site" / "executorch"
    names = ("", "_kernels_optimized", "_kernels_quantized", "_backend_xnnpack", "_threadpool")
    _run(
        "aarch64-linux-gnu-g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror",
        "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_EVENT_TRACER_ENABLED", "-DET_USE_THREADPOOL",
        "-isystem", executorch / "include", "-isystem", executorch / "include/executorch/runtime/core/portable_type/c10",
        Path(__file__).with_name("run_pte.cpp"), "-o", folder / "run_pte",
        "-L", executorch / "lib", "-Wl,--no-as-needed", *(f"-lexecutorch{name}" for name in names),
        "-Wl,-rpath,$ORIGIN/site/executorch/lib",
    )  # fmt: skip


def python_of(folder: Path) -> Path:
    """The root's Python, by its name with the version."""
    return (folder / "root" / "usr" / "bin" / "python3").resolve()


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, env=os.environ | {"LC_ALL": "C"})


def main() -> None:
    """Make the folder that is named."""
    if missing := missing_tools():
        sys.exit(f"Arm's artifacts cannot be emulated here: apt-get install {' '.join(missing)}")
    make_root(Path(sys.argv[1] if len(sys.argv) > 1 else DEFAULT).resolve())


if __name__ == "__main__":
    main()
