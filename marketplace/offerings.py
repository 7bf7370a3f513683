"""The typed binding of InitialModelOffering: every move. What it says is in `offering_reader`."""

from typing import Any

from eth_account.signers.local import LocalAccount

from marketplace.offering_reader import OfferingsReader
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import DryRun, OnSigned, SignedTransaction, ignore_signed
from zkml.core.artifact_encryption import ArtifactKey, WrongChunk
from zkml.core.offering_machine import OfferingFacts
from zkml.core.offering_moves import check_move
from zkml.core.offering_terms import OfferingTerms
from zkml.errors import BindingError

REVEAL_GAS = 250_000
"""Limit of a reveal, which cannot be estimated without telling the key to the endpoint.

It takes 106,000, and 134,000 of a model with four circuits and the longest texts, which the contract reads.
"""


class OfferingsBinding(OfferingsReader):
    """The offerings at an address, to read and to move. Shares are counted in whole ones."""

    def open(
        self, account: LocalAccount, terms: OfferingTerms, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[int, TransactionReceipt]:
        """Open an offering: takes bond and model, which this contract must be approved for.

        Args:
            account: the model's owner.
            terms: what it offers.
            on_signed: called with the signed transaction before it leaves this machine.

        Returns:
            The offering's number and the receipt.

        Raises:
            MarketError: a number out of range, or a model that cannot be offered.
            InsufficientFundsError: too few tokens for the bond, or too small an allowance.
            RevertedError: the model was not approved.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "open", terms.as_abi(), on_signed=on_signed)
        return self.opened_in(receipt, account.address, terms), receipt

    def opened_in(self, receipt: TransactionReceipt, creator: str, terms: OfferingTerms) -> int:
        """Return the number of the offering that a transaction opened, checked against `terms`.

        Raises:
            BindingError: it opened another offering.
        """
        opened = [event.arguments for event in self.contract.events_in(receipt.logs, "OfferingOpened")]
        wanted = (creator, terms.as_abi())
        found = [event for event in opened if (event["creator"], event["terms"]) == wanted]
        return int(self._only(found, "offering of these terms", receipt)["offeringId"])

    def reserve(
        self,
        account: LocalAccount,
        offering_id: int,
        most: int,
        least: int = 1,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> tuple[int, TransactionReceipt]:
        """Reserve up to `most` whole shares and pay for them, for good; the last one begins the soft lock.

        Args:
            account: the buyer, whose allowance to this contract covers `most` at the price.
            offering_id: its number.
            most: how many it wants; fewer if fewer are left.
            least: with fewer than so many it buys none.
            on_signed: called with the signed transaction before it leaves this machine.

        Returns:
            How many it has got, and the receipt.

        Raises:
            InvalidTransitionError, MarketError: it is not OPEN, or too few are left.
            InsufficientFundsError: too few tokens, or too small an allowance.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "reserve", offering_id, most, least, on_signed=on_signed)
        return self.reserved_in(receipt, offering_id, account.address), receipt

    def reserved_in(self, receipt: TransactionReceipt, offering_id: int, holder: str) -> int:
        """Return how many whole shares a transaction reserved.

        Raises:
            BindingError: none of this offering for this holder.
        """
        wanted = {"offeringId": offering_id, "holder": holder}
        return int(self._event(receipt, "SharesReserved", wanted)["count"])

    def offer_resale(
        self, account: LocalAccount, offering_id: int, count: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Offer whole shares at the price, in place of what the account offered before; 0 takes it back.

        Raises:
            InvalidTransitionError: shares cannot be passed on any more.
            MarketError: the account has fewer, or there is no such offering.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "offerResale", offering_id, count, on_signed=on_signed)

    def buy_resale(
        self,
        account: LocalAccount,
        offering_id: int,
        holder: str,
        count: int,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Take over whole shares that `holder` offers, at exactly the price; raises as `reserve` does."""
        arguments = (offering_id, holder, count)
        return self.contract.transact(account, "buyResale", *arguments, on_signed=on_signed)

    def passed_on_in(self, receipt: TransactionReceipt, offering_id: int, buyer: str) -> dict[str, Any]:
        """Return from whom a transaction took shares over, how many and for what: the event's arguments.

        Raises:
            BindingError: none of this offering for this buyer.
        """
        return self._event(receipt, "SharesPassedOn", {"offeringId": offering_id, "to": buyer})

    def reveal(
        self,
        account: LocalAccount,
        offering_id: int,
        key: ArtifactKey,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Make the artifact's key public, for ever; whoever knows it may, in the lock or the grace after it.

        It is judged here and sent without a simulation: before the transaction no endpoint sees the key.

        Raises:
            InvalidTransitionError, MarketError: it is not SOFT_LOCKED; as what follows, before it is sent.
            NotFinalError: it was sold in one of the newest blocks, which could be undone.
            BindingError: another key was committed to.
            InsufficientFundsError: the account cannot pay for `REVEAL_GAS`.
            ChainError: see `BoundContract.transact`.
        """
        self.check_reveal(offering_id, key)
        arguments = (offering_id, key.secret)
        return self.contract.transact(account, "reveal", *arguments, gas=REVEAL_GAS, on_signed=on_signed)

    def check_reveal(self, offering_id: int, key: ArtifactKey) -> OfferingFacts:
        """Check all that the contract will ask of a reveal, without telling the key; raises as `reveal`.

        Returns:
            The offering's facts.
        """
        facts = self.facts(offering_id)
        check_move(facts, self.rules(), "reveal", self.chain.now())
        self.check_lock_is_final(offering_id)
        if not key.opens(self.registry().commitment_of(facts.model_id).key_commitment):
            raise BindingError(
                f"expected the key that model {facts.model_id:#x} commits to, found another one",
                hint="it opens nothing that was sold: nothing was sent",
            )
        return facts

    def challenge(
        self,
        account: LocalAccount,
        offering_id: int,
        chunk: WrongChunk,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Prove that the revealed key does not open a chunk to what was promised; the offering defaults.

        Raises:
            InvalidTransitionError: it is not REVEALED.
            MarketError: the chunk is what was promised.
            BindingError, LayoutError: it is not a chunk of this artifact.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "challenge", offering_id, chunk.as_abi(), on_signed=on_signed)

    def guardian_default(
        self, account: LocalAccount, offering_id: int, reason: str, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Say that what was revealed does not rebuild the proved key; the guardian may, while REVEALED.

        Raises:
            InvalidTransitionError: it is not REVEALED.
            NotOwnerError: the account is not the guardian.
            MarketError: the reason is empty or longer than 256 bytes.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "guardianDefault", offering_id, reason, on_signed=on_signed)

    def finalize(
        self,
        account: LocalAccount,
        offering_id: int,
        packed_output: bytes,
        proof: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Release with a proof about exactly `release_input`; anyone may, while RELEASABLE.

        Raises:
            InvalidTransitionError: it is not RELEASABLE.
            ProofRejectedError, LayoutError, VerifierMismatchError, TombstonedError: as a settlement's proof.
            ChainError: see `BoundContract.transact`.
        """
        arguments = (offering_id, packed_output, proof)
        return self.contract.transact(account, "finalize", *arguments, on_signed=on_signed)

    def declare_default(
        self, account: LocalAccount, offering_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Declare the default of an OVERDUE offering, or of a sold one of a tombstoned circuit; anyone may.

        The bond of a tombstoned one goes back, unless it was overdue before.

        Raises:
            InvalidTransitionError: it is neither.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "declareDefault", offering_id, on_signed=on_signed)

    def close(
        self, account: LocalAccount, offering_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Give model and bond of a FAILED offering back to its creator; anyone may, once.

        One whose circuit is tombstoned while it is OPEN fails by it, at once.

        Raises:
            InvalidTransitionError: it is neither, or was closed.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "close", offering_id, on_signed=on_signed)

    def repay(
        self, account: LocalAccount, offering_id: int, holder: str, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[int, TransactionReceipt]:
        """Credit a holder of a FAILED or DEFAULTED offering with its money and bonus; anyone may, once each.

        Returns:
            What the holder was credited, in the token's smallest unit, and the receipt.

        Raises:
            InvalidTransitionError: it is neither.
            MarketError: the holder has nothing, or was paid back.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "repay", offering_id, holder, on_signed=on_signed)
        wanted = {"offeringId": offering_id, "holder": holder}
        return int(self._event(receipt, "HolderRepaid", wanted)["amount"]), receipt

    def withdraw(
        self, account: LocalAccount, to: str = "", *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send the account's credits to `to`, or to itself.

        Raises:
            MarketError: there are none.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "withdraw", to or account.address, on_signed=on_signed)

    def resume(self, signed: SignedTransaction) -> TransactionReceipt:
        """Go on with a transaction that a journal kept; see `BoundContract.resume`."""
        return self.contract.resume(signed)

    def dry_run(self, sender: str, function: str, *arguments: object) -> DryRun:
        """Say what a move would send and cost, without sending it; raises as the move does."""
        return self.contract.dry_run(sender, function, *arguments)

    def _event(self, receipt: TransactionReceipt, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        events = [event.arguments for event in self.contract.events_in(receipt.logs, name)]
        found = [event for event in events if wanted.items() <= event.items()]
        return self._only(found, f"event {name}", receipt)

    @staticmethod
    def _only(found: list[dict[str, Any]], what: str, receipt: TransactionReceipt) -> dict[str, Any]:
        if len(found) != 1:
            raise BindingError(f"expected one {what}, found {len(found)} in {receipt.transaction}")
        return found[0]
