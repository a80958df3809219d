"""`build --inputs`: what each call writes, what it leaves alone, and what comes back."""

import json
import shutil

import numpy as np
import pytest
from pymatgen.core import SETTINGS
from pymatgen.io.vasp import Incar, Kpoints, Outcar, Poscar, Potcar

from vacancy_flows.commands import run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.ingest import SIDECAR
from vacancy_flows.ingest.command import ingest_here
from vacancy_flows.tables import vacancy_tables

FIRST = ["references/O2", "references/Li-free", "references/Li2O-free", "P/host"]
STRAINS = ["P/unstrained", "P/biaxial-ab_+2.00pct"]
SECOND = ["references/Li", "references/Li2O", *(f"{strain}/pristine" for strain in STRAINS)]
THIRD = [f"{strain}/{site}" for strain in STRAINS for site in ("O-4i-1", "O-8j-1")]


def files(directory):
    """Every file with its content and time."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def table(path):
    ((_, found),) = vacancy_tables(ResultsDatabase(path))
    return found.set_index("uid").sort_index()


def test_every_call_writes_what_has_its_parent_finished(by_hand):
    assert [call.folders for call in by_hand.calls] == [FIRST, SECOND, THIRD, []]
    assert [call.problems for call in by_hand.calls] == [[]] * 4
    assert by_hand.calls[0].waiting == [
        "references/Li: references/Li-free is to be run",
        "references/Li2O: references/Li2O-free is to be run",
        "2 pristine cells of P: P/host is to be run",
    ]
    assert by_hand.calls[1].waiting[0] == (
        "vacancies of pristine P unstrained: P/unstrained/pristine is to be run"
    )
    assert by_hand.calls[2].waiting == []
    assert "4 folders written, 4 in all are to be run" in by_hand.calls[2].text
    assert f"all has run: vacancy-flows ingest {by_hand.directory}" in by_hand.calls[3].text


def test_rows_are_those_that_run_gives(by_hand, tmp_path, monkeypatch):
    from standin_vasp.install import install

    database = tmp_path / "hand" / "results.db"
    assert ingest_here([by_hand.directory], str(database)) == 0
    install(tmp_path / "standin", monkeypatch)
    assert run_here(by_hand.spec, tmp_path / "run", 1) == 0
    hand, run = table(database), table(tmp_path / "run" / "results.db")
    assert len(hand) == 4
    same = ["host", "site", "wyckoff", "strain_mode", "strain", "multiplicity", "coordination"]
    same += ["n_atoms", "formula", "energy_scale", "converged", "campaign"]
    assert hand[same].equals(run[same])
    for name in ("e_pristine_eV", "e_vacancy_eV", "mu_o_eV", "formation_energy_eV"):
        assert hand[name].to_numpy() == pytest.approx(run[name].to_numpy(), abs=1e-6)
    kinds = ResultsDatabase(database).table()["kind"].value_counts().to_dict()
    assert kinds == {"host": 3, "reference": 3, "pristine": 2, "vacancy": 4}  # Li, Li2O: free


def test_a_vacancy_starts_from_the_relaxed_cell_and_its_moments(by_hand):
    parent, folder = (by_hand.directory / name for name in (SECOND[3], THIRD[3]))
    sidecars = [json.loads((path / SIDECAR).read_text()) for path in (parent, folder)]
    assert sidecars[1]["calculation"]["strain"] == 0.02
    assert sidecars[1]["calculation"]["parent_uid"] == sidecars[0]["calculation"]["uid"]
    removed = sidecars[0]["labels"].index("O-8j-1")
    left = [i for i in range(12) if i != removed]
    assert [sidecars[0]["labels"][i] for i in left] == sidecars[1]["labels"]
    poscar = Poscar.from_file(folder / "POSCAR")
    assert poscar.comment == f"{sidecars[1]['calculation']['uid']} vacancy P biaxial-ab +2 % O-8j-1"
    relaxed = Poscar.from_file(parent / "CONTCAR").structure
    assert np.allclose(poscar.structure.lattice.matrix, relaxed.lattice.matrix, atol=1e-7)
    moved = poscar.structure.frac_coords - relaxed.frac_coords[left]
    assert np.abs(moved - np.round(moved)).max() < 1e-7
    moments = [row["tot"] for row in Outcar(parent / "OUTCAR").magnetization]
    metals = [i for i in left if relaxed[i].specie.symbol == "Mn"]
    wanted = [4.0 if i in metals else moments[i] for i in left]  # two electrons on two Mn
    assert Incar.from_file(folder / "INCAR")["MAGMOM"] == pytest.approx(wanted, abs=1e-4)


def test_a_folder_is_what_the_engine_would_write(by_hand):
    free, fixed = (by_hand.directory / "references" / name for name in ("Li-free", "Li"))
    assert [Incar.from_file(path / "INCAR")["ISIF"] for path in (free, fixed)] == [3, 2]
    relaxed = Poscar.from_file(free / "CONTCAR").structure
    assert Poscar.from_file(fixed / "POSCAR").structure.lattice.a == pytest.approx(
        relaxed.lattice.a, abs=1e-6
    )
    oxygen = by_hand.directory / "references" / "O2"
    assert Incar.from_file(oxygen / "INCAR")["NUPDOWN"] == 2
    assert Kpoints.from_file(oxygen / "KPOINTS").kpts == [(1, 1, 1)]
    host = by_hand.directory / "P" / "host"
    assert Potcar.from_file(host / "POTCAR").symbols == ["Li_sv", "Mn_pv", "O"]
    incar = Incar.from_file(host / "INCAR")
    assert (incar["ISIF"], incar["EDIFFG"], incar["LDAUU"]) == (3, -0.03, [0.0, 4.2, 0.0])


def test_site_tags_of_atomate2_are_written_too(build, monkeypatch, tmp_path):
    import atomate2

    monkeypatch.setattr(atomate2.SETTINGS, "VASP_INCAR_UPDATES", {"NCORE": 4})
    build()
    assert Incar.from_file(tmp_path / "out" / "P" / "host" / "INCAR")["NCORE"] == 4


def test_what_is_there_is_left_alone(copied, build):
    directory = copied(2)
    (directory / "P" / "host" / "INCAR").write_text("SYSTEM = mine\n")
    before = files(directory)
    done = build()
    assert done.folders == THIRD
    after = files(directory)
    assert {name: after[name] for name in before} == before
    assert build().folders == []
    assert "0 folders written, 4 in all are to be run" in build().text


def test_runs_in_another_folder(copied, build, tmp_path):
    directory = copied(2, "back")
    shutil.move(directory / "P", directory / "moved")  # its uid counts, not its name
    before = files(directory)
    done = build("new", source="back")
    assert done.folders == THIRD
    assert files(directory) == before
    assert not (tmp_path / "new" / "references").exists()


def test_rows_of_a_database_are_enough(copied, build, by_hand, tmp_path):
    runs = copied(2, "runs")
    assert ingest_here([runs], str(tmp_path / "db" / "results.db")) == 0
    assert build("new", source="db").folders == THIRD
    for name in ("INCAR", "KPOINTS", "POTCAR"):
        for folder in THIRD:
            found, wanted = (p / folder / name for p in (tmp_path / "new", by_hand.directory))
            assert found.read_text() == wanted.read_text()


def test_without_potcars_their_symbols(build, monkeypatch, tmp_path):
    monkeypatch.delitem(SETTINGS, "PMG_VASP_PSP_DIR")
    done = build()
    assert "PMG_VASP_PSP_DIR is not set" in done.text
    folder = tmp_path / "out" / "P" / "host"
    assert (folder / "POTCAR.spec").read_text().split() == ["Li_sv", "Mn_pv", "O"]
    assert not (folder / "POTCAR").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"engine": "chgnet", "settings": {}},
            "engine: chgnet reads no input files",
        ),
        ({"settings": {"potcars": {"Mn": "Mn_xx"}}}, "POTCAR Mn_xx of Mn is missing"),
        ({"settings": {"encut": 300.0}}, "the cutoff of 300 eV is below ENMAX"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_written(build, tmp_path, changes, said):
    with pytest.raises(InputError, match=said) as caught:
        build(**changes)
    assert str(tmp_path / "campaign.yaml") in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_inputs_of_other_settings_are_not_mixed(copied, build):
    directory = copied(1)
    before = files(directory)
    with pytest.raises(InputError, match=r"references/O2, .* P/host hold other files, or inputs"):
        build(settings={"bader": False, "encut": 600.0})
    assert files(directory) == before


def test_a_file_in_the_way(build, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "P").write_text("")
    with pytest.raises(InputError, match="in the way of a folder"):
        build()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["P"]


def test_command_line(command, by_hand, tmp_path):
    done = command("build", by_hand.spec, "-o", "out", "--from", "x")
    assert (done.status, done.err) == (
        2,
        "vacancy-flows: --from: belongs to --inputs: add it, or leave this out\n",
    )
    done = command("build", by_hand.spec, "--inputs", "-o", "out", "--from", "x")
    assert done.status == 2
    assert "x: --from: is no folder" in done.err
    done = command("build", by_hand.spec, "--inputs", "-o", "out")
    assert (done.status, done.err) == (0, "")
    assert "wrote out/P/host\n" in done.out
    assert (tmp_path / "out" / "P" / "host" / SIDECAR).is_file()
