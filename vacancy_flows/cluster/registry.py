"""What campaigns want, beside FireWorks' own collections: two of them may share a calculation.

A Firework names the campaign that added it; these documents name every campaign and host
that a calculation belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from pymongo.errors import BulkWriteError

from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.errors import InputError
from vacancy_flows.schemas import Calculation

_CALCULATIONS = "vacancy_flows_calculations"
_CAMPAIGNS = "vacancy_flows_campaigns"
_DUPLICATE = 11000
_NAMES = ("uid", "kind", "strain_mode", "strain", "site", "title")


def want(
    launchpad: CampaignLaunchPad, settings: str, calculations: Iterable[Calculation], host: str = ""
) -> None:
    """Note that a campaign wants calculations; those that are noted stay as they are.

    Parameters
    ----------
    launchpad
        Beside whose collections it is noted.
    settings
        Hash of all that calculations follow from (`vacancy_flows.ledger.describe`): what was
        wanted with other settings is not shown any more.
    calculations
        One kind or several.
    host
        Name in the campaign, empty for references.
    """
    documents = [
        {
            "_id": f"{c.campaign}/{settings}/{host}/{c.uid}",
            "campaign": c.campaign,
            "settings": settings,
            "host": host,
            **{name: getattr(c, name) for name in _NAMES},
        }
        for c in calculations
    ]
    if not documents:
        return
    try:
        launchpad.db[_CALCULATIONS].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(e["code"] != _DUPLICATE for e in error.details["writeErrors"]):
            raise


def wanted(launchpad: CampaignLaunchPad, campaign: str, settings: str) -> list[dict[str, Any]]:
    """Return what is noted of a campaign."""
    query = {"campaign": campaign, "settings": settings}
    return list(launchpad.db[_CALCULATIONS].find(query))


@dataclass(frozen=True)
class Submitted:
    """A campaign as it was submitted from one file: two may have the same name.

    Attributes
    ----------
    name, settings, engine
        Of the campaign; see `want`.
    spec
        Path of its file, where it was submitted.
    owner
        User who did, empty where an earlier version noted it.
    date
        When last, UTC.
    """

    name: str
    settings: str
    engine: str
    spec: str
    owner: str = ""
    date: str = ""

    def __str__(self) -> str:
        """Return what tells it from another of the same name."""
        known = ", ".join(part for part in (self.owner, self.date) if part)
        return f"{self.spec} ({known})" if known else self.spec


def note_campaign(launchpad: CampaignLaunchPad, submitted: Submitted) -> None:
    """Keep what was submitted; other settings of the same user's same file are replaced."""
    launchpad.db[_CALCULATIONS].create_index("settings")
    campaigns = launchpad.db[_CAMPAIGNS]
    key = {"_id": f"{submitted.name}/{submitted.owner}/{submitted.spec}"}
    campaigns.replace_one(key, {**key, **asdict(submitted)}, upsert=True)
    campaigns.delete_one({"_id": submitted.name, "spec": submitted.spec})  # an earlier version's


def submitted_campaigns(
    launchpads: Iterable[CampaignLaunchPad],
) -> dict[tuple[str, str], list[Submitted]]:
    """Return what was submitted, by name and settings: the same from two files is one campaign."""
    names = [entry.name for entry in fields(Submitted)]
    found: dict[tuple[str, str], list[Submitted]] = {}
    documents = [
        {"name": document["_id"], **document}
        for launchpad in launchpads
        for document in launchpad.db[_CAMPAIGNS].find()
    ]
    for document in sorted(documents, key=lambda d: (d["name"], d.get("date", ""), d["_id"])):
        one = Submitted(**{name: document[name] for name in names if name in document})
        found.setdefault((one.name, one.settings), []).append(one)
    return found


def all_submitted(
    launchpads: Iterable[CampaignLaunchPad],
) -> dict[tuple[str, str], list[Submitted]]:
    """Return what `submitted_campaigns` does.

    Raises
    ------
    InputError
        Where there is none.
    """
    found = submitted_campaigns(launchpads)
    if not found:
        raise InputError("no campaign was submitted there: `vacancy-flows submit` first")
    return found
