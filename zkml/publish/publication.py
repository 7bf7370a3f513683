"""Publish a model: verifiers, artifacts, registration, lineage, genesis proofs. Again, it does nothing twice.

Each step looks at the chain first, so that an interrupted publication goes on where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.single_proof import prove_input
from circuits.stages import run_stage
from circuits.verification import verify_proof
from registry.models import ModelStatus
from verifier_contracts.deploy_verifier import PinnedCircuit
from zkml.core.cid import Cid
from zkml.core.digests import digest_bytes
from zkml.core.identifiers import ZERO32, ModelCommitment
from zkml.core.manifest import BundleManifest, FileRole
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, labelled, silent
from zkml.core.records import from_hex
from zkml.errors import RegistryError, UnsuitableCircuitError
from zkml.publish.listing import Listing
from zkml.publish.verifiers import pin_circuit
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class Publication:
    """A model as it stands on chain.

    Attributes:
        model_id: ERC-721 id.
        circuits: the pinned circuits, the one for a single input first.
        manifest_cid: where the manifest of the first is stored.
        is_new: whether this run registered it.
        genesis_transactions: what was activated in this run, in order; the last made the model PROVEN.
    """

    model_id: int
    circuits: tuple[PinnedCircuit, ...]
    manifest_cid: Cid
    is_new: bool
    genesis_transactions: tuple[str, ...]

    @property
    def circuit(self) -> PinnedCircuit:
        """The circuit for a single input."""
        return self.circuits[0]

    @property
    def genesis_transaction(self) -> str | None:
        """What made the model PROVEN in this run; None when it was before."""
        return self.genesis_transactions[-1] if self.genesis_transactions else None


def published_roles(manifest: BundleManifest, *, is_closed: bool) -> tuple[FileRole, ...]:
    """Return the files that auditors may have.

    The proving key gives weights away and the compiled circuit is not deterministic. Of a closed model the
    ONNX file stays with its owner; where weights are committed the model without them serves auditors.
    """
    models: list[FileRole] = [] if is_closed else ["onnx"]
    if manifest.weight_point is not None:
        models.append("weightless_onnx")
    return (*models, "settings", "verifying_key", "verification_srs")


def store_artifacts(bundle: Bundle, store: ArtifactStore, *, is_closed: bool = False) -> Cid:
    """Store the manifest and the files that auditors may have; return the manifest's CID."""
    for role in published_roles(bundle.manifest, is_closed=is_closed):
        store.put_file(bundle.file(role))
    return store.put_bytes(bundle.manifest.to_bytes())


def commitment_of(
    bundle: Bundle, circuit_ids: Sequence[bytes], manifest_cid: Cid, listing: Listing | None = None
) -> ModelCommitment:
    """Return what a publisher of this bundle commits to.

    Args:
        bundle: the one for a single input.
        circuit_ids: its circuit, then those of batches.
        manifest_cid: where its manifest is stored.
        listing: the publisher's terms; the defaults when None.
    """
    files, listing = bundle.manifest.files, listing or Listing()
    return ModelCommitment(
        circuit_ids=tuple(circuit_ids),
        onnx_digest=digest_bytes(files["onnx"].digest),
        settings_digest=digest_bytes(files["settings"].digest),
        manifest_digest=digest_bytes(bundle.manifest_digest),
        dataset_digest=listing.dataset_digest,
        key_commitment=listing.key_commitment,
        predecessor=listing.predecessor,
        manifest_cid=manifest_cid,
        name=bundle.manifest.name,
        licence=listing.licence,
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
    listing: Listing | None = None,
    batches: Sequence[Bundle] = (),
    progress: Progress = silent,
) -> Publication:
    """Publish a model and make it PROVEN.

    Args:
        market: the chain and its contracts.
        account: the publisher; owns the model.
        bundle: the one for a single input, opened with all roles.
        system: the bundles' proof system.
        store: where artifacts go.
        cache_dir: folder of compiled verifiers.
        scratch: folder for genesis witnesses.
        listing: the publisher's terms; the defaults when None.
        batches: bundles that prove several inputs of the same model at once, opened with all roles.
        progress: hears of every step.

    Raises:
        RegistryError: another model of a circuit is PROVEN already.
        ProofRejectedError: a genesis proof does not hold.
        UnsuitableCircuitError, CompileError, ChainError, ProvingError: a step failed.
    """
    listing = listing or Listing()
    check_batches(bundle, batches)
    bundles = (bundle, *batches)
    is_closed = listing.key_commitment != ZERO32
    manifest_cid, *_ = [store_artifacts(each, store, is_closed=is_closed) for each in bundles]
    circuits = tuple(
        pin_circuit(
            market,
            account,
            each,
            system,
            listing.verifier,
            cache_dir=cache_dir,
            scratch=scratch,
            progress=progress,
        )
        for each in bundles
    )
    commitment = commitment_of(bundle, [circuit.circuit_id for circuit in circuits], manifest_cid, listing)
    model_id = market.registry.model_id(account.address, commitment)
    is_new = market.registry.status_of(model_id) is ModelStatus.NONE
    if is_new:
        refuse_taken_circuits(market, model_id, commitment.circuit_ids, commitment.name)
        with run_stage(progress, "register the model"):
            market.registry.register(
                account, commitment, listing.fees, listing.derivatives, progress=progress
            )
    transactions: tuple[str, ...] = ()
    if market.registry.status_of(model_id) is ModelStatus.REGISTERED:
        _declare_lineage(market, account, model_id, listing, progress)
        by_circuit = {circuit.circuit_id: each for circuit, each in zip(circuits, bundles, strict=True)}
        transactions = activate(
            market, account, by_circuit, system, model_id, scratch=scratch, progress=progress
        )
    return Publication(model_id, circuits, manifest_cid, is_new, transactions)


