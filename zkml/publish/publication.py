"""Publish a bundle: verifier, artifacts, registration, genesis proof. Doing it again does nothing twice.

Each step looks at the chain first, so that an interrupted publication goes on where it stopped.
"""

from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.single_proof import prove_input
from circuits.stages import run_stage
from circuits.verification import verify_proof
from circuits.verifier_source import verifier_source
from registry.models import ModelStatus
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.codegen import compile_verifier
from verifier_contracts.deploy import creation_code
from verifier_contracts.deploy_verifier import PinnedCircuit, VerifierTerms, deploy_verifier
from zkml.adapters.evm.transactions import Call, DryRun, dry_run
from zkml.core.cid import Cid
from zkml.core.digests import digest_bytes
from zkml.core.identifiers import ModelCommitment, VerifierClass, proof_system_id
from zkml.core.manifest import FileRole
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, labelled, silent
from zkml.core.records import from_hex
from zkml.errors import RegistryError, UnsuitableCircuitError
from zkml.publish.gas import measure_gas_limit
from zkml.wiring import Market

PUBLISHED_ROLES: tuple[FileRole, ...] = ("onnx", "settings", "verifying_key", "verification_srs")
"""What an auditor needs. The proving key gives weights away and the compiled circuit is not deterministic."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A model as it stands on chain.

    Attributes:
        model_id: ERC-721 id.
        circuit: the pinned circuit.
        manifest_cid: where the manifest is stored.
        is_new: whether this run registered it.
        genesis_transaction: what made it PROVEN in this run; None when it was before.
    """

    model_id: int
    circuit: PinnedCircuit
    manifest_cid: Cid
    is_new: bool
    genesis_transaction: str | None


def class_for(bundle: Bundle, *, is_local: bool) -> int:
    """Return the class under which a generated verifier of this bundle may be added.

    Raises:
        UnsuitableCircuitError: an insecure SRS, and the chain is not a local one.
    """
    if bundle.manifest.srs.secure:
        return VerifierClass.UNVOUCHED
    if not is_local:
        raise UnsuitableCircuitError(
            f"expected a ceremony's SRS, found {bundle.manifest.srs.name}: whoever made it can forge proofs",
            hint="import the ceremony's file and compile again; an insecure SRS works on local chains only",
        )
    return VerifierClass.LOCAL


def store_artifacts(bundle: Bundle, store: ArtifactStore) -> Cid:
    """Store the manifest and the files that auditors need; return the manifest's CID."""
    for role in PUBLISHED_ROLES:
        store.put_file(bundle.file(role))
    return store.put_bytes(bundle.manifest.to_bytes())


def pin_circuit(
    market: Market,
    account: LocalAccount,
    bundle: Bundle,
    system: ProofSystem,
    *,
    cache_dir: Path,
    scratch: Path,
    progress: Progress = silent,
) -> PinnedCircuit:
    """Generate, compile and deploy the bundle's verifier and add the circuit, unless it is there.

    Raises:
        UnsuitableCircuitError: see `class_for`.
        CompileError, ToolchainError: the verifier cannot be generated or compiled.
        ChainError: see `deploy_verifier`.
    """
    manifest = bundle.manifest
    verifier_class = class_for(bundle, is_local=market.chain.is_local)
    with run_stage(progress, "generate and compile the verifier"):
        artifact = compiled_verifier(bundle, cache_dir=cache_dir)
    gas_limit = measure_gas_limit(
        bundle, system, artifact, cache_dir=cache_dir, scratch=scratch, progress=progress
    )
    terms = VerifierTerms(
        layout=manifest.tensor_layout,
        domain=manifest.input_domain,
        verifying_key_digest=digest_bytes(manifest.verifying_key),
        proof_system_id=proof_system_id(manifest.proof_system),
        gas_limit=gas_limit,
        verifier_class=verifier_class,
    )
    with run_stage(progress, "deploy the verifier, add the circuit"):
        return deploy_verifier(
            market.chain, account, market.router, artifact, terms, from_block=market.deployment.block
        )


def compiled_verifier(bundle: Bundle, *, cache_dir: Path) -> ContractArtifact:
    """Generate and compile the verifier of a bundle's key.

    Raises:
        CompileError, ToolchainError: the verifier cannot be generated or compiled.
    """
    return compile_verifier(verifier_source(bundle), cache_dir=cache_dir)


def commitment_of(bundle: Bundle, circuit_id: bytes, manifest_cid: Cid) -> ModelCommitment:
    """Return what a publisher of this bundle commits to."""
    files = bundle.manifest.files
    return ModelCommitment(
        circuit_id=circuit_id,
        onnx_digest=digest_bytes(files["onnx"].digest),
        settings_digest=digest_bytes(files["settings"].digest),
        manifest_digest=digest_bytes(bundle.manifest_digest),
        manifest_cid=manifest_cid,
        name=bundle.manifest.name,
    )


