"""`zkml imo`: offerings of models, sold at a fixed price, released by a reveal and a fresh proof."""

import click

from zkml.cli import imo_buy, imo_claim, imo_finalize, imo_open, imo_reveal, imo_show, imo_suggest


@click.group("imo")
def command() -> None:
    """Offer a model's shares, buy them, release them, and take what they bring.

    Example: zkml imo show 1
    """


for _verb in (
    imo_suggest.suggest,
    imo_open.command,
    imo_buy.reserve,
    imo_buy.resell,
    imo_buy.buy,
    imo_show.show,
    imo_show.list_,
    imo_reveal.reveal,
    imo_reveal.challenge,
    imo_finalize.finalize,
    imo_reveal.default,
    imo_claim.claim,
):
    command.add_command(_verb)
