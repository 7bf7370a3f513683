"""The typed binding of JobManager, as far as tabs go: opening, settling signed requests, closing."""

from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from marketplace.answers import tab_facts
from marketplace.tab_events import TabEvents
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import DryRun, OnSigned, SignedTransaction, ignore_signed
from zkml.core import market_identifiers
from zkml.core.market_identifiers import TabSpec
from zkml.core.signed_requests import SignedRequest, request_digest
from zkml.core.tabs import TabFacts
from zkml.errors import BindingError, TabRefusedError


class SignedPermit(NamedTuple):
    """An ERC-2612 permit to the ledger, signed: usable up to and including `deadline`."""

    deadline: int
    signature: bytes

    def as_abi(self) -> bytes:
        """Return the permit as `openTabPermitted` takes it.

        Raises:
            FormatError: the signature is not of 65 bytes.
        """
        r, s, v = self.signature[:32], self.signature[32:64], self.signature[64:]
        values = (self.deadline, int.from_bytes(v, "big"), r, s)
        return abi.encode_arguments(["uint256", "uint8", "bytes32", "bytes32"], values, "permit")


class TabsBinding:
    """The tabs of the job manager at an address.

    Attributes:
        events: what happened to its tabs.
    """

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of the manager's deployment."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("JobManager"), address)
        self.events = TabEvents(self.contract, from_block=from_block)

    @property
    def address(self) -> str:
        """Where the job manager is, checksummed."""
        return self.contract.address

    def open_tab(
        self, account: LocalAccount, spec: TabSpec, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[bytes, TransactionReceipt]:
        """Open a tab and pay its amount; the ledger must be allowed to take it.

        Returns:
            The tab's id, 32 bytes, and the receipt.

        Raises:
            UnsuitableCircuitError: the model is not PROVEN, or its circuit is refused here.
            TabRefusedError: no amount, prover or signer.
            MarketError: an expiry outside the terms.
            ProverRefusedError: the prover has no access to the model, or is not registered.
            InsufficientFundsError: too few tokens, or too small an allowance.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "openTab", tuple(spec), on_signed=on_signed)
        return self.opened_in(receipt, account.address, spec), receipt

    def open_tab_authorized(
        self,
        account: LocalAccount,
        spec: TabSpec,
        requester: str,
        *,
        valid_after: int,
        valid_before: int,
        signature: bytes,
        on_signed: OnSigned = ignore_signed,
    ) -> tuple[bytes, TransactionReceipt]:
        """Open a tab for a requester who signed an EIP-3009 authorization to the ledger.

        Args:
            account: who sends it; anyone may.
            spec: the tab.
            requester: who pays, checksummed.
            valid_after: of the authorization.
            valid_before: of the authorization.
            signature: of `token_authorizations.receive_authorization` with the nonce `authorization_nonce`.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            ZkmlError: see `open_tab`.
        """
        arguments = (tuple(spec), requester, valid_after, valid_before, signature)
        receipt = self.contract.transact(account, "openTabAuthorized", *arguments, on_signed=on_signed)
        return self.opened_in(receipt, requester, spec), receipt

    def open_tab_permitted(
        self,
        account: LocalAccount,
        spec: TabSpec,
        requester: str,
        permit: SignedPermit,
        signature: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> tuple[bytes, TransactionReceipt]:
        """Open a tab for a requester who signed an ERC-2612 permit to the ledger, and the opening.

        Args:
            account: who sends it; anyone may.
            spec: the tab.
            requester: who pays, checksummed.
            permit: to the ledger, of the tab's amount.
            signature: of `signed_requests.opening_message` by the requester.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            BindingError: the requester did not sign the opening.
            ZkmlError: see `open_tab`.
        """
        arguments = (tuple(spec), requester, permit.as_abi(), signature)
        receipt = self.contract.transact(account, "openTabPermitted", *arguments, on_signed=on_signed)
        return self.opened_in(receipt, requester, spec), receipt

    def opened_in(self, receipt: TransactionReceipt, requester: str, spec: TabSpec) -> bytes:
        """Return the id of the tab that a transaction opened, checked against `spec`.

        Raises:
            BindingError: it opened another tab.
        """
        events = [event.arguments for event in self.contract.events_in(receipt.logs, "TabOpened")]
        wanted = (requester, tuple(spec))
        found = [event for event in events if (event["requester"], event["spec"]) == wanted]
        if len(found) != 1:
            raise BindingError(f"expected one such tab, found {len(found)} in {receipt.transaction}")
        return bytes(found[0]["tabId"])

    def settle_signed(
        self,
        account: LocalAccount,
        request: SignedRequest,
        signature: bytes,
        proved: tuple[bytes, bytes, bytes],
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Have the proof of a signed request verified; the tab's prover is credited from it.

        Args:
            account: the tab's prover, who alone may send it.
            request: what the tab's signer signed.
            signature: of the request.
            proved: packed input, packed output, proof.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            ProofRejectedError: the circuit's verifier refuses the proof.
            BindingError: the input is not the request's, or another key signed.
            TabRefusedError: the tab is not open or has too little left, request or tab has expired, the nonce
                was used, or the model gets less than was agreed.
            NotClaimantError: the account is not the tab's prover.
            ChainError: see `BoundContract.transact`.
        """
        arguments = (tuple(request), signature, *proved)
        return self.contract.transact(account, "settleSigned", *arguments, on_signed=on_signed)

    def simulate_settle_signed(
        self, sender: str, request: SignedRequest, signature: bytes, proved: tuple[bytes, bytes, bytes]
    ) -> None:
        """Try `settle_signed` without sending it; raises as it does."""
        self.contract.simulate(sender, "settleSigned", tuple(request), signature, *proved)

    def close_tab(self, account: LocalAccount, tab_id: bytes) -> TransactionReceipt:
        """Credit the rest of a tab to its requester: after its expiry anyone may, before it its prover.

        Raises:
            TabRefusedError: it is closed or was never opened, or has not expired.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "closeTab", tab_id)

    def resume(self, signed: SignedTransaction) -> TransactionReceipt:
        """Go on with a transaction that a journal kept; see `BoundContract.resume`."""
        return self.contract.resume(signed)

    def dry_run(self, sender: str, function: str, *arguments: object) -> DryRun:
        """Say what a move would send and cost, without sending it; raises as the move does."""
        return self.contract.dry_run(sender, function, *arguments)

    def facts(self, tab_id: bytes, *, block: BlockTag = "latest") -> TabFacts:
        """Return a tab's facts.

        Raises:
            TabRefusedError: no such tab.
            RpcError: see `Chain.request`.
        """
        values = self.contract.call("tab", tab_id, block=block)
        facts = tab_facts(tab_id, values, where=f"at {self.address}")
        if not facts.exists:
            raise TabRefusedError(
                f"expected an existing tab, found none with id 0x{tab_id.hex()} at {self.address}",
                hint="is it a tab of this chain and deployment?",
            )
        return facts

    def is_nonce_used(self, tab_id: bytes, nonce: int) -> bool:
        """Say whether a tab's nonce was used."""
        return bool(self.contract.call("isNonceUsed", tab_id, nonce))

    def nonces_of(self, requester: str, *, block: BlockTag = "latest") -> int:
        """Return how many jobs and tabs an account has opened: the nonce of its next one."""
        return int(self.contract.call("nonces", requester, block=block))

    def digest_of(self, request: SignedRequest) -> bytes:
        """Return the digest of a signed request, 32 bytes; asks nobody."""
        return request_digest(self.chain.chain_id, self.address, request)

    def digest_on_chain(self, request: SignedRequest) -> bytes:
        """Return the digest that the contract computes; equal to `digest_of`."""
        return bytes(self.contract.call("requestDigest", tuple(request)))

    def tab_id_of(self, spec: TabSpec, requester: str, nonce: int) -> bytes:
        """Return the id of a tab, which is also the nonce of the authorization that opens it; asks nobody."""
        return market_identifiers.tab_id(self.chain.chain_id, self.address, requester, nonce, spec)

    def authorization_nonce(self, spec: TabSpec, requester: str) -> bytes:
        """Return the nonce that an EIP-3009 authorization to open this tab needs, as the contract says."""
        return bytes(self.contract.call("tabAuthorizationNonce", tuple(spec), requester))

    def context_of(self, request: SignedRequest, prover: str) -> bytes:
        """Return what a proof of a signed request is bound to, 32 bytes; asks nobody."""
        subject = self.digest_of(request)
        return market_identifiers.context_of(self.chain.chain_id, self.address, subject, prover)
