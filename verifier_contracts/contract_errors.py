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
    LineageError,
    MarketError,
    NotClaimantError,
    NotOwnerError,
    NotRegisteredError,
    ProofRejectedError,
    ProverRefusedError,
    RegistryError,
    RevertedError,
    StakeError,
    TabRefusedError,
    TombstonedError,
    UnsuitableCircuitError,
    VerifierMismatchError,
    ZkmlError,
)

_STATUS_NONE = 0
_STATUS_EXPIRED = 6
_PRICE_ARGUMENT = "maxTotal"
_OFFERING_ARGUMENT = "offeringId"

TWINS: dict[str, type[ZkmlError]] = {
    # jobs
    "WrongStatus": InvalidTransitionError,
    "NotClaimant": NotClaimantError,
    "AlreadyClaimant": InvalidTransitionError,
    "TooLateToReclaim": InvalidTransitionError,
    "NotRequester": MarketError,
    "InputMismatch": BindingError,
    "ModelNotProven": UnsuitableCircuitError,
    "CircuitNotOfModel": UnsuitableCircuitError,
    "ClassRefused": UnsuitableCircuitError,
    "CircuitRefused": TombstonedError,
    "InvalidOffer": MarketError,
    "ClaimPeriodOutOfRange": MarketError,
    "DeadlineOutOfRange": MarketError,
    "TooManyProvers": MarketError,
    "InputMissing": MarketError,
    "InputUriTooLong": MarketError,
    "BatchRefused": MarketError,
    "ProverNotNamed": ProverRefusedError,
    "AccessRefused": ProverRefusedError,
    # tabs
    "InvalidTab": TabRefusedError,
    "TabNotOpen": TabRefusedError,
    "TabStillOpen": TabRefusedError,
    "TabTooSmall": TabRefusedError,
    "NonceUsed": TabRefusedError,
    "RequestExpired": TabRefusedError,
    "ModelFeeTooLow": TabRefusedError,
    "WrongSigner": BindingError,
    "OpeningNotAuthorized": BindingError,
    # revenue
    "NothingToWithdraw": MarketError,
    "NothingToClaim": MarketError,
    "UnknownPart": MarketError,
    "PartsRefused": MarketError,
    "WrongHolders": MarketError,
    "NoShares": MarketError,
    "SignatureRefused": MarketError,
    "ReceiverRefused": MarketError,
    # provers
    "NotRegistered": ProverRefusedError,
    "ProfileRefused": MarketError,
    "StakeTooLow": StakeError,
    "StakeTooHigh": StakeError,
    "NothingToUnstake": StakeError,
    "NothingForfeited": MarketError,
    "ZeroAmount": MarketError,
    # models
    "UnknownModel": NotRegisteredError,
    "UnknownCircuitOfModel": NotRegisteredError,
    "CommitmentExists": RegistryError,
    "CommitmentAge": RegistryError,
    "CircuitSetRefused": RegistryError,
    "CircuitMismatch": RegistryError,
    "ModelExists": RegistryError,
    "EmptyDigest": RegistryError,
    "TextLengthOutOfRange": RegistryError,
    "WrongModelStatus": RegistryError,
    "NoGenesisWanted": RegistryError,
    "CircuitTaken": RegistryError,
    "NotModelOwner": NotOwnerError,
    "TermsRefused": RegistryError,
    "RateOutOfRange": RegistryError,
    "NotClosed": RegistryError,
    "InvalidProof": ProofRejectedError,
    "ModelMismatch": BindingError,
    "InputCommitmentMismatch": BindingError,
    "OutputMismatch": LayoutError,
    "VerificationRefused_ModelDeprecated": RegistryError,
    # lineage
    "NotChildOwner": NotOwnerError,
    "ChildNotRegistered": LineageError,
    "LineageExists": LineageError,
    "ParentCountOutOfRange": LineageError,
    "ParentNotProven": LineageError,
    "ParentRepeated": LineageError,
    "DerivativesRefused": LineageError,
    "RateMissing": LineageError,
    "TotalTooHigh": LineageError,
    "MinimumFeeTooLow": LineageError,
    "TooManyAncestors": LineageError,
    # circuits and proofs
    "ProofRejected": ProofRejectedError,
    "VerifierReverted": ProofRejectedError,
    "ProofLengthMismatch": ProofRejectedError,
    "ScalarNotCanonical": ProofRejectedError,
    "NotAPoint": ProofRejectedError,
    "OutputOutOfRange": ProofRejectedError,
    "FirstSumMismatch": ProofRejectedError,
    "SecondSumMismatch": ProofRejectedError,
    "UnusableChallenges": ProofRejectedError,
    "OpeningRejected": ProofRejectedError,
    "UnexpectedAnswer": ProofRejectedError,
    "UnexpectedReturnData": ProofRejectedError,
    "UnknownCircuit": NotRegisteredError,
    "CircuitExists": RegistryError,
    "CircuitIsTombstoned": TombstonedError,
    "NotGuardian": NotOwnerError,
    "TextOutOfRange": RegistryError,
    "VerdictMissing": RegistryError,
    "ClassMissing": UnsuitableCircuitError,
    "LocalClassRefused": UnsuitableCircuitError,
    "NotASharedVerifier": UnsuitableCircuitError,
    "NotAudited": UnsuitableCircuitError,
    "ForeignCeremony": UnsuitableCircuitError,
    "ForeignClone": UnsuitableCircuitError,
    "PinMismatch": VerifierMismatchError,
    "CodeHashMismatch": VerifierMismatchError,
    "VerifierCodeChanged": VerifierMismatchError,
    "KeyMismatch": VerifierMismatchError,
    "WeightsMismatch": VerifierMismatchError,
    "NotAnAdapter": VerifierMismatchError,
    "NotAVerifier": VerifierMismatchError,
    "UnknownKey": NotRegisteredError,
    # tensors
    "InputLengthMismatch": LayoutError,
    "OutputLengthMismatch": LayoutError,
    "InvalidLayout": LayoutError,
    "InvalidDomain": LayoutError,
    "ElementOutOfDomain": DomainError,
    # calendar and artifacts
    "NotCalendarOwner": NotOwnerError,
    "NoBusinessDay": MarketError,
    "HolidayOutOfRange": MarketError,
    "TooManyDaysOff": MarketError,
    "HolidayCountOutOfRange": MarketError,
    "UnknownHolidays": MarketError,
    "TimeOutOfRange": MarketError,
    "ArtifactRefused": MarketError,
    "NoSuchChunk": LayoutError,
    "ChunkLengthMismatch": LayoutError,
    "ForeignCiphertext": BindingError,
    "ForeignPlaintext": BindingError,
    "ChunkIsRight": MarketError,
    # offerings
    "TermOutOfRange": MarketError,
    "ModelRefused": MarketError,
    "TooFewShares": MarketError,
    "WrongKey": BindingError,
    "ReasonRefused": MarketError,
    # shares
    "SharesLocked": InvalidTransitionError,
    "WrongPhase": InvalidTransitionError,
    "SnapshotRefused": MarketError,
    # what is the creator's of an offering
    "NotReleased": InvalidTransitionError,
    "LiquidityLocked": MarketError,
    "NothingDue": MarketError,
    # stewards
    "NotCreator": NotOwnerError,
    "FeeOutOfBand": MarketError,
    "MotionRefused": MarketError,
    "MotionClosed": MarketError,
    "NoVotes": MarketError,
    "NotCarried": MarketError,
    "SuccessorRefused": MarketError,
    # offices
    "OwnableUnauthorizedAccount": NotOwnerError,
    "AccessControlUnauthorizedAccount": NotOwnerError,
    # the payment token
    "ERC20InsufficientBalance": InsufficientFundsError,
    "ERC20InsufficientAllowance": InsufficientFundsError,
}
"""Error of a contract -> error of zkml. What is in neither this nor `PLAIN` is a test's failure."""

