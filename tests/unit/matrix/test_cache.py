"""Entries are whole or not there, whatever ends the process that makes them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.errors import OutputError
from edgekit.matrix.cache import Cache, default_root, link_tree
from edgekit.scratch import scratch_in


def fill(cache: Cache, key: str, text: str = "content") -> None:
    with cache.filling(key, "artifact", f"cell {key}") as content:
        content.mkdir()
        (content / "file.txt").write_text(text)


def test_what_was_put_in_is_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.find("a") is None
    fill(cache, "a")
    found = cache.find("a")
    assert found
    assert (found / "file.txt").read_text() == "content"
    (entry,) = cache.entries()
    assert (entry.key, entry.kind, entry.name, entry.size_bytes) == ("a", "artifact", "cell a", 7)
    assert cache.verify() == {}


def fill_half(cache: Cache) -> None:
    with cache.filling("a", "artifact", "cell") as content:
        content.mkdir()
        (content / "half.txt").write_text("ha")
        raise ZeroDivisionError


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(ZeroDivisionError):
        fill_half(cache)
    assert cache.find("a") is None
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".edgekit")]


def test_the_first_of_two_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with cache.filling("a", "artifact", "slow") as content:
        content.mkdir()
        fill(cache, "a", "quick")
        (content / "file.txt").write_text("slow")
    found = cache.find("a")
    assert found
    assert (found / "file.txt").read_text() == "quick"


def test_a_cache_that_makes_again_recalls_nothing_and_replaces(tmp_path: Path) -> None:
    fill(Cache(tmp_path), "a", "old")
    again = Cache(tmp_path, makes_again=True)
    assert again.recall("a") is None
    fill(again, "a", "new")
    found = Cache(tmp_path).recall("a")
    assert found
    assert (found / "file.txt").read_text() == "new"


def test_a_record_is_kept_as_a_file(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder = cache.keep("a", "accuracy", "cell", "figures.json", {"right": 3})
    assert folder == cache.find("a")
    assert (folder / "figures.json").read_text().split() == ["{", '"right":', "3", "}"]


def test_an_entry_without_its_record_is_replaced(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / "entries" / "a" / "content").mkdir(parents=True)
    assert cache.find("a") is None
    assert "a" in cache.verify()
    fill(cache, "a")
    assert cache.find("a")


@pytest.mark.parametrize("damage", ["changed", "truncated", "deleted", "added"])
def test_damage_is_found_by_reading(damage: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    fill(cache, "a")
    fill(cache, "b")
    folder = cache.find("a")
    assert folder
    file = folder / "file.txt"
    match damage:
        case "changed":
            file.write_text("CONTENT")
        case "truncated":
            file.write_text("con")
        case "deleted":
            file.unlink()
        case "added":
            (folder / "more.txt").touch()
    assert set(cache.verify()) == {"a"}


def test_removing_forgets(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    fill(cache, "a")
    fill(cache, "b")
    cache.remove(["a", "never there"])
    assert [entry.key for entry in cache.entries()] == ["b"]


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "/somewhere")
    assert default_root() == Path("/somewhere")
    monkeypatch.delenv("EDGEKIT_CACHE")
    assert default_root().name == "edgekit"


def test_a_place_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cache = Cache(tmp_path / "cache")
    with pytest.raises(OutputError, match="EDGEKIT_CACHE"):
        fill(cache, "a")
    with pytest.raises(OutputError, match="EDGEKIT_CACHE"):
        cache.lock("a")


def test_linked_files_are_the_same_and_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    link_tree(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c" / "b" / "file").samefile(tmp_path / "a" / "b" / "file")
    shutil.rmtree(tmp_path / "c")
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"


HOLD = "import sys, time, pathlib; from edgekit.scratch import scratch_in\n"
HOLD += "with scratch_in(pathlib.Path(sys.argv[1])) as place: (place / 'half').touch(); print(place, flush=True); time.sleep(600)"


def test_a_dead_processs_folder_goes_with_the_next_and_a_living_ones_stays(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    places = [Path(process.stdout.readline().strip()) for process in processes if process.stdout]
    try:
        os.kill(processes[0].pid, signal.SIGKILL)
        processes[0].wait()
        assert places[0].is_dir()
        with scratch_in(tmp_path) as mine:
            assert mine.is_dir()
            assert not places[0].exists()
            assert (places[1] / "half").is_file()
        assert sorted(tmp_path.iterdir()) == sorted([places[1], places[1].with_name(f"{places[1].name}.lock")])
    finally:
        for process in processes:
            process.kill()
            process.communicate()
