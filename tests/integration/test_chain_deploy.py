"""Deploying on a real node: addresses known before, interruptions, what must point to what, the admin."""

from contextlib import closing

import pytest
from registry_world import build_world

from verifier_contracts import deploy
from verifier_contracts.admin import Operation, ProtocolAdminBinding, TimelockBinding
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import DEPLOYMENT_ORDER, creation_address, deploy_contract, deploy_core
from verifier_contracts.deploy_steps import DeploymentSteps
from verifier_contracts.deployment_wiring import ARTIFACTS
from verifier_contracts.deployments import DeployedContract, check_deployment, load_deployment
from verifier_contracts.terms import JobTerms, PlatformTerms, default_protocol_terms
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.core.digests import keccak256
from zkml.core.records import to_hex
from zkml.errors import ConfigError, DeploymentError, NotOwnerError, RevertedError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deploy")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


@pytest.fixture
def deployer(world):
    account = world.account()
    world.chain.send_once("anvil_setBalance", [account.address, hex(10**20)])
    return account


def interrupt_after(monkeypatch, name):
    """Stop the next deployment when the contract `name` is deployed."""
    original = DeploymentSteps.deploy

    def stop(self, field, *arguments):
        contract = original(self, field, *arguments)
        if field == name:
            raise KeyboardInterrupt
        return contract

    monkeypatch.setattr(DeploymentSteps, "deploy", stop)


def test_deploy_core__all_contracts__point_to_each_other(world):
    """Every contract is there, its code ours, and the record says what the chain says."""
    deployment = world.deployment
    assert list(deployment.contracts) == [name for name, _ in DEPLOYMENT_ORDER]
    assert ARTIFACTS.items() <= dict(DEPLOYMENT_ORDER).items()
    check_deployment(world.chain, deployment)
    assert deployment.block == deployment.timelock.block
    blocks = [contract.block for contract in deployment.contracts.values()]
    assert blocks == sorted(blocks)


def test_deploy_core__again__deploys_nothing(world, deployer, tmp_path):
    """The same deployment asked for twice is one, whoever asks."""
    first = deploy_core(world.chain, deployer, folder=tmp_path)
    nonce = world.chain.nonce(deployer.address)
    assert deploy_core(world.chain, deployer, folder=tmp_path) == first
    assert deploy_core(world.chain, world.account(), folder=tmp_path) == first
    assert load_deployment(tmp_path, world.chain) == first
    assert world.chain.nonce(deployer.address) == nonce == len(DEPLOYMENT_ORDER)


@pytest.mark.parametrize("name", ["timelock", "did_registry", "registry", "ledger"])
def test_deploy_core__interrupted__goes_on_and_deploys_nothing_twice(
    world, deployer, tmp_path, monkeypatch, name
):
    """Whatever was deployed when it stopped is part of the deployment."""
    with monkeypatch.context() as patch:
        interrupt_after(patch, name)
        with pytest.raises(KeyboardInterrupt):
            deploy_core(world.chain, deployer, folder=tmp_path)
    deployment = deploy_core(world.chain, deployer, folder=tmp_path)
    assert world.chain.nonce(deployer.address) == len(DEPLOYMENT_ORDER)
    check_deployment(world.chain, deployment)
    assert not list(tmp_path.glob("*.partial.json"))


@pytest.mark.parametrize("name", ["registry", "provers", "ledger"])
def test_deploy_core__another_transaction_came_between__deploys_the_linked_ones_anew(
    world, deployer, tmp_path, monkeypatch, name
):
    """Contracts that point to addresses nobody can have any more are left behind."""
    with monkeypatch.context() as patch:
        interrupt_after(patch, name)
        with pytest.raises(KeyboardInterrupt):
            deploy_core(world.chain, deployer, folder=tmp_path)
    spent = world.chain.nonce(deployer.address)
    deploy_contract(world.chain, deployer, load_artifact("ERC6551Registry"))
    deployment = deploy_core(world.chain, deployer, folder=tmp_path)
    check_deployment(world.chain, deployment)
    assert deployment.registry.address == creation_address(deployer.address, spent + 1)
    assert deployment.manager.address == creation_address(deployer.address, spent + 6)


