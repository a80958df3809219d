"""Settings of the engine gpaw: what a campaign file may say, and what enters a uid."""

import os

import numpy as np
import pytest
from pydantic import ValidationError

from vacancy_flows.engines import ENGINES, POTENTIALS, Engine, default_prerelax, get_engine
from vacancy_flows.engines.gpaw import GpawSettings, fingerprint
from vacancy_flows.engines.gpaw.calculator import parameters
from vacancy_flows.engines.gpaw.parallel import refusal
from vacancy_flows.engines.kpoints import mesh
from vacancy_flows.errors import InputError
from vacancy_flows.structures import built_in_host


def test_gpaw_is_an_engine_that_takes_moments_and_no_potential():
    engine = get_engine("gpaw")
    assert isinstance(engine, Engine)
    assert "gpaw" in ENGINES
    assert "gpaw" not in POTENTIALS
    assert engine.uses_moments
    assert engine.leaves_files


def test_defaults_are_pbe_u_at_500_ev():
    settings = GpawSettings()
    assert (settings.u, settings.encut, settings.energy_scale) == ({"Mn": 4.2}, 500, "pbe+u")
    assert GpawSettings(u="off").energy_scale == "pbe"
    assert GpawSettings(u={"Mn": 0}).energy_scale == "pbe"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"u": {"O": 3}}, "U is for d and f shells"),
        ({"u": {"Mn": -1}}, "between 0 and 15"),
        ({"u": {"Mx": 1}}, "no element"),
        ({"encut": 50}, "greater than or equal to 200"),
        ({"kpoints": {"mesh": [2, 2, 2]}}, "fixed mesh"),
        ({"ions": "vasp"}, "chgnet-r2scan"),
        ({"ranks": 0}, "greater than or equal to 1"),
        ({"setups": {"Mn": "../x"}}, "no name of a setup"),
        ({"encutt": 500}, "encutt"),
    ],
)
def test_bad_settings_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        GpawSettings(**given)


@pytest.mark.parametrize(
    "change",
    [
        {"encut": 520},
        {"u": {"Mn": 3.9}},
        {"u": "off"},
        {"kpoints": {"density": 1000.0}},
        {"sigma": 0.1},
        {"setups": {"Cr": "14"}},
        {"symmetry": False},
        {"ions": "chgnet"},
    ],
)
def test_what_changes_an_energy_changes_the_fingerprint(change):
    assert fingerprint(GpawSettings(**change)) != fingerprint(GpawSettings())


@pytest.mark.parametrize("change", [{"ranks": 4}, {"bader": True}, {"stress": False}])
def test_what_changes_no_energy_does_not(change):
    assert fingerprint(GpawSettings(**change)) == fingerprint(GpawSettings())


@pytest.mark.parametrize("strain", [-0.1, 0.0, 0.05, 0.2])
def test_the_default_mesh_of_li2mno3_is_cheap_and_even_under_strain(strain):
    policy = GpawSettings().kpoints
    small = built_in_host("Li2MnO3", "primitive").lattice.matrix * (1 + strain)
    large = built_in_host("Li2MnO3", "conventional").lattice.matrix * (1 + strain)
    assert mesh(small, policy) == (2, 2, 2)
    assert mesh(large, policy) == (2, 1, 2)  # the same points in the Brillouin zone


def test_u_is_on_its_shell_and_not_normalised(host12):
    found = parameters(host12, GpawSettings(encut=350, setups={"Mn": "x"}))
    assert found["setups"] == {"Mn": "x:d,4.2,0"}
    assert parameters(host12, GpawSettings(u={"Mn": 4.2, "Gd": 6}))["setups"] == {"Mn": ":d,4.2,0"}
    assert GpawSettings(u={"Gd": 6}).setups_of({"Gd"}) == {"Gd": ":f,6,0"}
    assert parameters(host12, GpawSettings(u="off"))["setups"] == {}
    assert found["kpts"] == {"size": (2, 2, 2), "gamma": True}
    assert found["mode"] == {"name": "pw", "ecut": 350}


