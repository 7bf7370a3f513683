"""`zkml steward`: who owns an offered model, what its creator may set, and what its holders decide."""

import click

from zkml.cli import steward_moves, steward_show, steward_votes


@click.group("steward")
def command() -> None:
    """Show what the steward of an offered model holds, vote on it, and set what its creator may set.

    Example: zkml steward show 1
    """


for _verb in (
    steward_show.show,
    steward_votes.delegate,
    steward_votes.propose,
    steward_votes.vote,
    steward_votes.carry,
    steward_moves.set_fee,
    steward_moves.grant,
    steward_moves.successor,
    steward_moves.return_income,
):
    command.add_command(_verb)
