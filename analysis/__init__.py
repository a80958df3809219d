"""Numbers from finished calculations: chemical potentials, formation energies, figures.

What every reader needs is here. The rest is in modules of its own, so that a query does not
wait for it: `onset`, `thermodynamics` and `concentration` (T and p), `dipole`,
`dipole_prediction` and `size` (strain and cell size), `environments`, `relaxation` and
`correlation` (sites), `bader` (charges), `plots` and `figures_*`, `report`.
"""

from vacancy_flows.analysis.calculations import CALCULATION_COLUMNS
from vacancy_flows.analysis.formation import VACANCY_COLUMNS, formation_energy, formation_table
from vacancy_flows.analysis.oxygen import (
    LI2O_FORMATION_ENTHALPY,
    O2_OVERBINDING,
    OxygenReference,
    ReferenceMismatch,
    ReferenceUnavailable,
    check_references,
    chemical_potential,
    mu_o_from_li2o,
    mu_o_from_o2,
    oxygen_shift,
)
from vacancy_flows.analysis.summary import summarise
from vacancy_flows.analysis.thermochemistry import (
    oxygen_thermal_term,
    shomate_enthalpy,
    shomate_entropy,
)

__all__ = [
    "CALCULATION_COLUMNS",
    "LI2O_FORMATION_ENTHALPY",
    "O2_OVERBINDING",
    "VACANCY_COLUMNS",
    "OxygenReference",
    "ReferenceMismatch",
    "ReferenceUnavailable",
    "check_references",
    "chemical_potential",
    "formation_energy",
    "formation_table",
    "mu_o_from_li2o",
    "mu_o_from_o2",
    "oxygen_shift",
    "oxygen_thermal_term",
    "shomate_enthalpy",
    "shomate_entropy",
    "summarise",
]
