"""Made-up calculations shaped like a campaign; CHGNet's reference energies are science.md's."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vacancy_flows.analysis import CALCULATION_COLUMNS, OxygenReference, formation_table

CHGNET = {"O2": -9.637, "Li": -1.880, "Li2O": -14.781}
MU_O = -4.8185
REFERENCE_UIDS = {"o2_uid": "uO2", "li_uid": "uLi", "li2o_uid": "uLi2O"}


def calculation(uid, kind, energy, **more):
    """Return one stored calculation of CHGNet's default scale, converged unless said otherwise."""
    row = dict.fromkeys(CALCULATION_COLUMNS)
    row |= {"uid": uid, "kind": kind, "energy_eV": energy, "converged": True}
    row |= {"engine": "chgnet", "energy_scale": "mp2020", "max_force_eV_A": 0.008}
    return row | more


def references(**more):
    """Return the O2, Li and Li2O rows."""
    return [
        calculation(f"u{kind}", "reference", energy, reference_kind=kind, **more)
        for kind, energy in CHGNET.items()
    ]


def pair(uid, formation, **more):
    """Return a pristine cell and a vacancy in it with the given E_f for MU_O."""
    cell = {key: more[key] for key in ("host", "strain_mode", "strain") if key in more}
    return [
        calculation(f"{uid}p", "pristine", -170.0, **cell),
        calculation(
            f"{uid}v",
            "vacancy",
            -170.0 + formation - MU_O,
            **({"removed_element": "O", "pristine_uid": f"{uid}p"} | REFERENCE_UIDS | more),
        ),
    ]


def frame(rows):
    """Return rows as a table of calculations."""
    return pd.DataFrame(rows, columns=list(CALCULATION_COLUMNS))


@pytest.fixture
def make():
    """The builders above, for tests that make their own rows."""
    return SimpleNamespace(
        calculation=calculation, references=references, pair=pair, frame=frame, mu_o=MU_O
    )


@pytest.fixture
def campaign():
    """24 vacancies: two hosts (one with two orderings), two modes, 0 to 4 % strain, two sites."""
    rows = references()
    cells = (("Li2MnO3", None, 24, 2.51), ("Li1.5MnO3", 0, 22, 1.62), ("Li1.5MnO3", 1, 22, 1.79))
    steps = ("none", 0.0, 0.0), ("biaxial-ab", 0.02, 6.1), ("biaxial-ab", 0.04, 5.4)
    for host, ordering, atoms, base in cells:
        for mode, strain, slope in (*steps, ("uniaxial-c*", 0.04, 1.4)):
            for site, extra in (("O-8j-1", 0.0), ("O-4i-1", 0.18)):
                rows += pair(
                    f"u{len(rows):03d}",
                    base + extra - slope * strain,
                    host=host,
                    ordering=ordering,
                    n_atoms=atoms,
                    site=site,
                    strain_mode=mode,
                    strain=strain,
                    wyckoff=site[2:4],
                )
    return frame(rows)


@pytest.fixture
def table(campaign):
    """The vacancy table of `campaign`, one strained O-4i row stopped at its step limit."""
    vacancies = campaign[campaign["kind"] == "vacancy"]
    chosen = (vacancies["site"] == "O-4i-1") & (vacancies["strain"] == 0.04)
    index = vacancies[chosen & (vacancies["strain_mode"] == "biaxial-ab")].index[0]
    campaign.loc[index, ["converged", "reason"]] = [False, "stopped at 500 steps"]
    return formation_table(campaign, OxygenReference())
