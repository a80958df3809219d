"""Which calculation goes with which: joins by uid, and the refusal to mix energy scales."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from vacancy_flows.analysis.calculations import REFERENCE_UIDS, partners, text_of
from vacancy_flows.analysis.oxygen import (
    OxygenReference,
    ReferenceUnavailable,
    chemical_potential,
)
from vacancy_flows.analysis.routes import SCALE_SHIFTS


def attach_pristine(table: pd.DataFrame, pristine: pd.DataFrame) -> pd.DataFrame:
    """Join the pristine energy by `pristine_uid` and carry its convergence over.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancy rows with boolean `converged` and text `reason`.
    pristine : pandas.DataFrame
        From `partners`.

    Returns
    -------
    pandas.DataFrame
        With `e_pristine_eV`; `converged` and `reason` updated.

    Raises
    ------
    ValueError
        If engine or energy scale of a pair differ.
    """
    joined = _join(table, "pristine_uid", "pristine", pristine, _same)
    return joined.rename(columns={"partner_eV": "e_pristine_eV"})


def attach_references(table: pd.DataFrame, calculations: pd.DataFrame) -> pd.DataFrame:
    """Join the three oxygen references by uid and carry their convergence over.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancy rows with boolean `converged` and text `reason`.
    calculations : pandas.DataFrame
        See `vacancy_flows.analysis.calculations.CALCULATION_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        With columns O2, Li and Li2O (eV, NaN where missing); rows whose removed element is not
        O need no reference and are not judged by one, those of a foreign scale need O2 only.

    Raises
    ------
    ValueError
        If engine or energy scale of a row and its reference differ. A reference of scale "pbe"
        fits "pbe+u": O2, Li and Li2O hold no element with a U.
    """
    oxygen = table["removed_element"] == "O"
    judged = table[oxygen]
    for kind, column in REFERENCE_UIDS.items():
        found = partners(calculations, "reference", kind)
        needs = judged["energy_scale"].isin(list(SCALE_SHIFTS)) | (kind == "O2")
        joined = _join(judged[needs], column, f"{kind} reference", found, _same_functional)
        judged = pd.concat([joined.rename(columns={"partner_eV": kind}), judged[~needs]])
    judged = judged.reindex(table.index[oxygen])
    energies = judged[list(REFERENCE_UIDS)].reindex(table.index)
    result = table.assign(**{kind: energies[kind] for kind in REFERENCE_UIDS})
    result.loc[oxygen, ["converged", "reason"]] = judged[["converged", "reason"]]
    return result.astype({"converged": bool})


def attach_mu_o(table: pd.DataFrame, reference: OxygenReference) -> pd.DataFrame:
    """Add `mu_o_eV`, computed once per energy scale and set of references.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancy rows, from `attach_references` unless the scheme is "user".
    reference : OxygenReference
        What mu_O is measured from.

    Returns
    -------
    pandas.DataFrame
        With `mu_o_eV`, NaN where the removed element is not O or no mu_O applies (there
        `converged` is False); `reason` says why.

    Raises
    ------
    ReferenceMismatch
        From the guard of `chemical_potential`.
    """
    oxygen = table["removed_element"] == "O"
    why = pd.Series("", index=table.index)
    named = text_of(table["removed_element"], "not known")
    why = why.where(oxygen, "removed element is " + named + ", no mu_O applies")
    if reference.scheme == "user":
        mu_o = pd.Series(float(reference.mu_o or 0.0), index=table.index).where(oxygen)
        return table.assign(mu_o_eV=mu_o, reason=_and(table["reason"], why))
    mu_o = pd.Series(np.nan, index=table.index)
    unavailable = pd.Series(False, index=table.index)
    keys = ["energy_scale", *REFERENCE_UIDS]
    for scale, rows in table[oxygen].groupby(keys, dropna=False, sort=False):
        values = {kind: float(rows[kind].iloc[0]) for kind in REFERENCE_UIDS}
        try:
            mu_o[rows.index] = chemical_potential(reference, str(scale[0]), values)
        except ReferenceUnavailable as problem:
            unavailable[rows.index] = True
            foreign = scale[0] not in SCALE_SHIFTS
            told = np.isnan(values["O2"] if foreign else list(values.values())).any()
            if not told:  # else the join has said what is missing
                why[rows.index] = str(problem)
    return table.assign(
        mu_o_eV=mu_o,
        converged=table["converged"] & ~unavailable,
        reason=_and(table["reason"], why),
    )


def _join(
    table: pd.DataFrame,
    column: str,
    what: str,
    partner: pd.DataFrame,
    fits: Callable[[pd.Series, pd.Series, str], pd.Series],
) -> pd.DataFrame:
    """Join one partner by the uid in `column`: energy to `partner_eV`, convergence, reason."""
    uid = table[column]
    # astype(object): a column of nothing but None would otherwise become a float index
    other = partner.reindex(pd.Index(uid.astype(object))).set_axis(table.index)
    known = uid.isin(partner.index)
    for field in ("engine", "energy_scale"):
        wrong = known & ~fits(table[field], other[field], field)
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            mine, its = table.iloc[row], other[field].iloc[row]
            raise ValueError(
                f"{field} of vacancy {mine['uid']} is {mine[field]!r}, but of its {what} "
                f"{mine[column]} it is {its!r}: energies of two scales or engines do not go into "
                "one E_f; compute both with the same"
            )
    own = text_of(other["reason"])
    done = other["converged"].eq(True) & other["energy_eV"].notna()
    label = what + " " + text_of(uid) + ": "
    why = (label + own.where(own != "", "not converged")).where(~done, "")
    why = why.where(known, label + "not among the finished calculations")
    why = why.where(uid.notna(), f"no {what} named")
    return table.assign(
        partner_eV=other["energy_eV"].astype(float),
        converged=table["converged"] & done,
        reason=_and(table["reason"], why),
    )


def _same(left: pd.Series, right: pd.Series, _: str) -> pd.Series:
    return left == right


def _same_functional(left: pd.Series, right: pd.Series, field: str) -> pd.Series:
    if field == "engine":
        return left == right
    return left.astype(str).str.removesuffix("+u") == right.astype(str).str.removesuffix("+u")


def _and(first: pd.Series, second: pd.Series) -> pd.Series:
    """Join two columns of text by a semicolon where both say something."""
    between = np.where((first != "") & (second != ""), "; ", "")
    return first + pd.Series(between, index=first.index, dtype=object) + second
