"""The terms of an offering as its creator writes them: options over a file over the deployment's defaults."""

import functools
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from zkml.cli.imo_times import parse_span
from zkml.core.pricing import PPM
from zkml.errors import ArtifactNotFoundError, ConfigError

_WINDOW = "30d"
_LEAST_FEE_PART = 100_000
_SUCCESSOR_RATE = 100_000
_FEE_BAND = 10
_SYMBOL_LENGTH = 8
_MAX_FILE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class WrittenTerms:
    """What a creator wrote, unread; None for what was not. The keys of the file are the names here.

    Attributes:
        total_shares: whole shares, all of them; floor(49 %) stay the creator's.
        price: of one whole share, in whole tokens.
        guardian: address of who may call a default while the reveal can be refuted.
        bond: in whole tokens.
        window: how long shares can be reserved, e.g. 30d.
        seed_part: part of the raise that seeds the pool, in millionths.
        vesting: over which the creator's rest vests, e.g. 365d.
        lp_lock: for which the pool's liquidity is locked, e.g. 365d.
        model_fee: what each output costs, in whole tokens.
        min_model_fee: what it will never cost less than.
        min_model_fee_part: least model fee as a part of the price, in millionths.
        max_model_fee: the upper end of the fee's band.
        successor_rate: the least lineage rate of a recognised successor, in millionths.
        name: of the share token.
        symbol: of the share token.
    """

    total_shares: int | None = None
    price: str | None = None
    guardian: str | None = None
    bond: str | None = None
    window: str | None = None
    seed_part: int | None = None
    vesting: str | None = None
    lp_lock: str | None = None
    model_fee: str | None = None
    min_model_fee: str | None = None
    min_model_fee_part: int | None = None
    max_model_fee: str | None = None
    successor_rate: int | None = None
    name: str | None = None
    symbol: str | None = None


_NUMBERS = ("total_shares", "seed_part", "min_model_fee_part", "successor_rate")
_KEYS = tuple(item.name for item in fields(WrittenTerms))

_HALF = click.IntRange(1, PPM // 2)
_OPTIONS = (
    click.option(
        "--terms",
        "terms_file",
        type=click.Path(path_type=Path),
        help='TOML file of these options: total_shares = 1000, price = "2.5", and so on; options win.',
    ),
    click.option(
        "--total-shares", type=click.IntRange(min=1), help="All whole shares; floor(49 %) stay yours."
    ),
    click.option("--price", help="Of one whole share, in whole tokens, e.g. 2.5."),
    click.option(
        "--guardian", metavar="ADDRESS", help="May call a default while your reveal can be refuted; not you."
    ),
    click.option("--bond", help="Lost if you do not deliver, in whole tokens [the least for the raise]."),
    click.option("--window", help=f"How long shares are on sale, e.g. 30d, at most 90d [{_WINDOW}]."),
    click.option(
        "--seed-part",
        type=click.IntRange(1, PPM),
        help="Part of the raise that seeds the pool, in millionths [the least].",
    ),
    click.option("--vesting", help="Over which the rest vests to you, e.g. 365d [the least]."),
    click.option("--lp-lock", help="For which the pool's liquidity is locked, e.g. 365d [the least]."),
    click.option("--model-fee", help="What each output costs, in whole tokens [as it is]."),
    click.option("--min-model-fee", help="What it will never cost less than [as it is, or the fee]."),
    click.option(
        "--min-model-fee-part",
        type=_HALF,
        help=f"Least fee as a part of the price, in millionths [as it is, or {_LEAST_FEE_PART}].",
    ),
    click.option("--max-model-fee", help=f"The upper end of the fee's band [{_FEE_BAND} times the fee]."),
    click.option(
        "--successor-rate",
        type=_HALF,
        help=f"What a recognised successor owes at least, in millionths [{_SUCCESSOR_RATE}].",
    ),
    click.option("--name", help="Of the share token [the model's name, and `shares`]."),
    click.option("--symbol", help="Of the share token [letters of the model's name]."),
)


def terms_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an offering's terms; it receives them as `written`, `WrittenTerms`."""

    @functools.wraps(function)
    def run(*args: Any, **values: Any) -> Any:
        path = values.pop("terms_file")
        options = {key: values.pop(key) for key in _KEYS}
        given = {key: found for key, found in options.items() if found is not None}
        read = {} if path is None else read_terms_file(path)
        return function(*args, written=WrittenTerms(**{**read, **given}), **values)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def read_terms_file(path: Path) -> dict[str, Any]:
    """Return what a TOML file says of an offering's terms.

    Raises:
        ArtifactNotFoundError: no such file.
        ConfigError: not TOML; a foreign key; or a value of another kind. Lists every problem.
    """
    try:
        with path.open("rb") as stream:
            found = tomllib.loads(stream.read(_MAX_FILE_BYTES).decode())
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"expected a file of terms, found none at {path}") from error
    except OSError as error:
        raise ConfigError(f"expected a readable file, found {error.strerror} at {path}") from error
    except ValueError as error:
        raise ConfigError(f"expected TOML, found {str(error).splitlines()[0]:.120} in {path}") from error
    problems = [problem for key, value in found.items() for problem in _problems(key, value)]
    if problems:
        raise ConfigError(
            f"expected the terms of an offering, found {'; '.join(problems)} in {path}",
            hint="keys: " + ", ".join(_KEYS),
        )
    return found


