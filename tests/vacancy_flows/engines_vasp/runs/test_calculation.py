"""Magnetic starts and pre-relaxation: from the campaign's keys to the record."""

import numpy as np
import pytest
from jobflow.core.flow import get_flow
from jobflow.managers.fireworks import flow_to_workflow

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import get_engine
from vacancy_flows.engines.kpoints import mesh
from vacancy_flows.engines.vasp.run_settings import gamma_mesh
from vacancy_flows.errors import InputError
from vacancy_flows.flows import CalculationMaker
from vacancy_flows.flows.calculation import start_from
from vacancy_flows.plan import after, start
from vacancy_flows.planning import plan_hosts
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Record, Result
from vacancy_flows.structures import remove_labels

PAIRS = [{"Mn-4g-1": 4.0, "Mn-4g-4": 4.0}, {"Mn-4g-1": 4.0, "Mn-4g-3": 4.0}]


@pytest.fixture
def spec(tmp_path):
    """Load a campaign of the engine vasp with some keys."""

    def make(*lines, engine="vasp"):
        path = tmp_path / "campaign.yaml"
        text = f"name: c\nengine: {engine}\nhosts: [{{name: H, structure: Li2MnO3}}]\n"
        path.write_text(text + "".join(f"{line}\n" for line in lines))
        return load_campaign(path)

    return make


def chain(campaign):
    """Host, pristine cells and vacancies of a campaign, whose results are invented."""
    engine = get_engine(campaign.engine, campaign.settings)
    (plan,) = plan_hosts(campaign, engine)
    found = [start(plan)]
    for _ in range(2):
        first = found[-1][-1]
        result = Result(
            structure=first.structure,
            energy=-1.0,
            forces=[],
            moments=[0.95 * m for m in first.structure.site_properties.get("magmom", [])] or None,
            max_force=0.0,
            converged=True,
            reason="",
        )
        found.append(after(plan, make_record(first, result, engine)))
    return found


def test_electrons_enter_the_operation(spec):
    (host,), (pristine,), vacancies = chain(spec())
    assert host.operation["moments"]["Mn-4g-1"] == 3.0
    assert "prerelax" not in host.operation | pristine.operation
    by_site = {vacancy.site: vacancy for vacancy in vacancies}
    assert by_site["O-8j-1"].operation["magnetic_starts"] == PAIRS[:1]
    moments = by_site["O-8j-1"].structure.site_properties["magmom"]
    assert moments[8:12] == pytest.approx([3 * 0.95**2] * 4)  # the pristine cell's


def test_more_starts_are_another_calculation(spec):
    one, three = (chain(spec(f"magnetism: {{magnetic_starts: {n}}}"))[-1] for n in (1, 3))
    assert len(three[-1].operation["magnetic_starts"]) == 3
    assert three[-1].operation["magnetic_starts"][:1] == one[-1].operation["magnetic_starts"]
    assert three[-1].uid != one[-1].uid


def test_a_vacancy_whose_cell_relaxes_keeps_the_mesh_of_its_pristine_cell(go, spec):
    """Else their energies could differ by the error of a mesh that rounded the other way."""
    campaign = spec(
        "relax: {cell: free, fmax: 0.05}", "settings: {bader: false, kpoints: {length: 30.0}}"
    )
    engine = get_engine("vasp", campaign.settings)
    pristine, vacancy = (level[-1] for level in chain(campaign)[1:])
    asked = engine.settings.kpoints
    wanted = mesh(pristine.structure.lattice.matrix, asked)
    record = go(CalculationMaker(engine=engine).make(vacancy)).output
    assert mesh(record.structure.lattice.matrix, asked) != wanted  # the test is one
    assert record.result.provenance["settings"]["kmesh"] == gamma_mesh(wanted)


def test_prerelax_enters_the_operation(spec):
    lines = ["relax: {prerelax: chgnet}", "strain: {mode: hydrostatic, values: [0, 0.02]}"]
    wanted = {"prerelax": {"engine": "chgnet", "fmax": 0.05}}
    (host,), pristine, vacancies = chain(spec(*lines))
    assert host.operation.items() >= wanted.items()
    assert "prerelax" not in pristine[0].operation  # has just been relaxed
    assert pristine[1].operation.items() >= wanted.items()
    assert vacancies[0].operation.items() >= wanted.items()
    assert "magnetic_starts" not in vacancies[0].operation
    several = chain(spec("relax: {prerelax: chgnet}", "magnetism: {magnetic_starts: 2}"))[-1]
    assert len(several[-1].operation["magnetic_starts"]) == 2
    assert chain(spec())[0][0].uid != host.uid


