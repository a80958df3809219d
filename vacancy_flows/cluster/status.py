"""`status`: how much of a campaign waits, runs, is done or failed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from vacancy_flows.cluster.connection import Cluster, open_cluster
from vacancy_flows.cluster.finished import Finished, finished_calculations
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.registry import Submitted, all_submitted, submitted_campaigns, wanted
from vacancy_flows.cluster.standing import FAILED, STATES, Standing, decisions, reasons, standings
from vacancy_flows.cluster.submitting import prepared
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.host_plan import HostPlan

Row = tuple[str, str]  # host, strain
_REFERENCES: Row = ("oxygen references", "")
_COLUMNS = (*STATES, "unconverged")


class Chosen(NamedTuple):
    """A campaign that a command is about.

    Attributes
    ----------
    name, settings
        See `vacancy_flows.cluster.registry.Submitted`.
    plans
        Of its hosts, where its file was read.
    submitted
        From which files, by whom.
    """

    name: str
    settings: str
    plans: list[HostPlan]
    submitted: list[Submitted]


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
        0, or 1 where something failed or did not converge.

    Raises
    ------
    InputError
        Where the campaign was not submitted.
    """
    cluster = open_cluster(launchpad)
    troubled = False
    for campaign in chosen_campaigns(cluster.launchpad, spec):
        counts, failures, unconverged = _counted(cluster, campaign)
        click.echo(f"campaign {campaign.name}: {', '.join(map(str, campaign.submitted))}")
        click.echo(_text(counts))
        for failure in failures:
            click.echo(f"FAILED {failure}")
        for told in unconverged:
            click.echo(f"UNCONVERGED {told}")
        if failures:
            click.echo("`vacancy-flows retry` starts them again, from where they broke off")
        troubled = troubled or bool(failures or unconverged)
    return 1 if troubled else 0


def chosen_campaigns(launchpad: CampaignLaunchPad, spec: Path | None) -> list[Chosen]:
    """Return the campaigns that are meant, with the plans of the one that is named.

    Raises
    ------
    InputError
        Where the campaign of ``spec`` was not submitted, or with other settings, or none was.
    """
    if spec is None:
        known = all_submitted([launchpad])
        return [Chosen(name, settings, [], found) for (name, settings), found in known.items()]
    known = submitted_campaigns([launchpad])
    campaign, _, plans, settings = prepared(spec)
    found = known.get((campaign.name, settings))
    if found is not None:
        return [Chosen(campaign.name, settings, plans, found)]
    others = [one for (name, _), found in known.items() if name == campaign.name for one in found]
    if any(one.spec == str(spec.resolve()) for one in others):
        problem = "has changed since it was submitted: `vacancy-flows submit` it again"
        raise InputError(problem, file=spec)
    if others:
        problem = (
            f"campaign {campaign.name!r} was submitted with other settings, from "
            f"{', '.join(map(str, others))}: name that file, or `vacancy-flows submit` this one"
        )
        raise InputError(problem, file=spec, key="name")
    hint = f"`vacancy-flows submit` first ({nearest(campaign.name, {name for name, _ in known})})"
    raise InputError(f"campaign {campaign.name!r} was not submitted: {hint}", file=spec, key="name")


def _counted(
    cluster: Cluster, campaign: Chosen
) -> tuple[dict[Row, Counter[str]], list[str], list[str]]:
    """Return numbers for each row, and a line for each calculation that failed or is not good."""
    launchpad = cluster.launchpad
    documents = wanted(launchpad, campaign.name, campaign.settings)
    uids = {document["uid"] for document in documents}
    standing = standings(launchpad, uids)
    finished = finished_calculations(cluster.store, uids)
    counts: dict[Row, Counter[str]] = {row: Counter() for row in _expected(campaign.plans)}
    failed: list[tuple[str, dict[str, Any]]] = []  # title, Firework
    unconverged: dict[str, list[str]] = {}  # by uid
    for document in documents:
        uid = document["uid"]
        state = _state(standing.get(uid), finished.get(uid))
        counts.setdefault(_row(document), Counter())[state] += 1
        if state == "failed":
            failed.append((document["title"], standing[uid].failed[0]))
        elif state == "unconverged":
            told = finished[uid].shortfall(document["kind"])
            unconverged.setdefault(uid, []).append(f"{document['title']}: {told}")
    for firework in decisions(launchpad, campaign.name, campaign.settings):
        told_above = unconverged.keys() >= set(firework["spec"]["follows"])
        if firework["state"] in FAILED and not told_above:
            failed.append((firework["name"], firework))
    why = reasons(launchpad, [firework for _, firework in failed])
    failures = [f"{title}: {why[fw['fw_id']]}, fw_id {fw['fw_id']}" for title, fw in failed]
    lines = [line for each in unconverged.values() for line in each]
    return counts, list(dict.fromkeys(failures)), list(dict.fromkeys(lines))


def _state(standing: Standing | None, finished: Finished | None) -> str:
    """Return in which column a calculation is counted."""
    if finished is not None and finished.converged:
        return "done"  # if only in another LaunchPad
    state = standing.state if standing is not None else "waiting"
    if finished is not None and (standing is None or state == "done"):
        return "unconverged"
    return state


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


def _text(counts: dict[Row, Counter[str]]) -> str:
    total = sum(counts.values(), Counter())
    head = ["host", "strain", *_COLUMNS]
    lines = [
        [row[0], row[1] or ("" if row == _REFERENCES else "relaxation, orderings")]
        + [str(count[state]) for state in _COLUMNS]
        for row, count in counts.items()
    ]
    lines.append(["all", "", *(str(total[state]) for state in _COLUMNS)])
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, *lines]
    ]
    return "\n".join(text)
