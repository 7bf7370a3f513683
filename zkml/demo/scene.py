"""What the steps of the tour share, and the offer that they are about."""

from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from zkml.adapters.store.directory import DirectoryStore
from zkml.client import OpeningJournal
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.core.identifiers import FeeTerms
from zkml.core.progress import Progress
from zkml.core.verifier_classes import accepted_classes
from zkml.demo.digits import PreparedCircuit, dataset_digest
from zkml.publish.listing import Listing
from zkml.publish.publication import Publication
from zkml.wiring import Market

LICENCE = "Apache-2.0"
MODEL_FEES = FeeTerms(model_fee=500_000, min_model_fee=250_000, min_model_fee_ppm=100_000)
MIN_PROVER_FEE, MAX_PROVER_FEE = 1_000_000, 2_500_000
MAX_TOTAL = 4_000_000
RAMP_SECONDS = 60
"""How long the prover fee on offer rises from the least to the greatest."""
ROLES = ("publisher", "requester", "prover", "cheat")


@dataclass(slots=True)
class Scene:
    """What the steps share.

    Attributes:
        funder: deploys, gives ether and tokens.
        movable: whether the node lets its clock be moved.
        publication: the model on chain, once it is published.
        label: what the prover is at, for its progress.
    """

    settings: Settings
    home: Home
    progress: Progress
    market: Market
    funder: LocalAccount
    system: ProofSystem
    prepared: PreparedCircuit
    accounts: dict[str, LocalAccount]
    store: DirectoryStore
    journal: OpeningJournal
    movable: bool
    publication: Publication = field(init=False)
    label: str = ""

    @property
    def bundle(self) -> Bundle:
        """The demo's circuit."""
        return self.prepared.bundle

    @property
    def listing(self) -> Listing:
        """The terms under which the model is published."""
        return Listing(licence=LICENCE, dataset_digest=dataset_digest(self.prepared.images), fees=MODEL_FEES)

    @property
    def addresses(self) -> dict[str, str]:
        """The roles' addresses, and the platform's unless one of the roles is its treasury."""
        found: dict[str, str] = {role: account.address for role, account in self.accounts.items()}
        treasury = self.market.admin.treasury()
        return found if treasury in found.values() else {**found, "platform": treasury}

    @property
    def classes(self) -> frozenset[int]:
        """Verifier classes that the requester trusts."""
        return accepted_classes(self.settings.chain.accepted_classes, self.market.chain.chain_id)
