"""Settings: presets, what may be overridden, and what an identity holds."""

import json
import subprocess
import sys

import pytest
from atomate2 import SETTINGS
from pydantic import ValidationError

from vacancy_flows.engines.vasp import VaspSettings, fingerprint
from vacancy_flows.engines.vasp.incar import NO_ENERGY, OWNED, check_incar, check_site_updates
from vacancy_flows.errors import InputError


def test_paper_a_is_the_default():
    settings = VaspSettings()
    assert settings == VaspSettings(preset="liu2022")
    assert (settings.u, settings.encut, settings.energy_scale) == ({"Mn": 4.2}, 520.0, "pbe+u")
    assert settings.potcars["Li"] == "Li_sv"


def test_paper_b():
    settings = VaspSettings(preset="boundary")
    assert settings.u == {"Ni": 6.2, "Co": 3.32, "Mn": 3.9}
    assert (settings.encut, settings.ismear, settings.sigma) == (353.6, 0, 0.05)
    assert settings.kpoints.length == 30.0
    assert settings.potcars == {"Li": "Li", "Mn": "Mn", "Ni": "Ni", "Co": "Co", "O": "O_s"}


def test_353_6_is_125_percent_of_the_soft_oxygen():
    assert VaspSettings(preset="boundary").encut == pytest.approx(1.25 * 282.853, abs=0.1)


@pytest.mark.parametrize("u", ["off", {}, {"Mn": 0}])
def test_without_u_the_scale_is_pbe(u):
    settings = VaspSettings(preset="boundary", u=u)
    assert (settings.u, settings.energy_scale) == ({}, "pbe")


def test_u_replaces_the_preset_and_potcars_add_to_it():
    settings = VaspSettings(u={"Ni": 6}, potcars={"Ti": "Ti_sv"})
    assert settings.u == {"Ni": 6.0}
    assert settings.potcar_of("Ti") == "Ti_sv"
    assert settings.potcar_of("Mn") == "Mn_pv"


def test_settings_survive_json():
    settings = VaspSettings(preset="boundary", u="off", incar={"NCORE": 4}, bader=False)
    assert VaspSettings(**json.loads(json.dumps(settings.model_dump()))) == settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"u": {"O": 4}}, "U of O: U is for d and f shells"),
        ({"u": {"Xx": 4}}, "'Xx' is no element"),
        ({"u": {"Mn": "4"}}, "U of Mn is a number of eV, not '4'"),
        ({"u": {"Mn": True}}, "U of Mn is a number"),
        ({"u": {"Mn": 42}}, "between 0 and 15 eV"),
        ({"u": {"Mn": float("nan")}}, "between 0 and 15 eV"),
        ({"u": 4.2}, "give eV per element"),
        ({"potcars": {"Mn": "Ni_pv"}}, "'Ni_pv' is no POTCAR of Mn"),
        ({"potcars": {"N": "Ni"}}, "'Ni' is no POTCAR of N"),
        ({"potcars": {"O": "../O"}}, "no POTCAR of O"),
        ({"potcars": {"Oxygen": "O"}}, "'Oxygen' is no element"),
        ({"potcars": "O"}, "potcars"),
        ({"preset": "liu"}, "preset"),
        ({"preset": []}, "preset"),
        ({"encut": "520"}, "encut"),
        ({"encut": 0}, "encut"),
        ({"ismear": -5}, "ismear"),
        ({"sigma": 0}, "sigma"),
        ({"kpoints": {"mesh": [11, 11, 11]}}, "a fixed mesh"),
        ({"kpoints": 30}, "kpoints"),
        ({"ENCUT": 520}, "ENCUT"),
        ({"potcar_functional": "LDA"}, "potcar_functional"),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        VaspSettings(**given)


def test_an_element_without_a_potcar_is_named_with_one():
    with pytest.raises(InputError, match=r"settings.potcars: no POTCAR .* for Ti: .*\{Ti: Ti_sv\}"):
        VaspSettings().potcar_of("Ti")


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"ENCUTT": 500}, r"ENCUTT is no INCAR tag: did you mean 'ENCUT'\?"),
        ({"NONSENSE_TAG": 1}, "NONSENSE_TAG is no INCAR tag"),
        ({"EDIFF": -1e-5}, "EDIFF is -1e-05: it is above 0"),
        ({"NELM": 0}, "NELM is 0: it is above 0"),
        ({"LASPH": ".TRUE."}, "LASPH takes true or false, not '.TRUE.'"),
        ({"LASPH": 1}, "LASPH takes true or false, not 1"),
        ({"NELM": 100.5}, "NELM takes a whole number, not 100.5"),
        ({"NELM": True}, "NELM takes a whole number, not True"),
        ({"EDIFF": "1e-6"}, "EDIFF takes a number, not '1e-6'"),
        ({"EDIFF": float("inf")}, "EDIFF takes a number, not inf"),
        ({"EDIFF": None}, "EDIFF takes a number, not None"),
        ({"LREAL": 3}, "LREAL takes true or false or a word, not 3"),
        ({"PREC": ""}, "PREC takes a word"),
        ({"PREC": "Accurat"}, "PREC cannot be 'Accurat' here"),
        ({"ISYM": 7}, "ISYM cannot be 7 here: it is one of -1, 0, 1, 2, 3"),
        ({"ALGO": "Exact"}, "ALGO cannot be 'Exact' here"),
        ({"IBRION": 0}, "IBRION cannot be 0 here: it is one of 1, 2, 3"),
        ({"LANGEVIN_GAMMA": 10}, "LANGEVIN_GAMMA takes a list of numbers, not 10"),
        ({"NCORE": 2, "ncore": 4}, "NCORE is given twice"),
        ({"ML_MODE": "run"}, "ML_MODE cannot be overridden"),
        ({"encut": 500}, "ENCUT cannot be overridden: set `encut` instead"),
        ({"LDAUU": [0, 4, 0]}, "LDAUU cannot be overridden: set `u`"),
        ({"GGA": "PS"}, "GGA cannot be overridden: the functional is PBE"),
        ({"EDIFFG": -0.02}, "set relax.fmax of the campaign"),
        ({"MAGMOM": [1, 2]}, "set magnetism.moments"),
        ({"NBANDS": 200}, "VASP chooses it"),
    ],
)
def test_incar_overrides_that_are_refused_name_the_tag(tags, message):
    with pytest.raises(ValidationError, match=message):
        VaspSettings(incar=tags)


