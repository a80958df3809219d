"""Who uses a stored calculation: campaigns, and the names their hosts have in them.

A calculation that two campaigns, or two hosts of one, share is one row. Each of them may
call its host differently and rank its ordering otherwise, so a row keeps a list of uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from vacancy_flows.schemas import Calculation

SEPARATOR = ";"  # of campaigns and of uses; no name may hold it
_PARTS = "/"  # of one use; no name may hold it
SHARED_KEYS = ("host", "ordering", "ordering_energy")
"""Stored keys that speak of a row's first use only, where the key ``uses`` names several."""


class Use(NamedTuple):
    """One use of a calculation.

    Attributes
    ----------
    campaign, host
        Names; host is empty for references.
    ordering
        Rank from 0, None where nothing was delithiated or nothing is ranked yet.
    ordering_energy
        eV per cell above the lowest.
    """

    campaign: str
    host: str
    ordering: int | None = None
    ordering_energy: float | None = None

    @classmethod
    def of(cls, calculation: Calculation) -> Use:
        """Return the use that a calculation itself describes."""
        return cls(
            calculation.campaign,
            calculation.host,
            calculation.ordering,
            calculation.ordering_energy,
        )

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        energy = None if self.ordering_energy is None else repr(float(self.ordering_energy))
        values = (self.campaign, self.host, self.ordering, energy)
        return _PARTS.join("" if value is None else str(value) for value in values)

    @classmethod
    def parse(cls, text: str) -> Use:
        """Read what ``str`` wrote."""
        campaign, host, ordering, energy = text.split(_PARTS)
        return cls(
            campaign,
            host,
            int(ordering) if ordering else None,
            float(energy) if energy else None,
        )


def uses_of(pairs: Mapping[str, Any]) -> list[Use]:
    """Return the uses of a stored row, the first of them first.

    Parameters
    ----------
    pairs
        Its key-value pairs.
    """
    if pairs.get("uses"):
        return [Use.parse(text) for text in str(pairs["uses"]).split(SEPARATOR)]
    if pairs.get("superseded"):
        return []
    energy = pairs.get("ordering_energy")
    return [Use(pairs.get("campaign", ""), pairs.get("host", ""), pairs.get("ordering"), energy)]


def campaigns_in(column: Iterable[object]) -> set[str]:
    """Return the names of campaigns in a table's column, where a cell may name several."""
    return {name for cell in column if isinstance(cell, str) for name in cell.split(SEPARATOR)}


def claimed(descriptions: Mapping[str, Mapping[str, Any]], calculation: Calculation) -> list[Use]:
    """Return who uses a calculation, by what campaigns wrote beside the raw documents.

    Parameters
    ----------
    descriptions
        By campaign, of `vacancy_flows.rawstore.RawStore.descriptions`; ``uses`` maps a uid to
        texts of uses.
    calculation
        As it is stored. Where its own campaign wrote no uses (a jobflow manager did the
        work), it is taken at its word.
    """
    found = [
        Use.parse(text)
        for description in descriptions.values()
        for text in description.get("uses", {}).get(calculation.uid, ())
    ]
    if "uses" not in descriptions.get(calculation.campaign, {}):
        return with_use(found, Use.of(calculation))
    return found


def with_use(uses: Iterable[Use], new: Use) -> list[Use]:
    """Return uses with one more, which replaces that of the same campaign and host.

    A rank that was found is kept where the new use knows none.
    """
    found = list(uses)
    for position, use in enumerate(found):
        if (use.campaign, use.host) == (new.campaign, new.host):
            found[position] = use if new.ordering is None else new
            return found
    if not new.campaign:
        return found or [new]
    return [*(use for use in found if use.campaign), new]


def pairs_of(uses: list[Use]) -> dict[str, Any]:
    """Return the key-value pairs that say who uses a row; None where a key must go.

    A row that nothing uses any more keeps its names and is marked ``superseded``.
    """
    if not uses:
        return {"campaign": None, "uses": None, "superseded": True}
    first = uses[0]
    campaigns = SEPARATOR.join(dict.fromkeys(use.campaign for use in uses if use.campaign))
    return {
        "campaign": campaigns or None,
        "host": first.host or None,
        "ordering": first.ordering,
        "ordering_energy": first.ordering_energy,
        "uses": SEPARATOR.join(map(str, uses)) if len(uses) > 1 else None,
        "superseded": None,
    }
