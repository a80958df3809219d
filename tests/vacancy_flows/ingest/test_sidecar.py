"""Folders that `build --inputs` wrote: the run is the campaign's calculation, or is refused."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from atomate2.vasp.files import write_vasp_input_set
from pymatgen.core import SETTINGS as SETTINGS_OF_PYMATGEN

from vacancy_flows.engines.kpoints import mesh
from vacancy_flows.engines.vasp import VaspSettings, fingerprint
from vacancy_flows.engines.vasp.reading import read_run
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator
from vacancy_flows.ingest import SIDECAR, Sidecar
from vacancy_flows.ingest.sidecar import read_sidecar
from vacancy_flows.schemas import Calculation
from vacancy_flows.structures import prepare_host, remove_labels

SETTINGS = VaspSettings(u={"Mn": 4.2}, kpoints={"density": 900.0})


@pytest.fixture(scope="session")
def folders(tmp_path_factory, make):
    """A pristine cell and a vacancy as a campaign asks for them, calculated. Never write."""
    root = tmp_path_factory.mktemp("inputs")
    host = prepare_host(make.oxide)
    site = host.site_properties["label"][8]
    common = {"host": "Li2MnO3", "campaign": "tensile", "cell": "fixed", "fmax": 0.01}
    common |= {"max_steps": 500, "n_atoms": 12, "strain_mode": "biaxial-ab", "strain": 0.02}
    common |= {"reference_uids": {"O2": "uo2"}}
    pristine = Calculation(
        uid="upristine", kind="pristine", parent_uid="uhost", operation={}, structure=host, **common
    )
    vacancy = Calculation(
        uid="uvacancy",
        kind="vacancy",
        parent_uid="upristine",
        pristine_uid="upristine",
        operation={"vacancy": site},
        structure=remove_labels(host, [site]),
        site=site,
        wyckoff=site.split("-")[1],
        multiplicity=2,
        removed_element="O",
        **common,
    )
    tags = {**make.hubbard(4.2), "ISYM": 0}
    for calculation in (pristine, vacancy):
        structure = calculation.structure
        folder = make.vasp(
            root / calculation.kind,
            structure,
            mesh(structure.lattice.matrix, SETTINGS.kpoints),
            **tags,
        )
        Sidecar.of(calculation, fingerprint(SETTINGS), "pbe+u").write(folder)
    return SimpleNamespace(root=root, pristine=pristine, vacancy=vacancy)


@pytest.fixture
def copied(folders, tmp_path):
    return shutil.copytree(folders.root, tmp_path / "inputs")


def edit(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_rows_are_those_of_the_campaign(folders, ingest):
    done = ingest(folders.root)
    assert (done.status, done.err) == (0, "")
    pristine, vacancy = (done.database.get(uid) for uid in ("upristine", "uvacancy"))
    calculation = vacancy.calculation
    asked = folders.vacancy.model_dump(exclude={"structure"})
    assert calculation.model_dump(exclude={"structure"}) == asked
    assert vacancy.fingerprint == fingerprint(SETTINGS)
    assert vacancy.energy_scale == "pbe+u"
    labels = folders.vacancy.structure.site_properties["label"]
    assert vacancy.structure.site_properties["label"] == labels
    assert pristine.structure.properties["axes"] == np.eye(3).tolist()
    classes = pristine.choice["classes"]
    assert calculation.site in [label for found in classes for label in found["members"]]


def test_runs_pair_with_the_campaigns_cells_one_after_the_other(folders, ingest):
    ingest(folders.root / "vacancy")
    done = ingest(folders.root / "pristine")
    assert done.database.get("uvacancy").calculation.kind == "vacancy"
    assert done.database.get("uvacancy").calculation.site == folders.vacancy.site


def test_a_file_is_as_small_as_its_cell(folders):
    path = folders.root / "vacancy" / SIDECAR
    found = read_sidecar(path.parent)
    assert found.labels == folders.vacancy.structure.site_properties["label"]
    assert found.calculation["strain"] == 0.02
    assert path.stat().st_size < 8000


@pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning")
def test_a_run_of_the_input_set_is_what_its_file_promises(folders, standin, monkeypatch, tmp_path):
    for key, value in standin.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setitem(SETTINGS_OF_PYMATGEN, "PMG_VASP_PSP_DIR", str(standin.potcars))
    start = folders.pristine.structure.copy()
    start.add_site_property("magmom", [3.0 if s.specie.symbol == "Mn" else 0.0 for s in start])
    write_vasp_input_set(start, VacancyRelaxSetGenerator(settings=SETTINGS), tmp_path)
    subprocess.run([standin.executable], cwd=tmp_path, check=True, capture_output=True)
    run = read_run(tmp_path)
    assert run.settings.run == "ions"
    sidecar = read_sidecar(folders.root / "pristine")
    assert sidecar.problems(run) == []
    other = sidecar.model_copy(update={"fingerprint": fingerprint(VaspSettings(u="off"))})
    assert [text.split()[0] for text in other.problems(run)] == ["U", "k-mesh"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"species": ["O"] * 11}, "composition or order Li4 Mn2 O5 instead of O11"),
        ({"lattice": (5 * np.eye(3)).tolist()}, "another cell"),
        ({"fingerprint": {**fingerprint(SETTINGS), "encut": 400.0}}, "cutoff 520 eV against 400"),
        (
            {"fingerprint": {**fingerprint(SETTINGS), "u": {"Mn": 3.9}}},
            "U of Mn 4.2 eV against 3.9",
        ),
        ({"fingerprint": {**fingerprint(SETTINGS), "sigma": 0.2}}, "SIGMA 0.05 eV against 0.2"),
    ],
)
def test_another_run_in_the_folder_is_refused(copied, ingest, change, said):
    edit(copied / "vacancy" / SIDECAR, **change)
    done = ingest(copied)
    assert done.status == 1
    assert "is not the run its folder was made for" in done.err
    assert said in done.err
    assert done.database.uids() == {"upristine"}


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"format": 2}', "\x00"])
def test_broken_file_leaves_a_run_of_another_origin(copied, ingest, text):
    (copied / "vacancy" / SIDECAR).write_text(text)
    done = ingest(copied)
    assert done.status == 1
    assert SIDECAR in done.err
    (uid,) = done.database.uids() - {"upristine"}
    record = done.database.get(uid)
    assert record.calculation.pristine_uid == "upristine"  # by its cell
    assert record.calculation.host == "Li2MnO3"