def test_engines_that_take_no_moments_know_nothing_of_it(spec, caplog):
    plain = chain(spec(engine="chgnet"))
    assert not caplog.messages
    several = chain(spec("magnetism: {magnetic_starts: 4}", engine="chgnet"))
    assert caplog.messages == [
        "magnetism.magnetic_starts: the engine chgnet takes no moments: one start is made"
    ]
    assert [c.uid for c in several[-1]] == [c.uid for c in plain[-1]]
    assert set(plain[-1][0].operation) == {"vacancy", "relax"}


@pytest.mark.parametrize(
    ("line", "engine", "message"),
    [
        ("magnetism: {magnetic_starts: 0}", "vasp", "magnetism.magnetic_starts: .* greater"),
        ("magnetism: {magnetic_starts: 11}", "vasp", "magnetism.magnetic_starts: .* less"),
        ("relax: {magnetic_starts: 3}", "vasp", "it stands in the block magnetism"),
        (
            "relax: {prerelax: gpaw}",
            "vasp",
            "relax.prerelax: .*chgnet-r2scan, none",
        ),
        ("relax: {prerelax: chgnet-r2scan}", "chgnet", "'chgnet' needs no chgnet-r2scan before"),
        ("settings: {encutt: 500}", "vasp", "did you mean 'encut'"),
    ],
)
def test_bad_keys(spec, line, engine, message):
    with pytest.raises(InputError, match=message):
        spec(line, engine=engine)


@pytest.fixture
def vacancy24(host24):
    return remove_labels(host24, ["O-8j-1"])


def test_the_lowest_of_the_starts_is_kept(go, standin, plain, calculation, vacancy24, tmp_path):  # noqa: PLR0917
    asked = calculation(vacancy24, magnetic_starts=PAIRS)
    done = go(CalculationMaker(engine=plain).make(asked))
    record = done.output
    assert isinstance(record, Record)
    found = record.choice["magnetic_starts"]
    energies = [entry["energy"] for entry in found["starts"]]
    assert record.result.energy == min(energies) == energies[found["kept"] - 1]
    assert [entry["electrons"] for entry in found["starts"]] == PAIRS
    assert [entry["total_moment"] for entry in found["starts"]] == pytest.approx([13.3, 13.3])
    assert all(entry["converged"] for entry in found["starts"])
    placed = [run["run"].split("MAGMOM=")[1].split(";")[0].split() for run in standin.runs()]
    assert placed[0] != placed[1]
    assert any(name.endswith("relax fixed start 2") for name in done.documents)
    assert record.result.wall_s > 0
    state = record.choice["magnetic_state"]
    assert (state["expected"], state["found_change"]) == (True, pytest.approx(1.3, abs=0.01))
    assert sorted(state["reduced"]) == sorted(PAIRS[found["kept"] - 1])
    database = ResultsDatabase(tmp_path / "results.db")
    database.add([record])
    assert database.get(record.uid).choice == record.choice


def test_a_start_that_fails_leaves_the_others(go, standin, plain, calculation, vacancy24):
    asked = calculation(vacancy24, magnetic_starts=PAIRS)
    # the second run is that of the second start
    standin.fail({"fault": "crash", "skip": 1, "times": 2})
    done = go(CalculationMaker(engine=plain).make(asked), raise_immediately=False)
    found = done.output.choice["magnetic_starts"]
    assert found["kept"] == 1
    assert [entry["energy"] is None for entry in found["starts"]] == [False, True]
    standin.fail({"fault": "crash", "times": None})
    done = go(CalculationMaker(engine=plain).make(asked), root="none", raise_immediately=False)
    assert done.output is None


@pytest.mark.slow
def test_a_start_that_did_not_converge_is_not_kept(go, standin, plain, calculation, vacancy24):
    standin.fail({"fault": "electronic_always", "times": 3})  # the first start, to the end
    asked = calculation(vacancy24, magnetic_starts=PAIRS)
    found = go(CalculationMaker(engine=plain).make(asked)).output.choice["magnetic_starts"]
    assert [entry["converged"] for entry in found["starts"]] == [False, True]
    assert found["kept"] == 2


