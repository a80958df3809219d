"""What a campaign writes beside its rows: its description, and who uses which calculation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vacancy_flows.campaign import Campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.guard import compared
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
        self._pending: list[Record] = []
        self._left: set[str] = set()
        self._settled = False

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
        found = {record.uid: record for record in self.raw.records(missing)}
        records = [
            compared(record, lambda uid: found.get(uid) or self.database.get(uid))
            for record in found.values()
        ]
        number = self.database.add(records)
        descriptions = self.raw.descriptions()
        self.database.set_uses({r.uid: claimed(descriptions, r.calculation) for r in records})
        return number

    def begin(self, description: dict[str, Any]) -> None:
        """Describe a campaign that is new here: what a kill leaves behind must show its numbers.

        One that is known keeps description and rows until `settle`: its oxygen reference may
        still be refused.

        Parameters
        ----------
        description
            Of `describe`.
        """
        self._description = description
        kept = self.raw.descriptions().get(self.name)
        if kept is None:
            self.raw.describe(self.name, description)
            self.raw.forget_uses(self.name)
        else:
            kept.pop("uses", None)
        if self.name not in self.database.campaigns:
            self.database.describe_campaign(self.name, kept or description)

    def settle(self) -> None:
        """Take the campaign as it is asked for now; rows of other settings are hidden."""
        known = self.database.campaigns.get(self.name, {})
        kept = self.raw.descriptions().get(self.name, {})
        wanted = self._description["settings"]
        if {known.get("settings"), kept.get("settings")} != {wanted}:
            self._left = self.database.supersede(self.name)
        if kept.get("settings") == wanted:
            self._uses = dict(kept.get("uses", {}))
        else:
            self.raw.forget_uses(self.name)
        self.database.describe_campaign(self.name, self._description)
        self.raw.describe(self.name, self._description)
        self._settled = True
        pending, self._pending = self._pending, []
        self.use(pending)

    def use(self, records: Sequence[Record]) -> None:
        """Say that the campaign uses stored records, as which host and ordering."""
        if not self._settled:
            self._pending += records
            return
        self.database.use(records)
        lines = []
        for record in records:
            self._left.discard(record.uid)
            old = self._uses.get(record.uid, [])
            uses = with_use(map(Use.parse, old), Use.of(record.calculation))
            new = [*map(str, uses)]
            lines += [(record.uid, text) for text in new if text not in old]
            self._uses[record.uid] = new
        self.raw.add_uses(self.name, lines)

    def finish(self, used: set[str], *, complete: bool) -> None:
        """Say what of the campaign's earlier settings is no longer shown.

        Parameters
        ----------
        used
            uids of all that this run used.
        complete
            Whether nothing failed: what an earlier run chose instead, an ordering while a
            lower one had failed, is then no longer the campaign's.
        """
        gone = set(self._uses) - used if complete else set()
        if gone:
            self._left |= self.database.supersede(self.name, gone)
            self._uses = {uid: texts for uid, texts in self._uses.items() if uid not in gone}
            lines = [(uid, text) for uid, texts in self._uses.items() for text in texts]
            self.raw.forget_uses(self.name)
            self.raw.add_uses(self.name, lines)
        if self._left:
            self.say(
                f"{len(self._left)} calculations of earlier settings of campaign {self.name} are "
                "kept, but not shown (query: superseded=True)"
            )


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
