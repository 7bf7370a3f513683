"""A suggested price for a model's shares: three inputs, each with its weight, and a range. Integers alone.

1. Demand: what the holders may earn; see `demand_forecast`.
2. Comparables: what buyers paid for models of the same family or class, scaled by income.
3. The creator's record: what buyers paid for what this creator released before. A default cuts the whole
   range: each counts as much as three releases, and with more defaults than releases nothing is suggested.

An input without a basis has no part in the range, and the others' weights are brought back to 10^6. That
nobody paid although the model could be used for long enough is a basis; a model that is too young is none.
The range's low end lies halfway between the weighted mean of the low ends and the least of them, the high end
likewise: inputs that contradict each other make it wide. It is never a single number.
"""

from dataclasses import dataclass
from enum import StrEnum

from zkml.core.demand_forecast import Demand, Outlook, ValueRange, forecast, quartile_range
from zkml.core.offering_money import creator_shares_of
from zkml.core.offering_terms import MAX_SHARES, MIN_SHARES
from zkml.core.pricing import MAX_AMOUNT, PPM
from zkml.errors import ConfigError

SCALED_MOST = 10
"""A comparable's price is scaled by at most this, up or down: small incomes divide into anything."""
DEFAULT_COUNTS = 3
"""How many releases a default outweighs."""


class SuggestionInput(StrEnum):
    """What a suggestion is made of."""

    DEMAND = "demand"
    COMPARABLES = "comparables"
    RECORD = "record"


WEIGHTS_PPM = {
    SuggestionInput.DEMAND: 500_000,
    SuggestionInput.COMPARABLES: 300_000,
    SuggestionInput.RECORD: 200_000,
}


class Kinship(StrEnum):
    """Why an offering is looked at."""

    FAMILY = "same lineage family"
    CLASS = "same proof system and size class"
    CREATOR = "same creator"


@dataclass(frozen=True, slots=True)
class PricedOffering:
    """An offering that found its buyers.

    Attributes:
        offering_id: its number.
        model_id: what was offered.
        kinship: why it is looked at.
        price: of one whole share, in the payment token's smallest unit.
        total_shares: all whole shares, the creator's included.
        income: what the model had brought its owner before the offering opened.
        observed_seconds: in how long; 0 where that was too short to say anything.
    """

    offering_id: int
    model_id: int
    kinship: Kinship
    price: int
    total_shares: int
    income: int = 0
    observed_seconds: int = 0

    @property
    def value(self) -> int:
        """What all shares cost at the price."""
        return self.price * self.total_shares

    @property
    def raise_total(self) -> int:
        """What the public shares cost."""
        return self.price * (self.total_shares - creator_shares_of(self.total_shares))


@dataclass(frozen=True, slots=True)
class CreatorRecord:
    """What became of a creator's other offerings.

    Attributes:
        released: those that trade, as priced.
        failed: how many did not sell out.
        defaulted: how many broke what was promised, or are overdue.
        blameless: how many ended by a tombstone of their circuit, which is nobody's fault.
        running: how many are neither released nor ended.
    """

    released: tuple[PricedOffering, ...] = ()
    failed: int = 0
    defaulted: int = 0
    blameless: int = 0
    running: int = 0

    @property
    def trust_ppm(self) -> int:
        """What of the range a buyer may believe, in millionths; 0: nothing."""
        kept = len(self.released)
        if self.defaulted > kept:
            return 0
        return PPM * (1 + kept) // (1 + kept + DEFAULT_COUNTS * self.defaulted)


