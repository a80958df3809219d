"""The engine behind the protocol: what it is, what it needs here, what identifies it."""

import json

import pytest
from atomate2 import SETTINGS as ATOMATE2
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import SETTINGS

from vacancy_flows.engines import ENGINES, Engine, get_engine
from vacancy_flows.engines.vasp import VaspSettings, fingerprint
from vacancy_flows.errors import InputError


@pytest.fixture
def here(potcars, tmp_path, monkeypatch):
    """A machine with POTCARs and a vasp_std that does nothing."""
    potcars()
    program = tmp_path / "bin" / "vasp_std"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", "vasp_std")
    return program


def test_it_fills_the_protocol():
    engine = get_engine("vasp")
    assert "vasp" in ENGINES
    assert isinstance(engine, Engine)
    assert (engine.name, engine.energy_scale, engine.uses_moments) == ("vasp", "pbe+u", True)
    assert get_engine("vasp", {"u": "off"}).energy_scale == "pbe"
    assert engine.seconds(12, "vacancy") is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"u": "off"},
        {"preset": "boundary", "incar": {"KPAR": 4}, "bader": False},
        {"kpoints": {"spacing": 0.2}, "potcars": {"Ti": "Ti_pv"}, "encut": 600.0},
    ],
)
def test_settings_come_through_as_they_are(settings):
    engine = get_engine("vasp", settings)
    assert engine.settings == VaspSettings(**settings)
    assert engine.fingerprint() == fingerprint(VaspSettings(**settings))
    back = MontyDecoder().decode(json.dumps(engine, cls=MontyEncoder))
    assert back == engine
    assert back.settings == engine.settings


def test_defaults_are_those_of_the_settings():
    from vacancy_flows.engines.vasp.engine import VaspEngine

    assert VaspEngine().settings == VaspSettings()


@pytest.mark.parametrize("kind", ["O2", "Li", "Li2O"])
def test_a_reference_says_what_it_is(kind):
    reference = get_engine("vasp").reference(kind)
    assert reference.structure.properties == {"reference": kind}
    assert reference.structure.composition.reduced_formula == kind
    if kind == "O2":
        assert reference.structure.lattice.abc == pytest.approx((8.0, 8.1, 8.2))


@pytest.mark.usefixtures("here")
def test_all_is_well():
    get_engine("vasp").check()


def test_a_potcar_of_a_host_is_looked_for(potcars, here):
    engine = get_engine("vasp", {"potcars": {"Ti": "Ti_pv"}})
    engine.check()
    with pytest.raises(InputError, match="POTCAR Ti_pv of Ti is missing"):
        engine.check(["Ti", "O"])


@pytest.mark.usefixtures("here")
def test_no_folder_of_potcars(monkeypatch):
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    with pytest.raises(InputError, match="pmg config --add PMG_VASP_PSP_DIR"):
        get_engine("vasp").check()


def test_no_program(here):
    here.unlink()
    with pytest.raises(InputError, match=r"vasp_std \(of the command 'vasp_std'\) is not on PATH"):
        get_engine("vasp").check()


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("srun vasp_std", "srun "),
        ("mpirun -np 4 vasp_gone", "mpirun and vasp_gone "),
        ("$NOWHERE/vasp_std", "NOWHERE/vasp_std "),
        ("", "VASP "),
    ],
)
@pytest.mark.usefixtures("here")
def test_launchers_count_too(monkeypatch, command, missing):
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", command)
    with pytest.raises(InputError, match="ATOMATE2_VASP_CMD") as caught:
        get_engine("vasp").check()
    assert missing in str(caught.value)


def test_a_container_has_a_path_of_its_own(here, monkeypatch):
    here.with_name("apptainer").symlink_to(here)
    monkeypatch.setattr(ATOMATE2, "VASP_CMD", "apptainer exec vasp.sif vasp_inside")
    get_engine("vasp").check()


@pytest.mark.parametrize("command", ["mpirun vasp_gamma", "srun vasp_std", "/opt/none/vasp_gam"])
def test_the_command_of_o2_is_looked_for_too(here, monkeypatch, command):
    """custodian would take the other one in silence, or start a launcher that is not there."""
    here.with_name("mpirun").symlink_to(here)
    monkeypatch.setattr(ATOMATE2, "VASP_GAMMA_CMD", command)
    missing = "srun" if command.startswith("srun") else command.split()[-1]
    with pytest.raises(InputError, match=rf"^{missing} \(of the command '{command}'\)") as caught:
        get_engine("vasp").check()
    assert "ATOMATE2_VASP_GAMMA_CMD" in str(caught.value)


def test_without_a_command_of_its_own_o2_runs_with_the_other(here, monkeypatch):
    monkeypatch.setattr(ATOMATE2, "VASP_GAMMA_CMD", "vasp_gam")  # atomate2's default
    get_engine("vasp").check()


def test_the_hint_works_on_a_fresh_account(here, monkeypatch):
    """`pmg config --add` writes below ~/.config, which it does not make."""
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    with pytest.raises(InputError) as caught:
        get_engine("vasp").check()
    assert "mkdir -p ~/.config && pmg config --add PMG_VASP_PSP_DIR " in str(caught.value)


def test_all_that_is_missing_is_one_message(here, monkeypatch):
    here.unlink()
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    monkeypatch.setattr(ATOMATE2, "VASP_INCAR_UPDATES", {"ENCUT": 300})
    with pytest.raises(InputError) as caught:
        get_engine("vasp").check()
    for word in ("PMG_VASP_PSP_DIR", "VASP_INCAR_UPDATES", "ATOMATE2_VASP_CMD"):
        assert word in str(caught.value)
