"""`zkml chain`: the embedded node, and the contracts on any chain."""

import os
from typing import Any

import click

from zkml.cli.identifiers import parse_address
from zkml.cli.options import Session, chain_command, local_command, sending_command
from zkml.errors import ConfigError


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


@command.command("pass-time")
@click.argument("span", required=False)
@click.option("--until", type=click.IntRange(min=1), metavar="SECONDS", help="A chain time, instead of SPAN.")
@chain_command
def pass_time(session: Session, span: str | None, until: int | None) -> None:
    """Move a local chain's clock on by SPAN, such as 30d, 12h or 90s. Prints the new chain time.

    Local chains only: deadlines of weeks can be tried there in one sitting. Time never goes back.

    Example: zkml chain pass-time 30d
    """
    from zkml.adapters.evm.timetravel import pass_time as let_pass
    from zkml.cli.imo_times import describe_time, parse_span
    from zkml.wiring import open_chain

    if (span is None) is (until is None):
        raise ConfigError("expected a span or --until", hint="zkml chain pass-time 30d")
    seconds = 0 if span is None else parse_span(span, "time to pass")
    with open_chain(session.settings, session.home) as chain:
        if not chain.is_local:
            raise ConfigError(
                f"expected a local chain, found chain {chain.chain_id} at {chain.endpoint}",
                hint="wait until the time has passed",
            )
        before = chain.block("latest").timestamp
        wanted = seconds if until is None else until - before
        now = let_pass(chain, wanted) if wanted > 0 else before
    session.console.result({"timestamp": now, "text": describe_time(now)}, describe_time(now))


@command.command()
@click.option("--token", help="Address of the payment token; a worthless one is deployed on local chains.")
@click.option(
    "--pools",
    metavar="ADDRESS",
    help="A factory of Uniswap v2, for trading shares; one is deployed.",
)
@click.option("--replace", is_flag=True, help="Deploy anew where the recorded contracts are gone.")
@click.option("--administrator", metavar="ADDRESS", help="Proposes changes to the timelock [the deployer].")
@click.option("--guardian", metavar="ADDRESS", help="Tombstones circuits without delay [the deployer].")
@click.option("--treasury", metavar="ADDRESS", help="Takes the platform's income [the deployer].")
@click.option(
    "--platform-fee",
    type=click.IntRange(0, 100_000),
    help="The platform's part of model fees, in millionths [25000].",
)
@click.option(
    "--platform-flat-fee",
    type=click.IntRange(min=0),
    help="Its fee on each settlement besides, in the token's smallest unit [10000].",
)
@sending_command
def deploy(
    session: Session,
    token: str | None,
    pools: str | None,
    replace: bool,
    administrator: str | None,
    guardian: str | None,
    treasury: str | None,
    platform_fee: int | None,
    platform_flat_fee: int | None,
    dry_run: bool,
) -> None:
    """Deploy all contracts; again, it deploys nothing twice.

    On a local chain it also makes a key file for each role (publisher, requester, prover) and funds them.

    Example: zkml chain deploy
    """
    from verifier_contracts.deploy import deploy_core
    from zkml.adapters.home_directory import create_home
    from zkml.demo.accounts import funding_account
    from zkml.wiring import bind, open_chain

    offices = _given(administrator=administrator, guardian=guardian, treasury=treasury)
    platform = _given(
        fee_ppm=platform_fee, flat_fee=None if platform_flat_fee is None else str(platform_flat_fee)
    )
    checked = {name: parse_address(address, f"the {name}") for name, address in offices.items()}
    create_home(session.home)
    chain = open_chain(session.settings, session.home)
    account = funding_account(session.settings, session.home, chain, os.environ)
    protocol = _protocol(chain, account, checked, platform)
    if dry_run:
        session.console.result(*_plan(session, chain, account, protocol, {"token": token, "pools": pools}))
        return
    with session.console.progress() as progress:
        deployment = deploy_core(
            chain,
            account,
            folder=session.home.deployments,
            protocol=protocol,
            token=token,
            pools=pools,
            replace=replace,
            progress=progress,
        )
    market = bind(chain, deployment)
    accounts = _local_roles(session, market, account) if chain.is_local else {}
    session.console.result(*_describe(market, accounts))


