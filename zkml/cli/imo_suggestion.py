"""How a suggested price is shown: as JSON, and as lines for people."""

from collections.abc import Callable
from typing import Any

from zkml.core.business_calendar import DAY
from zkml.core.pricing import PPM

HOUR = 3600
"""Of time, in seconds."""
PERCENT_PPM = PPM // 100

LIMITS = (
    (
        "whoever pays its own model by other addresses loses only the platform's and the lineage's part: "
        "look at how many requesters there are, and what the largest brought"
    ),
    (
        "left out is what the creator's, the publisher's and the model's own addresses paid, those of "
        "--leave-out, and whoever had payment tokens straight from these; one address in between hides it"
    ),
    "a creator can begin again under another address, without a record, and buy its own offerings by others",
    "lineage is declared and not proved, and the size class says nothing of how good a model is",
    "not looked at: income from derivatives, prices asked over HTTP, prices of pools",
)


def as_json(
    evidence: Any, found: Any, outlook: Any, shares: int, show: Callable[[int], str]
) -> dict[str, Any]:
    """Return a suggestion and its evidence as JSON.

    Args:
        evidence: see `marketplace.suggestion_data.Evidence`.
        found: see `zkml.core.offering_suggestion.Suggestion`.
        outlook: of the forecast.
        shares: whole shares.
        show: writes an amount for people.
    """
    amount = _Amounts(show)
    data = {
        "demand": _demand(evidence, outlook, amount),
        "comparables": _comparables(evidence.alike, amount),
        "record": _record(evidence, found.trust_ppm, amount),
    }
    price = found.price
    return {
        "model_id": f"{evidence.model_id:#066x}",
        "creator": evidence.creator,
        "basis": found.basis,
        "reason": found.reason,
        "suggestion": None
        if price is None
        else {
            "total_shares": shares,
            "price": amount.span(price),
            "raise": amount.span(found.raise_total),
            "value_of_all_shares": amount.span(found.value),
        },
        "inputs": [
            {
                "input": each.name.value,
                "basis": each.value is not None,
                "reason": each.reason,
                "weight_ppm": each.weight_ppm,
                "value_of_all_shares": None if each.value is None else amount.span(each.value),
                "data": data[each.name.value],
            }
            for each in found.inputs
        ],
        "limits": list(LIMITS),
    }


class _Amounts:
    """Writes amounts as JSON."""

    def __init__(self, show: Callable[[int], str]) -> None:
        self._show = show

    def one(self, units: int) -> dict[str, str]:
        return {"units": str(units), "text": self._show(units)}

    def span(self, ends: Any) -> dict[str, dict[str, str]]:
        return {"low": self.one(ends.low), "high": self.one(ends.high)}

    def tally(self, found: Any) -> dict[str, Any]:
        return {"uses": found.uses, "income": self.one(found.amount)}


def _demand(evidence: Any, outlook: Any, amount: _Amounts) -> dict[str, Any]:
    from zkml.core.demand_forecast import periods_ahead

    history, demand = evidence.history, evidence.history.demand
    paid = demand.by_payer
    return {
        "period_seconds": demand.period_seconds,
        "periods": demand.periods,
        "periods_ahead": periods_ahead(demand, outlook),
        "discount_ppm": outlook.discount_ppm,
        "blocks": [history.first_block, history.last_block],
        "uses": len(demand.uses),
        "income": amount.one(demand.income),
        "income_of_periods": [str(units) for units in demand.totals],
        "requesters": len(paid),
        "largest_requester_ppm": max(paid.values(), default=0) * PPM // (demand.income or 1),
        "proved_by_creator": history.proved_by_creator,
        "left_out": {
            "addresses": list(evidence.own),
            "paid_by_them": amount.tally(history.paid_by_creator),
            "addresses_they_funded": evidence.funded,
            "paid_by_those": amount.tally(history.paid_by_funded),
        },
        "quotes": {
            "waiting": demand.quotes.waiting,
            "waiting_income": amount.one(demand.quotes.waiting_income),
            "ended": demand.quotes.ended,
            "used": demand.quotes.used,
        },
    }


def _comparables(alike: Any, amount: _Amounts) -> dict[str, Any]:
    return {
        "sold": [_offering(each, amount) for each in alike.sold],
        "running": alike.running,
        "unsold": alike.unsold,
        "defaulted": alike.broken,
        "not_looked_at": alike.not_looked_at,
    }


