"""`zkml did`: identities of models."""

import json

import click

from zkml.cli.identifiers import parse_model
from zkml.cli.market_session import open_market_of
from zkml.cli.options import Session, chain_command


@click.group("did")
def command() -> None:
    """Resolve the decentralized identifiers of models.

    Example: zkml did resolve 0x1f...
    """


@command.command()
@click.argument("subject", metavar="DID|MODEL")
@chain_command
def resolve(session: Session, subject: str) -> None:
    """Print the DID document of a model or of any account of this chain, as JSON.

    With --json the whole resolution: document, its metadata, and how it was resolved.

    Example: zkml did resolve did:ethr:0x7a69:0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    from registry.dids import DidResolver

    is_did = subject.startswith("did:")
    model = 0 if is_did else parse_model(subject)
    market = open_market_of(session)
    deployment = market.deployment
    resolver = DidResolver(market.chain, deployment.addresses, from_block=deployment.block)
    found = resolver.resolve(subject) if is_did else resolver.resolve_model(model)
    if not found["didDocumentMetadata"].get("controlledByModelOwner", True):
        session.console.note("note: the identity was handed on: the model's owner does not control it")
    session.console.result(found, json.dumps(found["didDocument"], indent=2))
