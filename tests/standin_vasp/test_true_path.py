"""run_vasp → custodian → TaskDoc with atomate2's own makers and no monkeypatched parser."""

import numpy as np
import pytest

from standin_vasp.toy import evaluate

pytestmark = pytest.mark.filterwarnings(
    "ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning",
    "ignore::pymatgen.io.vasp.sets.BadInputSetWarning",
)
MOMENTS = [0.0] * 4 + [2.85, -3.8] + [0.0] * 6  # μB, what 3 and -4 settle to
KB = 1602.1766208  # kB per eV/Å³


def toy(structure, moments=MOMENTS):
    species = [site.specie.symbol for site in structure]
    cell, frac = structure.lattice.matrix, structure.frac_coords
    return evaluate(cell, frac, species, np.array(moments))


def test_relaxation_of_cell(run, relax, manganate, standin):
    done = run(relax(), manganate)
    document = done.document
    final = document.structure
    assert document.state.value == "successful"
    assert (str(document.run_type), str(document.task_type)) == ("PBE+U", "Structure Optimization")
    assert document.output.energy == pytest.approx(toy(final).energy, abs=1e-7)
    assert np.allclose(document.output.forces, toy(final).forces, atol=1e-6)
    assert final.site_properties["magmom"] == MOMENTS
    assert len(document.calcs_reversed[0].output.ionic_steps) > 5
    assert document.calcs_reversed[0].input.parameters["MAGMOM"] == [0] * 4 + [3, -4] + [0] * 6
    assert document.analysis.max_force < 0.01
    assert document.vasp_version == "6.4.0-standin"
    assert document.custodian[0].corrections == []
    assert [r["fault"] for r in standin.runs()] == [""]


def test_static_and_stress_sign(run, static, manganate):
    """VASP's stress is -dE/dε / V in kB: positive where the cell is compressed."""
    squeezed = manganate.copy()
    squeezed.apply_strain(-0.02)
    document = run(static(), squeezed).document
    stress = np.array(document.calcs_reversed[0].output.ionic_steps[-1].stress)
    numeric = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.zeros((3, 3))
                strain[i, j] += 0.5 * sign * 1e-5
                strain[j, i] += 0.5 * sign * 1e-5
                cell = squeezed.lattice.matrix @ (np.eye(3) + strain)
                species = [site.specie.symbol for site in squeezed]
                point = evaluate(cell, squeezed.frac_coords, species, np.array(MOMENTS))
                energies.append(point.energy)
            numeric[i, j] = (energies[0] - energies[1]) / 2e-5 / squeezed.volume
    assert np.allclose(stress, -numeric * KB, atol=0.02)
    assert np.trace(stress) > 0
    assert document.task_type == "Static"
    assert document.output.bandgap == pytest.approx(1.0)  # invented


def test_static_writes_densities_of_the_final_state(run, static, manganate):
    done = run(static(LAECHG=True, LCHARG=True), manganate)
    names = {path.name for path in done.directory.iterdir()}
    assert {"CHGCAR.gz", "AECCAR0.gz", "AECCAR2.gz"} <= names


def test_o2_is_a_triplet(run, relax):
    from pymatgen.core import Lattice, Structure

    cell = Lattice.orthorhombic(8, 9, 10)
    molecule = Structure(cell, ["O", "O"], [[0, 0, 0], [0, 0, 0.125]])
    molecule.add_site_property("magmom", [1.0, 1.0])
    document = run(relax(ISIF=2, NUPDOWN=2), molecule).document
    assert document.run_type == "PBE"  # no U is left on oxygen
    assert document.structure.site_properties["magmom"] == [1.0, 1.0]
    assert document.calcs_reversed[0].output.outcar["total_magnetization"] == pytest.approx(2)
    assert document.output.energy == pytest.approx(-5.2, abs=0.01)


def test_gamma_only_runs_the_gamma_executable(run, static, lithia, standin):
    from pymatgen.io.vasp import Kpoints

    maker = static()
    maker.input_set_generator.user_kpoints_settings = Kpoints.gamma_automatic((1, 1, 1))
    standin.executable.unlink()  # vasp_gam remains
    assert run(maker, lithia).document.output.energy == pytest.approx(toy(lithia, [0] * 3).energy)
