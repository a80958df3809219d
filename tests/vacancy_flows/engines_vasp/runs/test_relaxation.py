"""What a run becomes: numbers, units, signs, sites, documents."""

import gzip

import numpy as np
import pytest
from ase import units
from emmet.core.tasks import TaskDoc
from jobflow.core.flow import get_flow
from monty.json import MontyDecoder
from pymatgen.io.vasp import Incar, Outcar, Vasprun

from vacancy_flows.engines import get_engine
from vacancy_flows.engines.vasp.results import vasp_result
from vacancy_flows.engines.vasp.runs import VaspRunMaker
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator
from vacancy_flows.errors import EngineError, InputError
from vacancy_flows.schemas import Result

KEYS = {"vasp", "run_type", "potcars", "settings", "total_moment", "corrections", "changed_tags"}
KEYS |= {"restarted", "restarts", "bader"}


def unpacked(folder, name):
    return gzip.open(folder / f"{name}.gz", "rt", encoding="utf-8").read()


def test_a_vacancy_with_bader_charges(relax, vacancy12):
    done = relax(vacancy12)
    result, folder = done.output, done.folder("vacancy")
    assert isinstance(result, Result)
    run = Vasprun(folder / "vasprun.xml.gz")
    last = run.ionic_steps[-1]
    assert result.energy == run.final_energy
    assert result.forces == np.array(last["forces"]).tolist()
    assert np.allclose(result.stress, -np.array(last["stress"]) * 0.1 * units.GPa)
    assert result.moments == [m["tot"] for m in Outcar(folder / "OUTCAR.gz").magnetization]
    assert result.moments[4:6] == [2.85, 2.85]
    assert (result.converged, result.n_steps) == (True, len(run.ionic_steps))
    assert result.force_calls == result.n_steps + 1  # the static
    assert result.reason.startswith("forces below 0.05")
    assert result.max_force == pytest.approx(np.linalg.norm(last["forces"], axis=1).max())
    assert result.max_force < 0.05
    assert result.wall_s > 0
    assert sum(result.charges) == pytest.approx(0, abs=1e-6)
    assert max(result.charges[6:]) < 0 < min(result.charges[:6])
    assert set(result.provenance) == KEYS
    assert result.provenance["bader"] == "weights, AECCAR reference"
    assert result.provenance["total_moment"] == pytest.approx(5.7)
    assert result.provenance["restarted"] is False
    assert result.provenance["settings"]["u"] == {"Mn": 4.2}
    assert result.provenance["potcars"]["Mn"]["titel"] == "PAW_PBE Mn_pv 01Jan2000"
    assert len(result.provenance["potcars"]["O"]["sha256"]) == 64


def test_sites_keep_labels_order_and_images(relax, vacancy12):
    shifted = vacancy12.copy()
    shifted.translate_sites([0, 5], [0.0, 1.0, -2.0], to_unit_cell=False)
    final = relax(shifted).output.structure
    for name in ("label", "initial_magmom"):
        assert final.site_properties[name] == vacancy12.site_properties[name]
    assert final.site_properties["magmom"][4:6] == [2.85, 2.85]
    assert final.properties == vacancy12.properties
    assert np.array_equal(final.lattice.matrix, shifted.lattice.matrix)
    moved = np.linalg.norm(final.cart_coords - shifted.cart_coords, axis=1)
    assert 1e-3 < moved.max() < 0.7


def test_a_mask_holds_atoms_and_what_counts_as_force(relax, vacancy12):
    free = [[k > 6] * 3 for k in range(len(vacancy12))]
    masked = vacancy12.copy(
        site_properties={**vacancy12.site_properties, "selective_dynamics": free}
    )
    result = relax(masked).output
    assert result.structure.site_properties["selective_dynamics"] == free
    moved = np.linalg.norm(result.structure.cart_coords - masked.cart_coords, axis=1)
    assert moved[:7].max() < 1e-9
    assert moved[7:].min() > 1e-5
    norms = np.linalg.norm(result.forces, axis=1)
    assert result.max_force == pytest.approx(norms[7:].max())
    assert norms.max() > 0.05 > result.max_force
    assert result.converged


def test_the_static_starts_from_the_wavecar_of_the_relaxed_cell(relax, standin, vacancy12):
    done = relax(vacancy12)
    incar = Incar.from_str(unpacked(done.folder("vacancy static"), "INCAR"))
    assert [incar[tag] for tag in ("ISTART", "ICHARG", "NSW", "LCHARG", "LAECHG")] == [
        *(1, 0, 0),
        *(True, True),
    ]
    first = Incar.from_str(unpacked(done.folder("vacancy"), "INCAR"))
    assert [first[tag] for tag in ("ISTART", "ICHARG", "ISIF")] == [0, 2, 2]
    assert len(standin.runs()) == 2
    left = {path.name for path in done.folder("vacancy static").iterdir()}
    assert "CHGCAR.gz" in left
    assert not {"WAVECAR", "WAVECAR.gz"} & left


