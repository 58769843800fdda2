"""A file of figures is anybody's: whatever is wrong with it is told with its line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import EdgekitError, InputError
from edgekit.projection.figure import REQUIRED, read_figures
from edgekit.projection.networks.catalogue import workload_of

HEAD = "source_id,model,width,resolution,precision,runtime,compute_unit,threads,device,chipset,latency_ms,statistic,note"
GOOD = "us,mobilenet_v2,1.0,224,fp32,Runtime,cpu,1,Board,Cortex-A76,{ms},mean,"


def written(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "figures.csv"
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def test_a_figure_is_read(tmp_path: Path) -> None:
    (figure,) = read_figures(written(tmp_path, GOOD.format(ms="12.5")))
    assert (figure.latency_ms, figure.network.name, figure.setting.core, figure.line) == (12.5, "mobilenet_v2", "a76", 2)


@pytest.mark.parametrize("ms", ["nan", "inf", "-1", "0", "", "fast", "1e999", "1,5"])
def test_a_latency_that_cannot_be_is_refused_with_its_line(tmp_path: Path, ms: str) -> None:
    path = written(tmp_path, GOOD.format(ms="3"), GOOD.format(ms=f'"{ms}"'))
    with pytest.raises(InputError, match=r"line 3: latency_ms"):
        read_figures(path)


@pytest.mark.parametrize(("name", "value"), [("1.0", "wide"), ("1.0", "-1"), ("224", "0"), ("224", "nan")])
def test_a_width_or_resolution_that_cannot_be_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        read_figures(written(tmp_path, GOOD.format(ms="3").replace(f",{name},", f",{value},")))


@pytest.mark.parametrize("column", REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(InputError, match=column):
        read_figures(written(tmp_path, GOOD.format(ms="3"), head=HEAD.replace(column, "other")))


def test_a_row_of_another_length_is_refused(tmp_path: Path) -> None:
    for row in (GOOD.format(ms="3") + ",one more", "us,mobilenet_v2"):
        with pytest.raises(InputError, match="another number of columns"):
            read_figures(written(tmp_path, row))


def test_no_file_an_empty_one_and_one_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x00" * 50)
    for name, message in (("none.csv", "cannot read"), ("empty.csv", "lacks the column"), ("binary.csv", "UTF-8")):
        with pytest.raises(InputError, match=message):
            read_figures(tmp_path / name)
    with pytest.raises(InputError, match="no figures"):
        read_figures(written(tmp_path))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "figures.csv"
    path.write_bytes(f"{HEAD}\n".encode() + content)
    with suppress(EdgekitError):  # any other exception fails the test
        read_figures(path)


def test_context_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, f"context,{GOOD.format(ms='3')}", f"dev,{GOOD.format(ms='4')}", head=f"suggested_split,{HEAD}")
    assert [figure.latency_ms for figure in read_figures(path)] == [4.0]
    assert len(read_figures(path, context=True)) == 2


def test_a_network_that_nobody_knows_is_kept_by_its_name(tmp_path: Path) -> None:
    (figure,) = read_figures(written(tmp_path, GOOD.format(ms="3").replace("mobilenet_v2", "secretnet")))
    assert figure.network.name == "secretnet"
    assert workload_of("secretnet", 1.0, 224) is None
