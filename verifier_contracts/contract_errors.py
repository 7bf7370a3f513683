"""The Python twin of every error that our contracts raise."""

from functools import cache

from verifier_contracts.artifacts import load_artifact, shipped_names
from zkml.adapters.evm.reverts import DecodedRevert, RevertDecoder
from zkml.errors import (
    BindingError,
    DomainError,
    InsufficientFundsError,
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    LayoutError,
    MarketError,
    NotClaimantError,
    NotRegisteredError,
    ProofRejectedError,
    RegistryError,
    RevertedError,
    UnsuitableCircuitError,
    VerifierMismatchError,
    ZkmlError,
)

_STATUS_NONE = 0
_STATUS_EXPIRED = 6

TWINS: dict[str, type[ZkmlError]] = {
    # jobs
    "WrongStatus": InvalidTransitionError,
    "NotClaimant": NotClaimantError,
    "NotRequester": MarketError,
    "InputMismatch": BindingError,
    "ModelNotProven": UnsuitableCircuitError,
    "DeadlineOutOfRange": MarketError,
    "ZeroFee": MarketError,
    "InputMissing": MarketError,
    "InputUriTooLong": MarketError,
    "NothingToWithdraw": MarketError,
    "NothingToBurn": MarketError,
    # models
    "UnknownModel": NotRegisteredError,
    "UnknownCircuitOfModel": NotRegisteredError,
    "ModelExists": RegistryError,
    "EmptyDigest": RegistryError,
    "TextLengthOutOfRange": RegistryError,
    "WrongModelStatus": RegistryError,
    "CircuitTaken": RegistryError,
    # circuits and proofs
    "ProofRejected": ProofRejectedError,
    "VerifierReverted": ProofRejectedError,
    "UnexpectedAnswer": ProofRejectedError,
    "UnexpectedReturnData": ProofRejectedError,
    "UnknownCircuit": NotRegisteredError,
    "CircuitExists": RegistryError,
    "ClassMissing": UnsuitableCircuitError,
    "LocalClassRefused": UnsuitableCircuitError,
    "NoAuditedVerifier": UnsuitableCircuitError,
    "CodeHashMismatch": VerifierMismatchError,
    "VerifierCodeChanged": VerifierMismatchError,
    "NotAnAdapter": VerifierMismatchError,
    "NotAVerifier": VerifierMismatchError,
    # tensors
    "InputLengthMismatch": LayoutError,
    "OutputLengthMismatch": LayoutError,
    "InvalidLayout": LayoutError,
    "InvalidDomain": LayoutError,
    "ElementOutOfDomain": DomainError,
    # the payment token
    "ERC20InsufficientBalance": InsufficientFundsError,
    "ERC20InsufficientAllowance": InsufficientFundsError,
}
"""Error of a contract -> error of zkml. What is in neither this nor `PLAIN` is a test's failure."""

PLAIN: frozenset[str] = frozenset(
    {
        # mistakes of whoever deploys
        "NotAContract",
        "NotARouter",
        "NotALocalChain",
        "InvalidTerms",
        "GasLimitOutOfRange",
        "EmptyPin",
        # a token that takes a fee, or too little gas: nothing a caller of ours does
        "ReceivedAmountMismatch",
        "NotEnoughGas",
        # OpenZeppelin's
        "ECDSAInvalidSignature",
        "ECDSAInvalidSignatureLength",
        "ECDSAInvalidSignatureS",
        "ERC20InvalidApprover",
        "ERC20InvalidReceiver",
        "ERC20InvalidSender",
        "ERC20InvalidSpender",
        "ERC2612ExpiredSignature",
        "ERC2612InvalidSigner",
        "ERC3009InvalidAuthorizationTime",
        "ERC3009InvalidSignature",
        "ERC3009UsedAuthorization",
        "ERC721IncorrectOwner",
        "ERC721InsufficientApproval",
        "ERC721InvalidApprover",
        "ERC721InvalidOperator",
        "ERC721InvalidOwner",
        "ERC721InvalidReceiver",
        "ERC721InvalidSender",
        "ERC721NonexistentToken",
        "InvalidAccountNonce",
        "InvalidShortString",
        "OwnableInvalidOwner",
        "OwnableUnauthorizedAccount",
        "ReentrancyGuardReentrantCall",
        "SafeCastOverflowedUintDowncast",
        "SafeERC20FailedOperation",
        "StringTooLong",
    }
)
"""Errors that stay `RevertedError`, with their name and arguments."""

_HINTS = {
    "WrongStatus": "look at it: zkml job show",
    "NotClaimant": "only the prover who claimed a job settles it",
    "InputMismatch": "give the input that the job committed to",
    "ModelNotProven": "its publisher has to activate it with a genesis proof first",
    "DeadlineOutOfRange": "choose a deadline within the terms of the deployment",
    "ProofRejected": "prove the job's own input with the circuit of its model, and send the proof unchanged",
    "CircuitTaken": "another model of the same circuit is proven: use that one",
    "ERC20InsufficientBalance": "fund the account with the payment token",
    "ERC20InsufficientAllowance": "approve the contract to take the payment token first",
}


@cache
def known_reverts() -> RevertDecoder:
    """Return the decoder of all our contracts' errors."""
    return RevertDecoder(load_artifact(name).abi for name in shipped_names())


def translate(error: RevertedError) -> ZkmlError:
    """Return the error of our tree for what a contract refused; the error itself if it has no twin."""
    revert = error.context.get("revert")
    if not isinstance(revert, DecodedRevert):
        return error
    twin = _twin_of(revert)
    if twin is None:
        return error
    return twin(error.message, hint=_HINTS.get(revert.name, ""), **error.context)


def _twin_of(revert: DecodedRevert) -> type[ZkmlError] | None:
    if revert.name == "WrongStatus":
        special = {_STATUS_NONE: JobNotFoundError, _STATUS_EXPIRED: JobExpiredError}
        return special.get(revert.arguments["status"], InvalidTransitionError)
    return TWINS.get(revert.name)