def test_taskdocs_stay_as_raw_documents(relax, vacancy12):
    documents = relax(vacancy12).documents
    assert set(documents) == {"vacancy", "vacancy static", "vacancy result"}
    for name in ("vacancy", "vacancy static"):
        found = MontyDecoder().process_decoded(documents[name]["output"])
        assert isinstance(found, TaskDoc)
        assert found.task_label == name


def test_a_free_cell_has_no_static(relax, host12):
    done = relax(host12, cell="free", name="host")
    assert set(done.documents) == {"host", "host result"}
    result = done.output
    assert result.converged
    assert result.charges is None
    assert abs(result.structure.volume / host12.volume - 1) > 1e-3
    assert np.abs(result.stress).max() < 0.2 * 0.05  # VASP's criterion, per atom
    assert result.provenance["settings"]["run"] == "cell"


def test_without_bader(relax, vacancy12):
    done = relax(vacancy12, engine=get_engine("vasp", {"bader": False}))
    assert set(done.documents) == {"vacancy", "vacancy result"}
    assert done.output.charges is None


def test_a_static_alone(go, vasp, vacancy12):
    done = go(vasp.static_maker("single").make(vacancy12))
    result = done.output
    assert (result.n_steps, result.force_calls, result.reason) == (0, 1, "static")
    assert result.converged
    assert result.charges is not None
    assert np.allclose(result.structure.cart_coords, vacancy12.cart_coords, atol=1e-9)


@pytest.mark.parametrize("kind", ["O2", "Li", "Li2O"])
def test_references(go, vasp, kind):
    reference = vasp.reference(kind)
    done = go(vasp.relax_maker(reference.cell, 0.01, 60, name=kind).make(reference.structure))
    result = done.output
    names = {kind, f"{kind} result"} | ({f"{kind} then fixed"} if kind != "O2" else set())
    assert set(done.documents) == names
    assert result.converged
    assert result.charges is None
    settings = result.provenance["settings"]
    assert (settings["run"], settings["u"]) == ("ions", {})
    incar = Incar.from_str(unpacked(done.folder(kind), "INCAR"))
    assert incar["ISPIN"] == (2 if kind == "O2" else 1)
    assert incar.get("NUPDOWN") == (2 if kind == "O2" else None)
    assert incar["ISIF"] == (2 if kind == "O2" else 3)
    if kind == "O2":
        assert result.provenance["total_moment"] == pytest.approx(2.0)
        assert result.structure.lattice.abc == pytest.approx((8.0, 8.1, 8.2))
    else:
        assert result.moments is None
        assert result.provenance["before"]["settings"]["run"] == "cell"
        steps = Vasprun(done.folder(f"{kind} then fixed") / "vasprun.xml.gz").ionic_steps
        assert result.n_steps > len(steps)
        assert result.energy == pytest.approx(steps[-1]["e_0_energy"])


def test_every_site_needs_a_moment(relax, vacancy12):
    bare = vacancy12.copy()
    bare.remove_site_property("magmom")
    with pytest.raises(InputError, match="every site needs one in `magmom`"):
        relax(bare)


def test_flows_convert_for_fireworks_and_makers_survive_json(vasp, vacancy12):
    flow = get_flow(vasp.relax_maker("fixed", 0.05, 60, name="vacancy").make(vacancy12))
    names = [job.name for job, _ in flow.iterflow()]
    assert names == ["vacancy", "vacancy static", "vacancy result"]
    maker = VaspRunMaker(
        name="a", input_set_generator=VacancyRelaxSetGenerator(settings=vasp.settings)
    )
    back = MontyDecoder().process_decoded(maker.as_dict())
    assert back.input_set_generator.settings == vasp.settings


def test_a_result_needs_a_run_of_the_same_sites(vacancy12, host12, relax):
    with pytest.raises(EngineError, match="the run of VASP failed"):
        vasp_result.original(vacancy12, None)
    document = relax(vacancy12).documents["vacancy"]["output"]
    run = MontyDecoder().process_decoded(document)
    with pytest.raises(EngineError, match="sites are those of"):
        vasp_result.original(host12, run)
    strained = vacancy12.copy().apply_strain(0.01)
    with pytest.raises(EngineError, match="the cell of the run is not the one"):
        vasp_result.original(strained, run)
