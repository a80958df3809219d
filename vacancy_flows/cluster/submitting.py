"""`submit`: a campaign onto a LaunchPad, as far as it is not there."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
from maggma.stores import MemoryStore

from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.cluster.adding import Adder
from vacancy_flows.cluster.connection import Cluster, launchpad_file, open_cluster
from vacancy_flows.cluster.registry import Submitted, note_campaign
from vacancy_flows.cluster.walltime import check_adapter
from vacancy_flows.cluster.writing import OneAtATime
from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import InputError
from vacancy_flows.host_plan import HostPlan
from vacancy_flows.ledger import describe
from vacancy_flows.plan import start
from vacancy_flows.planning import elements_of, plan_hosts, plan_references
from vacancy_flows.standing import cost_text


class Submission(NamedTuple):
    """A campaign that was checked.

    Attributes
    ----------
    settings
        Hash of all that its calculations follow from.
    """

    campaign: Campaign
    engine: Engine
    plans: list[HostPlan]
    settings: str


def prepared(spec: Path) -> Submission:
    """Read and check a campaign file.

    Raises
    ------
    InputError
        Where it cannot be run.
    """
    campaign = load_campaign(spec)
    engine = get_engine(campaign.engine, campaign.settings)
    plans = plan_hosts(campaign, engine)
    settings = str(describe(campaign, engine, plans)["settings"])
    return Submission(campaign, engine, plans, settings)


def submit_here(spec: Path, launchpad: Path | None = None, *, dry_run: bool = False) -> int:
    """Add a campaign to a LaunchPad and say what was added.

    Parameters
    ----------
    spec
        Campaign file.
    launchpad
        File of the LaunchPad; see `open_cluster`.
    dry_run
        Only say what would be added.

    Returns
    -------
    int
        0, or 1 where a calculation did not converge, or nothing can follow it.

    Raises
    ------
    InputError
        Before anything is added, where the input is wrong.
    """
    submission = prepared(spec)
    for file in sorted(launchpad_file(launchpad).parent.glob("my_qadapter*.yaml")):
        check_adapter(file)
    cluster = open_cluster(launchpad, prepare=not dry_run)
    _check_store(submission.engine, cluster)
    try:
        submission.engine.check(elements_of(submission.plans))
    except InputError as error:
        click.echo(f"note: this machine cannot run it, the nodes must: {error}", err=True)
    adder = add_campaign(submission, cluster, dry=dry_run)
    counts = ", ".join(f"{number} {kind}" for kind, number in adder.added.items())
    would = "would be added" if dry_run else "added"
    click.echo(
        f"campaign {submission.campaign.name}: {counts or 'nothing'} {would}, {adder.there} there "
        "already; what follows them is added when they finish"
    )
    if dry_run:
        click.echo(cost_text(submission.campaign, submission.engine, submission.plans, 1))
    problems = list(dict.fromkeys([*adder.problems, *adder.unconverged]))
    for problem in problems:
        click.echo(f"PROBLEM {problem}", err=True)
    return 1 if problems else 0


def add_campaign(submission: Submission, cluster: Cluster, *, dry: bool = False) -> Adder:
    """Add what a campaign can begin with, and what follows calculations that are finished.

    Parameters
    ----------
    submission
        Of `prepared`.
    cluster
        To add to.
    dry
        Only count.
    """
    campaign, engine, _, settings = submission
    reference = campaign.oxygen_reference.model_dump(mode="json")
    adder = Adder(cluster, engine, {"settings": settings}, reference, dry=dry)
    if dry:
        _stage_all(adder, submission)
        return adder
    with OneAtATime(cluster.launchpad):
        note_campaign(cluster.launchpad, _noted(submission))
        _stage_all(adder, submission)
    return adder


def _noted(submission: Submission) -> Submitted:
    """Return what tells a submission from others of the same name."""
    campaign, engine, _, settings = submission
    path = str(campaign.path.resolve()) if campaign.path else ""
    try:
        owner = getpass.getuser()
    except (OSError, KeyError):  # containers run users who have no name
        owner = f"user {os.getuid()}"
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Submitted(campaign.name, settings, engine.name, path, owner, date)


def _stage_all(adder: Adder, submission: Submission) -> None:
    adder.references(plan_references(submission.campaign, submission.engine))
    for plan in submission.plans:
        adder.stage(plan, start(plan))


def _check_store(engine: Engine, cluster: Cluster) -> None:
    """Refuse a JobStore that cannot take what an engine gives it, or loses it."""
    if type(cluster.store.docs_store) is MemoryStore:
        raise InputError(
            "MemoryStore forgets what came out when its process ends: name a server, as "
            "fireworks_configs/jobflow.yaml does",
            file="jobflow.yaml",
            key="JOB_STORE.docs_store.type",
        )
    if engine.leaves_files and "data" not in cluster.store.additional_stores:
        raise InputError(
            f"has no additional store `data` for large documents, which engine {engine.name} "
            "needs: see fireworks_configs/jobflow.yaml",
            file="jobflow.yaml",
            key="JOB_STORE.additional_stores",
        )
