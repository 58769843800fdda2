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
from edgekit.projection.setting import core_of

HEAD = "source_id,model,width,resolution,precision,runtime,compute_unit,threads,device,chipset,latency_ms,statistic,note"
GOOD = "us,mobilenet_v2,1.0,224,fp32,Runtime,cpu,1,Board,Cortex-A76,{ms},mean,"


def written(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "figures.csv"
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def test_a_figure_is_read(tmp_path: Path) -> None:
    (figure,) = read_figures(written(tmp_path, GOOD.format(ms="12.5")))
    assert (figure.latency_ms, figure.network.name, figure.setting.core, figure.line) == (12.5, "mobilenet_v2", "a76", 2)


@pytest.mark.parametrize(("powersave", "cores"), [("0", ""), ("1", "little"), ("2", "big"), ("7", "")])
def test_ncnn_tells_which_cores_it_was_bound_to(tmp_path: Path, powersave: str, cores: str) -> None:
    row = f"{GOOD.format(ms='3')}run2;powersave={powersave};loops=8"
    (figure,) = read_figures(written(tmp_path, row.replace("us,", "ncnn,", 1)))
    assert figure.setting.cores == cores
    (other,) = read_figures(written(tmp_path, row))  # the same words of another source mean nothing
    assert other.setting.cores == ""


@pytest.mark.parametrize("ms", ["nan", "inf", "-1", "0", "", "fast", "1e999", "1,5"])
def test_a_latency_that_cannot_be_is_refused_with_its_line(tmp_path: Path, ms: str) -> None:
    path = written(tmp_path, GOOD.format(ms="3"), GOOD.format(ms=f'"{ms}"'))
    with pytest.raises(InputError, match=r"line 3: latency_ms"):
        read_figures(path)


@pytest.mark.parametrize(("name", "value"), [("1.0", "wide"), ("1.0", "-1"), ("224", "0"), ("224", "nan")])
def test_a_width_or_resolution_that_cannot_be_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        read_figures(written(tmp_path, GOOD.format(ms="3").replace(f",{name},", f",{value},")))


@pytest.mark.parametrize(("old", "new", "told"), [(",1.0,", ",100,", "width must be"), (",224,", ",5000,", "resolution must be")])
def test_a_width_or_resolution_that_no_mobilenet_has_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    """Later it would end a run without a word of file and line."""
    with pytest.raises(InputError, match=rf"figures\.csv, line 2: {told}"):
        read_figures(written(tmp_path, GOOD.format(ms="3").replace(old, new)))


@pytest.mark.parametrize(
    ("threads", "log2"),
    [("8", 3.0), ("1024", 10.0), ("", 2.0), ("all cores", 2.0), ("0", 2.0), ("1025", 2.0), ("\u00b2", 2.0), ("9" * 5000, 2.0)],
    ids=["8", "1024", "empty", "words", "0", "1025", "squared", "5000 digits"],
)
def test_a_number_of_threads_that_is_none_is_as_if_not_told(tmp_path: Path, threads: str, log2: float) -> None:
    (figure,) = read_figures(written(tmp_path, GOOD.format(ms="3").replace(",cpu,1,", f",cpu,{threads},")))
    assert figure.setting.log2_threads == log2


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


@pytest.mark.parametrize(
    ("chip", "unit", "core"),
    [
        ("Qualcomm Snapdragon 888 (Cortex-X1 2.84GHz x1 + Cortex-A78 2.4GHz x3 + Cortex-A55 1.8GHz x4)", "cpu", "x1"),
        ("Radxa Orion O6 (Big Cortex\u2011A720 2.6Ghz x4 + Little Cortex\u2011A520 x 4)", "cpu", "a720"),
        ("RDK X3 Module (Cortex-A53 1.5GHz x 4)", "cpu", "a53"),
        ("Qualcomm Snapdragon X Elite (X1E78100), Oryon 3.4GHz x 12 + Adreno X1-85", "cpu", "oryon"),
        ("Raspberry Pi 5 Broadcom BCM2712, VideoCore VII Graphics", "cpu", "a76"),
        ("NVIDIA RTX3090 (GA102 SM x 82 + Tensor Core 328)", "cpu", "x86"),
        ("Intel Core i7-8700T", "cpu", "intel"),
        ("Intel Atom x5-Z8350", "cpu", "atom"),
        ("Phytium FT-2000+/64 (FTC662 armv8 2.4GHz x 8)", "cpu", "ftc"),
        ("Spacemit MUSE Pi Pro Spacemit M1 (Spacemit X60 *8 + PowerVR B-Series)", "cpu", "riscv"),
        ("Spacemit MUSE Pi Pro Spacemit M1 (Spacemit X60 *8 + PowerVR B-Series)", "gpu", "powervr"),
        ("Microsoft Azure Standard D64ps v6 Instance", "cpu", "neoverse"),
        ("Microsoft Azure Standard D64as v7 Instance", "cpu", "zen"),
        ("Microsoft Azure Standard D64s v6 Instance", "cpu", "intel"),
        ("MacBook Air (13-inch, M3, 2024)", "gpu", "apple"),
        ("iPhone 5S (Apple A7 1.3GHz x 2)", "cpu", "apple"),
        ("Snapdragon 845 (chip not in source)", "cpu", "a75"),
        ("Rockchip RK3588 (Quad Core A76 2.4GHz + Quad Core A55 1.8GHz)", "cpu", "a76"),
        ("Rockchip RK3588 (Quad Core A76 2.4GHz + Quad Core A55 1.8GHz)", "gpu", "mali"),
        ("a chip of nobody's, 835 of them", "cpu", "?"),
    ],
)
def test_a_core_is_told_from_a_description_and_not_from_numbers_in_it(chip: str, unit: str, core: str) -> None:
    assert core_of(chip.lower(), unit) == core


@pytest.mark.parametrize(
    ("chip", "core"),
    [
        ("Rockchip RK3588 (Quad Core A76 2.4GHz + Quad Core A55 1.8GHz)", "a55"),
        ("MediaTek Dimensity 9300 (Cortex-X4 3.25 GHz + 2.85 GHz x 3 + Cortex-A720 2.0 GHz x 4)", "a720"),
        ("RDK X3 Module (Cortex-A53 1.5GHz x 4)", "a53"),
        ("Loongson 3A4000 (GS464V 1.8GHz * 4 with MSA128)", "loong"),
    ],
)
def test_the_little_core_is_the_weakest_that_is_named(chip: str, core: str) -> None:
    assert core_of(chip.lower(), "cpu", is_little=True) == core
