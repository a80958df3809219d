"""Chemical potentials on each energy scale, and the guard. CHGNet numbers: science.md §2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy_flows.analysis import (
    LI2O_FORMATION_ENTHALPY,
    OxygenReference,
    ReferenceMismatch,
    ReferenceUnavailable,
    check_references,
    chemical_potential,
    mu_o_from_li2o,
    mu_o_from_o2,
    oxygen_shift,
    oxygen_thermal_term,
)

CHGNET = {"O2": -9.637, "Li": -1.880, "Li2O": -14.781}
# Raw PBE, made up so that ½E(O2) + 0.68 agrees with the Li2O route.
PBE = {"O2": -9.86, "Li": -1.90, "Li2O": -14.25}


def test_li2o_enthalpy_is_the_nbs_value():
    assert pytest.approx(-597.94 / 96.48533, abs=1e-4) == LI2O_FORMATION_ENTHALPY


def test_chgnet_routes_agree():
    from_o2 = mu_o_from_o2(CHGNET["O2"], oxygen_shift("mp2020"))
    from_li2o = mu_o_from_li2o(CHGNET["Li2O"], CHGNET["Li"], LI2O_FORMATION_ENTHALPY)
    assert from_o2 == pytest.approx(-4.819, abs=2e-3)
    assert from_li2o == pytest.approx(-4.823, abs=2e-3)
    check_references(from_o2, from_li2o)


def test_shift_raises_mu_o():
    assert mu_o_from_o2(-9.86, 0.68) == pytest.approx(-4.93 + 0.68)
    assert mu_o_from_o2(-9.86, 0.68) > mu_o_from_o2(-9.86, 0.0)


@given(st.floats(-20, 0), st.floats(-5, 0), st.floats(-8, -4), st.floats(0.01, 1))
def test_signs_of_the_li2o_route(e_li2o, e_li, enthalpy, step):
    base = mu_o_from_li2o(e_li2o, e_li, enthalpy)
    assert mu_o_from_li2o(e_li2o + step, e_li, enthalpy) == pytest.approx(base + step)
    assert mu_o_from_li2o(e_li2o, e_li + step, enthalpy) == pytest.approx(base - 2 * step)
    assert mu_o_from_li2o(e_li2o, e_li, enthalpy + step) == pytest.approx(base - step)


@pytest.mark.parametrize(
    ("scale", "shift"), [("pbe", 0.68), ("pbe+u", 0.68), ("mp2020", 0.0), ("r2scan", 0.0)]
)
def test_shift_of_each_scale(scale, shift):
    assert oxygen_shift(scale) == shift


@pytest.mark.parametrize("scale", ["pbesol", "hse06", "PBE", ""])
def test_other_scales_have_no_shift_of_their_own(scale):
    with pytest.raises(ValueError, match=r"own mu_O.*shift 0.*same scale"):
        oxygen_shift(scale)


def test_guard_refuses_the_double_shift_and_names_everything():
    with pytest.raises(ReferenceMismatch) as caught:
        chemical_potential(OxygenReference(shift=0.68), "mp2020", CHGNET)
    message = str(caught.value)
    for part in ("-4.139", "-4.824", "+0.685", "counted twice"):
        assert part in message


@pytest.mark.parametrize("kelvin", [0.0, 1000.0])
def test_guard_runs_before_the_thermal_term(kelvin):
    # at 1000 K the thermal term of -1.1 eV must neither cause nor hide a mismatch
    reference = OxygenReference(temperature=kelvin)
    term = oxygen_thermal_term(kelvin)
    assert chemical_potential(reference, "mp2020", CHGNET) == pytest.approx(-4.8185 + term)
    with pytest.raises(ReferenceMismatch):
        chemical_potential(OxygenReference(temperature=kelvin, shift=0.68), "mp2020", CHGNET)


def test_guard_also_runs_for_the_li2o_scheme():
    assert chemical_potential(OxygenReference("Li2O"), "mp2020", CHGNET) == pytest.approx(-4.8238)
    with pytest.raises(ReferenceMismatch):  # corrected energies called raw: +0.68 is wrong there
        chemical_potential(OxygenReference("Li2O"), "pbe", CHGNET)


def test_guard_names_a_missing_shift():
    with pytest.raises(ReferenceMismatch, match="missing"):
        chemical_potential(OxygenReference(shift=0.0), "pbe", PBE)


@given(st.floats(-9, -1), st.floats(-1, 1))
def test_guard_is_symmetric_with_0_2_ev(mu_o, difference):
    if abs(difference) < 0.2 - 1e-9:
        check_references(mu_o + difference, mu_o)
    elif abs(difference) > 0.2 + 1e-9:
        with pytest.raises(ReferenceMismatch):
            check_references(mu_o + difference, mu_o)


def test_raw_pbe_takes_the_shift():
    value = chemical_potential(OxygenReference(), "pbe", PBE)
    assert value == pytest.approx(0.5 * PBE["O2"] + 0.68)
    assert chemical_potential(OxygenReference(), "pbe+u", PBE) == value


@pytest.mark.parametrize(
    ("scheme", "scale", "energies", "variant"),
    [
        ("O2", "pbe", PBE, "298K"),
        ("O2", "pbe+u", PBE, "298K"),
        ("Li2O", "pbe", PBE, "298K"),
        ("O2", "mp2020", CHGNET, "298K"),
        ("Li2O", "mp2020", CHGNET, "298K"),
        ("O2", "r2scan", CHGNET, "0K"),
        ("Li2O", "r2scan", CHGNET, "298K"),
    ],
)
def test_thermal_variant_of_each_scheme_and_scale(scheme, scale, energies, variant):
    cold = chemical_potential(OxygenReference(scheme), scale, energies)
    warm = chemical_potential(OxygenReference(scheme, 500.0, 0.21), scale, energies)
    assert warm - cold == pytest.approx(oxygen_thermal_term(500.0, 0.21, variant))


def test_foreign_scale_takes_o2_without_shift_only():
    bare = chemical_potential(OxygenReference(shift=0.0, temperature=300.0), "pbesol", CHGNET)
    assert bare == pytest.approx(-4.8185 + oxygen_thermal_term(300.0, variant="0K"))
    alone = chemical_potential(OxygenReference(), "pbesol", {"O2": CHGNET["O2"]})
    assert alone == pytest.approx(-4.8185)  # the one route there is
    assert "not corrected" in OxygenReference().label("pbesol")
    for reference in (OxygenReference(shift=0.1), OxygenReference("Li2O")):
        with pytest.raises(ReferenceUnavailable, match="pbesol"):
            chemical_potential(reference, "pbesol", CHGNET)


def test_user_value_is_taken_as_it_is():
    reference = OxygenReference("user", temperature=1000.0, pressure=0.21, mu_o=-4.9)
    assert chemical_potential(reference, "hse06", {}) == -4.9
    assert chemical_potential(OxygenReference("user", mu_o=0.0), "pbe", {}) == 0.0


@pytest.mark.parametrize("scheme", ["O2", "Li2O"])
def test_missing_energies_are_named(scheme):
    with pytest.raises(ReferenceUnavailable, match="Li, Li2O"):
        chemical_potential(OxygenReference(scheme), "mp2020", {"O2": -9.6, "Li": float("nan")})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheme": "o2"}, "'O2', 'Li2O' or 'user'"),
        ({"scheme": "user"}, "needs mu_o"),
        ({"mu_o": -4.9}, "use scheme 'user'"),
        ({"scheme": "Li2O", "mu_o": -4.9}, "use scheme 'user'"),
        ({"scheme": "Li2O", "shift": 0.0}, "scheme 'O2' only"),
        ({"scheme": "user", "mu_o": -4.9, "shift": 0.0}, "scheme 'O2' only"),
        ({"shift": float("nan")}, "shift is nan"),
        ({"scheme": "user", "mu_o": float("inf")}, "mu_o is inf"),
        ({"li2o_enthalpy": float("nan")}, "li2o_enthalpy is nan"),
        ({"temperature": 50.0}, "0 \\(no thermal term\\) or 100 to 2000"),
        ({"temperature": float("nan")}, "0 \\(no thermal term\\) or 100 to 2000"),
        ({"pressure": 0.0}, "above zero"),
    ],
)
def test_contradictions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OxygenReference(**arguments)


@pytest.mark.parametrize(
    ("reference", "scale", "label"),
    [
        (OxygenReference(), "mp2020", "O2 (½E(O2), no shift), no thermal term"),
        (
            OxygenReference(temperature=300.0, pressure=0.21),
            "pbe",
            "O2 (½E(O2) + 0.68 eV), 300 K, 0.21 bar, thermal term ½[H-H298-TS]",
        ),
        (
            OxygenReference(temperature=300.0),
            "r2scan",
            "O2 (½E(O2), no shift), 300 K, 1 bar, thermal term ½[H-H0-TS]",
        ),
        (OxygenReference("Li2O"), "pbe", "Li2O (ΔH = -6.1972 eV), no thermal term"),
        (
            OxygenReference("user", mu_o=-4.9),
            "hse06",
            "user (mu_O = -4.900 eV as given; 0 K, 1 bar are labels only)",
        ),
        (
            OxygenReference(),
            "hse06",
            "O2 (½E(O2), no shift: the overbinding of hse06 is not corrected), no thermal term",
        ),
        (OxygenReference("Li2O"), "hse06", "Li2O (does not apply to energy scale hse06)"),
    ],
)
def test_labels(reference, scale, label):
    assert reference.label(scale) == label
