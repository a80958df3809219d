"""Where a campaign stands: what is finished, and what the rest will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vacancy_flows.campaign import Campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.plan import HostPlan, after, rank, start
from vacancy_flows.planning import expected_calculations, plan_references
from vacancy_flows.progress import duration
from vacancy_flows.schemas import Calculation, Record


def finished_calculations(
    campaign: Campaign, engine: Engine, plans: Sequence[HostPlan], database: ResultsDatabase
) -> dict[str, Counter[str]]:
    """Count the calculations of a campaign that are stored.

    Parameters
    ----------
    campaign, engine, plans
        Of the campaign.
    database
        To look into; nothing is written.

    Returns
    -------
    dict
        By host, number of each kind; what hosts share counts for each. References are under
        the empty name.
    """
    counts: dict[str, Counter[str]] = {"": Counter()}
    for reference in plan_references(campaign, engine):
        counts[""][reference.kind] += _finished(database, reference, engine) is not None
    for plan in plans:
        counts[plan.host] = found = Counter[str]()
        level = start(plan)
        while level:
            pairs = [(c, record) for c in level if (record := _finished(database, c, engine))]
            found.update(c.kind for c, _ in pairs)
            records = [record.described_by(c) for c, record in pairs]
            if level[0].kind == "candidate":
                records = rank(plan, records) if len(records) == len(level) else []
            converged = [record for record in records if record.result.converged]
            level = [follower for record in converged for follower in after(plan, record)]
    return counts


def _finished(database: ResultsDatabase, calculation: Calculation, engine: Engine) -> Record | None:
    record = database.get(calculation.uid)
    again = record is not None and record.is_to_be_tried_again(engine.effort())
    return None if again else record


def cost_text(
    campaign: Campaign,
    engine: Engine,
    plans: Sequence[HostPlan],
    workers: int,
    database: ResultsDatabase | None = None,
) -> str:
    """Return how many calculations a campaign takes and about how long.

    Parameters
    ----------
    campaign, engine, plans
        Of the campaign.
    workers
        Number of processes.
    database
        Of an earlier run, whose finished calculations are not done again.
    """
    there = finished_calculations(campaign, engine, plans, database) if database else {}
    expected = Counter({"reference": len(plan_references(campaign, engine))})
    left = Counter(expected) - there.get("", Counter())
    seconds: float | None = 0.0
    for plan in plans:
        kinds = Counter(expected_calculations(plan))
        expected += kinds
        rest = kinds - there.get(plan.host, Counter())
        left += rest
        for kind, number in rest.items():
            cost = engine.seconds(len(plan.root), kind)
            seconds = None if seconds is None or cost is None else seconds + number * cost
    listed = ", ".join(f"{number} {kind}" for kind, number in expected.items() if number)
    text = f"campaign {campaign.name}: about {expected.total()} calculations ({listed}), "
    finished = sum(count.total() for count in there.values())
    if finished:
        text += f"{finished} of them finished, "
    if not left:
        return f"{text}nothing to calculate"
    time = "unknown time" if seconds is None else f"{duration(seconds / workers)} estimated"
    return f"{text}{time} on {workers} worker(s); sites are those of the unrelaxed cells"