def activate(
    market: Market,
    account: LocalAccount,
    bundles: dict[bytes, Bundle],
    system: ProofSystem,
    model_id: int,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Prove the inputs that the chain chose for this model's circuits, and make the model PROVEN.

    Args:
        market: the chain and its contracts.
        account: who sends the proofs; anybody may.
        bundles: by circuit id.
        system: their proof system.
        model_id: a REGISTERED model.
        scratch: folder for genesis witnesses.
        progress: hears of every step.

    Returns:
        The hashes of the activating transactions.

    Raises:
        ProofRejectedError: a proof does not hold, here or on chain.
        ProvingError, ChainError: a step failed.
    """
    transactions = []
    for circuit_id in market.registry.missing_genesis(model_id):
        bundle = bundles[circuit_id]
        genesis = market.registry.genesis(model_id, circuit_id)
        proof = prove_input(
            bundle,
            system,
            genesis.packed_input,
            scratch / f"genesis-{circuit_id.hex()}.json",
            context=genesis.seed,
            progress=labelled(progress, lambda: "genesis"),
        )
        verify_proof(bundle, proof, context=genesis.seed, progress=progress)
        with run_stage(progress, "activate with the genesis proof"):
            receipt = market.registry.activate(
                account, model_id, circuit_id, from_hex(proof.output), from_hex(proof.proof)
            )
        transactions.append(receipt.transaction)
    return tuple(transactions)


def check_batches(bundle: Bundle, batches: Sequence[Bundle]) -> None:
    """Check that bundles are batches of one model, each of its own size.

    Raises:
        UnsuitableCircuitError: the first is no bundle for one input, or one of the others is of another
            model, or weighs its inputs otherwise.
    """
    one = bundle.manifest
    if one.batch != 1:
        raise UnsuitableCircuitError(f"expected a bundle for one input first, found one for {one.batch}")
    for manifest in (each.manifest for each in batches):
        widths = manifest.layout.input_bytes, manifest.layout.output_bytes
        same = (
            manifest.files["onnx"].digest == one.files["onnx"].digest
            and widths == (one.layout.input_bytes, one.layout.output_bytes)
            and manifest.layout.input_count == manifest.batch * one.layout.input_count
            and manifest.input_domain == one.input_domain
            and manifest.param_visibility == one.param_visibility
        )
        if not same:
            raise UnsuitableCircuitError(
                f"expected a batch of {one.name}, found {manifest.name} for {manifest.batch} inputs "
                "of another model, width, domain or kind of weights",
                hint="make the batch from the model's own bundle",
            )


def _declare_lineage(
    market: Market, account: LocalAccount, model_id: int, listing: Listing, progress: Progress
) -> None:
    """Declare the parents; only possible before the model is PROVEN."""
    if not listing.parents or market.lineage.parents_of(model_id):
        return
    with run_stage(progress, "declare the lineage"):
        market.lineage.declare(account, model_id, listing.parents, listing.max_total_ppm)


def refuse_taken_circuits(
    market: Market, model_id: int | None, circuit_ids: Sequence[bytes], name: str
) -> None:
    """Check that no other model is PROVEN with one of these circuits.

    Args:
        market: the chain and its contracts.
        model_id: the model that may be; None if there is none yet.
        circuit_ids: of the model.
        name: of the model, for people.

    Raises:
        RegistryError: another model is.
    """
    for circuit_id in circuit_ids:
        taken = market.registry.proven_model_of(circuit_id)
        if taken is not None and taken != model_id:
            raise RegistryError(
                f"expected a circuit of its own for {name}, found model {taken:#066x} proven with it",
                hint="the same model is published already: use it, or change the model",
            )
