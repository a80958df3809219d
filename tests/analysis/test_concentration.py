"""Tables over T and p, vacancy concentrations and oxygen deficiency."""

import math

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.concentration import (
    RELEASED_OXYGEN_AT_PERCENT,
    nonstoichiometry,
    vacancy_concentration,
)
from vacancy_flows.analysis.onset import onset_pressure, onset_temperature
from vacancy_flows.analysis.thermodynamics import (
    site_fraction,
)
from vacancy_flows.analysis.thermodynamics_tables import formation_energy_at, thermodynamics_table

O2 = OxygenReference()
CELL = {"host": "Li2MnO3", "formula": "Li8Mn4O11", "n_atoms": 24, "strain_mode": "none"}


@pytest.fixture
def calculations(make):
    """One conventional cell of Li2MnO3: 8j at 0.4 eV, 4i at 0.5 eV."""

    def build(low=0.4, high=0.5, references=None, **more):
        cell = CELL | {"strain": 0.0} | more
        rows = make.references() if references is None else references
        rows = rows + make.pair("ua", low, site="O-8j-1", wyckoff="8j", multiplicity=8, **cell)
        rows += make.pair("ub", high, site="O-4i-1", wyckoff="4i", multiplicity=4, **cell)
        return make.frame(rows)

    return build


@pytest.fixture
def table(calculations):
    return formation_table(calculations(), O2)


# tables


@pytest.mark.parametrize("scheme", ["O2", "Li2O"])
@pytest.mark.parametrize(("scale", "kelvin"), [("mp2020", 900.0), ("r2scan", 900.0)])
def test_it_is_what_a_table_made_at_that_temperature_holds(
    make, calculations, scheme, scale, kelvin
):
    data = calculations(references=make.references()).assign(energy_scale=scale)
    bare = formation_table(data, OxygenReference(scheme=scheme))
    hot = formation_table(data, OxygenReference(scheme=scheme, temperature=kelvin, pressure=0.21))
    result = formation_energy_at(bare, OxygenReference(scheme=scheme), kelvin, 0.21)
    assert result.to_numpy() == pytest.approx(hot["formation_energy_eV"].to_numpy(), abs=1e-9)


def test_a_second_thermal_term_is_refused(calculations):
    hot = OxygenReference(temperature=300.0)
    data = formation_table(calculations(), hot)
    for reference in (hot, O2):
        with pytest.raises(ValueError, match=r"300 K already.*temperature=0"):
            formation_energy_at(data, reference, 500.0, 1.0)


def test_a_user_mu_o_has_no_map(calculations):
    own = OxygenReference(scheme="user", mu_o=-4.8)
    data = formation_table(calculations(), own)
    for reference in (own, O2):
        with pytest.raises(ValueError, match="labels and add nothing"):
            thermodynamics_table(data, reference, [500.0], [1.0])


def test_a_table_of_another_reference_is_refused(table):
    with pytest.raises(ValueError, match="oxygen_scheme"):
        formation_energy_at(table, OxygenReference(scheme="Li2O"), 500.0, 1.0)


def test_thermodynamics_table(table):
    result = thermodynamics_table(table, O2, [300.0, 1000.0], [0.21, 1.0, 10.0])
    assert len(result) == 12
    assert result["uid"].tolist() == ["uav"] * 6 + ["ubv"] * 6
    row = result.iloc[4]
    assert (row["temperature_K"], row["pressure_bar"]) == (1000.0, 1.0)
    assert row["formation_energy_eV"] == pytest.approx(0.4 - 1.145, abs=1e-3)
    assert row["onset_temperature_K"] == pytest.approx(onset_temperature(0.4, 1.0).value)
    assert row["onset_pressure_bar"] == pytest.approx(onset_pressure(0.4, 1000.0).value)
    assert (result["onset_temperature_reason"] == "").all()
    below = result["pressure_bar"] < result["onset_pressure_bar"]
    assert ((result["site_fraction"] > 0.5) == below).all()


def test_thermodynamics_table_of_nothing_and_of_rows_without_energy(table):
    assert thermodynamics_table(table.iloc[:0], O2, [300.0], [1.0]).empty
    empty = table.assign(formation_energy_eV=math.nan, energy_scale="pbesol")
    result = thermodynamics_table(empty, O2, [300.0], [1.0])
    assert result["site_fraction"].isna().all()
    assert (result["onset_pressure_reason"] == "no formation energy").all()
    with pytest.raises(ValueError, match="0 K has no equilibrium"):
        thermodynamics_table(table, O2, [0.0], [1.0])
    with pytest.raises(ValueError, match="at least one"):
        thermodynamics_table(table, O2, [], [1.0])


# concentrations


