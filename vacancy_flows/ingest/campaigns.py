"""What `build --inputs` writes beside its folders: the campaigns they are of, and who uses what.

A folder's own file names the first host that asked for it; here stand all of them, and the
oxygen reference. `ingest` keeps it beside the database, for `repair`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.uses import Use, with_use

CAMPAIGNS = "vacancy-flows-campaigns.json"
"""Name of the file."""

Descriptions = dict[str, dict[str, Any]]
"""By campaign, as `vacancy_flows.ledger.describe` has them, with ``uses``: uid to texts."""


def read_campaigns(directory: Path) -> Descriptions:
    """Return the campaigns that a directory describes, empty where it has no such file.

    Raises
    ------
    ValueError
        Where the file cannot be read.
    """
    try:
        content = json.loads((directory / CAMPAIGNS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{CAMPAIGNS} cannot be read ({error})") from None
    if not isinstance(content, dict) or not all(map(_is_description, content.values())):
        raise ValueError(f"{CAMPAIGNS} holds no descriptions of campaigns")
    return content


def write_campaigns(directory: Path, found: Descriptions) -> None:
    """Describe campaigns in a directory that exists; others that are there stay."""
    try:
        known = read_campaigns(directory)
    except ValueError:
        known = {}  # written anew
    merged = merge(known, found)
    if merged != known:
        part = directory / f"{CAMPAIGNS}.part"
        part.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
        part.replace(directory / CAMPAIGNS)


def merge(known: Descriptions, new: Descriptions) -> Descriptions:
    """Return both; of a campaign the new one, with the uses of before where settings are equal."""
    merged = dict(known)
    for name, description in new.items():
        old = known.get(name, {})
        kept = old["uses"] if old.get("settings") == description["settings"] else {}
        merged[name] = {**description, "uses": {**kept, **description["uses"]}}
    return merged


def claim(database: ResultsDatabase, directory: Path, found: Descriptions) -> None:
    """Describe ingested campaigns in a database, and say who uses its rows.

    What a campaign that was run there says of itself is left alone.

    Parameters
    ----------
    database
        With the rows; the caller holds its lock.
    directory
        That the descriptions are kept in.
    found
        Read beside the runs.
    """
    if not found or not database.exists:
        return
    try:
        earlier = read_campaigns(directory)
    except ValueError:
        earlier = {}
    for name, description in found.items():
        known = database.campaigns.get(name)
        if known is None or (name in earlier and known == without_uses(earlier[name])):
            database.describe_campaign(name, known := without_uses(description))
        if known.get("settings") == description["settings"]:
            _use(database, description["uses"])
    directory.mkdir(exist_ok=True)
    write_campaigns(directory, found)


def without_uses(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a database keeps of a campaign."""
    return {key: value for key, value in description.items() if key != "uses"}


def _use(database: ResultsDatabase, uses: Mapping[str, list[str]]) -> None:
    table = database.table(uses)
    wanted: dict[str, list[Use]] = {}
    for uid, known in zip(table["uid"], table["uses"], strict=True):
        merged = list(known)
        for use in map(Use.parse, uses[uid]):
            merged = with_use(merged, use)
        if merged != known:
            wanted[uid] = merged
    database.set_uses(wanted)


def _is_description(content: Any) -> bool:
    keys = {"settings", "oxygen_reference", "uses"}
    return (
        isinstance(content, dict) and keys <= content.keys() and isinstance(content["uses"], dict)
    )