def _problems(key: str, value: Any) -> list[str]:
    if key not in _KEYS:
        return [f"unknown key {key!r:.40}"]
    if key in _NUMBERS:
        is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
        return [] if is_number else [f"{key} is no whole number above 0"]
    # A float would lose digits of an amount.
    return [] if isinstance(value, str) else [f'{key} is no text: write {key} = "..."']


def complete_terms(written: WrittenTerms, market: Any, model: int, artifact: Any) -> Any:
    """Return the `OfferingTerms` that a creator wrote, completed by model and deployment.

    Args:
        written: by the creator.
        market: chain and contracts.
        model: what is offered.
        artifact: what is sold.

    Raises:
        ConfigError: something is missing or cannot be read.
        NotRegisteredError: no such model.
    """
    from zkml.cli.identifiers import parse_address
    from zkml.core.identifiers import FeeTerms
    from zkml.core.offering_money import creator_shares_of, least_bond
    from zkml.core.offering_terms import OfferingTerms

    _require(written)
    token, rules = market.token, market.deployment.offering_rules
    total, price = written.total_shares or 0, token.parse(written.price)
    fees = _fees(written, market, model)
    name = market.registry.commitment_of(model).name
    raise_total = (total - creator_shares_of(total)) * price
    return OfferingTerms.build(
        model_id=model,
        total_shares=total,
        price=price,
        bond=least_bond(raise_total, rules) if written.bond is None else token.parse(written.bond),
        window_seconds=parse_span(written.window or _WINDOW, "window"),
        seed_ppm=written.seed_part or rules.min_seed_ppm,
        vesting_seconds=_span(written.vesting, "vesting", rules.min_vesting_seconds),
        lp_lock_seconds=_span(written.lp_lock, "lp_lock", rules.min_lp_lock_seconds),
        fees=FeeTerms(**fees),
        max_model_fee=_amount(token, written.max_model_fee, _FEE_BAND * fees["model_fee"]),
        successor_rate_ppm=written.successor_rate or _SUCCESSOR_RATE,
        guardian=parse_address(written.guardian or "", "the guardian"),
        artifact=artifact,
        name=_name_of(name) if written.name is None else written.name,
        symbol=_symbol_of(name) if written.symbol is None else written.symbol,
    )


def _require(written: WrittenTerms) -> None:
    missing = [
        f"--{key.replace('_', '-')}"
        for key in ("total_shares", "price", "guardian")
        if getattr(written, key) is None
    ]
    if missing:
        raise ConfigError(
            f"expected {', '.join(missing)}, found nothing there",
            hint="give options, or --terms FILE; `zkml imo suggest` helps with the price",
        )


def _fees(written: WrittenTerms, market: Any, model: int) -> Mapping[str, int]:
    token, now = market.token, market.registry.fee_terms_of(model)
    fee = _amount(token, written.model_fee, now.model_fee)
    least = _amount(token, written.min_model_fee, now.min_model_fee or fee)
    part = written.min_model_fee_part or now.min_model_fee_ppm or _LEAST_FEE_PART
    if fee == 0:
        raise ConfigError(
            "expected a model fee above zero, found none: shares of a free model earn nothing",
            hint="give --model-fee",
        )
    return {"model_fee": fee, "min_model_fee": least, "min_model_fee_ppm": part}


def _amount(token: Any, text: str | None, default: int) -> int:
    return default if text is None else int(token.parse(text))


def _span(text: str | None, what: str, default: int) -> int:
    return default if text is None else parse_span(text, what)


def _name_of(model: str) -> str:
    from zkml.core.offering_terms import MAX_NAME_BYTES

    end = " shares"
    cut = model.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore")
    return f"{cut.rstrip()}{end}"


def _symbol_of(name: str) -> str:
    letters = re.sub("[^A-Za-z0-9]", "", name).upper()[:_SYMBOL_LENGTH]
    if not letters:
        raise ConfigError("expected a symbol for the share token, found none", hint="give --symbol")
    return letters
