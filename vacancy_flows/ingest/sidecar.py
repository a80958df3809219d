"""The small JSON in a folder of `build --inputs`: which calculation of a campaign it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pymatgen.core import Lattice, Structure

from vacancy_flows.consistency import mismatches
from vacancy_flows.engines.vasp.reading import FinishedRun
from vacancy_flows.engines.vasp.run_settings import asked_for
from vacancy_flows.ingest.cells import same_lattice
from vacancy_flows.schemas import MESH_LATTICE, Calculation

SIDECAR = "vacancy-flows.json"
"""Name of the file, beside INCAR and POSCAR."""
STATIC = {"stage": "static"}
"""Operation of a run whose density gives the Bader charges of its parent, and nothing else."""


class Sidecar(BaseModel):
    """What a folder was written for, and how a run in it is known to be that.

    Attributes
    ----------
    calculation
        A `Calculation` (uid, parent, host, strain, site, ...) without its structure.
    species, labels
        Element and label of each line of POSCAR, in its order.
    initial_magmom
        Of each of these sites in the built host, µB: what classes of sites and uids follow from.
        MAGMOM of the run is what its parent ended with.
    lattice
        (3, 3), rows of POSCAR, Å.
    properties
        Of the structure, such as its conventional axes.
    energy_scale, fingerprint
        Of the engine that wrote the inputs.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    calculation: dict[str, Any]
    species: list[str]
    labels: list[str | None]
    initial_magmom: list[float] | None = None
    lattice: list[list[float]]
    properties: dict[str, Any] = Field(default_factory=dict)
    energy_scale: str
    fingerprint: dict[str, Any]

    @classmethod
    def of(cls, calculation: Calculation, fingerprint: dict[str, Any], energy_scale: str) -> Self:
        """Describe a calculation whose POSCAR has the sites of its structure in their order.

        Parameters
        ----------
        calculation
            Before it runs.
        fingerprint, energy_scale
            Of the engine.
        """
        structure = calculation.structure
        labels = structure.site_properties.get("label") or [None] * len(structure)
        return cls(
            calculation=calculation.model_dump(mode="json", exclude={"structure"}),
            species=[site.specie.symbol for site in structure],
            labels=list(labels),
            initial_magmom=structure.site_properties.get("initial_magmom"),
            lattice=structure.lattice.matrix.tolist(),
            properties=structure.properties,
            energy_scale=energy_scale,
            fingerprint=fingerprint,
        )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {len(self.species), len(self.labels), len(self.initial_magmom or self.species)}
        if len(given) > 1 or np.shape(self.lattice) != (3, 3):
            raise ValueError("species, labels, moments and lattice are not of one POSCAR")
        positions = np.zeros((len(self.species), 3))
        self.calculation_of(Structure(Lattice(self.lattice), self.species, positions))
        return self

    def write(self, directory: Path) -> Path:
        """Write the file into a folder that exists."""
        path = directory / SIDECAR
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return path

    def calculation_of(self, structure: Structure) -> Calculation:
        """Return the calculation with a structure."""
        return Calculation.model_validate({**self.calculation, "structure": structure})

    @property
    def charges_for(self) -> str | None:
        """The uid of the cell whose Bader charges the run is for; None where it is no such run."""
        known = self.calculation
        return str(known["parent_uid"]) if known["operation"] == STATIC else None

    @property
    def _mesh_lattice(self) -> Any:
        return self.properties.get(MESH_LATTICE, self.lattice)

    def asked(self, run: FinishedRun) -> Calculation:
        """Return the calculation with the structure that a run of it began with.

        Its sites have labels, and where there is spin ``magmom`` and ``initial_magmom``, as
        `vacancy_flows.plan` gave them.
        """
        start, found = run.initial_structure, dict[str, Any]()
        if all(self.labels):
            found["label"] = self.labels
        if self.initial_magmom is not None:
            found["initial_magmom"] = self.initial_magmom
            found["magmom"] = run.initial_moments or self.initial_magmom
        found = {**start.site_properties, **found}
        structure = Structure(
            self.lattice, self.species, start.frac_coords, site_properties=found or None
        )
        structure.properties = dict(self.properties)
        return self.calculation_of(structure)

    def problems(self, run: FinishedRun) -> list[str]:
        """Say where a run is not the calculation that was asked for: composition, cell, settings.

        Parameters
        ----------
        run
            Found in the folder.
        """
        start = run.initial_structure
        if [site.specie.symbol for site in start] != self.species:
            wanted = Structure(self.lattice, self.species, np.zeros((len(self.species), 3)))
            return [f"composition or order {start.formula} instead of {wanted.formula}"]
        kind, cell = self.calculation["kind"], self.calculation["cell"]
        found = []
        if cell == "fixed" and not same_lattice(start.lattice, Lattice(self.lattice)):
            found.append("another cell")
        reference = kind == "reference"
        asked = asked_for(
            self.fingerprint,
            set(self.species),
            None if reference or cell != "fixed" else self._mesh_lattice,
        )
        settings = run.settings
        if cell != "fixed":
            settings = settings.model_copy(update={"run": None})
        what: Literal["pair", "reference"] = "reference" if reference else "pair"
        return [*found, *map(str, mismatches(settings, asked, what))]


def read_sidecar(directory: Path) -> Sidecar | None:
    """Return what a folder was written for, None where it holds no such file.

    Raises
    ------
    ValueError
        Where the file cannot be read or understood.
    """
    path = directory / SIDECAR
    if not path.is_file():
        return None
    try:
        return Sidecar.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{SIDECAR} cannot be used ({place}: {problem['msg']})") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{SIDECAR} cannot be read ({error})") from None
