"""A chain with all contracts and models whose circuits are proved by hashes: what registry tests stand on."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from registry.lineage import LineageRegistryBinding
from registry.models import ModelRegistryBinding
from registry.provers import ProverRegistryBinding
from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.compiler import compile_sources
from verifier_contracts.deploy import deploy_contract, deploy_core
from verifier_contracts.deployments import DeployedContract, Deployment
from verifier_contracts.router import VerifierRouter
from verifier_contracts.sources import collect_sources
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.core.digests import keccak256
from zkml.core.identifiers import (
    ZERO32,
    CircuitSpec,
    DerivativeTerms,
    FeeTerms,
    ModelCommitment,
    VerifierClass,
    proof_system_id,
)
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain, TensorLayout, pack

LAYOUT = TensorLayout(input_count=11, input_bytes=2, output_count=2, output_bytes=4)
DOMAIN = InputDomain(minimum=-300, maximum=700)
SYSTEM = proof_system_id("hash-v1")
OUTPUT = pack([-5, 70_000], LAYOUT.output_bytes)
_HASH_ADAPTER = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
contract HashAdapter is IProofVerifier {
    error WrongHash();
    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external pure {
        bytes32 expected = keccak256(abi.encodePacked(input, output));
        if (keccak256(proof) != keccak256(abi.encodePacked(expected))) revert WrongHash();
    }
}
"""


def proof_of(packed_input: bytes, packed_output: bytes = OUTPUT) -> bytes:
    """Return the one proof that the adapter accepts."""
    return keccak256(packed_input + packed_output)


def batched(layout: TensorLayout, inputs: int) -> TensorLayout:
    """Return the layout of so many inputs at once."""
    return TensorLayout(
        layout.input_count * inputs, layout.input_bytes, layout.output_count * inputs, layout.output_bytes
    )


@dataclass
class World:
    """Everything deployed, and ways to make models."""

    chain: Chain
    deployer: LocalAccount
    deployment: Deployment
    adapter: DeployedContract
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def router(self) -> VerifierRouter:
        return VerifierRouter(self.chain, self.deployment.router.address)

    @property
    def registry(self) -> ModelRegistryBinding:
        return ModelRegistryBinding(self.chain, self.deployment.registry.address)

    @property
    def lineage(self) -> LineageRegistryBinding:
        return LineageRegistryBinding(
            self.chain, self.deployment.lineage.address, from_block=self.deployment.block
        )

    @property
    def provers(self) -> ProverRegistryBinding:
        return ProverRegistryBinding(self.chain, self.deployment.provers.address)

    def account(self, units: int = 0, spender: str | None = None) -> LocalAccount:
        """Return a fresh account with ether and, if asked for, tokens that `spender` may take."""
        account = Account.create()
        self.chain.send_once("anvil_setBalance", [account.address, hex(10**18)])
        if units:
            token = BoundContract(
                self.chain, load_artifact("LocalPaymentToken"), self.deployment.token.address
            )
            token.transact(self.deployer, "mint", account.address, units)
            token.transact(account, "approve", spender, units)
        return account

    def spec(self, *, inputs: int = 1, **changes) -> CircuitSpec:
        """Return a circuit that no other spec of this world equals."""
        spec = CircuitSpec(
            adapter=self.adapter.address,
            adapter_code_hash=from_hex(self.adapter.code_hash),
            verifying_key_digest=keccak256(b"key %d" % next(self._numbers)),
            weight_commitment=ZERO32,
            proof_system_id=SYSTEM,
            layout=batched(LAYOUT, inputs),
            domain=DOMAIN,
            gas_limit=200_000,
            verifier_class=VerifierClass.LOCAL,
        )
        return spec._replace(**changes)

    def circuit(self, **changes) -> bytes:
        """Add a circuit and return its id."""
        return self.router.add(self.deployer, self.spec(**changes))[0]

    def commitment(self, *circuit_ids: bytes, **changes) -> ModelCommitment:
        """Return a commitment to circuits, to a new one if none is given."""
        commitment = ModelCommitment(
            circuit_ids=circuit_ids or (self.circuit(),),
            onnx_digest=keccak256(b"onnx"),
            settings_digest=keccak256(b"settings"),
            manifest_digest=keccak256(b"manifest"),
            dataset_digest=ZERO32,
            key_commitment=ZERO32,
            predecessor=0,
            manifest_cid="bafkreitest",
            name="a model",
            licence="Apache-2.0",
        )
        return commitment._replace(**changes)

    def register(
        self,
        owner: LocalAccount,
        commitment: ModelCommitment | None = None,
        fees: FeeTerms | None = None,
        derivatives: DerivativeTerms | None = None,
    ) -> int:
        """Register a model and return its id."""
        terms = (fees or FeeTerms(), derivatives or DerivativeTerms())
        return self.registry.register(owner, commitment or self.commitment(), *terms)[0]

    def prove(self, owner: LocalAccount, model_id: int) -> None:
        """File all missing genesis proofs."""
        for circuit_id in self.registry.missing_genesis(model_id):
            genesis = self.registry.genesis(model_id, circuit_id)
            length = self.router.circuit(circuit_id).layout.output_length_bytes
            output = (OUTPUT * 8)[:length]
            proof = proof_of(genesis.packed_input, output)
            self.registry.activate(owner, model_id, circuit_id, output, proof)

    def proven(self, owner: LocalAccount, commitment: ModelCommitment | None = None, **terms) -> int:
        """Register a model, prove it, and return its id."""
        model_id = self.register(owner, commitment, **terms)
        self.prove(owner, model_id)
        return model_id


def build_world(chain: Chain, folder: Path) -> World:
    """Deploy everything."""
    deployer = dev_account(chain.chain_id)
    deployment = deploy_core(chain, deployer, folder=folder)
    path = "tests/HashAdapter.sol"
    sources = collect_sources(["verifier_contracts/src/IProofVerifier.sol"])
    compiled = compile_sources({**sources, path: _HASH_ADAPTER})
    artifact = next(ContractArtifact.from_compiled(item) for item in compiled if item.name == "HashAdapter")
    return World(chain, deployer, deployment, deploy_contract(chain, deployer, artifact))
