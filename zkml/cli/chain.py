"""`zkml chain`: the embedded node, and the contracts on any chain."""

import os
from typing import Any

import click

from zkml.cli.options import Session, local_command, sending_command


@click.group("chain")
def command() -> None:
    """Run the embedded node and deploy the contracts.

    Example: zkml chain up
    """


@command.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one."
)
@local_command
def up(session: Session, port: int) -> None:
    """Start the embedded node in the background; its chain goes on where it stopped.

    Example: zkml chain up
    """
    from zkml.adapters.evm.anvil import detached_endpoint, start_detached_anvil
    from zkml.adapters.home_directory import lock_home

    with lock_home(session.home, "chain"):
        endpoint = detached_endpoint(session.home.chain)
        started = endpoint is None
        if endpoint is None:
            endpoint = start_detached_anvil(session.home.chain, port=port, notice=session.console.note)
    session.console.result({"endpoint": endpoint, "started": started}, endpoint)
    session.console.note("stop it with `zkml chain down`")


@command.command()
@local_command
def down(session: Session) -> None:
    """Stop the embedded node; it keeps its chain.

    Example: zkml chain down
    """
    from zkml.adapters.evm.anvil import stop_detached_anvil
    from zkml.adapters.home_directory import lock_home

    with lock_home(session.home, "chain"):
        stopped = stop_detached_anvil(session.home.chain)
    session.console.result({"stopped": stopped}, "stopped" if stopped else "no node was running")


@command.command()
@click.option("--token", help="Address of the payment token; a worthless one is deployed on local chains.")
@click.option("--replace", is_flag=True, help="Deploy anew where the recorded contracts are gone.")
@sending_command
def deploy(session: Session, token: str | None, replace: bool, dry_run: bool) -> None:
    """Deploy router, registry and job manager; again, it deploys nothing twice.

    On a local chain it also makes a key file for each role (publisher, requester, prover) and funds them.

    Example: zkml chain deploy
    """
    from verifier_contracts.deploy import deploy_core
    from zkml.adapters.home_directory import create_home
    from zkml.demo.accounts import funding_account
    from zkml.wiring import bind, open_chain

    create_home(session.home)
    chain = open_chain(session.settings, session.home)
    account = funding_account(session.settings, session.home, chain, os.environ)
    if dry_run:
        session.console.result(*_plan(session, chain, account, token))
        return
    with session.console.progress() as progress:
        deployment = deploy_core(
            chain, account, folder=session.home.deployments, token=token, replace=replace, progress=progress
        )
    accounts = _local_roles(session, bind(chain, deployment), account) if chain.is_local else {}
    contracts = {name: contract.address for name, contract in deployment.contracts.items()}
    value = {"chain_id": chain.chain_id, "contracts": contracts, "accounts": accounts}
    lines = [f"{name:<10} {address}" for name, address in contracts.items()]
    lines += [f"{role:<10} {address}  (key file, funded)" for role, address in accounts.items()]
    session.console.result(value, "\n".join(lines))


def _local_roles(session: Session, market: Any, deployer: Any) -> dict[str, str]:
    """Make the role keys of a local chain; the deployer of its token funds them."""
    from zkml.demo.accounts import fund_roles, role_accounts

    accounts = role_accounts(session.home)
    if market.deployment.deployer == deployer.address:
        fund_roles(market, deployer, list(accounts.values()))
    return {role: account.address for role, account in accounts.items()}


def _plan(session: Session, chain: Any, account: Any, token: str | None) -> tuple[dict[str, Any], str]:
    """Say which contracts would be deployed; the first can be simulated, the others need its address."""
    from verifier_contracts.artifacts import load_artifact
    from verifier_contracts.deploy import creation_code
    from verifier_contracts.deployments import deployment_path
    from zkml.adapters.evm.transactions import Call
    from zkml.adapters.evm.transactions import dry_run as simulate
    from zkml.cli.plans import describe_plan

    path = deployment_path(session.home.deployments, chain)
    names = ["VerifierRouter", *([] if token else ["LocalPaymentToken"]), "ModelRegistry", "JobManager"]
    code = creation_code(load_artifact("VerifierRouter"), ())
    first = simulate(chain, Call(None, code, "deploy VerifierRouter"), account.address)
    value, text = describe_plan([first])
    value.update(contracts=names, recorded=path.exists(), deployer=account.address)
    note = (
        f"recorded already in {path}: nothing would be deployed if it matches the chain\n"
        if path.exists()
        else ""
    )
    return value, f"{note}{text}\nthen: {', '.join(names[1:])}"
