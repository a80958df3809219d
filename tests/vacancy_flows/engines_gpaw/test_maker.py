"""The Maker with GPAW itself, on systems of two atoms; skipped where GPAW is missing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Lattice, Structure

from vacancy_flows.consistency import RunSettings, mismatches
from vacancy_flows.engines import get_engine
from vacancy_flows.engines.gpaw import calculator as calculators
from vacancy_flows.engines.gpaw.calculator import LOG
from vacancy_flows.engines.gpaw.makers import prepared
from vacancy_flows.engines.gpaw.parallel import relax_in_parallel
from vacancy_flows.engines.gpaw.restart import NOTE
from vacancy_flows.errors import EngineError, InputError

cgpaw = pytest.importorskip("gpaw.cgpaw", reason="GPAW is not installed (extra gpaw)")

MPI = cgpaw.have_mpi and shutil.which("mpiexec") is not None
QUICK = {"encut": 200.0, "kpoints": {"length": 1.0}, "stress": False}


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return get_engine("gpaw", QUICK)


@pytest.fixture
def h2():
    """A stretched molecule in a small box; hydrogen needs few plane waves."""
    return Structure(
        Lattice.orthorhombic(2.6, 2.8, 3.4),
        ["H", "H"],
        [[0, 0, 0], [0, 0, 0.85]],
        coords_are_cartesian=True,
        site_properties={"label": ["H-a-1", "H-a-2"]},
    )


def rock_salt():
    """LiH, its two atoms at rest by symmetry."""
    sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.1), ["Li", "H"], sites)
    return cell.get_primitive_structure()


def test_a_molecule_is_relaxed_with_its_log_in_a_file(engine, h2, capfd):
    result = engine.relax_maker("fixed", 0.1, 20, name="quick").relax(h2)
    assert capfd.readouterr().out == ""
    assert "Converged in" in Path(LOG).read_text()
    assert result.converged
    assert result.reason == "forces below fmax"
    assert result.max_force <= 0.1
    assert result.energy < engine.static_maker().relax(h2).energy - 0.01
    assert 0.8 < result.structure.get_distance(0, 1) < 1.0  # long, in so small a box
    assert result.moments is None  # no moments asked for: no spin
    assert result.stress is None  # of no use without the part of the basis
    assert result.structure.site_properties["label"] == ["H-a-1", "H-a-2"]
    assert result.force_calls >= result.n_steps > 0
    provenance = result.provenance
    assert provenance["gpaw"]
    assert len(provenance["setups"]["H"]["sha256"]) == 64
    settings = RunSettings.model_validate(provenance["settings"])
    assert (settings.code, settings.encut) == ("GPAW", 200)
    other = settings.model_copy(update={"encut": 250.0, "titels": {"H": "H.PBE 00000000"}})
    assert {m.name for m in mismatches(settings, other, "pair")} == {"cutoff", "POTCAR of H"}


def test_a_relaxation_goes_on_where_it_was_killed(engine, h2, tmp_path, monkeypatch):
    cut = engine.relax_maker("fixed", 0.05, 3, name="a title")
    job = cut.make(h2)
    run_locally(job, create_folders=True, root_dir=tmp_path / "first", raise_immediately=True)
    (note,) = (tmp_path / "first").glob(f"*/{NOTE}")
    best = json.loads(note.read_text())["energy"]

    def go_on(name, folder):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        return engine.relax_maker("fixed", 0.05, 20, name=name).relax(h2, tmp_path / "first")

    result = go_on("a title", "second")
    fresh = go_on("another title", "third")
    assert result.provenance["restarted"]
    assert not fresh.provenance["restarted"]
    assert result.converged
    assert result.energy <= best + 1e-4
    assert result.energy == pytest.approx(fresh.energy, abs=2e-3)
    assert result.force_calls < fresh.force_calls


def test_an_energy_that_was_killed_is_done_again_and_not_counted(engine, h2, monkeypatch):
    maker = engine.relax_maker("fixed", 0.05, 20, name="killed")
    converged = calculators.GpawCalculator._converged

    def killed(self):
        if self.calls == 2:
            raise KeyboardInterrupt
        return converged(self)

    with monkeypatch.context() as patch:
        patch.setattr(calculators.GpawCalculator, "_converged", killed)
        with pytest.raises(KeyboardInterrupt):
            maker.relax(h2)
    best = json.loads(Path(NOTE).read_text())["energy"]  # of the two that were finished
    result = maker.relax(h2)
    assert result.provenance["restarted"]
    assert result.converged
    assert result.energy < best
    assert Path(LOG).read_text().count("Converged in") == 2 + result.force_calls


KILLED = """
import json, os, signal, sys
from pymatgen.core import Structure
from vacancy_flows.engines import get_engine
from vacancy_flows.engines.gpaw import calculator

class Log:
    def __init__(self, file):
        self.file, self.cycles, self.iterations = file, 0, 0
    def __getattr__(self, name):
        return getattr(self.file, name)
    def write(self, text):
        self.file.write(text)
        self.file.flush()
        self.cycles += text.count("Converged in")
        self.iterations += self.cycles == 2 and text.startswith("|iter:")
        if self.iterations == 3:
            os.kill(os.getpid(), signal.SIGKILL)

