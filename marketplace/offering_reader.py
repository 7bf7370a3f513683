"""What the contract of offerings says: facts, status, reservations, the release's input, and its parts."""

from marketplace.calendar import BusinessCalendarBinding
from marketplace.offering_answers import offering_facts, offering_rules, offering_status
from marketplace.offering_events import OfferingEvents
from marketplace.pools import PoolBinding
from marketplace.revenue import RevenueLedgerBinding
from marketplace.shares import SPARE_GAS, ShareToken
from marketplace.stewards import StewardBinding
from marketplace.vaults import CreatorVaultBinding
from registry.model_reader import ModelReader
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.terms import OfferingRules
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.core.offering_machine import OfferingFacts, OfferingStatus, releasable_at, status_of
from zkml.errors import InvalidTransitionError, MarketError, NotFinalError


class OfferingsReader:
    """The offerings at an address, to read.

    Attributes:
        events: what happened to them.
    """

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind them.

        Args:
            chain: where they are.
            address: checksummed.
            from_block: height of the deployment, where the search for events begins.
        """
        self.chain = chain
        self.contract = BoundContract(
            chain, load_artifact("InitialModelOffering"), address, spare_gas=SPARE_GAS
        )
        self.events = OfferingEvents(self.contract, from_block=from_block)
        self._from_block = from_block

    @property
    def address(self) -> str:
        """Where they are, checksummed: what creators and buyers allow to take their tokens."""
        return self.contract.address

    def facts(self, offering_id: int, *, block: BlockTag = "latest") -> OfferingFacts:
        """Return an offering's facts.

        Raises:
            MarketError: no such offering.
            RpcError: facts that contradict each other; see also `Chain.request`.
        """
        values = self.contract.call("offeringOf", offering_id, block=block)
        facts = offering_facts(offering_id, values, where=f"at {self.address}")
        if not facts.exists:
            raise MarketError(
                f"expected an existing offering, found none with number {offering_id} at {self.address}",
                hint="is it an offering of this chain and deployment?",
            )
        return facts

    def status(self, offering_id: int) -> OfferingStatus:
        """Return an offering's status now, derived here from facts and chain time; raises as `facts`."""
        return status_of(self.facts(offering_id), self.rules(), self.chain.now())

    def status_on_chain(self, offering_id: int) -> OfferingStatus:
        """Return the status that the contract derives; equal to `status`, and NONE for no offering."""
        number = self.contract.call("statusOf", offering_id, block=self.chain.head)
        return offering_status(number, where=f"at {self.address}")

    def rules(self) -> OfferingRules:
        """Return the numbers of this deployment.

        Raises:
            RpcError: numbers that no offerings were constructed with; see also `Chain.request`.
        """
        return offering_rules(self.contract.call("rules"), where=f"at {self.address}")

    def count(self) -> int:
        """Return how many offerings there are; their numbers count from 1."""
        return int(self.contract.call("offeringCount"))

    def last_offering_of(self, model_id: int) -> int:
        """Return the number of a model's last offering, or 0."""
        return int(self.contract.call("lastOfferingOf", model_id))

    def reservation_of(self, offering_id: int, holder: str, *, block: BlockTag = "latest") -> int:
        """Return the whole shares that a holder reserved and was not paid back."""
        return int(self.contract.call("reservationOf", offering_id, holder, block=block))

    def resale_of(self, offering_id: int, holder: str, *, block: BlockTag = "latest") -> int:
        """Return the whole shares that a holder offers at the price."""
        return int(self.contract.call("resaleOf", offering_id, holder, block=block))

    def open_resales(self, offering_id: int) -> dict[str, int]:
        """Return who offers how many whole shares at the price now."""
        holders = {resale.holder for resale in self.events.resales(offering_id)}
        offered = {holder: self.resale_of(offering_id, holder) for holder in sorted(holders)}
        return {holder: count for holder, count in offered.items() if count}

    def releasable_at(self, offering_id: int) -> int:
        """Return when the release becomes possible, derived here; 0 before the reveal; raises as `facts`."""
        return releasable_at(self.facts(offering_id), self.rules())

    def release_circuit(self, offering_id: int) -> bytes:
        """Return the id of the circuit that releases, 32 bytes."""
        return bytes(self.contract.call("releaseCircuit", offering_id))

    def release_input(self, offering_id: int) -> bytes:
        """Return the packed input that the release's proof must be about; its context is the facts' `seed`.

        Raises:
            InvalidTransitionError: its key is not revealed.
            RpcError: see `Chain.request`.
        """
        return bytes(self.contract.call("releaseInput", offering_id))

    def credits_of(self, account: str, *, block: BlockTag = "latest") -> int:
        """Return what an account can withdraw here, in the token's smallest unit."""
        return int(self.contract.call("credits", account, block=block))

    def check_lock_is_final(self, offering_id: int) -> None:
        """Check that the sale is as deep in the chain as is asked of transactions.

        A sale that a reorganisation undid would leave whoever revealed the key without buyers, and everybody
        else with the model.

        Raises:
            InvalidTransitionError: it is not sold.
            NotFinalError: it was sold in one of the newest blocks.
            RpcError: see `Chain.logs`.
        """
        locked = self.events.soft_locked(offering_id)
        if locked is None:
            raise InvalidTransitionError(f"expected offering {offering_id} to be sold, found shares left")
        height, wanted = self.chain.height(), self.chain.confirmations
        if height < locked.where.block + wanted:
            raise NotFinalError(
                f"expected {wanted} blocks on top of the sale of offering {offering_id}, found "
                f"{height - locked.where.block}",
                hint="wait for some blocks: there are days to reveal the key",
            )

    def is_tombstoned(self, facts: OfferingFacts) -> bool:
        """Say whether the circuit that must release the offering was found unsafe."""
        return self.registry().router().is_tombstoned(self.release_circuit(facts.offering_id))

    def address_of(self, part: str) -> str:
        """Return the address of what this one uses: ledger, token, calendar, shareTokens or pools."""
        return str(self.contract.call(part))

    def token_supply(self) -> int:
        """Return how much there is of the payment token, in its smallest unit."""
        token = BoundContract(self.chain, load_artifact("LocalPaymentToken"), self.address_of("token"))
        return int(token.call("totalSupply"))

    def ledger(self) -> RevenueLedgerBinding:
        """Return the ledger that holds the shares' income."""
        return RevenueLedgerBinding(self.chain, self.address_of("ledger"), from_block=self._from_block)

    def registry(self) -> ModelReader:
        """Return the registry of the models that are offered."""
        return ModelReader(self.chain, self.ledger().address_of("registry"))

    def calendar(self) -> BusinessCalendarBinding:
        """Return the calendar that says when locks end."""
        return BusinessCalendarBinding(self.chain, self.address_of("calendar"))

    def shares_of(self, facts: OfferingFacts) -> ShareToken:
        """Return the shares of an offering."""
        return ShareToken(self.chain, facts.shares)

    def vault_of(self, facts: OfferingFacts) -> CreatorVaultBinding:
        """Return what is the creator's of an offering, but not yet."""
        return CreatorVaultBinding(self.chain, facts.vault)

    def steward_of(self, facts: OfferingFacts) -> StewardBinding:
        """Return who owns the model of an offering."""
        return StewardBinding(self.chain, facts.steward, from_block=self._from_block)

    def pool_of(self, facts: OfferingFacts) -> PoolBinding:
        """Return the pool of an offering's shares, which is empty until the release.

        Raises:
            MarketError: there is none.
            RpcError: see `Chain.request`.
        """
        token, vault = self.address_of("token"), self.vault_of(facts)
        return PoolBinding(self.chain, vault.pool(), shares=facts.shares, money=token)
