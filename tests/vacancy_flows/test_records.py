"""What is told of a calculation that did not converge, and when it is done again."""

from types import SimpleNamespace

import pytest

from vacancy_flows.engines import get_engine
from vacancy_flows.schemas import ELECTRONS, Record


def record(reason, *, converged=False, effort=None, **choice):
    result = SimpleNamespace(reason=reason, converged=converged)
    return Record.model_construct(result=result, effort=effort or {}, choice=choice)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (record(f"{ELECTRONS} in 200 steps (NELM)"), "set ALGO (All, Damped), NELM or the mixing"),
        (record(f"free cell: {ELECTRONS} in 200 steps (NELM)"), "in settings.incar"),
        (record("ions not converged: largest force 0.1 eV/Å"), "raise relax.max_steps"),
        (record("grains torn apart", damage=["grains"]), "look at its cell"),
    ],
)
def test_the_remedy_is_for_what_did_not_converge(found, said):
    assert said in found.remedy
    assert ("max_steps" in found.remedy) is ("max_steps" in said)


def test_what_did_not_converge_is_tried_again_with_other_tags():
    plain, helped = (get_engine("vasp", {"incar": tags}) for tags in ({"KPAR": 2}, {"ALGO": "All"}))
    assert plain.fingerprint() == helped.fingerprint()
    assert plain.effort() == {}  # how the work is shared out helps nothing
    assert record("", effort=plain.effort()).is_to_be_tried_again(helped.effort())
    assert not record("", effort=helped.effort()).is_to_be_tried_again(helped.effort())
    assert not record("", converged=True).is_to_be_tried_again(helped.effort())
