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
) -> Counter[str]:
    """Count the calculations of a campaign that are stored, by kind; shared ones once.

    Parameters
    ----------
    campaign, engine, plans
        Of the campaign.
    database
        To look into; nothing is written.
    """
    kinds: dict[str, str] = {}

    def stored(calculations: list[Calculation]) -> list[Record]:
        pairs = [(c, record) for c in calculations if (record := database.get(c.uid))]
        kinds.update({c.uid: c.kind for c, _ in pairs})
        return [record.described_by(c) for c, record in pairs]

    stored(plan_references(campaign, engine))
    for plan in plans:
        level = start(plan)
        while level:
            records = stored(level)
            if level[0].kind == "candidate":
                records = rank(plan, records) if len(records) == len(level) else []
            converged = [record for record in records if record.result.converged]
            level = [follower for record in converged for follower in after(plan, record)]
    return Counter(kinds.values())


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
    there = finished_calculations(campaign, engine, plans, database) if database else Counter()
    left = dict(there)
    kinds = Counter({"reference": len(plan_references(campaign, engine))})
    seconds: float | None = 0.0
    for plan in plans:
        for kind, number in expected_calculations(plan).items():
            kinds[kind] += number
            new = max(0, number - left.get(kind, 0))
            left[kind] = max(0, left.get(kind, 0) - number)
            cost = engine.seconds(len(plan.root), kind)
            seconds = None if seconds is None or cost is None else seconds + new * cost
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    time = "unknown time" if seconds is None else f"{duration(seconds / workers)} estimated"
    done = f"{there.total()} of them finished, " if there else ""
    if there.total() >= kinds.total():
        time = "nothing to calculate"
    return (
        f"campaign {campaign.name}: about {kinds.total()} calculations ({listed}), "
        f"{done}{time} on {workers} worker(s); sites are those of the unrelaxed cells"
    )
