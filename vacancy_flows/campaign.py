"""The campaign file: what is calculated, as a user writes it.

Unknown keys are refused with the nearest known one named, and every message names file,
key and remedy. Only ``name``, ``engine`` and ``hosts`` are required.
"""

from __future__ import annotations

import logging
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from vacancy_flows.analysis import oxygen_shift
from vacancy_flows.campaign_blocks import (
    STRAIN_DIGITS,
    Block,
    Host,
    Magnetism,
    Name,
    OxygenBlock,
    Relax,
    Sites,
    Strain,
    Strains,
)
from vacancy_flows.engines import POTENTIALS, default_prerelax, get_engine
from vacancy_flows.errors import InputError

logger = logging.getLogger(__name__)

_MAX_GUARD_SHIFT = 0.2  # eV; what the guard of the references would let pass


def _check_names(names: list[str]) -> None:
    """Refuse host names that are equal, or that are where case does not count."""
    for first, second in combinations(names, 2):
        if first == second:
            raise ValueError(f"hosts: the name {first!r} is used twice: rename one")
        if first.lower() == second.lower():  # folders bear these names
            raise ValueError(
                f"hosts: {first!r} and {second!r} differ in case only, which some file systems do "
                "not tell apart: rename one"
            )


class Campaign(Block):
    """A whole campaign file.

    ``path`` is where it was read from; relative paths in it are relative to that file.
    """

    name: Name
    engine: str
    settings: dict[str, Any] = Field(default_factory=dict)
    magnetism: Magnetism = Magnetism()
    hosts: list[Host] = Field(min_length=1)
    strain: Strains = Field(default_factory=list)
    sites: Sites = Sites()
    relax: Relax = Relax()
    oxygen_reference: OxygenBlock = OxygenBlock()
    _path: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _hosts_differ(self) -> Campaign:
        _check_names([host.name for host in self.hosts])
        for host in self.hosts:
            for key, value in (
                ("sites.within", self.sites_of(host).within),
                ("relax.free_within", self.relax_of(host).free_within),
            ):
                if value is not None and not host.is_boundary:
                    raise ValueError(
                        f"{key}: host {host.name!r} has no boundary; give its other hosts a block "
                        "of their own"
                    )
            if self.relax_of(host).cell == "free" and any(v for _, v in self.strains_of(host)):
                raise ValueError(
                    f"relax.cell: a free cell would undo the strain of host {host.name!r}: "
                    "use cell: fixed, or drop the strain"
                )
            if self.relax_of(host).cell == "free" and any(b.predict for b in self._blocks(host)):
                raise ValueError(
                    "relax.cell: a free cell has no stress to predict the strain of host "
                    f"{host.name!r} from: use cell: fixed, or drop the block with predict"
                )
        return self

    @model_validator(mode="after")
    def _engine_takes_them(self) -> Campaign:
        takes_moments = self.engine not in POTENTIALS
        if self.magnetism.magnetic_starts > 1 and not takes_moments:
            logger.warning(
                "magnetism.magnetic_starts: the engine %s takes no moments: one start is made",
                self.engine,
            )
        for wanted in {self.relax_of(host).prerelax for host in self.hosts} - {None}:
            if not takes_moments:
                raise ValueError(
                    f"relax.prerelax: the engine {self.engine!r} needs no {wanted} before it: "
                    "leave it out"
                )
            try:
                get_engine(str(wanted)).check()
            except InputError as error:
                problem = f"relax.prerelax: {error.problem}, or decline it with prerelax: none"
                raise ValueError(problem) from None
        return self

    @property
    def path(self) -> Path | None:
        """The file this was read from."""
        return self._path

    def relax_of(self, host: Host) -> Relax:
        """Return the relaxation settings of a host: its own keys over the common ones."""
        own = host.relax.model_dump(exclude_unset=True) if host.relax else {}
        relax = self.relax.model_copy(update=own)
        wanted = relax.prerelax or default_prerelax(self.engine)
        return relax.model_copy(update={"prerelax": None if wanted == "none" else wanted})

    def sites_of(self, host: Host) -> Sites:
        """Return the site selection of a host."""
        return host.sites or self.sites

    def strains_of(self, host: Host) -> list[tuple[str, float]]:
        """Return (mode, value) of every cell to calculate; zero strain once, as ``none``.

        A campaign without strain has the unstrained cell alone; so has a block that is only
        predicted, whatever its values.
        """
        pairs: list[tuple[str, float]] = [
            (block.mode, value)
            if round(value, STRAIN_DIGITS) and not block.predict
            else ("none", 0.0)
            for block in self._blocks(host)
            for value in block.values
        ]
        return list(dict.fromkeys(pairs)) or [("none", 0.0)]

    def predictions_of(self, host: Host) -> list[tuple[str, float]]:
        """Return (mode, value) of every strain that is predicted and not calculated.

        Zero strain is not among them: it is calculated.
        """
        pairs: list[tuple[str, float]] = [
            (block.mode, value)
            for block in self._blocks(host)
            for value in block.values
            if block.predict and round(value, STRAIN_DIGITS)
        ]
        return list(dict.fromkeys(pairs))

    @property
    def predictions(self) -> dict[str, list[tuple[str, float]]]:
        """What is to be predicted, by host (see `predictions_of`); hosts without are left out."""
        asked = {host.name: self.predictions_of(host) for host in self.hosts}
        return {host: strains for host, strains in asked.items() if strains}

    def _blocks(self, host: Host) -> list[Strain]:
        """Return the strain blocks of a host: its own, else the common ones."""
        return host.strain if host.strain is not None else self.strain


def check_scale(block: OxygenBlock, scale: str) -> str | None:
    """Return what is wrong with an oxygen reference on an energy scale, None if nothing.

    The guard of the references (|mu_O(O2) - mu_O(Li2O)| < 0.2 eV) will find the same, but
    only after they were calculated.

    Parameters
    ----------
    block
        Of the campaign file.
    scale
        Energy scale of the engine.
    """
    if block.shift is None or block.scheme != "O2":
        return None
    wanted = oxygen_shift(scale)
    if abs(block.shift - wanted) < _MAX_GUARD_SHIFT:
        return None
    return (
        f"a shift of {block.shift:+g} eV does not fit the energy scale {scale}, "
        f"where O2 takes {wanted:+g} eV: leave `shift` out"
    )