def _record(evidence: Any, trust_ppm: int, amount: _Amounts) -> dict[str, Any]:
    record, models = evidence.record, evidence.own_models
    return {
        "released": [_offering(each, amount) for each in record.released],
        "failed": record.failed,
        "defaulted": record.defaulted,
        "ended_by_tombstone": record.blameless,
        "running": record.running,
        "range_left_ppm": trust_ppm,
        "other_models": models.models,
        "other_models_looked_at": models.looked_at,
        "their_uses": amount.tally(models.paid),
    }


def _offering(found: Any, amount: _Amounts) -> dict[str, Any]:
    return {
        "offering": found.offering_id,
        "model_id": f"{found.model_id:#066x}",
        "why": found.kinship.value,
        "price": amount.one(found.price),
        "total_shares": found.total_shares,
        "raise": amount.one(found.raise_total),
        "value_of_all_shares": amount.one(found.value),
        "income_before": amount.one(found.income),
        "observed_seconds": found.observed_seconds,
    }


def as_text(value: dict[str, Any]) -> str:
    """Return a suggestion for people: the range, then each input with its weight and data, then limits."""
    offered = value["suggestion"]
    lines = [f"model          {value['model_id']}", f"creator        {value['creator']}"]
    if offered is None:
        lines.append(f"suggestion     none: {value['reason']}")
    else:
        lines += [
            f"price          {_span(offered['price'])} for each of {offered['total_shares']} whole shares",
            f"raise          {_span(offered['raise'])} for the public 51 %",
        ]
    texts = {"demand": _demand_lines, "comparables": _comparable_lines, "record": _record_lines}
    for each in value["inputs"]:
        said = f"no basis: {each['reason']}"
        if each["basis"]:
            said = f"weight {_percent(each['weight_ppm'])}, all shares {_span(each['value_of_all_shares'])}"
        lines.append(f"{each['input']:<14} {said}")
        lines += [f"               {line}" for line in texts[each["input"]](each["data"])]
    return "\n".join([*lines, *(f"limit          {limit}" for limit in value["limits"])])


def _span(found: dict[str, dict[str, str]]) -> str:
    return f"{found['low']['text']} to {found['high']['text']}"


def _percent(ppm: int) -> str:
    return f"{ppm // PERCENT_PPM}.{ppm % PERCENT_PPM // 1000} %"


def _demand_lines(data: dict[str, Any]) -> list[str]:
    first, last = data["blocks"]
    left, quotes = data["left_out"], data["quotes"]
    where = f", blocks {first} to {last}" if data["periods"] else ""
    return [
        (
            f"{data['periods']} whole periods of {data['period_seconds'] // HOUR} h{where}; "
            f"{data['periods_ahead']} looked ahead at {_percent(data['discount_ppm'])} a year"
        ),
        (
            f"{data['uses']} uses by {data['requesters']} requesters brought holders "
            f"{data['income']['text']}, {_percent(data['largest_requester_ppm'])} of it by the largest; "
            f"{data['proved_by_creator']} proved by the creator"
        ),
        (
            f"left out: {_tally(left['paid_by_them'])} paid by the creator's own addresses, "
            f"{_tally(left['paid_by_those'])} by addresses that they funded"
        ),
        (
            f"quotes: {quotes['waiting']} wait for {quotes['waiting_income']['text']}; "
            f"{quotes['used']} of {quotes['ended']} that ended were used"
        ),
    ]


def _comparable_lines(data: dict[str, Any]) -> list[str]:
    return [
        *(_offering_line(each) for each in data["sold"]),
        (
            f"{len(data['sold'])} sold, {data['running']} running, {data['unsold']} unsold, "
            f"{data['defaulted']} defaulted; {data['not_looked_at']} older ones not looked at"
        ),
    ]


def _record_lines(data: dict[str, Any]) -> list[str]:
    left = "" if not data["defaulted"] else f"; that leaves {_percent(data['range_left_ppm'])} of the range"
    return [
        *(_offering_line(each) for each in data["released"]),
        (
            f"{len(data['released'])} released, {data['failed']} unsold, {data['defaulted']} defaulted, "
            f"{data['ended_by_tombstone']} ended by a tombstone, {data['running']} running{left}"
        ),
        (
            f"{data['other_models']} other models; {data['other_models_looked_at']} of them had "
            f"{_tally(data['their_uses'])}"
        ),
    ]


def _tally(found: dict[str, Any]) -> str:
    return f"{found['uses']} uses ({found['income']['text']})"


def _offering_line(each: dict[str, Any]) -> str:
    days = each["observed_seconds"] // DAY
    before = f"{each['income_before']['text']} in {days} days before" if days else "income before not known"
    return (
        f"offering {each['offering']} ({each['why']}): {each['total_shares']} shares at "
        f"{each['price']['text']}, raise {each['raise']['text']}, {before}"
    )