def test_deploy_core__another_transaction_while_it_runs__starts_the_linked_ones_over(
    world, deployer, tmp_path, monkeypatch
):
    """A transaction of another process in the middle costs gas, and no wrong pointer."""
    original, disturbed = DeploymentSteps.deploy, []

    def disturb(self, field, *arguments):
        contract = original(self, field, *arguments)
        if field == "inference" and not disturbed:
            disturbed.append(deploy_contract(world.chain, deployer, load_artifact("ERC6551Registry")))
        return contract

    monkeypatch.setattr(DeploymentSteps, "deploy", disturb)
    deployment = deploy_core(world.chain, deployer, folder=tmp_path)
    check_deployment(world.chain, deployment)
    assert disturbed


def test_deploy_core__given_contracts__are_used(world, deployer, tmp_path):
    """Token, ERC-6551 registry and DID registry of others are taken as they are."""
    theirs = world.deployment
    given = {name: theirs.addresses[name] for name in ("token", "accounts", "did_registry")}
    deployment = deploy_core(world.chain, deployer, folder=tmp_path, **given)
    assert {name: deployment.addresses[name] for name in given} == given
    assert deployment.token.transaction is None
    assert world.chain.nonce(deployer.address) == len(DEPLOYMENT_ORDER) - 3
    with pytest.raises(ConfigError):
        deploy_core(world.chain, deployer, folder=tmp_path / "b", did_registry="nowhere")
    with pytest.raises(DeploymentError, match="found none"):
        deploy_core(world.chain, deployer, folder=tmp_path / "c", accounts=deployer.address)


def test_deploy_core__other_contracts_given_as_standards__are_found_out(world, deployer, tmp_path):
    """What answers as no ERC-6551 or ERC-1056 registry cannot be deployed with."""
    router = world.deployment.router.address
    with pytest.raises((DeploymentError, RevertedError)):
        deploy_core(world.chain, deployer, folder=tmp_path / "a", did_registry=router)
    with pytest.raises((DeploymentError, RevertedError)):
        deploy_core(world.chain, deployer, folder=tmp_path / "b", accounts=router)


@pytest.mark.parametrize("name", [name for name, _ in DEPLOYMENT_ORDER])
def test_check_deployment__another_contract_in_its_place__is_refused(world, name):
    """No contract of the record can be swapped for one of another kind."""
    other = world.deployment.timelock if name != "timelock" else world.deployment.router
    with pytest.raises(DeploymentError):
        check_deployment(world.chain, world.deployment.model_copy(update={name: other}))


@pytest.mark.parametrize(
    ("name", "target", "what"),
    [
        ("admin", "timelock", "admin's owner"),
        ("router", "admin", "router's admin"),
        ("registry", "router", "registry's router"),
        ("registry", "ledger", "registry's observer"),
        ("registry", "accounts", "lineage's registry"),
        ("lineage", "registry", "lineage's registry"),
        ("provers", "token", "provers's token"),
        ("provers", "manager", "provers's jobManager"),
        ("provers", "admin", "provers's admin"),
        ("ledger", "token", "ledger's token"),
        ("ledger", "manager", "ledger's jobManager"),
        ("ledger", "admin", "ledger's admin"),
        ("ledger", "offerings", "ledger's offerings"),
        ("accounts", "", "models' ERC-6551 accounts"),
        ("account_implementation", "", "models' ERC-6551 accounts"),
    ],
)
def test_check_deployment__own_code_with_a_foreign_pointer__is_refused(world, deployer, name, target, what):
    """A contract of our own code that points elsewhere is found out, whichever pointer it is."""
    deployment = world.deployment
    where = dict(deployment.addresses)
    if name != "admin":
        where[target] = deployment.account_implementation.address
    protocol, offices = deployment.protocol, (deployer.address, deployer.address)
    arguments = {
        "admin": (deployer.address, *offices, protocol.platform.as_abi(), protocol.caps.as_abi()),
        "router": (where["admin"], []),
        "accounts": (),
        "account_implementation": (),
        **deploy._linked_arguments(where, deployment.terms, protocol, deployment.offering_rules),
    }
    twin = deploy_contract(
        world.chain, deployer, load_artifact(dict(DEPLOYMENT_ORDER)[name]), arguments[name]
    )
    with pytest.raises(DeploymentError, match=what):
        check_deployment(world.chain, deployment.model_copy(update={name: twin}))