def test_multiplicities_weigh_the_classes(table):
    result = vacancy_concentration(table, O2, 300.0, 1.0)
    x = site_fraction(np.array([0.4, 0.5]) - 0.319, 300.0)
    assert result["site_fraction"].to_numpy() == pytest.approx(x, rel=0.05)
    fraction = result["site_fraction"].to_numpy()
    assert result["vacancies_per_cell"].to_numpy() == pytest.approx(fraction * [8, 4])
    assert result["oxygen_at_percent"].to_numpy() == pytest.approx(100 * fraction * [8, 4] / 12)


def test_nonstoichiometry_of_the_whole_cell(table):
    result = nonstoichiometry(table, O2, 300.0, 1.0).iloc[0]
    parts = vacancy_concentration(table, O2, 300.0, 1.0)
    assert result["formula_unit"] == "Li2MnO3"
    assert result["delta"] == pytest.approx(parts["vacancies_per_cell"].sum() / 4)
    assert result["oxygen_at_percent"] == pytest.approx(100 * result["delta"] / 3)
    assert (result["sites_covered"], result["sites"], result["missing"]) == (12, 12, "")
    assert (result["released_low_at_percent"], result["released_high_at_percent"]) == (3.3, 6.5)
    assert RELEASED_OXYGEN_AT_PERCENT == (3.3, 6.5)


def test_all_oxygen_gone_is_delta_3(calculations):
    data = formation_table(calculations(low=-9.0, high=-9.0), O2)
    result = nonstoichiometry(data, O2, 1000.0, 1.0).iloc[0]
    assert result["delta"] == pytest.approx(3.0)
    assert result["oxygen_at_percent"] == pytest.approx(100.0)


def test_the_formula_unit_may_be_chosen(calculations):
    data = formation_table(calculations(formula="Li6Mn4O11", n_atoms=22), O2)
    reduced = nonstoichiometry(data, O2, 300.0, 1.0).iloc[0]
    chosen = nonstoichiometry(data, O2, 300.0, 1.0, oxygens_per_formula=3).iloc[0]
    assert (reduced["formula_unit"], chosen["formula_unit"]) == ("Li3Mn2O6", "Li1.5MnO3")
    assert reduced["delta"] == pytest.approx(2 * chosen["delta"])
    assert reduced["oxygen_at_percent"] == pytest.approx(chosen["oxygen_at_percent"])
    with pytest.raises(ValueError, match="at least 1"):
        nonstoichiometry(data, O2, 300.0, 1.0, oxygens_per_formula=0)


def test_what_is_not_converged_is_left_out_and_named(calculations):
    data = calculations()
    data.loc[data["uid"] == "ubv", ["converged", "reason"]] = [False, "stopped at 500 steps"]
    data = formation_table(data, O2)
    parts = vacancy_concentration(data, O2, 300.0, 1.0)
    assert parts["site"].tolist() == ["O-8j-1"]
    result = nonstoichiometry(data, O2, 300.0, 1.0).iloc[0]
    assert result["delta"] == pytest.approx(parts["vacancies_per_cell"].sum() / 4)
    assert result["sites_covered"] == 8
    assert result["missing"].startswith("O-4i-1 (vacancy: stopped at 500 steps)")
    absent = nonstoichiometry(data[data["site"] == "O-8j-1"], O2, 300.0, 1.0).iloc[0]
    assert absent["missing"] == "4 of 12 O sites have no row"
    none = nonstoichiometry(data[data["site"] == "O-4i-1"], O2, 300.0, 1.0).iloc[0]
    assert math.isnan(none["delta"])


def test_cells_are_kept_apart(calculations):
    strained = calculations(low=0.3, strain_mode="biaxial-ab", strain=0.02)
    strained["uid"] += "s"
    strained["pristine_uid"] = strained["pristine_uid"].map(lambda u: f"{u}s")
    strained = strained[strained["kind"] != "reference"]
    data = formation_table(pd.concat([calculations(), strained]), O2)
    result = nonstoichiometry(data, O2, 300.0, 1.0)
    assert result["strain"].tolist() == [0.0, 0.02]
    assert result["delta"].iloc[0] < result["delta"].iloc[1]
    assert nonstoichiometry(data.iloc[:0], O2, 300.0, 1.0).empty


def test_rows_that_cannot_be_one_cell_are_refused(table):
    with pytest.raises(ValueError, match=r"O-8j-1 of Li2MnO3 .* more than once"):
        nonstoichiometry(pd.concat([table, table], ignore_index=True), O2, 300.0, 1.0)
    with pytest.raises(ValueError, match="20 O sites, but the cell has 12"):
        nonstoichiometry(table.assign(multiplicity=[16, 4]), O2, 300.0, 1.0)
