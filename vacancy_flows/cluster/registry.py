"""What campaigns want, beside FireWorks' own collections: two of them may share a calculation.

A Firework names the campaign that added it; these documents name every campaign and host
that a calculation belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def note_campaign(launchpad: CampaignLaunchPad, name: str, description: dict[str, Any]) -> None:
    """Keep which settings a campaign has now, and where its file is."""
    document = {"_id": name, **description}
    launchpad.db[_CAMPAIGNS].replace_one({"_id": name}, document, upsert=True)


def noted_campaigns(
    launchpad: CampaignLaunchPad, names: Sequence[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what `note_campaign` kept, by name."""
    query = {} if names is None else {"_id": {"$in": list(names)}}
    return {document["_id"]: document for document in launchpad.db[_CAMPAIGNS].find(query)}


def submitted(launchpads: Iterable[CampaignLaunchPad]) -> dict[str, dict[str, Any]]:
    """Return what `note_campaign` kept of every campaign, by name.

    Raises
    ------
    InputError
        Where there is none.
    """
    found = {name: note for pad in launchpads for name, note in noted_campaigns(pad).items()}
    if not found:
        raise InputError("no campaign was submitted there: `vacancy-flows submit` first")
    return found
