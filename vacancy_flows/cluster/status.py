"""`status`: how much of a campaign waits, runs, is done or failed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vacancy_flows.cluster.connection import Cluster, finished_uids, open_cluster
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.registry import noted_campaigns, submitted, wanted
from vacancy_flows.cluster.standing import (
    STATES,
    Standing,
    decisions,
    reason,
    standings,
)
from vacancy_flows.cluster.submitting import prepared
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.host_plan import HostPlan

Row = tuple[str, str]  # host, strain
_REFERENCES: Row = ("oxygen references", "")


def status_here(spec: Path | None = None, launchpad: Path | None = None) -> int:
    """Print where campaigns stand, a row for each host and strain.

    Parameters
    ----------
    spec
        Campaign file; where None, every campaign of the LaunchPad.
    launchpad
        Its file; see `open_cluster`.

    Returns
    -------
    int
        0, or 1 where something failed.

    Raises
    ------
    InputError
        Where the campaign was not submitted.
    """
    cluster = open_cluster(launchpad)
    failures = []
    for name, plans in campaigns_of(cluster.launchpad, spec).items():
        settings = noted_campaigns(cluster.launchpad, [name])[name]["settings"]
        table, failed = _table(cluster, name, settings, plans)
        click.echo(table)
        failures += failed
    for failure in failures:
        click.echo(f"FAILED {failure}")
    if failures:
        click.echo("`vacancy-flows retry` starts them again, from where they broke off")
    return 1 if failures else 0


def campaigns_of(launchpad: CampaignLaunchPad, spec: Path | None) -> dict[str, list[HostPlan]]:
    """Return the campaigns that are meant, with the plans of the one that is named.

    Raises
    ------
    InputError
        Where the campaign of ``spec`` was not submitted, or with other settings, or none was.
    """
    if spec is None:
        return {name: [] for name in sorted(submitted([launchpad]))}
    known = noted_campaigns(launchpad)
    submission = prepared(spec)
    name = submission.campaign.name
    if name not in known:
        hint = f"`vacancy-flows submit` first ({nearest(name, known)})"
        raise InputError(f"campaign {name!r} was not submitted: {hint}", file=spec, key="name")
    if known[name]["settings"] != submission.settings:
        problem = "has changed since it was submitted: `vacancy-flows submit` it again"
        raise InputError(problem, file=spec)
    return {name: submission.plans}


def _table(
    cluster: Cluster, name: str, settings: str, plans: list[HostPlan]
) -> tuple[str, list[str]]:
    """Return the table of a campaign and a line for each failure."""
    documents = wanted(cluster.launchpad, name, settings)
    found = standings(cluster.launchpad, [document["uid"] for document in documents])
    rest = [d["uid"] for d in documents if d["uid"] not in found]
    elsewhere = finished_uids(cluster.store, rest) if rest else set()  # by another LaunchPad
    counts: dict[Row, Counter[str]] = {row: Counter() for row in _expected(plans)}
    failures = []
    for document in documents:
        standing = found.get(document["uid"], Standing())
        state = "done" if document["uid"] in elsewhere else standing.state
        counts.setdefault(_row(document), Counter())[state] += 1
        if state == "failed":
            failures.append(_failure(cluster.launchpad, document["title"], standing.failed[0]))
    failures += [
        _failure(cluster.launchpad, firework["name"], firework)
        for firework in decisions(cluster.launchpad, [name])
        if firework["state"] in {"FIZZLED", "DEFUSED"}
    ]
    return _text(name, counts), list(dict.fromkeys(failures))


def _failure(launchpad: CampaignLaunchPad, title: str, firework: dict[str, Any]) -> str:
    return f"{title}: {reason(launchpad, firework)}, fw_id {firework['fw_id']}"


def _expected(plans: list[HostPlan]) -> Iterator[Row]:
    """Yield the rows of a campaign before its strains are on the LaunchPad."""
    for plan in plans:
        yield plan.host, ""
        for point in plan.strains:
            yield plan.host, _strain(point.mode, point.value)


def _row(document: dict[str, Any]) -> Row:
    if document["kind"] == "reference":
        return _REFERENCES
    if document["strain_mode"] is None:
        return document["host"], ""
    return document["host"], _strain(document["strain_mode"], document["strain"])


def _strain(mode: str, value: float | None) -> str:
    if mode == "none":
        return "unstrained"
    return mode if value is None else f"{mode} {100 * value:+g} %"


def _text(name: str, counts: dict[Row, Counter[str]]) -> str:
    total = sum(counts.values(), Counter())
    head = ["host", "strain", *STATES]
    lines = [
        [row[0], row[1] or ("" if row == _REFERENCES else "relaxation, orderings")]
        + [str(count[state]) for state in STATES]
        for row, count in counts.items()
    ]
    lines.append(["all", "", *(str(total[state]) for state in STATES)])
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *lines]
    ]
    return "\n".join([f"campaign {name}", *text])
