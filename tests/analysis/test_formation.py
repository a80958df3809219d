"""The contract's table: signs, joins by uid, what is refused and what stays empty."""

import math

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.analysis import (
    VACANCY_COLUMNS,
    OxygenReference,
    ReferenceMismatch,
    formation_energy,
    formation_table,
    oxygen_thermal_term,
)


def one(rows, reference=None):
    """Return the only vacancy row."""
    table = formation_table(pd.DataFrame(rows), reference or OxygenReference())
    assert len(table) == 1
    return table.iloc[0]


def test_sign_of_every_term():
    assert formation_energy(-160.0, -170.0, -4.8) == pytest.approx(5.2)
    assert formation_energy(-159.0, -170.0, -4.8) == pytest.approx(6.2)  # vacancy higher: E_f up
    assert formation_energy(-160.0, -169.0, -4.8) == pytest.approx(4.2)  # pristine higher: down
    assert formation_energy(-160.0, -170.0, -4.8 + 0.68) == pytest.approx(5.88)  # 0.68 raises
    assert formation_energy([-160.0, -159.0], -170.0, -4.8) == pytest.approx([5.2, 6.2])


def test_columns_are_the_contract():
    names = (
        "uid host formula engine energy_scale strain_mode strain site wyckoff multiplicity "
        "coordination n_atoms e_pristine_eV e_vacancy_eV mu_o_eV oxygen_scheme temperature_K "
        "pressure_bar formation_energy_eV converged ordering ordering_energy_eV removed_element "
        "max_force_eV_A reason net_charge notes"
    )
    assert " ".join(VACANCY_COLUMNS) == names


def test_table_of_a_campaign(make, campaign):
    table = formation_table(campaign, OxygenReference())
    assert tuple(table.columns) == VACANCY_COLUMNS
    assert len(table) == 24
    assert table["converged"].all()
    assert (table["reason"] == "").all()
    assert table["formation_energy_eV"].iloc[0] == pytest.approx(2.51)
    assert table["mu_o_eV"].to_numpy() == pytest.approx(make.mu_o)
    expected = table["e_vacancy_eV"] - table["e_pristine_eV"] + table["mu_o_eV"]
    assert table["formation_energy_eV"].to_numpy() == pytest.approx(expected.to_numpy())
    assert list(table["oxygen_scheme"].unique()) == ["O2"]
    assert list(table["uid"]) == list(campaign.loc[campaign["kind"] == "vacancy", "uid"])


def test_counts_are_written_as_integers(campaign):
    lines = formation_table(campaign, OxygenReference())[["n_atoms", "ordering"]]
    assert lines.to_csv(index=False).splitlines()[1] == "24,"


def test_thermal_term_enters_once_and_lowers_e_f(make):
    rows = make.references() + make.pair("u1", 2.51)
    warm = one(rows, OxygenReference(temperature=1000.0, pressure=0.21))
    assert warm["formation_energy_eV"] == pytest.approx(
        2.51 + oxygen_thermal_term(1000.0, 0.21, "298K")
    )
    assert warm["formation_energy_eV"] < 2.51
    assert (warm["temperature_K"], warm["pressure_bar"]) == (1000.0, 0.21)


def test_li2o_scheme(make):
    row = one(make.references() + make.pair("u1", 2.51), OxygenReference("Li2O"))
    assert row["mu_o_eV"] == pytest.approx(-4.8238, abs=1e-4)


def test_user_value_needs_no_references_and_no_temperature(make):
    reference = OxygenReference("user", temperature=1000.0, mu_o=-4.9)
    row = one(make.pair("u1", 2.51, o2_uid=None, li_uid=None, li2o_uid=None), reference)
    assert row["mu_o_eV"] == -4.9
    assert row["formation_energy_eV"] == pytest.approx(2.51 - 4.9 - make.mu_o)
    assert row["converged"]


@pytest.mark.parametrize(
    ("field", "value"), [("energy_scale", "r2scan"), ("engine", "chgnet-r2scan")]
)
@pytest.mark.parametrize("uid", ["u1p", "uO2"])
def test_mixed_scales_and_engines_are_refused(make, field, value, uid):
    calculations = make.frame(make.references() + make.pair("u1", 2.51))
    own = calculations[field].iloc[0]
    calculations.loc[calculations["uid"] == uid, field] = value
    with pytest.raises(ValueError, match=field) as caught:
        formation_table(calculations, OxygenReference())
    for part in ("u1v", uid, repr(own), repr(value)):
        assert part in str(caught.value)


def test_pbe_references_fit_pbe_u(make):
    rows = make.references(energy_scale="pbe")
    for row, energy in zip(rows, (-9.86, -1.90, -14.25), strict=True):
        row["energy_eV"] = energy
    rows += [row | {"energy_scale": "pbe+u"} for row in make.pair("u1", 2.51)]
    assert one(rows)["mu_o_eV"] == pytest.approx(-4.93 + 0.68)


@pytest.mark.parametrize(
    ("uid", "text"),
    [
        ("u1p", "pristine u1p: stopped at 500 steps"),
        ("u1v", "vacancy: stopped at 500 steps"),
        ("uO2", "O2 reference uO2: stopped at 500 steps"),
        ("uLi2O", "Li2O reference uLi2O: stopped at 500 steps"),  # the guard uses it
    ],
)
def test_what_is_not_converged_is_named(make, uid, text):
    rows = make.references() + make.pair("u1", 2.51)
    for row in rows:
        if row["uid"] == uid:
            row |= {"converged": False, "reason": "stopped at 500 steps"}
    row = one(rows)
    assert not row["converged"]
    assert row["reason"] == text
    assert row["formation_energy_eV"] == pytest.approx(2.51)


