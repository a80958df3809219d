"""POTCARs (synthetic): found, identified, and refused in one message."""

import hashlib

import pytest
from pymatgen.core import SETTINGS
from pymatgen.io.vasp.inputs import Potcar

from vacancy_flows.engines.vasp import VaspSettings
from vacancy_flows.engines.vasp.potcars import check_potcars
from vacancy_flows.errors import InputError

HOST = ["Mn", "Li", "O", "Li"]


def message(elements=HOST, **settings):
    with pytest.raises(InputError) as caught:
        check_potcars(elements, VaspSettings(**settings))
    return str(caught.value)


def test_both_presets_find_their_potcars(potcars):
    potcars()
    found = check_potcars(HOST, VaspSettings())
    assert {element: potcar["symbol"] for element, potcar in found.items()} == {
        "Li": "Li_sv",
        "Mn": "Mn_pv",
        "O": "O",
    }
    found = check_potcars([*HOST, "Ni", "Co"], VaspSettings(preset="boundary"))
    assert found["O"]["titel"] == "PAW_PBE O_s 01Jan2000"
    assert found["O"]["enmax"] == pytest.approx(282.853)
    assert found["Mn"]["electrons"] == 7
    assert not found["Mn"]["known"]  # synthetic


def test_the_hash_is_that_of_the_file(potcars):
    directory = potcars()
    file = directory / "POT_GGA_PAW_PBE_54" / "Mn_pv" / "POTCAR"
    found = check_potcars(HOST, VaspSettings())["Mn"]["sha256"]
    assert found == hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(file.read_text().replace("   1.0\n", "   1.1\n"))
    assert check_potcars(HOST, VaspSettings())["Mn"]["sha256"] != found


def test_pymatgen_takes_the_same_files(potcars):
    potcars()
    with pytest.warns(UserWarning, match="not known to pymatgen"):
        potcar = Potcar(["Li_sv", "Mn_pv", "O"], functional="PBE_54")
    assert [single.ENMAX for single in potcar] == [499.034, 269.864, 400.0]


@pytest.mark.parametrize("functional", ["PBE", "PBE_52", "PBE_54", "PBE_64"])
def test_every_release_has_its_folder(potcars, functional):
    potcars()
    assert check_potcars(HOST, VaspSettings(potcar_functional=functional))


def test_files_named_by_symbol_and_compressed_are_found(potcars):
    folder = potcars() / "POT_GGA_PAW_PBE_54"
    (folder / "O" / "POTCAR").rename(folder / "POTCAR.O")
    assert check_potcars(["O"], VaspSettings())["O"]["symbol"] == "O"


def test_no_psp_dir(monkeypatch):
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR", raising=False)
    found = message()
    assert "PMG_VASP_PSP_DIR is not set" in found
    assert "pmg config -p" in found


def test_a_psp_dir_that_is_none(potcars, monkeypatch, tmp_path):
    potcars()
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path / "elsewhere"))
    found = message()
    assert str(tmp_path / "elsewhere" / "POT_GGA_PAW_PBE_54") in found
    assert "PMG_VASP_PSP_DIR" in found


def test_missing_symbols_are_all_named_with_the_files_looked_for(potcars):
    folder = potcars() / "POT_GGA_PAW_PBE_54"
    for symbol in ("Mn_pv", "O"):
        (folder / symbol / "POTCAR").unlink()
    found = message()
    assert "POTCAR Mn_pv of Mn is missing" in found
    assert "POTCAR O of O is missing" in found
    assert f"{folder}/POTCAR.Mn_pv or {folder}/Mn_pv/POTCAR" in found


def test_an_element_without_a_choice(potcars):
    potcars()
    assert "no POTCAR is chosen for Ti" in message(["Ti", "O"])


def test_a_cutoff_below_an_enmax(potcars):
    potcars()
    found = message(encut=353.6)
    assert "353.6 eV is below ENMAX of Li_sv (499.034 eV), O (400 eV)" in found
    assert found.startswith("settings.encut")
    check_potcars(HOST, VaspSettings(encut=499.034))


def test_enmax_is_read_from_the_file(potcars):
    potcars({"O": 520.5})
    assert "ENMAX of O (520.5 eV)" in message()


@pytest.mark.parametrize("text", ["", "rubbish", " parameters from PSCTR are:\n"])
def test_a_damaged_file_is_named(potcars, text):
    file = potcars() / "POT_GGA_PAW_PBE_54" / "O" / "POTCAR"
    file.write_text(text)
    assert f"{file} cannot be read as a POTCAR" in message()


def test_a_potcar_of_another_element_or_functional(potcars):
    folder = potcars() / "POT_GGA_PAW_PBE_54"
    (folder / "O" / "POTCAR").write_text((folder / "Li" / "POTCAR").read_text())
    assert "is a POTCAR of Li for PBE, not of O for PBE" in message()
    text = (folder / "O_s" / "POTCAR").read_text().replace("LEXCH  = PE", "LEXCH  = CA")
    (folder / "O" / "POTCAR").write_text(text)
    assert "is a POTCAR of O for Perdew-Zunger81, not of O for PBE" in message()
