"""What a campaign writes beside its rows: its description, and who uses which calculation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vacancy_flows.campaign import Campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.host_plan import HostPlan
from vacancy_flows.identity import digest
from vacancy_flows.rawstore import RawStore
from vacancy_flows.schemas import Record
from vacancy_flows.uses import Use, claimed, with_use


class Ledger:
    """Keep a campaign's description and uses in the database and beside the raw documents.

    Parameters
    ----------
    name
        Of the campaign.
    database, raw
        To write to; the caller holds their locks.
    say
        Takes a line for the user.
    """

    def __init__(
        self, name: str, database: ResultsDatabase, raw: RawStore, say: Callable[[str], None]
    ) -> None:
        self.name, self.database, self.raw, self.say = name, database, raw, say
        self._description: dict[str, Any] = {}
        self._uses: dict[str, list[str]] = {}

    def adopt(self) -> int:
        """Take records into the database whose documents were stored, but no row.

        That is what a kill between the two leaves behind. They belong to who says so beside
        the documents; what the campaign that goes on can use it will claim.

        Returns
        -------
        int
            Number of rows added.
        """
        missing = self.raw.uids() - self.database.uids()
        if not missing:
            return 0
        records = list(self.raw.records(missing))
        number = self.database.add(records)
        descriptions = self.raw.descriptions()
        self.database.set_uses({r.uid: claimed(descriptions, r.calculation) for r in records})
        return number

    def begin(self, description: dict[str, Any]) -> None:
        """Describe the campaign first of all: what a kill leaves behind must show its numbers.

        A reference that the guard may still refuse does not replace one that it let pass (see
        `settle`). Where the settings have changed, the rows of before are hidden.

        Parameters
        ----------
        description
            Of `describe`.
        """
        known = self.database.campaigns.get(self.name, {})
        kept = self.raw.descriptions().get(self.name, {})
        if known.get("settings") != description["settings"]:
            hidden = self.database.supersede(self.name)
            if hidden:
                self.say(
                    f"campaign {self.name} had other settings here: of its {hidden} calculations "
                    "those that it does not use any more are kept, but not shown"
                )
        if kept.get("settings") == description["settings"]:
            self._uses = dict(kept.get("uses", {}))
        self._description = description
        earlier = known.get("oxygen_reference", description["oxygen_reference"])
        self.database.describe_campaign(self.name, {**description, "oxygen_reference": earlier})
        self.keep()

    def settle(self) -> None:
        """Take the campaign's own oxygen reference for its rows, now that it may be used."""
        self.database.describe_campaign(self.name, self._description)

    def use(self, records: Sequence[Record]) -> None:
        """Say that the campaign uses stored records, as which host and ordering."""
        self.database.use(records)
        for record in records:
            old = [Use.parse(text) for text in self._uses.get(record.uid, ())]
            self._uses[record.uid] = [*map(str, with_use(old, Use.of(record.calculation)))]

    def keep(self) -> None:
        """Write beside the raw documents what they do not know."""
        described = self.database.campaigns[self.name]
        self.raw.describe(self.name, {**described, "uses": self._uses})


def describe(campaign: Campaign, engine: Engine, plans: Iterable[HostPlan]) -> dict[str, Any]:
    """Return what a reader of the database needs to show a campaign's own numbers.

    ``settings`` is a hash of everything that calculations follow from: where it changes, the
    rows of before are no longer the campaign's.
    """
    chosen = campaign.model_dump(mode="json", exclude={"name", "oxygen_reference"})
    return {
        "engine": campaign.engine,
        "oxygen_reference": campaign.oxygen_reference.model_dump(),
        "predict": campaign.predictions,
        "settings": digest([chosen, engine.fingerprint(), [plan.root_uid for plan in plans]]),
    }
