"""What this machine can run: engines, and the programs and packages beside them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from vacancy_flows.engines import ENGINES, Engine, get_engine
from vacancy_flows.errors import InputError

_PACKAGES = {
    "PostgreSQL": (("psycopg2", "ase_db_backends"), "postgres"),
    "FireWorks": (("fireworks",), "fireworks"),
    "pymatgen-analysis-defects": (("pymatgen.analysis.defects",), "defects"),
}  # what needs them, its modules, its extra


class Finding(NamedTuple):
    """One thing that was looked for.

    Attributes
    ----------
    name
        Engine, program or package.
    usable
        Whether it can be used here.
    detail
        Where it is, or what is missing and what to do.
    """

    name: str
    usable: bool
    detail: str

    def __str__(self) -> str:
        """Return a line."""
        return f"{'yes' if self.usable else 'no':<4}{self.name:<28}{self.detail}"


def check_machine() -> list[Finding]:
    """Look for engines, `bader`, optional packages, the LaunchPad; nothing is calculated."""
    return [*map(check_engine, ENGINES), _bader(), *_packages(), *_launchpad()]


def check_engine(name: str) -> Finding:
    """Tell whether an engine can run here, with its default settings."""
    try:
        engine = get_engine(name)
        engine.check()
    except InputError as error:
        return Finding(f"engine {name}", False, error.problem)
    return Finding(f"engine {name}", True, f"energy scale {engine.energy_scale}")


def require_engine(engine: Engine, spec: Path, elements: Iterable[str] = ()) -> None:
    """Refuse a campaign whose engine this machine cannot run.

    Parameters
    ----------
    engine
        Of the campaign.
    spec
        Campaign file, for the message.
    elements
        Symbols of what is to be calculated, where they are known already.

    Raises
    ------
    InputError
        With what is missing.
    """
    try:
        engine.check(elements)
    except InputError as error:
        raise error.at(file=spec, key="engine") from None


def check_campaign(spec: Path) -> str:
    """Return what a campaign file asks for, after its engine was looked for here.

    Raises
    ------
    InputError
        Where the file is wrong, or this machine cannot run its engine with its settings.
    """
    from vacancy_flows.campaign_file import load_campaign
    from vacancy_flows.planning import elements_of, plan_hosts
    from vacancy_flows.standing import cost_text

    campaign = load_campaign(spec)
    engine = get_engine(campaign.engine, campaign.settings)
    plans = plan_hosts(campaign, engine)
    require_engine(engine, spec, elements_of(plans))
    return cost_text(campaign, engine, plans, 1)


def _bader() -> Finding:
    place = shutil.which("bader")
    if place is None:
        return Finding("bader", False, "not on PATH: charges are divided by our own weights")
    return Finding("bader", True, place)


def _packages() -> Iterator[Finding]:
    for name, (modules, extra) in _PACKAGES.items():
        missing = [module for module in modules if not _installed(module)]
        if missing:
            yield Finding(name, False, f"pip install 'vacancy-flows[{extra}]'")
        else:
            yield Finding(name, True, _version(modules[0]))


def _launchpad() -> Iterator[Finding]:
    """Ask the LaunchPad and the JobStore that `submit` would take; nothing is written."""
    if not _installed("fireworks"):
        return
    from vacancy_flows.cluster.connection import launchpad_file, open_cluster

    try:
        file = launchpad_file()
        open_cluster(file, prepare=False)
    except InputError as error:
        yield Finding("LaunchPad and JobStore", False, str(error))
    else:
        yield Finding("LaunchPad and JobStore", True, str(file))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _version(module: str) -> str:
    names = {
        "psycopg2": "psycopg2-binary",
        "pymatgen.analysis.defects": "pymatgen-analysis-defects",
    }
    try:
        return version(names.get(module, module))
    except PackageNotFoundError:
        return "installed"
