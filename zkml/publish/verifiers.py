"""A bundle's verifier of either kind: made from its key, measured, deployed and pinned."""

from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.sample import prove_sample
from circuits.stages import run_stage
from circuits.verifier_source import VerifierChoice
from verifier_contracts.deploy_verifier import PinnedCircuit, VerifierTerms, deploy_verifier
from verifier_contracts.expected_verifier import ExpectedVerifier
from verifier_contracts.gas_limit import measured_gas_limit
from verifier_contracts.shared_verifier import add_shared_circuit, deploy_shared_verifier
from zkml.circuit_verifiers import MadeShared, make_verifier
from zkml.core.identifiers import VerifierClass, proof_system_id
from zkml.core.manifest import BundleManifest
from zkml.core.progress import Progress, silent
from zkml.errors import UnsuitableCircuitError
from zkml.wiring import Market

MIN_POSSIBLE_INPUTS = 1 << 64
"""With fewer, who makes a circuit can try them all before the chain draws one for the genesis proof."""


def warn_of_few_inputs(manifest: BundleManifest) -> str:
    """Return a warning where a circuit has so few inputs that a genesis proof shows nothing; else nothing.

    The chain draws the input of a genesis proof so that its publisher cannot have prepared the answer. Where
    the answers to all inputs can be computed, or the input guessed, there was nothing to draw.
    """
    layout, domain = manifest.tensor_layout, manifest.input_domain
    possible = domain.inputs(layout.input_count)
    if possible >= MIN_POSSIBLE_INPUTS:
        return ""
    return (
        f"the circuit has {possible} possible inputs, fewer than 2^64 ({layout.input_count} elements in "
        f"{domain.minimum}..{domain.maximum}): its genesis input can be guessed, and its proof shows little"
    )


def class_for(bundle: Bundle, *, is_local: bool, is_audited: bool = False) -> int:
    """Return the class under which a verifier of this bundle may be added.

    Args:
        bundle: whose SRS decides.
        is_local: whether the chain's id is a local one.
        is_audited: whether its code is shared and on the list of audited verifiers.

    Raises:
        UnsuitableCircuitError: an insecure SRS, and the chain is not a local one.
    """
    if bundle.manifest.srs.secure:
        return VerifierClass.CEREMONY if is_audited else VerifierClass.UNVOUCHED
    if not is_local:
        raise UnsuitableCircuitError(
            f"expected a ceremony's SRS, found {bundle.manifest.srs.name}: whoever made it can forge proofs",
            hint="import the ceremony's file and compile again; an insecure SRS works on local chains only",
        )
    return VerifierClass.LOCAL


def pin_circuit(
    market: Market,
    account: LocalAccount,
    bundle: Bundle,
    system: ProofSystem,
    asked: VerifierChoice | None,
    *,
    cache_dir: Path,
    scratch: Path,
    progress: Progress = silent,
) -> PinnedCircuit:
    """Make the bundle's verifier, deploy what the chain does not have, and add the circuit.

    Args:
        market: the chain and its contracts.
        account: who pays for gas.
        bundle: opened with all roles.
        system: the bundle's proof system.
        asked: which kind of verifier; the usual one of the system when None.
        cache_dir: folder of compiled verifiers; where the shared one stands is remembered there too.
        scratch: folder for a sample's witness.
        progress: hears of every step.

    Raises:
        UnsuitableCircuitError: see `class_for`; or the system has no verifier of that kind.
        CompileError, ToolchainError: the verifier cannot be generated or compiled.
        ProofRejectedError: the verifier refuses a true proof of this circuit.
        ChainError: see `transactions.send`.
    """
    class_for(bundle, is_local=market.chain.is_local)
    with run_stage(progress, "make the verifier"):
        made = make_verifier(bundle, asked, cache_dir=cache_dir)
    # The sample also shows that code and adapter accept what this circuit proves, while it still costs
    # nothing to learn that they do not.
    gas_limit = measured_gas_limit(
        made.expected,
        lambda: prove_sample(bundle, system, scratch=scratch, progress=progress),
        cache_dir=cache_dir,
    )
    with run_stage(progress, "deploy the verifier, add the circuit"):
        if isinstance(made, MadeShared):
            return _add_shared(market, account, bundle, made, gas_limit, folder=cache_dir)
        verifier_class = class_for(bundle, is_local=market.chain.is_local)
        return deploy_verifier(
            market.chain,
            account,
            market.router,
            made.artifact,
            terms_for(bundle, made.expected, gas_limit, verifier_class),
            from_block=market.deployment.block,
        )


def terms_for(
    bundle: Bundle, expected: ExpectedVerifier, gas_limit: int, verifier_class: int
) -> VerifierTerms:
    """Return what a bundle's circuit is pinned to, besides code."""
    manifest = bundle.manifest
    return VerifierTerms(
        layout=manifest.tensor_layout,
        domain=manifest.input_domain,
        verifying_key_digest=expected.key_digest,
        proof_system_id=proof_system_id(manifest.proof_system),
        gas_limit=gas_limit,
        verifier_class=verifier_class,
        weight_commitment=manifest.weight_commitment,
    )


def _add_shared(
    market: Market,
    account: LocalAccount,
    bundle: Bundle,
    made: MadeShared,
    gas_limit: int,
    *,
    folder: Path,
) -> PinnedCircuit:
    expected = made.expected
    shared = deploy_shared_verifier(
        market.chain, account, market.deployment, expected.system, made.inner, folder=folder
    )
    is_audited = market.admin.is_audited(shared.implementation_code_hash)
    verifier_class = class_for(bundle, is_local=market.chain.is_local, is_audited=is_audited)
    terms = terms_for(bundle, expected, gas_limit, verifier_class)
    return add_shared_circuit(account, market.router, shared, expected.key, terms)[0]