def test_references_have_their_own_mesh_and_o2_its_moment():
    engine = get_engine("gpaw")
    given = {
        kind: parameters(engine.reference(kind).structure, engine.settings)
        for kind in ("O2", "Li", "Li2O")
    }
    assert given["O2"]["kpts"]["size"] == (1, 1, 1)
    assert given["O2"]["occupations"]["fixmagmom"]
    assert min(given["Li"]["kpts"]["size"]) >= 12
    assert min(given["Li2O"]["kpts"]["size"]) >= 6
    assert "fixmagmom" not in given["Li2O"]["occupations"]
    o2 = engine.reference("O2").structure
    assert o2.site_properties["magmom"] == [1, 1]
    assert len(set(np.round(o2.lattice.abc, 3))) == 3  # no cubic box: orbitals would mix
    assert "magmom" not in engine.reference("Li").structure.site_properties


def test_hosts_up_to_24_atoms_are_relaxed_by_gpaw():
    settings = GpawSettings()
    assert [settings.relaxer(n) for n in (12, 24, 25)] == ["gpaw", "gpaw", "chgnet"]
    assert GpawSettings(ions="gpaw").relaxer(200) == "gpaw"
    assert GpawSettings(ions="chgnet-r2scan").relaxer(12) == "chgnet-r2scan"


def test_chgnet_goes_before_gpaw_unless_declined(load):
    def wanted(engine, **relax):
        campaign = load(engine=engine, relax=relax)
        return campaign.relax_of(campaign.hosts[0]).prerelax

    assert default_prerelax("gpaw") == "chgnet"
    assert wanted("gpaw") == "chgnet"
    assert wanted("gpaw", prerelax="chgnet-r2scan") == "chgnet-r2scan"
    assert wanted("gpaw", prerelax="none") is None
    assert wanted("vasp") is None
    assert wanted("chgnet") is None


def test_a_potential_that_is_missing_can_be_declined(load, monkeypatch):
    monkeypatch.setattr("vacancy_flows.engines.chgnet.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"relax\.prerelax: .*or decline it with prerelax: none"):
        load(engine="gpaw")
    assert load(engine="gpaw", relax={"prerelax": "none"})


def test_ranks_that_do_not_start_are_refused_with_what_mpiexec_told(tmp_path, monkeypatch):
    fake = tmp_path / "mpiexec"
    fake.write_text(
        '#!/bin/sh\n[ "$2" -le 2 ] && shift 2 && exec "$@"\necho "-----\nno slots" >&2; exit 1'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert refusal(2) == ""
    assert refusal(3) == "no slots"


def test_ranks_of_two_calculations_are_not_bound_to_the_same_cores(tmp_path, monkeypatch):
    fake = tmp_path / "mpiexec"
    fake.write_text("#!/bin/sh\necho $OMPI_MCA_hwloc_base_binding_policy; exit 1")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert refusal(2) == "none"
    monkeypatch.setenv("OMPI_MCA_hwloc_base_binding_policy", "core")  # a user knows better
    assert refusal(2) == "core"


def test_a_gpaw_that_cannot_be_imported_is_an_input_error(monkeypatch):
    def broken(name):
        raise ImportError("libxc.so.9: cannot open shared object file")

    monkeypatch.setattr("vacancy_flows.engines.gpaw.engine.find_spec", lambda _: True)
    monkeypatch.setattr("vacancy_flows.engines.gpaw.engine.import_module", broken)
    with pytest.raises(InputError, match=r"cannot be imported \(libxc\.so\.9: .*compile it again"):
        get_engine("gpaw").check()


def test_the_estimate_of_the_example_is_what_it_took():
    """91 CPU minutes for 16 calculations at 500 eV; a third less at 350 eV, or more."""
    counts = {"host": 1, "pristine": 4, "vacancy": 8, "candidate": 3}

    def minutes(**settings):
        engine = get_engine("gpaw", settings)
        return sum(n * engine.seconds(12, kind) for kind, n in counts.items()) / 60

    assert minutes() == pytest.approx(91, rel=0.1)
    assert minutes(encut=350) < 0.67 * minutes()
