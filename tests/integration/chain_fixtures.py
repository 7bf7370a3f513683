"""A chain with all contracts and a circuit whose proofs are hashes: what the chain's tests stand on.

The adapter here accepts exactly one proof per input and output, so that the paths of money can be walked
in seconds. Proofs of a real system are tested where that system is.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from marketplace.jobs import JobManagerBinding
from marketplace.revenue import RevenueLedgerBinding
from marketplace.tabs import TabsBinding
from marketplace.tokens import PaymentToken
from registry.models import ModelRegistryBinding
from registry.provers import ProverRegistryBinding
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.compiler import compile_sources
from verifier_contracts.deploy import deploy_contract, deploy_core
from verifier_contracts.deployments import Deployment
from verifier_contracts.router import VerifierRouter
from verifier_contracts.sources import collect_sources
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, FeeTerms, ModelCommitment, VerifierClass, proof_system_id
from zkml.core.market_identifiers import JobSpec
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain, TensorLayout, input_commitment, instances_of, pack
from zkml.wiring import bind

LAYOUT = TensorLayout(input_count=11, input_bytes=2, output_count=2, output_bytes=4)
DOMAIN = InputDomain(minimum=-300, maximum=700)
ONE_TOKEN = 1_000_000
HASH_VERIFIER = "tests/HashVerifier.sol"
HASH_VERIFIER_SOURCE = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
contract HashVerifier is IProofVerifier {
    error WrongHash(bytes32 expected);
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external pure {
        bytes32 expected = keccak256(abi.encodePacked(input, output));
        if (keccak256(proof) != keccak256(abi.encodePacked(expected))) revert WrongHash(expected);
    }
}
"""


HALO2_STAND_IN = "tests/Halo2StandIn.sol"
HALO2_STAND_IN_SOURCE = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
contract Halo2StandIn {
    function verifyProof(bytes calldata proof, uint256[] calldata instances) external pure returns (bool) {
        require(keccak256(proof) == keccak256(abi.encodePacked(keccak256(abi.encodePacked(instances)))));
        return true;
    }
}
"""


@cache
def compile_halo2_stand_in() -> ContractArtifact:
    """Compile a contract with the interface of EZKL's verifier that accepts a hash of the instances."""
    compiled = compile_sources({HALO2_STAND_IN: HALO2_STAND_IN_SOURCE})
    return ContractArtifact.from_compiled(compiled[0])


def halo2_proof_of(packed_input: bytes, packed_output: bytes) -> bytes:
    """Return the one proof that the stand-in accepts."""
    instances = instances_of(LAYOUT, packed_input, packed_output)
    return keccak256(b"".join(instance.to_bytes(32, "big") for instance in instances))


def proof_of(packed_input: bytes, packed_output: bytes) -> bytes:
    """Return the one proof that the test's adapter accepts."""
    return keccak256(packed_input + packed_output)


def compile_hash_verifier() -> ContractArtifact:
    """Compile the test's adapter."""
    sources = collect_sources(["verifier_contracts/src/IProofVerifier.sol"])
    compiled = compile_sources({**sources, HASH_VERIFIER: HASH_VERIFIER_SOURCE})
    return next(ContractArtifact.from_compiled(item) for item in compiled if item.name == "HashVerifier")


def new_account(chain: Chain, ether_wei: int = 10**18) -> LocalAccount:
    """Return a fresh account with some ether."""
    account = Account.create()
    chain.send_once("anvil_setBalance", [account.address, hex(ether_wei)])
    return account