def test_every_failure_is_named_and_none_counts_as_not_converged(make):
    rows = make.references() + make.pair("u1", 2.51)
    for row in rows[-2:]:
        row["converged"] = None
    assert one(rows)["reason"] == "vacancy: not converged; pristine u1p: not converged"


def test_remark_of_a_converged_row_is_kept(make):
    row = one(make.references() + make.pair("u1", 2.51, reason="ions by chgnet"))
    assert row["converged"]
    assert row["reason"] == "ions by chgnet"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"o2_uid": None}, "no O2 reference named"),
        ({"li_uid": float("nan")}, "no Li reference named"),
        ({"li2o_uid": "uX"}, "Li2O reference uX: not among the finished calculations"),
        ({"o2_uid": "uLi"}, "O2 reference uLi: not among the finished calculations"),
    ],
)
def test_missing_reference_leaves_e_f_empty(make, more, text):
    row = one(make.references() + make.pair("u1", 2.51, **more))
    assert math.isnan(row["mu_o_eV"])
    assert math.isnan(row["formation_energy_eV"])
    assert not row["converged"]
    assert row["reason"] == text
    assert row["e_pristine_eV"] == -170.0


@pytest.mark.parametrize("reference", [OxygenReference(), OxygenReference("user", mu_o=-4.9)])
def test_other_elements_get_no_e_f(make, reference):
    row = one(
        make.references() + make.pair("u1", 2.51, removed_element="Li", o2_uid=None), reference
    )
    assert math.isnan(row["formation_energy_eV"])
    assert row["reason"] == "removed element is Li, no mu_O applies"


@pytest.mark.parametrize("uid", [None, "u9p", "uO2"])
def test_pristine_is_never_guessed(make, uid):
    row = one(make.references() + make.pair("u1", 2.51, pristine_uid=uid))
    assert math.isnan(row["formation_energy_eV"])
    assert not row["converged"]
    assert "pristine" in row["reason"]


def test_free_host_is_no_partner(make):
    rows = make.references() + make.pair("u1", 2.51)
    rows.append(make.calculation("u1h", "host", -171.0))
    rows[-2]["pristine_uid"] = "u1h"
    assert math.isnan(one(rows)["formation_energy_eV"])


def test_foreign_scale_takes_an_o2_run_without_shift_and_nothing_else(make):
    foreign = [row | {"energy_scale": "hse06"} for row in make.references() + make.pair("u1", 2.51)]
    assert one(foreign)["formation_energy_eV"] == pytest.approx(2.51)
    row = one(foreign, OxygenReference("Li2O"))
    assert math.isnan(row["formation_energy_eV"])
    assert "hse06" in row["reason"]
    assert "own mu_O" in row["reason"]
    o2_only = [row for row in foreign if row["reference_kind"] not in ("Li", "Li2O")]
    row = one(o2_only)
    assert row["formation_energy_eV"] == pytest.approx(2.51)
    assert row["converged"]
    without = [row for row in foreign if row["kind"] != "reference"]
    assert math.isnan(one(without)["formation_energy_eV"])
    assert "O2 reference" in one(without)["reason"]


def test_guard_is_not_swallowed(campaign):
    with pytest.raises(ReferenceMismatch):
        formation_table(campaign, OxygenReference(shift=0.68))


def test_each_row_takes_the_references_it_names(make):
    other = [row | {"uid": row["uid"] + "b"} for row in make.references()]
    other[0]["energy_eV"] += 0.1
    uids = {"o2_uid": "uO2b", "li_uid": "uLib", "li2o_uid": "uLi2Ob"}
    rows = make.references() + other + make.pair("u1", 2.51) + make.pair("u2", 2.51, **uids)
    table = formation_table(make.frame(rows), OxygenReference())
    assert table["mu_o_eV"].to_numpy() == pytest.approx([make.mu_o, make.mu_o + 0.05])


def test_unusable_tables_are_refused(campaign):
    with pytest.raises(ValueError, match="lacks the columns energy_eV"):
        formation_table(campaign.drop(columns="energy_eV"), OxygenReference())
    twice = pd.concat([campaign, campaign.tail(1)], ignore_index=True)
    with pytest.raises(ValueError, match="more than once"):
        formation_table(twice, OxygenReference())


@pytest.mark.parametrize("references", [False, True])
def test_nothing_gives_an_empty_table(make, references):
    rows = make.references() if references else []
    for reference in (OxygenReference(), OxygenReference("user", mu_o=-4.9)):
        table = formation_table(make.frame(rows), reference)
        assert table.empty
        assert tuple(table.columns) == VACANCY_COLUMNS
    assert formation_table(pd.DataFrame(), OxygenReference()).empty


def test_columns_of_nothing_but_nan(make):
    calculations = make.frame(make.references() + make.pair("u1", 2.51))
    for column in ("reason", "o2_uid", "li_uid", "li2o_uid", "pristine_uid", "removed_element"):
        calculations[column] = np.nan
    row = formation_table(calculations, OxygenReference()).iloc[0]
    assert row["reason"] == "no pristine named; removed element is not known, no mu_O applies"


def test_input_is_left_alone(campaign):
    before = campaign.copy()
    formation_table(campaign, OxygenReference())
    pd.testing.assert_frame_equal(campaign, before)


def test_30_000_rows(make):
    cells = make.frame(make.pair("u", 2.51))
    many = cells.loc[cells.index.repeat(30_000)].reset_index(drop=True)
    number = pd.Series(np.tile(np.arange(30_000), 2).astype(str))
    many["uid"] = many["uid"] + number
    many["pristine_uid"] = ("up" + number).where(many["kind"] == "vacancy")
    calculations = pd.concat([make.frame(make.references()), many], ignore_index=True)
    table = formation_table(calculations, OxygenReference())
    assert len(table) == 30_000
    assert table["converged"].all()