PLAIN: frozenset[str] = frozenset(
    {
        # mistakes of whoever deploys or administers
        "NotAContract",
        "NotARegistry",
        "NotALocalChain",
        "InvalidTerms",
        "GasLimitOutOfRange",
        "EmptyPin",
        "CommitmentAgesRefused",
        "CeremonyListRefused",
        "CeremonyRefused",
        "PlatformFeeTooHigh",
        "TreasuryMissing",
        "RenouncingRefused",
        "CodeHashRefused",
        # a key or a circuit that no tool of ours makes
        "InstanceCountMismatch",
        "KeyNotStored",
        "KeyRegisteredAs",
        "KeySizeOutOfRange",
        "LayoutMismatch",
        "TensorsMismatch",
        "InputDomainMismatch",
        "UnexpectedWeightCommitment",
        "WeightsAreBound",
        "UnknownKeyVersion",
        "UnknownInstruction",
        "CloneArgumentsTooLong",
        # between our own contracts
        "NotAllowed",
        "NotJobManager",
        "NotOffering",
        "ForfeitRefused",
        # calls of ERC-7992 that mean nothing here
        "NotSupported",
        # a token that takes a fee, or too little gas: nothing a caller of ours does
        "ReceivedAmountMismatch",
        "NotEnoughGas",
        # the ERC-6551 registry's
        "AccountCreationFailed",
        # OpenZeppelin's
        "AccessControlBadConfirmation",
        "CheckpointUnorderedInsertion",
        "Create2EmptyBytecode",
        "ECDSAInvalidSignature",
        "ECDSAInvalidSignatureLength",
        "ECDSAInvalidSignatureS",
        "ERC20ExceededSafeSupply",
        "ERC20InvalidApprover",
        "ERC20InvalidReceiver",
        "ERC20InvalidSender",
        "ERC20InvalidSpender",
        "ERC2612ExpiredSignature",
        "ERC2612InvalidSigner",
        "ERC3009InvalidAuthorizationTime",
        "ERC3009InvalidSignature",
        "ERC3009UsedAuthorization",
        "ERC5805FutureLookup",
        "ERC721IncorrectOwner",
        "ERC721InsufficientApproval",
        "ERC721InvalidApprover",
        "ERC721InvalidOperator",
        "ERC721InvalidOwner",
        "ERC721InvalidReceiver",
        "ERC721InvalidSender",
        "ERC721NonexistentToken",
        "FailedCall",
        "FailedDeployment",
        "InsufficientBalance",
        "InvalidAccountNonce",
        "InvalidShortString",
        "OwnableInvalidOwner",
        "ReentrancyGuardReentrantCall",
        "SafeCastOverflowedUintDowncast",
        "SafeERC20FailedOperation",
        "StringTooLong",
        "TimelockInsufficientDelay",
        "TimelockInvalidOperationLength",
        "TimelockUnauthorizedCaller",
        "TimelockUnexecutedPredecessor",
        "TimelockUnexpectedOperationState",
        "VotesExpiredSignature",
    }
)
"""Errors that stay `RevertedError`, with their name and arguments."""

