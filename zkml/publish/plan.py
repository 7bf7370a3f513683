"""What publishing would send, from the chain's present state, without sending it."""

from collections.abc import Sequence
from pathlib import Path

from circuits.bundle import Bundle
from circuits.verifier_source import VerifierChoice
from registry.models import ModelStatus
from verifier_contracts.deploy import creation_code
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.gas_limit import MAX_GAS_LIMIT, remembered_gas_limit
from verifier_contracts.shared_verifier import find_shared_verifier, plan_shared_circuit
from zkml.adapters.evm.transactions import Call, DryRun, dry_run
from zkml.circuit_verifiers import MadeShared, MadeVerifier, make_verifier
from zkml.errors import VerifierMismatchError
from zkml.publish.listing import Listing
from zkml.publish.publication import check_batches, commitment_of, refuse_taken_circuits
from zkml.publish.verifiers import class_for, terms_for
from zkml.wiring import Market


def plan_publication(
    market: Market,
    publisher: str,
    bundle: Bundle,
    *,
    cache_dir: Path,
    listing: Listing | None = None,
    batches: Sequence[Bundle] = (),
) -> tuple[list[DryRun], list[str]]:
    """Say what `publish` would send.

    Returns:
        The transactions that can be simulated now, and in words the steps that depend on them.

    Raises:
        UnsuitableCircuitError, CompileError, ChainError: see `publish`.
    """
    listing = listing or Listing()
    check_batches(bundle, batches)
    bundles = (bundle, *batches)
    for each in bundles:
        class_for(each, is_local=market.chain.is_local)
    made = [make_verifier(each, listing.verifier, cache_dir=cache_dir) for each in bundles]
    known = _known_model(market, publisher, bundle, made, listing)
    if known is not None:
        return [], known
    circuits = [_known_circuit(market, made_of, each) for made_of, each in zip(made, bundles, strict=True)]
    refuse_taken_circuits(market, None, [found for found in circuits if found], bundle.manifest.name)
    missing = [(bundles[place], made[place]) for place, found in enumerate(circuits) if found is None]
    first, rest = _steps_of(market, publisher, missing, cache_dir)
    lineage = [f"LineageRegistry.declare {len(listing.parents)} parents"] if listing.parents else []
    return first, [
        *rest,
        f"ModelRegistry.commit and register {bundle.manifest.name} with manifest {bundle.manifest_cid}",
        *lineage,
        f"prove the {len(bundles)} inputs that the chain chooses, and ModelRegistry.activate each",
    ]


def plan_circuit(
    market: Market, sender: str, bundle: Bundle, choice: VerifierChoice | None, *, cache_dir: Path
) -> tuple[list[DryRun], list[str]]:
    """Say what `verifiers.pin_circuit` would send; returns and raises as `plan_publication` does."""
    class_for(bundle, is_local=market.chain.is_local)
    made = make_verifier(bundle, choice, cache_dir=cache_dir)
    known = _known_circuit(market, made, bundle)
    if known is not None:
        return [], [f"nothing: circuit 0x{known.hex()} is pinned to exactly this verifier"]
    return _steps_of(market, sender, [(bundle, made)], cache_dir)


def _known_circuit(market: Market, made: MadeVerifier, bundle: Bundle) -> bytes | None:
    """Return the circuit that has exactly this verifier, layout and domain, or None."""
    manifest, chain = bundle.manifest, market.chain
    found = market.router.find_by_key(made.expected.key_digest, from_block=market.deployment.block)
    for circuit_id, spec in found:
        if (spec.layout, spec.domain) != (manifest.tensor_layout, manifest.input_domain):
            continue
        try:
            deployed = DeployedVerifier(spec, chain.code, chain_id=chain.chain_id)
        except VerifierMismatchError:
            # Anybody may add circuits under this key's digest; one that is not ours is none of our business.
            continue
        if made.expected.difference_from(deployed) is None:
            return circuit_id
    return None


def _steps_of(
    market: Market,
    publisher: str,
    missing: Sequence[tuple[Bundle, MadeVerifier]],
    cache_dir: Path,
) -> tuple[list[DryRun], list[str]]:
    """Say what adding circuits takes; all of them are of one system and kind."""
    calls: list[Call] = []
    steps: list[str] = []
    for bundle, made in missing:
        if isinstance(made, MadeShared):
            call, steps = _shared_step(market, bundle, made, cache_dir)
            calls.append(call)
        else:
            what = f"deploy the verifier of {bundle.manifest.name}"
            calls.append(Call(None, creation_code(made.artifact, ()), what))
            steps = ["deploy EzklVerifier over each", "VerifierRouter.add each circuit"]
    # One reusable verifier serves all circuits that wait for it.
    distinct = {call.data: call for call in calls}.values()
    return [dry_run(market.chain, call, publisher) for call in distinct], steps


def _shared_step(market: Market, bundle: Bundle, made: MadeShared, cache_dir: Path) -> tuple[Call, list[str]]:
    """Return the next call for a circuit, and what comes after it.

    The gas limit is measured on a sample only when the circuit is added; the greatest one stands for it.
    """
    expected, chain = made.expected, market.chain
    system = expected.system
    shared = find_shared_verifier(chain, market.deployment, system, made.inner, folder=cache_dir)
    if shared is None and made.inner is not None:
        call = Call(None, creation_code(made.inner, ()), "deploy the shared verifier")
        return call, ["deploy its factory", f"{system.factory}.storeKeyAndAddCircuit for each circuit"]
    assert shared is not None  # without an inner verifier it is the deployment's
    measured = remembered_gas_limit(expected, cache_dir=cache_dir)
    is_audited = market.admin.is_audited(shared.implementation_code_hash)
    verifier_class = class_for(bundle, is_local=chain.is_local, is_audited=is_audited)
    terms = terms_for(bundle, expected, measured or MAX_GAS_LIMIT, verifier_class)
    steps = [] if measured else ["prove a sample, whose verification says what gas limit is pinned"]
    return plan_shared_circuit(market.router, shared, expected.key, terms), steps


def _known_model(
    market: Market,
    publisher: str,
    bundle: Bundle,
    made: Sequence[MadeVerifier],
    listing: Listing,
) -> list[str] | None:
    """Say what is left to do where the model stands on the chain already; None where it does not."""
    block = market.deployment.block
    found = [
        [circuit for circuit, spec in market.router.find_by_key(each.expected.key_digest, from_block=block)]
        for each in made
    ]
    # Anybody may add circuits under a key's digest, so each first one is tried with the newest of the rest.
    for circuit_id in found[0]:
        rest = [circuits[-1] for circuits in found[1:] if circuits]
        commitment = commitment_of(bundle, [circuit_id, *rest], bundle.manifest_cid, listing)
        model_id = market.registry.model_id(publisher, commitment)
        status = market.registry.status_of(model_id)
        if status is ModelStatus.PROVEN:
            return [f"nothing: model {model_id:#066x} is PROVEN"]
        if status is ModelStatus.REGISTERED:
            missing = len(market.registry.missing_genesis(model_id))
            return [f"activate model {model_id:#066x} with {missing} genesis proofs"]
    return None
