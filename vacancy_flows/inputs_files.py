"""One VASP folder on disk: INCAR, KPOINTS, POSCAR, POTCAR or POTCAR.spec, and the sidecar."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vacancy_flows.engines.vasp.engine import VaspEngine
from vacancy_flows.engines.vasp.incar import check_site_updates
from vacancy_flows.engines.vasp.potcars import check_potcars
from vacancy_flows.errors import InputError
from vacancy_flows.ingest.sidecar import Sidecar
from vacancy_flows.inputs_stages import prerelaxed
from vacancy_flows.inputs_walk import Wanted

_NO_POTCARS = (
    "PMG_VASP_PSP_DIR is not set: folders have POTCAR.spec, a list of symbols, instead of POTCAR; "
    "take these of the release {release}, in this order (the cutoff of {encut:g} eV was not held "
    "against their ENMAX)"
)


@dataclass(frozen=True)
class Potcars:
    """Whether POTCARs can be written here.

    Attributes
    ----------
    there
        Else symbols are written.
    note
        For the user, where they are not.
    """

    there: bool
    note: str = ""

    @classmethod
    def look_for(cls, elements: Iterable[str], engine: VaspEngine, file: Path | None) -> Potcars:
        """Look for the POTCARs of some elements; without PMG_VASP_PSP_DIR for their symbols.

        Raises
        ------
        InputError
            Where one is missing or cannot be used, or none is chosen.
        """
        from pymatgen.core import SETTINGS

        settings = engine.settings
        try:
            check_site_updates()
            if SETTINGS.get("PMG_VASP_PSP_DIR"):
                check_potcars(elements, settings)
                return cls(there=True)
            for element in sorted(elements):
                settings.potcar_of(element)
        except InputError as error:
            raise error.at(file=file) from None
        release, encut = settings.potcar_functional, settings.encut
        return cls(there=False, note=_NO_POTCARS.format(release=release, encut=encut))


def check_inputs(wanted: Iterable[Wanted], engine: VaspEngine) -> list[Wanted]:
    """Return folders with the structures that are written, each of which makes an input set.

    Where another engine relaxes first, it does so here.

    Raises
    ------
    InputError
        Where one makes none.
    """
    ready = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and pymatgen, about themselves
        for one in wanted:
            start = prerelaxed(one.calculation) if one.first else one.calculation.structure
            calculation = one.calculation.model_copy(update={"structure": start})
            ready.append(replace(one, calculation=calculation))
            _input_set(ready[-1], engine, Potcars(there=False))
    return ready


def write_folder(wanted: Wanted, engine: VaspEngine, directory: Path, potcars: Potcars) -> None:
    """Write one folder, whole or not at all.

    Parameters
    ----------
    wanted
        Of `check_inputs`.
    engine
        Of the campaign.
    directory
        That it lies in.
    potcars
        Whether there are any.
    """
    calculation = wanted.calculation
    folder = directory / wanted.folder
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # POTCARs that pymatgen does not know
        _input_set(wanted, engine, potcars).write_input(part)
    Sidecar.of(calculation, engine.fingerprint(), engine.energy_scale).write(part)
    part.rename(folder)


def _input_set(wanted: Wanted, engine: VaspEngine, potcars: Potcars) -> Any:
    """Return the input set that a run of the engine itself would begin with."""
    from atomate2 import SETTINGS

    calculation = wanted.calculation
    if wanted.cell == "static":
        flow = engine.static_maker().make(calculation.structure)
    else:
        cell: Literal["free", "fixed"] = "free" if wanted.cell == "free" else "fixed"
        maker = engine.relax_maker(cell, calculation.fmax, calculation.max_steps)
        flow = maker.make(calculation.structure)
    generator = flow.jobs[0].maker.input_set_generator
    found = generator.get_input_set(calculation.structure, potcar_spec=not potcars.there)
    found["INCAR"].update(SETTINGS.VASP_INCAR_UPDATES)
    found["POSCAR"].comment = f"{calculation.uid} {calculation.title}"
    return found