def _given(**values: Any) -> dict[str, Any]:
    return {name: found for name, found in values.items() if found is not None}


def _protocol(chain: Any, account: Any, offices: dict[str, str], platform: dict[str, Any]) -> Any:
    """Return the protocol's terms that the options ask for; None where they ask for nothing."""
    from verifier_contracts.terms import default_protocol_terms

    if not offices and not platform:
        return None
    terms = default_protocol_terms(account.address, is_local=chain.is_local)
    return terms.model_copy(update={**offices, "platform": terms.platform.model_copy(update=platform)})


def _describe(market: Any, accounts: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Return a deployment as it stands: contracts, who holds which office, what the platform takes."""
    deployment, admin = market.deployment, market.admin
    offices = {
        "owner": admin.owner(),
        "administrator": deployment.protocol.administrator,
        "guardian": admin.guardian(),
        "treasury": admin.treasury(),
    }
    terms = admin.platform_terms()
    value = {
        "chain_id": market.chain.chain_id,
        "contracts": deployment.addresses,
        "offices": offices,
        "timelock_delay_seconds": deployment.protocol.timelock_delay_seconds,
        "platform": {"fee_ppm": terms.fee_ppm, "flat_fee": market.token.show(int(terms.flat_fee))},
        "job_terms": deployment.terms.model_dump(),
        "accounts": accounts,
    }
    lines = [f"{name:<22} {address}" for name, address in deployment.addresses.items()]
    lines += [f"{office:<22} {address}  (office)" for office, address in offices.items()]
    lines.append(f"{'platform':<22} {terms.fee_ppm} ppm of model fees and {value['platform']['flat_fee']}")
    lines += [f"{role:<22} {address}  (key file, funded)" for role, address in accounts.items()]
    return value, "\n".join(lines)


def _local_roles(session: Session, market: Any, deployer: Any) -> dict[str, str]:
    """Make the role keys of a local chain; the deployer of its token funds them."""
    from zkml.demo.accounts import fund_roles, role_accounts

    accounts = role_accounts(session.home)
    if market.deployment.deployer == deployer.address:
        fund_roles(market, deployer, list(accounts.values()))
    return {role: account.address for role, account in accounts.items()}


def _plan(
    session: Session, chain: Any, account: Any, protocol: Any, given: dict[str, str | None]
) -> tuple[dict[str, Any], str]:
    """Say which contracts would be deployed; the first can be simulated, the others need addresses."""
    from verifier_contracts.artifacts import load_artifact
    from verifier_contracts.deploy import DEPLOYMENT_ORDER, creation_code
    from verifier_contracts.deployments import deployment_path
    from verifier_contracts.terms import default_protocol_terms
    from zkml.adapters.evm.transactions import Call
    from zkml.adapters.evm.transactions import dry_run as simulate
    from zkml.cli.plans import describe_plan

    path = deployment_path(session.home.deployments, chain)
    names = [artifact for name, artifact in DEPLOYMENT_ORDER if given.get(name) is None]
    terms = protocol or default_protocol_terms(account.address, is_local=chain.is_local)
    nobody = "0x" + "00" * 20
    arguments = (terms.timelock_delay_seconds, [terms.administrator], [nobody], nobody)
    code = creation_code(load_artifact(names[0]), arguments)
    first = simulate(chain, Call(None, code, f"deploy {names[0]}"), account.address)
    value, text = describe_plan([first])
    value.update(contracts=names, recorded=path.exists(), deployer=account.address)
    note = (
        f"recorded already in {path}: nothing would be deployed if it matches the chain\n"
        if path.exists()
        else ""
    )
    return value, f"{note}{text}\nthen: {', '.join(names[1:])}"
