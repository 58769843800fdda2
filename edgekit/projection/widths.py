"""How wide the 90 % interval of a sort of prediction is: `interval` learns it, the table that ships has it. No numpy."""

from __future__ import annotations

from dataclasses import dataclass

WIDEST = 4.6  # of the half width in log ms, a hundredfold: nothing is known
Sort = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Widths:
    """Quantiles of |error| / spread by the sort of prediction, from the narrowest sort to the widest: ().

    Attributes:
        quantiles: sort -> quantile.
    """

    quantiles: dict[Sort, float]

    def half_width(self, block: tuple[str, str, str], tier: str, kin: bool, spread: float) -> float:
        """Of the interval, in log ms."""
        found = next((self.quantiles[sort] for sort in sorts(block, tier, kin) if sort in self.quantiles), None)
        return WIDEST if found is None else min(found * spread, WIDEST)


def sorts(block: tuple[str, str, str], tier: str, kin: bool) -> tuple[Sort, ...]:
    """Of a prediction: its block, unit and all together, each by tier and by whether a relative of the network is known."""
    relative = "kin" if kin else "alone"
    return (*block, tier, relative), (block[1], tier, relative), (tier, relative), (tier,), ()