@pytest.mark.parametrize(
    "tag",
    [
        "ENCUT",
        "ISMEAR",
        "SIGMA",
        "LDAU",
        "LDAUU",
        "LDAUL",
        "LDAUJ",
        "LDAUTYPE",
        "GGA",
        "METAGGA",
        "LHFCALC",
        "IVDW",
        "NSW",
        "EDIFFG",
        "ISIF",
        "ISPIN",
        "MAGMOM",
        "NUPDOWN",
        "KSPACING",
        "NELECT",
        "LCHARG",
        "LAECHG",
        "ISTART",
        "ICHARG",
        "LORBIT",
        "NGXF",
    ],
)
def test_what_the_consistency_of_ef_rests_on_is_owned(tag):
    assert tag in OWNED


def test_allowed_overrides_come_back_in_one_spelling():
    given = {"prec": "accurate", "Algo": "veryfast", "EDIFF": 1, "lreal": "auto", "NCORE": 4}
    wanted = {"PREC": "Accurate", "ALGO": "VeryFast", "EDIFF": 1.0, "LREAL": "Auto", "NCORE": 4}
    assert check_incar(given) == wanted
    assert check_incar(wanted) == wanted
    assert check_incar({"LREAL": False}) == {"LREAL": False}


def test_the_fingerprint_is_json_and_the_same_for_other_spellings():
    one = VaspSettings(incar={"PREC": "accurate", "EDIFF": 1e-7}, u={"Ni": 6, "Mn": 4})
    two = VaspSettings(incar={"ediff": 1e-7, "prec": "Accurate"}, u={"Mn": 4.0, "Ni": 6.0})
    assert json.dumps(fingerprint(one)) == json.dumps(fingerprint(two))


@pytest.mark.parametrize(
    "change",
    [
        {"u": "off"},
        {"u": {"Mn": 3.9}},
        {"encut": 500.0},
        {"kpoints": {"length": 30.0}},
        {"ismear": 1},
        {"sigma": 0.1},
        {"potcars": {"O": "O_s"}},
        {"potcar_functional": "PBE_64"},
        {"incar": {"PREC": "Normal"}},
        {"incar": {"LREAL": "Auto"}},
        {"incar": {"ISYM": 2}},
        {"incar": {"ADDGRID": True}},
        {"preset": "boundary"},
    ],
)
def test_what_changes_an_energy_changes_the_fingerprint(change):
    assert fingerprint(VaspSettings(**change)) != fingerprint(VaspSettings())


@pytest.mark.parametrize(
    "change",
    [
        {"bader": False},
        {"incar": {"NCORE": 4, "KPAR": 2, "LWAVE": False}},
        {"incar": {"ALGO": "All", "NELM": 300, "AMIX": 0.1}},
        {"incar": {"PREC": "Accurate"}},
        {"u": {"Mn": 4.2, "Ni": 0}},
    ],
)
def test_what_changes_no_energy_does_not(change):
    assert fingerprint(VaspSettings(**change)) == fingerprint(VaspSettings())


def test_every_tag_without_an_energy_is_a_tag():
    from pymatgen.io.vasp.inputs import Incar

    assert set(Incar.INCAR_PARAMS) >= NO_ENERGY


def test_atomate2s_own_updates_may_not_change_energies(monkeypatch):
    monkeypatch.setattr(SETTINGS, "VASP_INCAR_UPDATES", {"NCORE": 4, "ALGO": "All"})
    check_site_updates()
    monkeypatch.setattr(SETTINGS, "VASP_INCAR_UPDATES", {"NCORE": 4, "prec": "Normal"})
    with pytest.raises(InputError, match="VASP_INCAR_UPDATES holds PREC"):
        check_site_updates()
    monkeypatch.setattr(SETTINGS, "VASP_INCAR_UPDATES", {"ISTART": 1})
    with pytest.raises(InputError, match="VASP_INCAR_UPDATES holds ISTART"):
        check_site_updates()


def test_settings_load_no_vasp_modules():
    code = (
        "import sys; from vacancy_flows.engines.vasp import VaspSettings, fingerprint; "
        "fingerprint(VaspSettings()); "
        "print([m for m in sys.modules if m.startswith(('pymatgen.io.vasp', 'atomate2'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