settings, cell = json.load(sys.stdin)
log = Log(open(calculator.LOG, "a", encoding="utf-8"))
new = calculator.GpawCalculator.__init__
def with_log(self, *args):
    new(self, *args)
    self._log = log
calculator.GpawCalculator.__init__ = with_log
maker = get_engine("gpaw", settings).relax_maker("fixed", 0.05, 20, name="killed")
maker.relax(Structure.from_dict(cell))
"""


def test_kill_9_in_the_middle_of_self_consistency_loses_that_energy_alone(engine, h2):
    task = json.dumps([QUICK, h2.as_dict()])
    done = subprocess.run([sys.executable, "-c", KILLED], input=task, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    log = Path(LOG).read_text()
    assert log.count("Converged in") == 2
    assert "iter:   3" in log[log.rindex("Converged in") :]  # in the middle of the third
    result = engine.relax_maker("fixed", 0.05, 20, name="killed").relax(h2)
    assert result.provenance["restarted"]
    assert result.converged
    assert Path(LOG).read_text().count("Converged in") == 2 + result.force_calls
    whole = engine.relax_maker("fixed", 0.05, 20, name="whole").relax(h2)
    assert result.energy == pytest.approx(whole.energy, abs=2e-3)
    assert result.force_calls < whole.force_calls


def test_self_consistency_that_fails_is_an_error_after_a_second_try(engine, h2, monkeypatch):
    monkeypatch.setattr(calculators, "_MAX_ITERATIONS", 2)
    with pytest.raises(EngineError, match=rf"did not converge in 2 iterations, twice: see .*{LOG}"):
        engine.static_maker().relax(h2)


def test_initial_moments_decide_and_come_out(engine):
    atom = Structure(Lattice.orthorhombic(3.0, 3.2, 3.4), ["H"], [[0, 0, 0]])
    spin = atom.copy(site_properties={"magmom": [1.0]})
    without, with_spin = (engine.static_maker().relax(cell) for cell in (atom, spin))
    assert without.moments is None
    assert with_spin.provenance["total_moment"] == pytest.approx(1, abs=0.01)
    assert with_spin.moments[0] > 0.1  # of a sphere; the atom has 1 µB
    assert with_spin.structure.site_properties["magmom"] == with_spin.moments
    assert with_spin.energy < without.energy - 0.1
    down = engine.static_maker().relax(atom.copy(site_properties={"magmom": [-1.0]}))
    assert down.moments[0] == pytest.approx(-with_spin.moments[0], abs=1e-3)


def test_a_host_without_moments_may_have_a_vacancy_with_some(engine):
    """Of LiCoO2, say: its moments are known, to be zero, and its spin is no mismatch."""
    atom = Structure(Lattice.orthorhombic(3.0, 3.2, 3.4), ["H"], [[0, 0, 0]])
    without, with_spin = (
        engine.static_maker().relax(atom.copy(site_properties={"magmom": [moment]}))
        for moment in (0.0, 1.0)
    )
    assert without.moments == [0.0]
    assert without.structure.site_properties["magmom"] == [0.0]
    settings = (
        RunSettings.model_validate(result.provenance["settings"]) for result in (without, with_spin)
    )
    assert mismatches(*settings, "pair") == []


def test_masked_atoms_stay(engine, h2):
    cell = h2.copy()
    cell.add_site_property("selective_dynamics", [[False] * 3, [True] * 3])
    result = engine.relax_maker("fixed", 0.1, 20).relax(cell)
    step = np.linalg.norm(result.structure.cart_coords - cell.cart_coords, axis=1)
    assert step[0] < 1e-10
    assert step[1] > 0.01


def test_a_free_cell_ends_at_the_minimum_of_its_scan(engine):
    cell = Structure(Lattice.cubic(1.5), ["H"], [[0, 0, 0]])  # atomic hydrogen, a metal
    settings = {**QUICK, "encut": 300.0, "kpoints": {"length": 8.0}}
    result = get_engine("gpaw", settings).relax_maker("free", 0.05, 5).relax(cell)
    found = result.provenance["cell"]
    assert len(found["scan"]) == 5
    ratio = result.structure.lattice.a / cell.lattice.a
    assert ratio == pytest.approx(found["scale"])
    assert result.structure.lattice.angles == pytest.approx(cell.lattice.angles)
    energies = [energy for _, energy in found["scan"]]
    assert result.energy < min(energies) + 0.005 < max(energies)
    # what is left of the stress, less that of the basis: 1 % of the lattice vectors
    assert abs(np.trace(result.stress)) / 3 < 0.03 * found["bulk_modulus"]


def test_the_stress_of_a_fixed_cell_is_without_that_of_the_basis(engine):
    """LiH: 0.0134 eV/Å³ at 800 eV; the analytic stress of 400 eV is 0.0174."""
    settings = {"encut": 400.0, "kpoints": {"length": 8.0}}
    result = get_engine("gpaw", settings).static_maker().relax(rock_salt())
    assert np.trace(result.stress) / 3 == pytest.approx(0.0134, abs=5e-4)
    assert result.force_calls == 2


def test_ions_by_chgnet_and_one_energy_by_gpaw(engine, monkeypatch):
    maker = get_engine("gpaw", {**QUICK, "ions": "chgnet"}).relax_maker("fixed", 0.1, 20)
    result = maker.relax(rock_salt())
    assert result.converged
    assert result.reason.startswith("ions by chgnet: forces below fmax")
    assert "energy by GPAW: self-consistent" in result.reason
    assert result.force_calls == 1
    assert result.provenance["ions"]["weights"] == "0.3.0"


def test_ranks_get_the_task_and_hand_back_the_result(engine, h2, tmp_path, monkeypatch):
    """With a stand-in for mpiexec that starts one rank: GPAW here is built without MPI."""
    fake = tmp_path / "bin" / "mpiexec"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n[ "$1 $2" = "-n 2" ] && shift 2 && exec "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    maker = get_engine("gpaw", {**QUICK, "ranks": 2}).static_maker()
    (response,) = run_locally(maker.make(h2), raise_immediately=True).popitem()[1].values()
    result = response.output
    assert result.energy == pytest.approx(engine.static_maker().relax(h2).energy, abs=1e-6)
    assert result.structure.site_properties["label"] == ["H-a-1", "H-a-2"]
    fake.write_text("#!/bin/sh\necho no such host\n")
    with pytest.raises(EngineError, match=r"2 ranks ended without a result \(no such host\)"):
        relax_in_parallel(maker, h2, None)


@pytest.mark.skipif(not MPI, reason="GPAW is built without MPI, or there is no mpiexec")
def test_two_ranks_find_what_one_finds(engine, h2, monkeypatch):
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMPI_MCA_rmaps_base_oversubscribe", "1")
    two = get_engine("gpaw", {**QUICK, "ranks": 2, "kpoints": {"length": 6.0}})
    job = two.relax_maker("fixed", 0.1, 20, name="two").make(h2)
    (response,) = run_locally(job, raise_immediately=True).popitem()[1].values()
    assert re.search(r"^cores: +2$", Path(LOG).read_text(), re.MULTILINE)
    one = get_engine("gpaw", {**QUICK, "kpoints": {"length": 6.0}})
    alone = one.relax_maker("fixed", 0.1, 20, name="one").relax(h2)
    assert response.output.energy == pytest.approx(alone.energy, abs=1e-4)
    assert response.output.force_calls == alone.force_calls
    assert response.output.provenance["settings"] == alone.provenance["settings"]


def test_noise_is_taken_away_and_the_cell_is_kept(host12):
    noisy = host12.copy(site_properties={"magmom": [3.0123 + 0.001 * i for i in range(12)]})
    noisy.perturb(2e-5)
    clean = prepared(noisy, keep_cell=True)
    assert np.array_equal(clean.lattice.matrix, noisy.lattice.matrix)
    shift = clean.frac_coords - noisy.frac_coords
    assert 1e-8 < np.abs(shift).max() < 2e-5
    assert clean.get_space_group_info(symprec=1e-6)[1] == 12
    assert set(clean.site_properties["magmom"]) == {3.0}


@pytest.mark.parametrize(
    ("settings", "elements", "message"),
    [
        ({}, ["Po"], "no PBE setup of Po"),
        ({"setups": {"Mn": "99"}}, ["Mn"], "settings.setups names '99'"),
        ({"u": {"La": 5, "Ac": 3}}, [], "no PBE setup of Ac"),
        ({"ranks": 2}, [], "2 ranks need"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(settings, elements, message, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=message):
        get_engine("gpaw", settings).check(elements)


def test_a_shell_that_a_setup_lacks_is_named(monkeypatch):
    from vacancy_flows.engines.gpaw import setups

    monkeypatch.setattr(setups, "u_shell", lambda _: "f")
    with pytest.raises(InputError, match=r"U of Mn is for a f shell, .* has s, p, d only"):
        get_engine("gpaw").check(["Mn"])


def test_without_setups_one_message_says_so(monkeypatch):
    from vacancy_flows.engines.gpaw import setups

    monkeypatch.setattr(setups, "setup_of", lambda *_: None)
    with pytest.raises(InputError, match="GPAW finds no PAW setups: pip install gpaw-data"):
        get_engine("gpaw").check()


@pytest.mark.parametrize("content", ["", "<html>404</html>", "<?xml version='1.0'?><paw_setup"])
def test_a_file_that_is_no_setup_is_named(content, tmp_path, monkeypatch):
    (tmp_path / "Li.broken.PBE").write_text(content)
    monkeypatch.setattr("gpaw.setup_data.setup_paths", [tmp_path])
    with pytest.raises(InputError, match=r"Li\.broken\.PBE that GPAW finds is no setup"):
        get_engine("gpaw", {"setups": {"Li": "broken"}}).check()
