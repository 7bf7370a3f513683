"""Put the direct service together from what a node's components share."""

from prover_nodes.build import NodeParts
from prover_nodes.direct.artifacts import PublicArtifacts
from prover_nodes.direct.catalogue import Catalogue
from prover_nodes.direct.chain_tabs import ChainTabs
from prover_nodes.direct.deliveries import OutboxDeliveries
from prover_nodes.direct.fees import FeePolicy
from prover_nodes.direct.journal import RequestJournal
from prover_nodes.direct.parts import DirectParts, PromiseBook
from prover_nodes.direct.requests import UNSETTLED
from prover_nodes.direct.service import DirectService
from zkml.config.settings import ApiSettings


def direct_of(parts: NodeParts, api: ApiSettings) -> DirectService:
    """Build the service that answers requests on tabs.

    Args:
        parts: what the components of one node process share.
        api: fees, limits and margins of requests.

    Raises:
        StorageError: the journal's tables cannot be used.
    """
    market = ChainTabs(parts.chain_market, parts.account.address)
    store = parts.journal.request_store(UNSETTLED)
    catalogue = Catalogue(market, parts.circuits, parts.policy.accepted_classes, progress=parts.progress)
    return DirectService(
        DirectParts(
            market=market,
            deliveries=OutboxDeliveries(parts.outbox),
            journal=RequestJournal(store, parts.market.scope),
            catalogue=catalogue,
            fees=FeePolicy(parts.policy, api.prover_fee, parts.clock),
            policy=parts.policy,
            admission=parts.admission,
            promises=PromiseBook(parts.admission),
            observer=parts.observer,
            clock=parts.clock,
            progress=parts.progress,
            halt=parts.halt,
            api=api,
        ),
        parts.journal,
        PublicArtifacts(parts.store, catalogue),
        settlers=parts.prover.settlers,
    )