_HINTS = {
    "WrongStatus": "look at it: zkml job show",
    "NotClaimant": "only who claimed the job settles it; right after a reclaim, who claimed it before",
    "InputMismatch": "give the input that the job committed to",
    "ModelNotProven": "its publisher has to activate it with a genesis proof first",
    "ClassRefused": "the deployment's terms say which classes of verifier its jobs accept",
    "CircuitRefused": "the circuit was found unsafe: choose another circuit or model",
    "CircuitIsTombstoned": "the circuit was found unsafe: jobs on it are refunded, nobody forfeits anything",
    "AccessRefused": "the model is closed: ask its owner for access",
    "DeadlineOutOfRange": "choose a deadline within the terms of the deployment",
    "NotRegistered": "register as a prover and stake first",
    "StakeTooLow": "stake more, or wait until a claim has released its collateral",
    "NothingToWithdraw": "credits come from settled and refunded jobs and claimed revenue; in offerings from "
    "resales, repayments and bonds",
    "NothingToClaim": "nothing came in since it was last claimed: zkml revenue show",
    "NothingToUnstake": "ask for stake back first, and wait until the delay is over",
    "CommitmentAge": "call again with the same arguments: a lapsed commitment is made anew",
    "ProofRejected": "prove the very input that is meant with the very circuit, and send the proof unchanged",
    "CircuitTaken": "another model of the same circuit is proven: use that one",
    "NotGuardian": "only the guardian of the deployment's admin tombstones",
    "DerivativesRefused": "the parent's licence allows no derivatives",
    "MinimumFeeTooLow": "register the child with the minimum fees that the parent's licence asks for",
    "ParentNotProven": "a parent needs an accepted genesis proof, and must not be retired",
    "TermOutOfRange": "choose the term within the range that the deployment's rules allow",
    "ModelRefused": "offer a proven model of your own, with a key commitment and open to derivatives",
    "TooFewShares": "ask for at most what is left, or on offer: zkml imo show",
    "WrongKey": "give the key that the model's artifact was sealed with",
    "ReasonRefused": "give a reason of 1 to 256 bytes",
    "SharesLocked": "shares move once the offering has ended; until then pass them on: zkml imo resell",
    "SnapshotRefused": "make a snapshot after the one that was claimed last, and claim that",
    "NotReleased": "the creator's part waits for the release: zkml imo show",
    "NothingDue": "nothing vested or came in since it was last paid: zkml imo show",
    "NotCreator": "only the offering's creator, and not after a default",
    "FeeOutOfBand": "set a fee within the offering's band: zkml steward show",
    "MotionRefused": "holders decide once shares are free; on the fee and on opening only after a default",
    "MotionClosed": "look at the motions: zkml steward show",
    "NoVotes": "delegate your shares' votes, to yourself or another, before a motion is made",
    "SuccessorRefused": "a successor is the same publisher's, proven, and a child at the offering's rate",
    "ERC20InsufficientBalance": "fund the account with the payment token",
    "ERC20InsufficientAllowance": "approve the contract to take the payment token first",
}

_OFFERING_HINTS = {
    "WrongStatus": "look at it: zkml imo show",
    "NotGuardian": "only the guardian that the offering named calls this default",
    "NothingToClaim": "no reservation of this holder waits to be paid back: zkml imo show",
}
"""Hints of errors that offerings share by name with other contracts."""


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
    return twin(error.message, hint=_hint_of(revert), **error.context)


def _hint_of(revert: DecodedRevert) -> str:
    if _OFFERING_ARGUMENT in revert.arguments and revert.name in _OFFERING_HINTS:
        return _OFFERING_HINTS[revert.name]
    return _HINTS.get(revert.name, "")


def _twin_of(revert: DecodedRevert) -> type[ZkmlError] | None:
    if revert.name == "WrongStatus" and _OFFERING_ARGUMENT in revert.arguments:
        return MarketError if revert.arguments["status"] == _STATUS_NONE else InvalidTransitionError
    if revert.name == "WrongStatus":
        special = {_STATUS_NONE: JobNotFoundError, _STATUS_EXPIRED: JobExpiredError}
        return special.get(revert.arguments["status"], InvalidTransitionError)
    if revert.name == "TotalTooHigh" and _PRICE_ARGUMENT in revert.arguments:
        # Of a job's price; the other one of this name is of lineage.
        return MarketError
    return TWINS.get(revert.name)
