"""Selections in ASE's syntax on the columns of a table."""

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.errors import InputError
from vacancy_flows.selection import parse_selection, select


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "uid": ["a", "b", "c", "d"],
            "host": ["Li2MnO3", "Li1.5MnO3", "Li2MnO3", None],
            "strain": [0.0, 0.02, 0.04, np.nan],
            "ordering": pd.array([None, 0, 1, None], dtype="Int64"),
            "converged": [True, True, False, True],
            "reason": ["", "stopped", "", None],
        }
    )


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        ("", "abcd"),
        (" , ", "abcd"),
        ("host=Li2MnO3", "ac"),
        ("host = Li2MnO3", "ac"),
        ("host='Li2MnO3'", "ac"),
        ('host!="Li2MnO3"', "bd"),
        ("host!=Li2MnO3", "bd"),
        ("strain>0.02", "c"),
        ("strain>=0.02", "bc"),
        ("strain<0.02", "a"),
        ("strain<=2e-2", "ab"),
        ("strain=0.02", "b"),
        ("strain!=0.02", "ac"),
        ("0<strain<0.04", "b"),
        ("0<=strain<=0.04", "abc"),
        ("host=Li2MnO3,strain>0.02", "c"),
        ("ordering=0", "b"),
        ("ordering!=0", "c"),
        ("ordering", "bc"),
        ("strain", "abc"),
        ("reason", "b"),
        ("converged=True", "abd"),
        ("converged=false", "c"),
        ("converged!=1", "c"),
        ("host=none", ""),
        ("strain>1", ""),
    ],
)
def test_what_is_found(table, selection, found):
    assert "".join(select(table, selection).uid) == found


@pytest.mark.parametrize(
    ("selection", "problem"),
    [
        ("strian>0.02", r"unknown column 'strian'.*did you mean 'strain'\?"),
        ("formation>1", "unknown column 'formation'"),
        ("strain=large", "strain is a number, not 'large'"),
        ("0<strain<high", "strain is a number, not 'high'"),
        ("host>5", "host is text"),
        ("converged>0", "converged is True or False"),
        ("converged=perhaps", "converged is True or False"),
        ("strain>>2", "not understood"),
        ("strain==0.02", "not understood"),
        ("strain=", "not understood"),
        ("=2", "not understood"),
        ("a b", "not understood"),
        ("0>strain>1", "not understood"),
    ],
)
def test_what_is_refused(table, selection, problem):
    with pytest.raises(InputError, match=problem) as caught:
        select(table, selection)
    assert caught.value.key == "selection"


def test_a_number_that_is_no_number_is_refused(table):
    with pytest.raises(InputError, match="strain is a number"):
        select(table, "strain=nan")


def test_an_empty_table_knows_its_columns(table):
    assert select(table.iloc[:0], "strain>0.02,host=A").empty
    with pytest.raises(InputError, match="unknown column"):
        select(table.iloc[:0], "strian>0.02")


def test_between_is_two_terms():
    assert parse_selection("0<strain<=0.04") == [("strain", ">", "0"), ("strain", "<=", "0.04")]
