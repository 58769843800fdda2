"""The devices that edgekit knows: what was published of them, and what was fitted to it. Read without numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from edgekit.errors import UsageError
from edgekit.projection.setting import Setting
from edgekit.projection.widths import Widths

TABLE = "table.json"
INVERTED_RATE = "1000/FPS"  # how statistics of that kind begin, Hailo's and Rockchip's


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from: its short name, the citation and the licence, and whether nothing should be fitted on them."""

    name: str
    citation: str
    licence: str
    is_context: bool


@dataclass(frozen=True, slots=True)
class Published:
    """One published figure of the database: network, width, resolution, ms, statistic, and its citation with the line.

    `detail` is what sets the network apart from others of its name, as in `figure.Figure`.
    """

    network: str
    width: float
    resolution: int
    latency_ms: float
    statistic: str
    source: Source
    line: str
    detail: str = ""

    @property
    def citation(self) -> str:
        """To the line, where the source has lines."""
        return f"{self.source.citation}#{self.line}" if self.line else self.source.citation

    @property
    def is_latency(self) -> bool:
        """False for a rate turned over: an accelerator that works on several inferences at once takes longer for each of them."""
        return not self.statistic.startswith(INVERTED_RATE)


@dataclass(frozen=True, slots=True)
class Known:
    """One setting of the database.

    Attributes:
        setting: device, runtime and mode.
        tier: "calibrated", "anchored" or "specification"; "none" where nothing should be fitted, so that nothing is predicted.
        figures: published for it.
    """

    setting: Setting
    tier: str
    figures: tuple[Published, ...]

    @property
    def networks(self) -> int:
        """How many networks there are figures of."""
        return len({(figure.network, figure.width, figure.resolution) for figure in self.figures})

    @property
    def fitted(self) -> tuple[Published, ...]:
        """The figures that unit costs may be fitted to."""
        return tuple(figure for figure in self.figures if not figure.source.is_context)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of the figures, each once."""
        return tuple(dict.fromkeys(figure.source for figure in self.figures))


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """All that ships.

    Attributes:
        settings: by device name.
        widths: of the intervals.
    """

    settings: tuple[Known, ...]
    widths: Widths

    @property
    def devices(self) -> tuple[str, ...]:
        """Names, in alphabetical order."""
        return tuple(sorted({known.setting.device for known in self.settings}, key=str.lower))

    def of_device(self, name: str) -> tuple[Known, ...]:
        """The settings of one device, whatever case its name is in.

        Raises:
            UsageError: no such device; names near ones.
        """
        wanted = " ".join(name.lower().split())
        found = tuple(known for known in self.settings if " ".join(known.setting.device.lower().split()) == wanted)
        if found:
            return found
        lower = {" ".join(device.lower().split()): device for device in self.devices}
        near = [lower[key] for key in lower if wanted and wanted in key][:5]
        near += [lower[key] for key in get_close_matches(wanted, list(lower), 5, 0.5) if lower[key] not in near]
        hint = f": did you mean {', '.join(repr(device) for device in near[:5])}?" if near else ""
        raise UsageError(f"no figures of a device {name!r}{hint} `edgekit devices` lists them")


@cache
def read_database() -> Database:
    """Read the table that ships with edgekit."""
    return from_plain(json.loads(files(__package__).joinpath(TABLE).read_text("utf-8")))


def from_plain(content: dict[str, list]) -> Database:  # type: ignore[type-arg]  # JSON: lists of anything
    """The database in the table's compact form: `shipping` writes it."""
    sources = [Source(*row) for row in content["sources"]]
    networks = content["networks"]
    statistics, details = content["statistics"], content["details"]
    settings = []
    for row in content["settings"]:
        figures = []
        for at, latency, statistic, source, line, *rest in row["figures"]:
            name, width, resolution = networks[at]
            where, detail = f"L{line}" if line else "", details[rest[0]] if rest else ""
            figures.append(Published(name, width, resolution, latency, statistics[statistic], sources[source], where, detail))
        settings.append(Known(Setting(*row["setting"]), row["tier"], tuple(figures)))
    widths = Widths({tuple(sort.split("|")) if sort else (): value for sort, value in content["widths"]})
    return Database(tuple(settings), widths)
