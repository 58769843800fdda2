"""A STAND-IN for adb, a phone and executor_runner, none of them real: it copies files, runs the shell here, looks answers up.

It shows that the commands fit together and that what comes back is judged. It shows nothing about a phone.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from edgekit.reference import Reference

ADB = """#!{python}
import pathlib, shutil, subprocess, sys
arguments = sys.argv[1:]
with open("{folder}/commands.txt", "a") as log:
    log.write(" ".join(arguments) + "\\n")
def there(path):
    return path.replace("/data/local/tmp", "{folder}/phone")
if arguments == ["devices"]:
    print(pathlib.Path("{folder}/devices.txt").read_text(), end="")
elif arguments[2] == "shell":
    command = ["/bin/sh", "-c", there(arguments[3])]
    done = subprocess.run(command, env={{"PATH": "{folder}/bin:/usr/bin:/bin"}}, capture_output=True, text=True)
    print(done.stdout.replace("{folder}/phone", "/data/local/tmp"), end="")
    print(done.stderr, end="", file=sys.stderr)
    sys.exit(done.returncode)
else:
    shutil.copy(there(arguments[3]), there(arguments[4]))
"""
RUNNER = """#!{python}
import hashlib, pathlib, sys
flags = dict(each.lstrip("-").split("=", 1) for each in sys.argv[1:])
assert pathlib.Path(flags["model_path"]).is_file()
given = hashlib.sha256(pathlib.Path(flags["inputs"]).read_bytes()).hexdigest()
pathlib.Path(flags["output_file"] + "-0.bin").write_bytes(pathlib.Path("{folder}/answers", given).read_bytes())
runs = int(flags["num_executions"])
start = "I 00:00:00.001 executorch:executor_runner.cpp:493]"
print(f"{{start}} Model executed successfully {{runs}} time(s) in {{runs * 2.5:f}} ms.", file=sys.stderr)
"""
GETPROP = '#!/bin/sh\ncase "$1" in ro.product.model) echo "Stand-in";; *) echo 0;; esac\n'


def make_phone(folder: Path, reference: Reference, output: str, *, scale: float = 1.0) -> Path:
    """Put the three programs into `folder/bin`, and PyTorch's answers, times `scale`, where the runner looks them up.

    Returns:
        The stand-in for executor_runner.
    """
    for name in ("bin", "phone", "answers"):
        (folder / name).mkdir()
    for name, text in (("adb", ADB), ("executor_runner", RUNNER), ("getprop", GETPROP)):
        path = folder / "bin" / name
        path.write_text(text.format(python=sys.executable, folder=folder) if name != "getprop" else text)
        path.chmod(0o755)
    (folder / "devices.txt").write_text("List of devices attached\nSTANDIN1\tdevice\n\n")
    for sample, answer in zip(reference.samples, reference.yardsticks["float32"], strict=True):
        name = hashlib.sha256(np.ascontiguousarray(sample.image_nchw, "<f4").tobytes()).hexdigest()
        (folder / "answers" / name).write_bytes((answer[output] * scale).astype("<f4").tobytes())
    return folder / "bin" / "executor_runner"