@dataclass(frozen=True)
class Market:
    """Everything deployed, and one proven model."""

    chain: Chain
    deployment: Deployment
    deployer: LocalAccount
    token: PaymentToken
    router: VerifierRouter
    registry: ModelRegistryBinding
    provers: ProverRegistryBinding
    ledger: RevenueLedgerBinding
    jobs: JobManagerBinding
    tabs: TabsBinding
    spec: CircuitSpec
    circuit_id: bytes
    batch_circuit_id: bytes
    commitment: ModelCommitment
    model_id: int

    def funded(self, units: int = 100 * ONE_TOKEN) -> LocalAccount:
        """Return a fresh account with ether, tokens and an allowance for the ledger."""
        account = new_account(self.chain)
        self.token.mint(self.deployer, account.address, units)
        self.token.approve(account, self.ledger.address, units)
        return account

    def enrolled(self, stake: int = 100 * ONE_TOKEN) -> LocalAccount:
        """Return a fresh account that is registered as a prover with a stake."""
        account = new_account(self.chain)
        self.token.mint(self.deployer, account.address, stake)
        self.token.approve(account, self.provers.address, stake)
        self.provers.register(account, "", [self.spec.proof_system_id])
        self.provers.stake(account, stake)
        return account

    def job_spec(
        self,
        packed_input: bytes,
        *,
        fee: int = 2 * ONE_TOKEN,
        max_fee: int | None = None,
        seconds: int = 600,
        claim_seconds: int = 60,
        ramp_seconds: int = 0,
    ) -> JobSpec:
        """Return a job for the proven model; the prover's fee is fixed unless `max_fee` is given."""
        return JobSpec(
            model_id=self.model_id,
            circuit_id=self.circuit_id,
            input_commitment=input_commitment(packed_input),
            input_uri="",
            min_prover_fee=fee,
            max_prover_fee=fee if max_fee is None else max_fee,
            max_total=10 * ONE_TOKEN,
            ramp_seconds=ramp_seconds,
            claim_seconds=claim_seconds,
            deadline=self.chain.now() + seconds,
        )


def example_input(start: int = 0) -> bytes:
    """Return a packed input of the circuit's domain."""
    return pack(range(start, start + LAYOUT.input_count), LAYOUT.input_bytes)


EXAMPLE_OUTPUT = pack([-5, 70_000], LAYOUT.output_bytes)


def build_market(chain: Chain, folder: Path) -> Market:
    """Deploy everything and prove one model, which has a circuit for one input and one for two."""
    deployer = dev_account(chain.chain_id)
    deployment = deploy_core(chain, deployer, folder=folder)
    bound = bind(chain, deployment)
    adapter = deploy_contract(chain, deployer, compile_hash_verifier())
    spec = CircuitSpec(
        adapter=adapter.address,
        adapter_code_hash=from_hex(adapter.code_hash),
        verifying_key_digest=keccak256(b"key"),
        weight_commitment=bytes(32),
        proof_system_id=proof_system_id("hash-v1"),
        layout=LAYOUT,
        domain=DOMAIN,
        gas_limit=200_000,
        verifier_class=VerifierClass.LOCAL,
    )
    circuit_id, _ = bound.router.add(deployer, spec)
    two_inputs = TensorLayout(2 * LAYOUT.input_count, 2, 2 * LAYOUT.output_count, 4)
    batch_spec = spec._replace(layout=two_inputs, verifying_key_digest=keccak256(b"batch key"))
    batch_circuit_id, _ = bound.router.add(deployer, batch_spec)
    digests = [keccak256(name) for name in (b"onnx", b"settings", b"manifest")]
    circuits = (circuit_id, batch_circuit_id)
    commitment = ModelCommitment(circuits, *digests, bytes(32), bytes(32), 0, "bafkreitest", "a model", "MIT")
    model_id, _ = bound.registry.register(deployer, commitment, FeeTerms(model_fee=ONE_TOKEN))
    for circuit, output in ((circuit_id, EXAMPLE_OUTPUT), (batch_circuit_id, 2 * EXAMPLE_OUTPUT)):
        genesis = bound.registry.genesis(model_id, circuit)
        bound.registry.activate(deployer, model_id, circuit, output, proof_of(genesis.packed_input, output))
    return Market(
        chain=chain,
        deployment=deployment,
        deployer=deployer,
        token=bound.token,
        router=bound.router,
        registry=bound.registry,
        provers=bound.provers,
        ledger=bound.ledger,
        jobs=bound.manager,
        tabs=bound.tabs,
        spec=spec,
        circuit_id=circuit_id,
        batch_circuit_id=batch_circuit_id,
        commitment=commitment,
        model_id=model_id,
    )


class Forwarder:
    """A contract that passes calls on, and whoever pays for its transactions."""

    def __init__(self, chain: Chain) -> None:
        self._payer = new_account(chain)
        path = "tests/contracts/support/Forwarder.sol"
        (compiled,) = compile_sources(collect_sources([path]))
        artifact = ContractArtifact.from_compiled(compiled)
        self.address = deploy_contract(chain, self._payer, artifact).address
        self._contract = BoundContract(chain, artifact, self.address)

    def call(self, contract: BoundContract, function: str, *arguments: Any) -> TransactionReceipt:
        """Call a contract with the forwarder as msg.sender."""
        call = contract.plan(function, *arguments)
        return self._contract.transact(self._payer, "forward", contract.address, call.data)
