"""Every structure of a campaign, on disk, before anything is calculated."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pymatgen.core import Structure

from vacancy_flows.build_files import (
    SUFFIXES,
    earlier_files,
    start_folder,
    strain_folder,
    write_structure,
)
from vacancy_flows.build_text import KINDS, boundary_notes, cost_lines, ordering_note
from vacancy_flows.campaign import Campaign
from vacancy_flows.engines import Engine
from vacancy_flows.errors import InputError
from vacancy_flows.plan import HostPlan, pristine_calculation, vacancy_calculation
from vacancy_flows.planning import (
    expected_calculations,
    expected_classes,
    expected_parents,
    plan_hosts,
    plan_references,
)
from vacancy_flows.schemas import Calculation
from vacancy_flows.structures import SiteClass

COLUMNS = (
    "uid",
    "host",
    "ordering",
    "removed",
    "strain_mode",
    "strain",
    "site",
    "wyckoff",
    "multiplicity",
    "coordination",
    "members",
    "n_atoms",
    "folder",
)
"""Columns of ``sites.csv``; one row per vacancy, lists separated by spaces."""


@dataclass(frozen=True)
class BuildSummary:
    """What a build wrote and what the campaign will take.

    Attributes
    ----------
    directory
        Where it was written.
    n_structures
        Structures written, each as CIF and POSCAR.
    calculations
        Calculations of each kind that a run will take, estimated.
    seconds
        Core-seconds they will take, None where the engine cannot tell.
    text
        All of it in words.
    """

    directory: Path
    n_structures: int
    calculations: dict[str, int]
    seconds: float | None
    text: str


@dataclass(frozen=True)
class _Cell:
    """A strained pristine cell as built, and the classes of its sites."""

    plan: HostPlan
    folder: str
    number: int | None
    removed: tuple[str, ...]
    pristine: Calculation
    classes: list[SiteClass]

    def vacancies(self) -> Iterator[tuple[SiteClass, Calculation]]:
        """Yield each class with the calculation of its vacancy."""
        cell = self.pristine.structure
        for found in self.classes:
            yield found, vacancy_calculation(self.plan, self.pristine, cell, found)


@dataclass
class _Build:
    """All that a build will write: structures by path without suffix, and pristine cells."""

    unstrained: dict[str, Structure] = field(default_factory=dict)
    cells: list[_Cell] = field(default_factory=list)

    def stems(self) -> list[str]:
        """Return the paths of all structures, without suffix."""
        strained = [
            f"{cell.folder}/{name}"
            for cell in self.cells
            for name in ("pristine", *(found.label for found in cell.classes))
        ]
        return [*self.unstrained, *strained]


def build_campaign(campaign: Campaign, engine: Engine, directory: Path) -> BuildSummary:
    """Write every structure of a campaign as CIF and POSCAR, and ``sites.csv``.

    No energy is computed but electrostatics. Cells are as built, not relaxed: where the
    engine ranks orderings all candidates are written, and classes of sites are those of the
    unrelaxed cell. A folder of an earlier build of the same campaign is brought up to date;
    files that this or that build did not write stay.

    Parameters
    ----------
    campaign
        Checked (see `load_campaign`).
    engine
        The one it names; nothing of it is run.
    directory
        New, empty, or from an earlier build of this campaign.

    Raises
    ------
    InputError
        Where a host cannot be built, or the directory cannot be used; nothing is written.
    """
    stale = earlier_files(directory, campaign.name)
    plans = plan_hosts(campaign, engine)
    build = _Build()
    for plan in plans:
        _add_host(build, plan)
    stems = build.stems()
    files = [stem + suffix for stem in stems for suffix in SUFFIXES]
    try:
        start_folder(directory, campaign.name, files, stale)
        _write(build, directory)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}): check the folder and free space"
        raise InputError(problem, file=error.filename or directory, key="-o") from None
    counts, seconds = _cost(campaign, engine, plans)
    text = "\n".join(
        [*_notes(campaign, plans, build), *cost_lines(campaign.engine, counts, seconds)]
    )
    return BuildSummary(directory, len(stems), counts, seconds, text)


def _add_host(build: _Build, plan: HostPlan) -> None:
    build.unstrained[f"{plan.host}/host"] = plan.root
    for number, parent in enumerate(expected_parents(plan, exact=True)):
        base, removed = plan.host, tuple(parent.operation.get("remove", ()))
        if plan.delithiate is not None:
            base = f"{plan.host}/ordering-{number:02d}"
            build.unstrained[f"{base}/ordering"] = parent.structure
        for point in plan.strains:
            pristine = pristine_calculation(plan, parent, parent.structure, point)
            build.cells.append(
                _Cell(
                    plan=plan,
                    folder=f"{base}/{strain_folder(point.mode, point.value)}",
                    number=None if plan.delithiate is None else number,
                    removed=removed,
                    pristine=pristine,
                    classes=expected_classes(plan, pristine.structure),
                )
            )


def _write(build: _Build, directory: Path) -> None:
    for stem, structure in build.unstrained.items():
        write_structure(structure, directory / stem, f"{stem} (as built, not relaxed)")
    with (directory / "sites.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for cell in build.cells:
            folder = directory / cell.folder
            name = f"{cell.pristine.title} (as built, not relaxed)"
            write_structure(cell.pristine.structure, folder / "pristine", name)
            for found, vacancy in cell.vacancies():
                name = f"{vacancy.title} (as built, not relaxed)"
                write_structure(vacancy.structure, folder / found.label, name)
                table.writerow(_row(cell, found, vacancy))


def _row(cell: _Cell, found: SiteClass, vacancy: Calculation) -> list[object]:
    return [
        vacancy.uid,
        vacancy.host,
        "" if cell.number is None else cell.number,
        " ".join(cell.removed),
        vacancy.strain_mode,
        vacancy.strain,
        found.label,
        found.wyckoff,
        found.multiplicity,
        found.coordination,
        " ".join(found.members),
        vacancy.n_atoms,
        cell.folder,
    ]


def _cost(
    campaign: Campaign, engine: Engine, plans: list[HostPlan]
) -> tuple[dict[str, int], float | None]:
    """Return the number of calculations of each kind, and their core-seconds."""
    references = plan_references(campaign, engine)
    work: Counter[tuple[int, str]] = Counter((c.n_atoms, c.kind) for c in references)
    for plan in plans:
        delithiated = len(expected_parents(plan)[0].structure)
        for kind, number in expected_calculations(plan).items():
            # Where orderings follow a relaxation, a host may be either; the larger one is taken.
            work[len(plan.root) if kind == "host" else delithiated, kind] += number
    counts: Counter[str] = Counter()
    seconds: float | None = 0.0
    for (n_atoms, kind), number in work.items():
        counts[kind] += number
        each = engine.seconds(n_atoms, kind)
        seconds = None if each is None or seconds is None else seconds + number * each
    return {kind: counts[kind] for kind in KINDS if counts[kind]}, seconds


def _notes(campaign: Campaign, plans: list[HostPlan], build: _Build) -> list[str]:
    """Say what was written, and which orderings of each delithiated host."""
    vacancies = sum(len(cell.classes) for cell in build.cells)
    first = (
        f"{campaign.name}: {len(build.unstrained)} hosts and orderings, {len(build.cells)} "
        f"pristine cells and {vacancies} vacancies, each as CIF and POSCAR; "
        "sites.csv lists the vacancies."
    )
    notes = [first]
    for plan in plans:
        if plan.delithiate is not None:
            cells = [cell for cell in build.cells if cell.plan is plan]
            number = len({cell.number for cell in cells})
            classes = [len(cell.classes) for cell in cells]
            notes.append(ordering_note(plan.host, plan.delithiate, number, classes))
        notes += boundary_notes(plan.host, plan.root)
    return notes
