"""The options that say under which terms a model is published, and what they mean together."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import click

from zkml.core.pricing import PPM
from zkml.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ListingFlags:
    """What the options of `listing_options` said, unread; see their help."""

    licence: str
    dataset_digest: str | None
    closed: str | None
    predecessor: str | None
    model_fee: str | None
    min_model_fee: str
    min_model_fee_part: int
    no_derivatives: bool
    derivative_rate: int
    derivative_min_fee: str
    derivative_min_fee_part: int
    parent: tuple[str, ...]
    max_total: int
    verifier: Literal["generated", "shared"] | None


_OPTIONS = (
    click.option(
        "--licence", default="Apache-2.0", show_default=True, help="SPDX expression of the weights' licence."
    ),
    click.option("--dataset-digest", metavar="SHA256", help="SHA-256 that names the training data."),
    click.option(
        "--closed",
        metavar="KECCAK256",
        help="Close the model to provers without access; commits to the key of its encrypted files.",
    ),
    click.option("--predecessor", metavar="MODEL", help="Your model that this is a new version of."),
    click.option("--model-fee", help="What each output costs, in whole tokens; default: the least fee."),
    click.option(
        "--min-model-fee",
        default="0",
        show_default=True,
        help="What an output will never cost less than, in whole tokens.",
    ),
    click.option(
        "--min-model-fee-part",
        type=click.IntRange(0, PPM // 2),
        default=0,
        show_default=True,
        help="Least model fee as a part of the price, in millionths.",
    ),
    click.option("--no-derivatives", is_flag=True, help="Let no model declare this one as its parent."),
    click.option(
        "--derivative-rate",
        type=click.IntRange(0, PPM // 2),
        default=0,
        show_default=True,
        help="Least part of a derivative's income, in millionths.",
    ),
    click.option(
        "--derivative-min-fee",
        default="0",
        show_default=True,
        help="Least model fee of a derivative, in whole tokens.",
    ),
    click.option(
        "--derivative-min-fee-part",
        type=click.IntRange(0, PPM // 2),
        default=0,
        show_default=True,
        help="Least model fee of a derivative as a part of the price, in millionths.",
    ),
    click.option(
        "--parent",
        multiple=True,
        metavar="MODEL:PPM",
        help="A model that this one derives from, and its part in millionths; up to four times.",
    ),
    click.option(
        "--max-total",
        type=click.IntRange(1, PPM // 2),
        default=PPM // 2,
        show_default=True,
        help="The most that all parents together may be granted, in millionths.",
    ),
    click.option(
        "--verifier",
        type=click.Choice(["generated", "shared"]),
        default=None,
        help="A verifier of the circuit's own, or the chain's shared one; EZKL has both, and by default "
        "generated, OCTET the shared one.",
    ),
)


def listing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a listing; it receives them as `flags`, a `ListingFlags`."""

    @functools.wraps(function)
    def run(*args: Any, **values: Any) -> Any:
        flags = ListingFlags(**{item.name: values.pop(item.name) for item in fields(ListingFlags)})
        return function(*args, flags=flags, **values)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def read_listing(flags: ListingFlags, token: Any) -> Any:
    """Return the `Listing` that the options describe.

    Args:
        flags: of one command.
        token: the payment token; reads amounts.

    Raises:
        ConfigError: a value is no digest, amount, model or part.
    """
    from zkml.cli.identifiers import parse_digest, parse_model
    from zkml.core.identifiers import ZERO32, DerivativeTerms, FeeTerms
    from zkml.publish.listing import Listing

    return Listing(
        licence=flags.licence,
        dataset_digest=parse_digest(flags.dataset_digest, "SHA-256") if flags.dataset_digest else ZERO32,
        key_commitment=parse_digest(flags.closed, "keccak256") if flags.closed else ZERO32,
        predecessor=parse_model(flags.predecessor) if flags.predecessor else 0,
        fees=FeeTerms(
            token.parse(flags.min_model_fee if flags.model_fee is None else flags.model_fee),
            token.parse(flags.min_model_fee),
            flags.min_model_fee_part,
        ),
        derivatives=DerivativeTerms(
            not flags.no_derivatives,
            flags.derivative_rate,
            token.parse(flags.derivative_min_fee),
            flags.derivative_min_fee_part,
        ),
        parents=read_parents(flags.parent),
        max_total_ppm=flags.max_total,
        verifier=flags.verifier,
    )


def read_parents(texts: Sequence[str]) -> tuple[Any, ...]:
    """Read parents with their parts, each MODEL:PPM.

    Raises:
        ConfigError: another form, one model twice, or more than a lineage can have.
    """
    from registry.lineage import MAX_PARENTS, Parent
    from zkml.cli.identifiers import parse_model

    parents = []
    for text in texts:
        model, _, part = text.rpartition(":")
        if not part.isdecimal() or not 1 <= int(part) <= PPM // 2:
            raise ConfigError(
                f"expected MODEL:PPM with 1 to {PPM // 2} millionths, found {text!r:.100}",
                hint="0x1f...:50000 gives a parent five percent",
            )
        parents.append(Parent(parse_model(model), int(part)))
    if len(parents) > MAX_PARENTS or len({parent.model_id for parent in parents}) != len(parents):
        raise ConfigError(f"expected up to {MAX_PARENTS} different parents, found {len(parents)}")
    return tuple(parents)
