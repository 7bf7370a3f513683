"""`zkml mcp`: models as tools for language models, with a limit on what they spend."""

from typing import Any

import click

from zkml.cli.identifiers import parse_model
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import ConfigError


@click.command("mcp")
@click.argument("models", metavar="[DID|MODEL]...", nargs=-1)
@click.option("--max-fee", required=True, help="The most that one call may cost in all, in whole tokens.")
@click.option(
    "--max-total", required=True, help="The most that all calls may cost, over all runs in this home."
)
@click.option("--node", metavar="URL", help="The node to ask [client.node, or the best registered one].")
@sending_command
def command(
    session: Session, models: tuple[str, ...], max_fee: str, max_total: str, node: str | None, dry_run: bool
) -> None:
    """Serve models as tools of the Model Context Protocol on standard input and output.

    Each tool takes the model's input and returns its output, verified, with the proof and what was paid.
    Without a model all that the node offers are served.

    Example: zkml mcp did:ethr:0x7a69:0x7099... --max-fee 3 --max-total 50
    """
    from zkml.client.mcp_server import make_server, make_tools, serve_stdio
    from zkml.client.model import Model
    from zkml.client.requester import open_requester
    from zkml.client.spending import Budget

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    requester = open_requester(session.settings, session.home, {}, market=market, account=account)
    asked = node or session.settings.client.node
    subjects = [name if name.startswith("did:") else f"{parse_model(name):#x}" for name in models]
    served = [
        Model(subject, max_fee=max_fee, node=asked, requester=requester)
        for subject in subjects or _offered(requester, asked)
    ]
    budget = Budget(session.home.client / "mcp-budget.json", market.token.parse(max_total))
    tools = make_tools(served, max_fee=market.token.parse(max_fee))
    if dry_run:
        session.console.result(*_plan(tools, budget, market.token.show))
        return
    session.console.note(f"serving {len(tools)} tools; {market.token.show(budget.left())} may be spent")
    serve_stdio(make_server(tools, budget))


def _offered(requester: Any, node: str) -> list[str]:
    from zkml.client.node_api import NodeApi

    if not node:
        raise ConfigError(
            "expected models or a node, found neither",
            hint="name models, or the node whose models are served: --node URL",
        )
    api = NodeApi(node, requester.settings, private_allowed=True)
    return [one.did for one in api.models().models]


def _plan(tools: Any, budget: Any, show: Any) -> tuple[dict[str, Any], str]:
    value = {
        "dry_run": True,
        "transactions": [],
        "tools": [tool.describe().model_dump(mode="json", exclude_none=True) for tool in tools],
        "left": show(budget.left()),
    }
    lines = [f"{tool.name}  {tool.model.did}" for tool in tools]
    return value, "\n".join(["dry run: nothing is served", *lines, f"left  {value['left']}"])
