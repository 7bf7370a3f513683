"""`zkml lineage`: what models derive from, and what they owe for it."""

import json
from pathlib import Path
from typing import Any

import click

from zkml.cli.identifiers import parse_model
from zkml.cli.listing_options import read_parents
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.core.pricing import PPM


@click.group("lineage")
def command() -> None:
    """Show and declare what models derive from.

    Example: zkml lineage show 0x1f...
    """


@command.command()
@click.argument("model")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "dot", "svg", "json"]),
    default="text",
    show_default=True,
    help="A tree, Graphviz' language, a picture, or data.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write it to this file.")
@chain_command
def show(session: Session, model: str, form: str, output: Path | None) -> None:
    """Print a model's ancestors and descendants, with the parts that they are owed.

    Edges are declared by the child's owner: nobody proves that weights derive from others.

    Example: zkml lineage show 0x1f... --format svg --output lineage.svg
    """
    from registry.lineage_drawing import draw_dot, draw_svg, draw_text
    from registry.lineage_graph import read_graph
    from zkml.adapters.atomic_write import write_atomically

    number = parse_model(model)
    market = open_market_of(session)
    graph = read_graph(number, market.lineage, market.registry, from_block=market.deployment.block)
    value = _as_json(graph)
    draw = {"text": draw_text, "dot": draw_dot, "svg": draw_svg}.get(form)
    drawn = json.dumps(value, indent=2) if draw is None else draw(graph)
    if output is None:
        session.console.result(value, drawn.rstrip("\n"))
        return
    write_atomically(output, (drawn.rstrip("\n") + "\n").encode())
    session.console.result({**value, "output": str(output)}, f"{output}: {len(graph.nodes)} models")


def _as_json(graph: Any) -> dict[str, Any]:
    return {
        "model_id": f"{graph.root:#066x}",
        "models": [
            {
                "model_id": f"{node.model_id:#066x}",
                "name": node.name,
                "status": node.status.name,
                "ancestors": [
                    {"model_id": f"{share.model_id:#066x}", "ppm": share.ppm} for share in node.shares
                ],
            }
            for node in graph.nodes
        ],
        "edges": [
            {
                "child": f"{edge.child_id:#066x}",
                "parent": f"{edge.parent_id:#066x}",
                "rate_ppm": edge.rate_ppm,
                "effective": edge.is_effective,
            }
            for edge in graph.edges
        ],
        "cut": graph.is_cut,
    }


@command.command()
@click.argument("child", metavar="MODEL")
@click.option(
    "--parent",
    "parents",
    multiple=True,
    required=True,
    metavar="MODEL:PPM",
    help="A PROVEN model and the part that it is offered, in millionths; up to four times.",
)
@click.option(
    "--max-total",
    type=click.IntRange(1, PPM // 2),
    default=PPM // 2,
    show_default=True,
    help="The most that all parents together may be granted, in millionths.",
)
@sending_command
def register(session: Session, child: str, parents: tuple[str, ...], max_total: int, dry_run: bool) -> None:
    """Declare what a registered model derives from: once, and before it is PROVEN.

    A parent's own minimum is granted where the offer is below it.

    Example: zkml lineage register 0x2a... --parent 0x1f...:50000 --max-total 100000
    """
    from zkml.cli.plans import show_preview

    number, offers = parse_model(child), read_parents(parents)
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    if dry_run:
        declared = (number, [tuple(offer) for offer in offers], max_total)
        show_preview(session, market, account.address, market.lineage.contract, "declare", *declared)
        return
    receipt = market.lineage.declare(account, number, offers, max_total)
    granted = market.lineage.parents_of(number)
    value = {
        "model_id": f"{number:#066x}",
        "parents": [
            {"model_id": f"{parent.model_id:#066x}", "rate_ppm": parent.rate_ppm} for parent in granted
        ],
        "total_ppm": market.lineage.total_ppm_of(number),
        "transaction": receipt.transaction,
    }
    lines = [f"{parent.rate_ppm:>7} ppm to {parent.model_id:#066x}" for parent in granted]
    session.console.result(value, "\n".join([*lines, f"transaction {receipt.transaction}"]))