def publish(
    market: Market,
    account: LocalAccount,
    bundle: Bundle,
    system: ProofSystem,
    store: ArtifactStore,
    *,
    cache_dir: Path,
    scratch: Path,
    progress: Progress = silent,
) -> Publication:
    """Publish a model and make it PROVEN.

    Args:
        market: the chain and its contracts.
        account: the publisher; owns the model.
        bundle: opened with all roles.
        system: the bundle's proof system.
        store: where artifacts go.
        cache_dir: folder of compiled verifiers.
        scratch: folder for the genesis witness.
        progress: hears of every step.

    Raises:
        RegistryError: another model of this circuit is PROVEN already.
        ProofRejectedError: the genesis proof does not hold.
        UnsuitableCircuitError, CompileError, ChainError, ProvingError: a step failed.
    """
    manifest_cid = store_artifacts(bundle, store)
    circuit = pin_circuit(
        market, account, bundle, system, cache_dir=cache_dir, scratch=scratch, progress=progress
    )
    commitment = commitment_of(bundle, circuit.circuit_id, manifest_cid)
    model_id = market.registry.model_id(account.address, commitment)
    is_new = market.registry.status_of(model_id) is ModelStatus.NONE
    if is_new:
        _refuse_taken_circuit(market, model_id, commitment, circuit)
        with run_stage(progress, "register the model"):
            market.registry.register(account, commitment)
    transaction = None
    if market.registry.status_of(model_id) is not ModelStatus.PROVEN:
        transaction = activate(market, account, bundle, system, model_id, scratch=scratch, progress=progress)
    return Publication(model_id, circuit, manifest_cid, is_new, transaction)


def activate(
    market: Market,
    account: LocalAccount,
    bundle: Bundle,
    system: ProofSystem,
    model_id: int,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> str:
    """Prove the input that the chain chose for this model, and make the model PROVEN.

    Returns:
        The hash of the activating transaction.

    Raises:
        ProofRejectedError: the proof does not hold, here or on chain.
        ProvingError, ChainError: a step failed.
    """
    genesis = market.registry.genesis(model_id)
    proof = prove_input(
        bundle,
        system,
        genesis.packed_input,
        scratch / f"genesis-{model_id:064x}.json",
        progress=labelled(progress, lambda: "genesis"),
    )
    verify_proof(bundle, proof)
    with run_stage(progress, "activate with the genesis proof"):
        receipt = market.registry.activate(account, model_id, from_hex(proof.output), from_hex(proof.proof))
    return receipt.transaction


def _refuse_taken_circuit(
    market: Market, model_id: int, commitment: ModelCommitment, circuit: PinnedCircuit
) -> None:
    taken = market.registry.proven_model_of(circuit.circuit_id)
    if taken is not None and taken != model_id:
        raise RegistryError(
            f"expected a circuit of its own for {commitment.name}, found model {taken:#066x} proven with it",
            hint="the same model is published already: use it, or change the model",
        )


def plan_publication(
    market: Market, publisher: str, bundle: Bundle, *, cache_dir: Path
) -> tuple[list[DryRun], list[str]]:
    """Say what `publish` would send from the chain's present state, without sending it.

    Returns:
        The transactions that can be simulated now, and in words the steps that depend on them.

    Raises:
        UnsuitableCircuitError, CompileError, ChainError: see `publish`.
    """
    class_for(bundle, is_local=market.chain.is_local)
    artifact = compiled_verifier(bundle, cache_dir=cache_dir)
    digest = digest_bytes(bundle.manifest.verifying_key)
    for circuit_id, _ in market.router.find_by_key(digest, from_block=market.deployment.block):
        commitment = commitment_of(bundle, circuit_id, bundle.manifest_cid)
        model_id = market.registry.model_id(publisher, commitment)
        status = market.registry.status_of(model_id)
        if status is ModelStatus.PROVEN:
            return [], [f"nothing: model {model_id:#066x} is PROVEN"]
        if status is ModelStatus.REGISTERED:
            return [], [f"activate model {model_id:#066x} with its genesis proof"]
    deploy = Call(None, creation_code(artifact, ()), f"deploy the verifier of {bundle.manifest.name}")
    return [dry_run(market.chain, deploy, publisher)], [
        "deploy EzklVerifier over it",
        "VerifierRouter.add the circuit",
        f"ModelRegistry.register {bundle.manifest.name} with manifest {bundle.manifest_cid}",
        "prove the input that the chain chooses, and ModelRegistry.activate",
    ]
