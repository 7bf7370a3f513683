"""Register a model: commit, wait, reveal. Interrupted, it goes on with the commitment that was made.

The salt is derived from the publisher's signature, which only its key can make and makes the same each
time: nothing has to be kept between the two transactions, and nobody who sees the first can copy it.
"""

import time
from dataclasses import dataclass

from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call, OnSigned
from zkml.core import identifiers
from zkml.core.digests import keccak256
from zkml.core.identifiers import ZERO32, DerivativeTerms, FeeTerms, ModelCommitment
from zkml.core.progress import Progress, ProgressEvent
from zkml.errors import BindingError, RegistryError, TransactionTimeoutError

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a publisher registers.

    Attributes:
        commitment: what the model is; never changes.
        fees: what it asks for.
        derivatives: what derivatives owe.
    """

    commitment: ModelCommitment
    fees: FeeTerms
    derivatives: DerivativeTerms

    @property
    def as_abi(self) -> tuple[tuple[object, ...], ...]:
        """The arguments that hashing and registering have in common."""
        return (tuple(self.commitment), tuple(self.fees), tuple(self.derivatives))


def registration_salt(account: LocalAccount, chain_id: int, registry: str, offer: Offer) -> bytes:
    """Return the salt, 32 bytes, of an account's registration; the same whenever it is asked for."""
    unsalted = identifiers.registration_hash(
        chain_id,
        registry,
        account.address,
        offer.commitment,
        fees=offer.fees,
        derivatives=offer.derivatives,
        salt=ZERO32,
    )
    message = encode_defunct(text=f"zkml: salt of the registration 0x{unsalted.hex()}")
    return keccak256(bytes(account.sign_message(message).signature))


def register_model(
    contract: BoundContract,
    account: LocalAccount,
    offer: Offer,
    *,
    on_signed: OnSigned,
    progress: Progress,
) -> tuple[int, TransactionReceipt]:
    """Commit to a model unless that was done, wait until the commitment is old enough, and register.

    Args:
        contract: the model registry.
        account: who publishes, and will own the token.
        offer: what to register.
        on_signed: called with each signed transaction before it leaves this machine.
        progress: hears of the wait.

    Returns:
        The model's id, computed here and found in the event, and the receipt.

    Raises:
        TransactionTimeoutError: the chain made too few blocks in time; call again to go on.
        ZkmlError: see `ModelRegistryBinding.register`.
    """
    chain, publisher = contract.chain, account.address
    salt = registration_salt(account, chain.chain_id, contract.address, offer)
    if not _would_register(contract, publisher, offer, salt):
        filed = _registration_hash(contract, publisher, offer, salt)
        minimum, _ = contract.call("commitmentAges")
        committed = _committed_at(contract, filed)
        if not committed:
            committed = contract.transact(account, "commit", filed, on_signed=on_signed).block
        _wait_for_age(contract, committed + minimum, progress)
    receipt = contract.transact(account, "register", *offer.as_abi, salt, on_signed=on_signed)
    expected = identifiers.model_id(chain.chain_id, contract.address, publisher, offer.commitment)
    events = contract.events_in(receipt.logs, "ModelRegistered")
    if [event.arguments["modelId"] for event in events] != [expected]:
        raise BindingError(f"expected model {expected:#x}, found another in {receipt.transaction}")
    return expected, receipt


def plan_registration(contract: BoundContract, account: LocalAccount, offer: Offer) -> tuple[Call, ...]:
    """Return the calls that are left to register a model: both, or only the second.

    Raises:
        ZkmlError: what the chain would refuse; see `ModelRegistryBinding.register`.
    """
    salt = registration_salt(account, contract.chain.chain_id, contract.address, offer)
    register = contract.plan("register", *offer.as_abi, salt)
    if _would_register(contract, account.address, offer, salt):
        return (register,)
    filed = _registration_hash(contract, account.address, offer, salt)
    return (register,) if _committed_at(contract, filed) else (contract.plan("commit", filed), register)


def _committed_at(contract: BoundContract, filed: bytes) -> int:
    """Return the block of a commitment that will count when it is old enough, or 0."""
    minimum, maximum = contract.call("commitmentAges")
    committed = int(contract.call("committedAt", filed))
    if not committed:
        return 0
    lapsed = contract.chain.block(contract.chain.head).number + minimum - committed > maximum
    return 0 if lapsed else committed


def _registration_hash(contract: BoundContract, publisher: str, offer: Offer, salt: bytes) -> bytes:
    return identifiers.registration_hash(
        contract.chain.chain_id,
        contract.address,
        publisher,
        offer.commitment,
        fees=offer.fees,
        derivatives=offer.derivatives,
        salt=salt,
    )


def _would_register(contract: BoundContract, publisher: str, offer: Offer, salt: bytes) -> bool:
    """Say whether the commitment was made and has its age; all else that is refused is raised.

    So nobody pays for a commitment to what the chain refuses anyhow.
    """
    try:
        contract.simulate(publisher, "register", *offer.as_abi, salt)
    except RegistryError as error:
        if error.context.get("name") != "CommitmentAge":
            raise
        return False
    return True


def _wait_for_age(contract: BoundContract, height: int, progress: Progress) -> None:
    """Wait until transactions are simulated at `height` or above."""
    chain = contract.chain
    deadline = time.monotonic() + chain.receipt_timeout_seconds
    stage = "wait until the commitment is old enough"
    found = chain.block(chain.head).number
    if found >= height:
        return
    progress(ProgressEvent(stage=stage, note=f"{height - found} blocks"))
    while found < height:
        if time.monotonic() >= deadline:
            raise TransactionTimeoutError(
                f"expected block {height} within {chain.receipt_timeout_seconds:g} s, found block {found}",
                hint="call again with the same arguments: the commitment is made, and counts until it lapses",
            )
        time.sleep(_POLL_SECONDS)
        found = chain.block(chain.head).number
    progress(ProgressEvent(stage=stage, finished=True))
