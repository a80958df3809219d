"""VASP folders of a campaign, for people who submit by hand: ``build --inputs``.

Stage by stage: every call writes what has its parent finished, from the parent's relaxed
geometry and final moments. Each folder has a sidecar by which `ingest` knows the calculation.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click

from vacancy_flows.campaign import Campaign
from vacancy_flows.engines import Engine
from vacancy_flows.engines.vasp.engine import VaspEngine
from vacancy_flows.errors import InputError
from vacancy_flows.guard import mu_o_of
from vacancy_flows.ingest.campaigns import write_campaigns
from vacancy_flows.inputs_files import Potcars, check_inputs, write_folder
from vacancy_flows.inputs_runs import Runs
from vacancy_flows.inputs_walk import Walk, Wanted
from vacancy_flows.ledger import describe
from vacancy_flows.output_paths import make_directory
from vacancy_flows.planning import plan_hosts, plan_references


@dataclass(frozen=True)
class Written:
    """What a call did.

    Attributes
    ----------
    folders
        Written now, relative to the output.
    waiting
        Lines: what waits for what.
    problems
        Lines: runs that nothing is built upon.
    text
        All of it but the problems, for the user.
    """

    folders: list[str]
    waiting: list[str]
    problems: list[str]
    text: str


def inputs_here(
    campaign: Campaign, engine: Engine, directory: Path, source: Path | None = None
) -> int:
    """Do what `write_inputs` does, print it, and return 0, or 1 where runs are to be mended."""
    done = write_inputs(campaign, engine, directory, source)
    click.echo(done.text)
    for problem in done.problems:
        click.echo(f"PROBLEM {problem}", err=True)
    return 1 if done.problems else 0


def write_inputs(
    campaign: Campaign, engine: Engine, directory: Path, source: Path | None = None
) -> Written:
    """Write the VASP folders whose parents are finished; a folder that is there is left alone.

    Parameters
    ----------
    campaign
        Checked (see `load_campaign`).
    engine
        The one it names.
    directory
        Gets ``references/`` and a folder for each host.
    source
        With finished runs (folders of earlier calls, or a ``results.db``), besides ``directory``.

    Raises
    ------
    InputError
        Where anything cannot be used; nothing is written.
    """
    if not isinstance(engine, VaspEngine):
        problem = f"{campaign.engine} reads no input files: --inputs is for the engine vasp"
        raise InputError(problem, file=campaign.path, key="engine")
    if source is not None and not source.is_dir():
        raise InputError("is no folder: name one with finished runs", file=source, key="--from")
    plans = plan_hosts(campaign, engine)
    references = plan_references(campaign, engine)
    cells = [*(plan.root for plan in plans), *(c.structure for c in references)]
    potcars = Potcars.look_for({s.specie.symbol for c in cells for s in c}, engine, campaign.path)
    runs = Runs([path for path in (source, directory) if path is not None], engine)
    walk = Walk(engine, runs)
    records = {str(c.reference_kind): walk.reference(c) for c in references}
    finished = {kind: r for kind, r in records.items() if r and r.result.converged}
    if finished and len(finished) == len(references):
        mu_o_of(campaign.oxygen_reference, engine.energy_scale, finished, file=campaign.path)
    for plan in plans:
        walk.host(plan)
    ready = check_inputs(walk.wanted.values(), engine)
    _write(ready, engine, directory, potcars)
    if directory.is_dir():
        uses = {uid: [*map(str, found)] for uid, found in walk.uses.items()}
        description = describe(campaign, engine, plans)
        write_campaigns(directory, {campaign.name: {**description, "uses": uses}})
    written = [wanted.folder for wanted in ready]
    problems = [*runs.problems, *walk.problems]
    waiting = list(dict.fromkeys(walk.waiting))  # hosts that share wait alike
    text = _text(walk, written, waiting, directory, potcars)
    return Written(written, waiting, problems, text)


def _write(ready: list[Wanted], engine: VaspEngine, directory: Path, potcars: Potcars) -> None:
    taken = [wanted.folder for wanted in ready if _is_taken(directory / wanted.folder)]
    if taken:
        raise InputError(
            f"{', '.join(taken[:5])}{' and more' if len(taken) > 5 else ''} hold other files, or "
            "inputs of other settings: move them away, or name a new folder",
            file=directory,
            key="-o",
        )
    parents = {
        str(parent)
        for wanted in ready
        for parent in PurePosixPath(wanted.folder).parents
        if parent.name
    }
    make_directory(directory, "-o", folders=sorted(parents))
    try:
        for wanted in ready:
            write_folder(wanted, engine, directory, potcars)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}): check the folder and free space"
        raise InputError(problem, file=error.filename or directory, key="-o") from None


def _is_taken(path: Path) -> bool:
    return os.path.lexists(path) and (not path.is_dir() or any(path.iterdir()))


def _text(
    walk: Walk, written: list[str], waiting: list[str], directory: Path, potcars: Potcars
) -> str:
    lines = [f"wrote {directory / folder}" for folder in written]
    lines += [f"waits: {line}" for line in waiting]
    left = len(walk.runs.unfinished) + len(written)
    lines.append(f"{len(written)} folders written, {left} in all are to be run")
    if written and potcars.note:
        lines.append(potcars.note)
    if left:
        lines.append("run VASP in each, then call this again: it goes on from what is finished")
    elif waiting:
        lines.append("nothing can be run before what is named above is mended")
    elif not walk.problems and walk.runs.places:
        places = " ".join(map(str, walk.runs.places))
        lines.append(f"all has run: vacancy-flows ingest {places} --db results.db")
    return "\n".join(lines)