def test_check_deployment__calendar_of_another_admin__is_refused(world, deployer):
    """Whoever owns the admin that a calendar names could move every lock."""
    deployment, protocol = world.deployment, world.deployment.protocol
    terms = (protocol.platform.as_abi(), protocol.caps.as_abi())
    other = deploy_contract(
        world.chain, deployer, load_artifact("ProtocolAdmin"), (*[deployer.address] * 3, *terms)
    )
    twin = deploy_contract(world.chain, deployer, load_artifact("BusinessCalendar"), (other.address, []))
    with pytest.raises(DeploymentError, match="calendar"):
        check_deployment(world.chain, deployment.model_copy(update={"calendar": twin}))


def test_check_deployment__changed_terms_or_code__is_refused(world):
    """Neither a number nor a code hash of the record can be changed."""
    deployment = world.deployment
    protocol = deployment.protocol
    for update in (
        {"terms": JobTerms(grace_seconds=35)},
        {"offering_rules": deployment.offering_rules.model_copy(update={"grace_seconds": 601})},
        {"protocol": protocol.model_copy(update={"unstake_delay_seconds": 1})},
        {"protocol": protocol.model_copy(update={"max_commit_blocks": 9})},
        {"protocol": protocol.model_copy(update={"caps": PlatformTerms(fee_ppm=1, flat_fee="1")})},
        {"router": deployment.router.model_copy(update={"code_hash": to_hex(keccak256(b""))})},
        {"token": DeployedContract(address="0x" + "11" * 20, code_hash=to_hex(keccak256(b"")))},
    ):
        with pytest.raises(DeploymentError):
            check_deployment(world.chain, deployment.model_copy(update=update))


def test_timelock__what_the_admin_changes__waits_and_is_no_other_deployment(world, deployer, tmp_path):
    """The fee changes only by proposal and after the delay; nobody skips it; the record stays good."""
    local = default_protocol_terms(deployer.address, is_local=True)
    protocol = local.model_copy(update={"timelock_delay_seconds": 3600})
    deployment = deploy_core(world.chain, deployer, folder=tmp_path, protocol=protocol)
    admin = ProtocolAdminBinding(world.chain, deployment.admin.address)
    timelock = TimelockBinding(world.chain, deployment.timelock.address)
    assert admin.owner() == deployment.timelock.address
    assert admin.platform_terms() == protocol.platform
    assert admin.platform_caps() == protocol.caps
    assert admin.guardian() == admin.treasury() == deployer.address
    with pytest.raises(NotOwnerError):
        admin.contract.transact(deployer, "setPlatformTerms", (1, 1))
    raised = PlatformTerms(fee_ppm=30_000, flat_fee="20000")
    operation = Operation.of(admin.plan_platform_terms(raised))
    with pytest.raises(NotOwnerError):
        timelock.schedule(world.account(), operation)
    timelock.schedule(deployer, operation)
    with pytest.raises(RevertedError, match="TimelockUnexpectedOperationState"):
        timelock.execute(deployer, operation)
    pass_time(world.chain, timelock.delay_seconds() + 1)
    timelock.execute(world.account(), operation)
    assert admin.platform_terms() == raised
    assert timelock.ready_at(operation) == 1
    check_deployment(world.chain, deployment)
    too_much = Operation.of(admin.plan_platform_terms(PlatformTerms(fee_ppm=100_001, flat_fee="1")))
    timelock.schedule(deployer, too_much)
    timelock.cancel(deployer, too_much)
    assert timelock.ready_at(too_much) == 0


def test_deploy_core__not_a_local_chain__needs_a_token(world, deployer, tmp_path, monkeypatch):
    """No worthless token is deployed where money is."""
    monkeypatch.setattr(deploy.Chain, "is_local", property(lambda _: False))
    with pytest.raises(ConfigError, match="payment token"):
        deploy_core(world.chain, deployer, folder=tmp_path)
