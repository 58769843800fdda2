"""The suite itself: tests that share artifacts run in one process, or each process makes them again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FILES = ("tests/unit/test_option.py", "tests/unit/test_registry.py", "tests/unit/test_payoff.py")


def test_the_tests_of_a_file_run_in_one_process() -> None:
    """pytest-xdist once stopped to see groups without a word, and the suite took twice as long."""
    command = [sys.executable, "-m", "pytest", *FILES, "-v", "--numprocesses", "2", "--dist", "loadgroup"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    ran = re.findall(r"^\[(gw\d)\].* (tests/\S+?\.py)::", done.stdout, re.MULTILINE)
    assert {file for _, file in ran} == set(FILES), done.stdout
    assert len(set(ran)) == len(FILES)
    assert {process for process, _ in ran} == {"gw0", "gw1"}
