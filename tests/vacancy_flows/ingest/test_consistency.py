"""The guard: every setting in which two calculations differ is named with both values."""

import pytest

from vacancy_flows.consistency import RunSettings, mismatches, same_scale, settings_of
from vacancy_flows.engines.vasp import VaspSettings, fingerprint
from vacancy_flows.engines.vasp.reading import read_run

HOST = RunSettings(
    functional="PBE",
    u={"Mn": 4.2},
    u_scheme="Dudarev",
    encut=520.0,
    prec="accurate",
    potcars={"Li": "Li_sv", "Mn": "Mn_pv", "O": "O"},
    titels={"Li": "PAW_PBE Li_sv", "Mn": "PAW_PBE Mn_pv", "O": "PAW_PBE O 08Apr2002"},
    ismear=0,
    sigma=0.05,
    kmesh="Γ 4×4×4",
    ispin=2,
    version="6.3.0",
    run="ions",
    charge=0.0,
    lasph=True,
    lreal=False,
    addgrid=False,
)
OTHERS = [
    ("functional", {"functional": "PBEsol"}, "PBE", "PBEsol"),
    ("U of Mn", {"u": {"Mn": 3.9}}, 4.2, 3.9),
    ("U of Mn", {"u": {}}, 4.2, 0.0),
    ("scheme of U", {"u_scheme": "LDAUTYPE 1 with J Mn 1"}, "Dudarev", "LDAUTYPE 1 with J Mn 1"),
    ("cutoff", {"encut": 400.0}, 520.0, 400.0),
    ("PREC", {"prec": "normal"}, "accurate", "normal"),
    (
        "POTCAR of O",
        {"titels": {"O": "PAW_PBE O_s 07Sep2000"}},
        "PAW_PBE O 08Apr2002",
        "PAW_PBE O_s 07Sep2000",
    ),
    ("VASP version", {"version": "5.4.4"}, "6.3.0", "5.4.4"),
    ("LASPH", {"lasph": False}, True, False),
    ("charge of the cell", {"charge": 1.0}, 0.0, 1.0),
]
OF_PAIRS = [
    ("ISMEAR", {"ismear": 1}, 0, 1),
    ("SIGMA", {"sigma": 0.2}, 0.05, 0.2),
    ("k-mesh", {"kmesh": "Γ 3×3×3"}, "Γ 4×4×4", "Γ 3×3×3"),
    ("ISPIN", {"ispin": 1}, 2, 1),
    ("LREAL", {"lreal": True}, False, True),
    ("ADDGRID", {"addgrid": True}, False, True),
    ("cell (fixed wanted)", {"run": "cell"}, "fixed", "free"),
]


def told(found):
    return [(m.name, m.value_a, m.value_b) for m in found]


@pytest.mark.parametrize(("name", "change", "first", "second"), OTHERS + OF_PAIRS)
def test_pairs_agree_in_everything(name, change, first, second):
    other = HOST.model_copy(update=change)
    assert told(mismatches(HOST, other, "pair")) == [(name, first, second)]
    assert told(mismatches(other, HOST, "pair")) == [(name, second, first)]


@pytest.mark.parametrize(("name", "change", "first", "second"), OTHERS)
def test_references_agree_in_what_does_not_cancel(name, change, first, second):
    other = HOST.model_copy(update=change)
    assert told(mismatches(HOST, other, "reference")) == [(name, first, second)]


@pytest.mark.parametrize("change", [row[1] for row in OF_PAIRS])
def test_mesh_spin_smearing_and_cell_of_a_reference_are_its_own(change):
    assert mismatches(HOST, HOST.model_copy(update=change), "reference") == []


def test_what_one_side_lacks_is_no_mismatch():
    oxygen = {"u": {}, "potcars": {"O": "O"}, "titels": {"O": "PAW_PBE O 08Apr2002"}}
    assert mismatches(HOST, HOST.model_copy(update=oxygen), "pair") == []  # no LDAU is right
    bare = RunSettings(functional="pbe", u={"Mn": 4.2}, potcars={"Mn": "Mn_pv"})
    assert mismatches(HOST, bare, "pair") == []
    assert mismatches(HOST, HOST.model_copy(update={"version": "6.4.2"}), "pair") == []
    tetrahedra = [HOST.model_copy(update={"ismear": -5, "sigma": s}) for s in (0.05, 0.2)]
    assert mismatches(*tetrahedra, "pair") == []


def test_two_free_cells_are_no_pair():
    free = HOST.model_copy(update={"run": "cell"})
    assert [str(m) for m in mismatches(free, free, "pair")] == [
        "cell (fixed wanted) free against free"
    ]
    assert mismatches(HOST, HOST.model_copy(update={"run": "static"}), "pair") == []


def test_scales():
    without = HOST.model_copy(update={"u": {}})
    assert (HOST.energy_scale, without.energy_scale) == ("pbe+u", "pbe")
    assert HOST.model_copy(update={"functional": "HSE06", "u": {}}).energy_scale == "hse06"
    assert same_scale(HOST, without, "reference")
    assert not same_scale(HOST, without, "pair")


def test_real_runs(real):
    bulk, vacancy, oxygen = (read_run(p).settings for p in (real.bulk, real.vacancy, real.oxygen))
    assert mismatches(vacancy, bulk, "pair") == []
    found = {m.name: (m.value_a, m.value_b) for m in mismatches(bulk, oxygen, "reference")}
    assert found["functional"] == ("PBEsol", "HSE06")
    assert found["cutoff"] == (420, 620)
    assert set(found) == {"functional", "cutoff", "VASP version"}


def test_records_of_the_engine_and_runs_compare(make_record, made):
    """A fingerprint alone says what was asked for; a finished run what was done."""
    settings = VaspSettings(u={"Mn": 4.2}, kpoints={"density": 1000.0})
    given = {"engine": "vasp", "energy_scale": "pbe+u", "fingerprint": fingerprint(settings)}
    asked = settings_of(make_record(record=given))
    assert asked.potcars == {"Li": "Li_sv", "Mn": "Mn_pv", "O": "O"}
    assert asked.kmesh.startswith("Γ ")
    done = read_run(made / "pristine").settings.model_copy(update={"kmesh": asked.kmesh})
    assert mismatches(asked, done, "pair") == []
    finished = make_record(result={"provenance": {"settings": done.model_dump()}}, record=given)
    assert settings_of(finished) == done
    reference = settings_of(make_record(kind="reference", record=given))
    assert (reference.kmesh, reference.ismear, reference.ispin) == (None, None, None)
    assert settings_of(make_record()) is None  # of CHGNet