@dataclass(frozen=True, slots=True)
class WeighedInput:
    """One input's say.

    Attributes:
        name: which one.
        weight_ppm: its part in the range, in millionths; 0 without a basis.
        value: of all shares; None without a basis.
        reason: why there is no basis; empty where there is one.
    """

    name: SuggestionInput
    weight_ppm: int
    value: ValueRange | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a creator may ask.

    Attributes:
        inputs: all three, whether they have a basis or not.
        trust_ppm: what defaults left of the range, in millionths.
        value: of all shares, after that cut; None without a basis.
        price: of one whole share; None without a basis.
        raise_total: of the public shares at that price; None without a basis.
        reason: why nothing is suggested; empty where something is.
    """

    inputs: tuple[WeighedInput, ...]
    trust_ppm: int
    value: ValueRange | None = None
    price: ValueRange | None = None
    raise_total: ValueRange | None = None
    reason: str = ""

    @property
    def basis(self) -> str:
        """`full` where all inputs have a basis, `none` where nothing is suggested, else `partial`."""
        if self.price is None:
            return "none"
        return "full" if all(found.value is not None for found in self.inputs) else "partial"


def suggest(
    demand: Demand,
    comparables: tuple[PricedOffering, ...],
    record: CreatorRecord,
    *,
    outlook: Outlook,
    total_shares: int,
) -> Suggestion:
    """Suggest a range of prices.

    Args:
        demand: for the model that is to be offered.
        comparables: other creators' offerings that found their buyers.
        record: of the creator's other offerings.
        outlook: of the forecast.
        total_shares: whole shares that the model shall have.

    Raises:
        ConfigError: more or fewer shares than an offering can have.
    """
    if not MIN_SHARES <= total_shares <= MAX_SHARES:
        raise ConfigError(f"expected {MIN_SHARES} to {MAX_SHARES} whole shares, found {total_shares}")
    inputs = weigh(
        {
            SuggestionInput.DEMAND: forecast(demand, outlook),
            SuggestionInput.COMPARABLES: _priced(comparables, demand),
            SuggestionInput.RECORD: _priced(record.released, demand),
        },
        {
            SuggestionInput.DEMAND: "too few whole periods in which the model could be used",
            SuggestionInput.COMPARABLES: "no other creator's offering of this family or class was sold",
            SuggestionInput.RECORD: "no earlier offering of this creator was released",
        },
    )
    trust = record.trust_ppm
    if trust == 0:
        return Suggestion(inputs, trust, reason="the creator defaulted more often than it released")
    value = _combined(inputs, trust)
    if value is None:
        return Suggestion(inputs, trust, reason="no input has a basis")
    if value.high == 0:
        return Suggestion(inputs, trust, reason="nobody has paid, and nothing alike was sold")
    if value.high < 2 * total_shares:
        return Suggestion(
            inputs, trust, reason="a whole share is worth less than two units: take fewer shares"
        )
    price = _price_of(value, total_shares)
    public = total_shares - creator_shares_of(total_shares)
    return Suggestion(inputs, trust, value, price, ValueRange(public * price.low, public * price.high))


def scaled_value(offering: PricedOffering, demand: Demand) -> ValueRange:
    """Return what an offering's price says of a model with this demand.

    One end is the offering's own value, the other the same multiple of income: at most ten times more or
    less. Where either income was not observed for long enough, both are the offering's own value.
    """
    value = offering.value
    if offering.income <= 0 or offering.observed_seconds <= 0 or not demand.is_long_enough:
        return ValueRange(value, value)
    multiple = value * demand.income * offering.observed_seconds // (offering.income * demand.seconds)
    other = min(max(multiple, value // SCALED_MOST), value * SCALED_MOST)
    return ValueRange(min(value, other), max(value, other))


def weigh(
    values: dict[SuggestionInput, ValueRange | None], reasons: dict[SuggestionInput, str]
) -> tuple[WeighedInput, ...]:
    """Give each input with a basis its weight, 10^6 in all; what rounding leaves goes to the first."""
    based = [name for name in SuggestionInput if values[name] is not None]
    whole = sum(WEIGHTS_PPM[name] for name in based)
    weights = {name: WEIGHTS_PPM[name] * PPM // whole for name in based}
    if based:
        weights[based[0]] += PPM - sum(weights.values())
    return tuple(
        WeighedInput(name, weights.get(name, 0), values[name], "" if name in weights else reasons[name])
        for name in SuggestionInput
    )


def _priced(offerings: tuple[PricedOffering, ...], demand: Demand) -> ValueRange | None:
    """Return what n offerings say: quartiles; n may be few, so n / (n + 1) and (n + 1) / n of them."""
    count = len(offerings)
    if count == 0:
        return None
    found = quartile_range([scaled_value(each, demand) for each in offerings])
    return ValueRange(found.low * count // (count + 1), found.high * (count + 1) // count)


def _combined(inputs: tuple[WeighedInput, ...], trust_ppm: int) -> ValueRange | None:
    based = [(found.weight_ppm, found.value) for found in inputs if found.value is not None]
    if not based:
        return None
    low = sum(weight * value.low for weight, value in based) // PPM + min(value.low for _, value in based)
    high = sum(weight * value.high for weight, value in based) // PPM + max(value.high for _, value in based)
    return ValueRange(low * trust_ppm // (2 * PPM), high * trust_ppm // (2 * PPM))


def _price_of(value: ValueRange, total_shares: int) -> ValueRange:
    """Return prices of a whole share that the contract takes: two different ones, whatever is rounded."""
    low = min(max(1, value.low // total_shares), MAX_AMOUNT - 1)
    return ValueRange(low, min(max(low + 1, -(-value.high // total_shares)), MAX_AMOUNT))