def test_one_start_with_its_electrons(go, plain, calculation):
    asked = calculation(magnetic_starts=[{"Mn-4g-1": 4.0, "Mn-4g-2": 4.0}])
    record = go(CalculationMaker(engine=plain).make(asked)).output
    assert record.result.moments[4:6] == [3.8, 3.8]
    assert "magnetic_starts" not in record.choice
    assert record.choice["magnetic_state"]["expected"] is True


def test_without_electrons_the_state_is_not_the_expected_one(go, plain, calculation):
    record = go(CalculationMaker(engine=plain).make(calculation())).output
    assert record.choice["magnetic_state"]["expected"] is False
    assert record.choice["magnetic_state"]["reduced"] == []


def test_free_then_fixed_goes_on_with_the_moments_found(go, standin, plain, calculation):
    asked = calculation(cell="free-fixed", magnetic_starts=[{"Mn-4g-1": 4.0, "Mn-4g-2": 4.0}])
    record = go(CalculationMaker(engine=plain).make(asked)).output
    assert record.result.converged
    assert record.result.provenance["settings"]["run"] == "ions"
    assert "3.8" in standin.runs()[1]["run"].split("MAGMOM=")[1].split(";")[0]


def test_another_engine_relaxes_first(go, standin, plain, calculation, vacancy12):
    asked = calculation(prerelax={"engine": "chgnet", "fmax": 0.05})
    done = go(CalculationMaker(engine=plain).make(asked))
    result = done.output.result
    assert result.converged
    how = result.provenance["prerelax"]
    assert (how["weights"], how["converged"]) == ("0.3.0", True)
    assert set(result.structure.site_properties) == set(vacancy12.site_properties)
    assert any(name.endswith("prerelax chgnet") for name in done.documents)
    assert done.output.choice["magnetic_state"]["expected"] is not None


def invented(structure, moments):
    moved = structure.copy()
    moved.translate_sites([0], [0.01, 0, 0])
    return Result(
        structure=moved,
        energy=0.0,
        forces=[],
        moments=moments,
        max_force=1.0,
        converged=False,
        reason="",
    )


@pytest.mark.parametrize(
    ("own", "keep", "expected"),
    [
        (lambda m: m, False, 3.5),  # ferromagnetic: those of the other engine
        (lambda m: [-x for x in m], False, -3.5),
        (lambda m: m, True, 3.0),  # set on purpose
        (lambda m: [x if i != 5 else -x for i, x in enumerate(m)], False, 3.0),  # not parallel
    ],
)
def test_moments_of_the_other_engine(vacancy12, own, keep, expected):
    moments = own(vacancy12.site_properties["magmom"])
    cell = vacancy12.copy(site_properties={**vacancy12.site_properties, "magmom": moments})
    other = [3.5 if s.specie.symbol == "Mn" else 0.02 for s in cell]
    found = start_from.original(cell, invented(cell, other), keep_moments=keep)
    assert found.site_properties["magmom"][4] == expected
    assert found.site_properties["label"] == cell.site_properties["label"]
    assert found[0].frac_coords[0] == pytest.approx(cell[0].frac_coords[0] + 0.01)
    assert np.allclose(found.frac_coords[1:], cell.frac_coords[1:])


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"magnetic_starts": PAIRS},
        {"magnetic_starts": PAIRS, "prerelax": {"engine": "chgnet", "fmax": 0.05}},
    ],
)
def test_flows_are_what_fireworks_takes(vasp, calculation, vacancy24, operation):
    flow = CalculationMaker(engine=vasp).make(calculation(vacancy24, "free-fixed", **operation))
    names = [job.name for job, _ in get_flow(flow).iterflow()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("u0123456789abcdef vacancy H O-8j-1") for name in names)
    assert flow.jobs[-1].name.endswith("record")
    workflow = flow_to_workflow(CalculationMaker(engine=vasp).make(calculation(**operation)))
    assert len(workflow.fws) > 1


def test_where_an_earlier_try_lies(go, standin, plain, calculation):
    standin.fail({"fault": "walltime", "times": 2})
    asked = calculation()
    first = go(CalculationMaker(engine=plain).make(asked), root="work", raise_immediately=False)
    assert first.output is None
    again = CalculationMaker(engine=plain).make(asked, prev_dir=first.root)
    provenance = go(again, root="work").output.result.provenance
    assert [entry["steps"] for entry in provenance["restarts"]] == [2, 2]
