"""A model as a client of prover nodes knows it: from the chain, and from a manifest that the chain names.

Where the manifest comes from does not matter: a store, or a node that has every reason to lie about it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registry.dids import DidResolver
from zkml.client.inputs import MAX_MANIFEST_BYTES, fetch_manifest
from zkml.client.models import CheckedCircuit, check_model, checked_commitment
from zkml.core.cid import cid_of, parse_cid
from zkml.core.dids import parse_did
from zkml.core.digests import digest_bytes
from zkml.core.identifiers import ModelCommitment
from zkml.core.manifest import BundleManifest
from zkml.core.ports.store import ArtifactStore
from zkml.core.pricing import FeeQuote
from zkml.errors import (
    ArtifactNotFoundError,
    BindingError,
    DigestMismatchError,
    NotRegisteredError,
    UnsuitableCircuitError,
    WrongChainError,
)
from zkml.wiring import Market

Fetch = Callable[[str, int], bytes]
"""Returns the bytes of a path of a node's API, at most so many."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What the chain says of a model.

    Attributes:
        did: its DID.
        model_id: its ERC-721 id.
        commitment: what its publisher committed to.
        quote: what model and platform ask of what opens now.
    """

    did: str
    model_id: int
    commitment: ModelCommitment
    quote: FeeQuote


def find_model(market: Market, subject: str | int) -> KnownModel:
    """Return a model by its DID or its id.

    Raises:
        FormatError, WrongChainError: no DID of this chain.
        NotRegisteredError: no such model.
        BindingError: the endpoint tells a commitment that is not this model's.
        RpcError: see `Chain.request`.
    """
    deployment = market.deployment
    resolver = DidResolver(market.chain, deployment.addresses, from_block=deployment.block)
    model_id = subject if isinstance(subject, int) else _model_of(market, resolver, subject)
    commitment = checked_commitment(market, model_id)
    quote = market.manager.quote_for(model_id)
    return KnownModel(resolver.did_of_model(model_id), model_id, commitment, quote)


def load_manifest(known: KnownModel, store: ArtifactStore, fetch: Fetch | None = None) -> BundleManifest:
    """Return a model's manifest: from the store, or by its CID from a node, and then kept in the store.

    Raises:
        ArtifactNotFoundError: it is nowhere.
        DigestMismatchError: the bytes are others than the registry's.
        FormatError, ManifestError: the bytes are no manifest.
        BindingError: it is a manifest of other settings than the registry's.
        ServiceError: see `fetch`.
    """
    cid = parse_cid(known.commitment.manifest_cid)
    if fetch is not None and not store.has(cid):
        data = fetch(f"/v1/artifacts/{cid}", MAX_MANIFEST_BYTES)
        found = cid_of(data)
        if found != cid:
            raise DigestMismatchError(f"expected the manifest {cid}, found bytes of {found} from the node")
        store.put_bytes(data)
    try:
        manifest = fetch_manifest(known.commitment, store)
    except ArtifactNotFoundError as error:
        raise ArtifactNotFoundError(
            f"expected the manifest {cid} of {known.did}, found it nowhere",
            hint="name a node that serves the model (--node), or get the artifacts from its publisher",
        ) from error
    if digest_bytes(manifest.files["settings"].digest) != known.commitment.settings_digest:
        raise BindingError(
            f"expected settings of digest sha256:{known.commitment.settings_digest.hex()}, "
            f"found {manifest.files['settings'].digest} in the manifest of {known.did}"
        )
    return manifest


def check_choice(
    market: Market, known: KnownModel, circuit_id: bytes, trusted: frozenset[int]
) -> CheckedCircuit:
    """Return the circuit that a node would prove, if it is one of the model's that may be paid for.

    Raises:
        UnsuitableCircuitError, TombstonedError, BindingError, RpcError: see `models.check_model`.
    """
    return check_model(market, known.model_id, trusted, circuit_id)


def check_manifest(manifest: BundleManifest, circuit: CheckedCircuit) -> None:
    """Check that a manifest describes the tensors of a circuit, so that numbers mean the same in both.

    Raises:
        UnsuitableCircuitError: it does not.
    """
    expected = (circuit.spec.layout, circuit.spec.domain)
    if (manifest.tensor_layout, manifest.input_domain) != expected:
        raise UnsuitableCircuitError(
            f"expected a circuit of the manifest's tensors, found {circuit.spec.layout} and "
            f"{circuit.spec.domain} of 0x{circuit.circuit_id.hex()}",
            hint="ask for the model's first circuit",
        )


def _model_of(market: Market, resolver: DidResolver, did: str) -> int:
    chain_id, account = parse_did(did)
    if chain_id != market.chain.chain_id:
        raise WrongChainError(
            f"expected a DID of chain {market.chain.chain_id:#x}, found one of chain {chain_id:#x}",
            hint="give --rpc-url of that chain",
        )
    model_id = resolver.model_of(account)
    if model_id is None:
        raise NotRegisteredError(
            f"expected the DID of a registered model, found {did}", hint="list them: zkml registry list"
        )
    return model_id
