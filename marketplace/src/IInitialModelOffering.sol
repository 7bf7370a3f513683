// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IUniswapV2Factory} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Factory.sol";
import {Artifact, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";
import {IBusinessCalendar} from "marketplace/src/IBusinessCalendar.sol";
import {ICreatorVault} from "marketplace/src/ICreatorVault.sol";
import {IModelSteward} from "marketplace/src/IModelSteward.sol";
import {IModelToken, IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {FeeTerms} from "registry/src/IModelRegistry.sol";

/// @notice The numbers of a deployment. None of them can change.
/// @param minBond the least bond, in the payment token's smallest unit.
/// @param bondPpm the least bond as a part of the raise, in millionths.
/// @param challengeSeconds least time between the reveal and the release, in which the artifact can be refuted.
/// @param graceSeconds time for the reveal after the lock, and for the release after it became possible.
/// @param minVestingSeconds least time over which the creator's rest vests.
/// @param minLpLockSeconds least time for which the pool's liquidity is locked.
/// @param minSeedPpm least part of the raise that seeds the pool, in millionths.
/// @param acceptedClasses bit 1 << class is set for each class of verifier that a model may be offered with.
struct OfferingRules {
    uint128 minBond;
    uint32 bondPpm;
    uint32 challengeSeconds;
    uint32 graceSeconds;
    uint32 minVestingSeconds;
    uint32 minLpLockSeconds;
    uint32 minSeedPpm;
    uint8 acceptedClasses;
}

/// @notice What a creator offers; fixed when the offering opens.
/// @param modelId a PROVEN model of the caller's with an encrypted artifact, which allows derivatives.
/// @param totalShares all shares, in whole shares of 10^18 units: floor(49 %) are the creator's, the rest is public.
/// @param price of one whole share, in the payment token's smallest unit.
/// @param bond what the creator loses if what was sold is not delivered.
/// @param windowSeconds how long shares can be reserved, at most 90 days.
/// @param seedPpm the part of the raise that seeds the pool, in millionths; as many shares of the creator's go with it
///        as it buys at the price.
/// @param vestingSeconds over which the rest of raise and shares vests to the creator, from the release on.
/// @param lpLockSeconds for which the pool's liquidity stays locked, from the release on.
/// @param fees the model's fee, and the minimums below which it never falls: neither may be zero.
/// @param maxModelFee the fee's upper end while the steward holds the model.
/// @param successorRatePpm the least lineage rate that a recognised successor pays, in millionths.
/// @param guardian who may call a default while a reveal can be refuted, and nothing else; not the creator.
/// @param artifact what is sold, as it was published.
/// @param name of the share token, 1 to 31 bytes.
/// @param symbol of the share token, 1 to 16 bytes.
struct OfferingTerms {
    uint256 modelId;
    uint64 totalShares;
    uint80 price;
    uint128 bond;
    uint32 windowSeconds;
    uint32 seedPpm;
    uint32 vestingSeconds;
    uint32 lpLockSeconds;
    FeeTerms fees;
    uint80 maxModelFee;
    uint32 successorRatePpm;
    address guardian;
    Artifact artifact;
    string name;
    string symbol;
}

/// @notice How an offering ended. FAILED is recorded when the creator has its model and bond back.
enum OfferingOutcome {
    NONE,
    FAILED,
    TRADING,
    DEFAULTED
}

/// @notice What an offering is, derived from its facts and chain time.
/// @dev OPEN until the window ends, its last second included, then FAILED, unless it was sold: SOFT_LOCKED until the grace
///      after the unlock instant ends, or REVEALED from the reveal on, before the release is due; RELEASABLE from then
///      for the grace, last second included; then OVERDUE. TRADING and DEFAULTED are final.
enum OfferingStatus {
    NONE,
    OPEN,
    FAILED,
    SOFT_LOCKED,
    REVEALED,
    RELEASABLE,
    OVERDUE,
    TRADING,
    DEFAULTED
}

/// @notice Why an offering defaulted.
enum DefaultCause {
    NONE,
    OVERDUE,
    REFUTED,
    GUARDIAN,
    TOMBSTONED
}

/// @notice The facts of an offering.
/// @param publicShares whole shares that are sold.
/// @param creatorShares whole shares of the creator's.
/// @param reserved whole shares that are sold already.
/// @param holidayCount how many entries of the calendar's table count.
/// @param fixedWeights the verifying key binds the weights: nobody outside can rebuild it before the reveal, so buyers
///        rely on the bond alone until then.
/// @param softLockedAt when the last share was sold; zero before. Times are chain time in seconds.
/// @param unlockAt when the lock ends; written once, at the soft lock.
/// @param revealedAt when the key was revealed; zero before.
/// @param bonus after a default what is left of bond and held income for holders that have not claimed yet.
/// @param unpaid after a default the whole shares whose holders have not claimed yet.
/// @param seed of the release's input: drawn from the block of the soft lock, and hashed with the key at the reveal, so
///        that nobody who buys knows the input that its block would bring.
/// @param key the revealed key.
struct Offering {
    uint256 modelId;
    address creator;
    uint64 publicShares;
    uint32 seedPpm;
    address guardian;
    uint80 price;
    OfferingOutcome outcome;
    bool fixedWeights;
    IModelToken shares;
    uint64 creatorShares;
    uint32 holidayCount;
    ICreatorVault vault;
    uint64 reserved;
    uint32 vestingSeconds;
    IModelSteward steward;
    uint32 lpLockSeconds;
    uint32 successorRatePpm;
    uint128 bond;
    uint128 bonus;
    uint40 closesAt;
    uint40 softLockedAt;
    uint40 unlockAt;
    uint40 revealedAt;
    uint80 maxModelFee;
    uint64 unpaid;
    bytes32 seed;
    bytes32 key;
    Artifact artifact;
}

/// @title Offerings of models: sold at a fixed price, released by a reveal, an unrefuted window and a fresh proof
/// @notice
/// OPEN -all public shares reserved-> SOFT_LOCKED -reveal-> REVEALED -lock and challenge time over-> RELEASABLE
/// RELEASABLE -finalize with a fresh proof-> TRADING: shares are free, the pool is seeded, the rest vests
/// OPEN -window over-> FAILED: money, bond and model go back
/// REVEALED -wrong chunk, or guardian-> DEFAULTED; no reveal or no release in time (OVERDUE) -anyone-> DEFAULTED:
/// raise, bond and held income go to the holders, the creator's shares are destroyed
/// @dev Money is pulled and never pushed: every ending credits, and {withdraw} pays. No admin and no pause.
interface IInitialModelOffering {
    /// @notice An offering opened. `fixedWeights` is a warning: see {Offering}.
    event OfferingOpened(
        uint256 indexed offeringId,
        uint256 indexed modelId,
        address indexed creator,
        address shares,
        bool fixedWeights,
        uint40 closesAt,
        OfferingTerms terms
    );
    /// @notice Shares were reserved, for good.
    event SharesReserved(uint256 indexed offeringId, address indexed holder, uint64 count, uint256 cost);
    /// @notice A holder offers whole shares at the price; zero takes the offer back.
    event ResaleOffered(uint256 indexed offeringId, address indexed holder, uint64 count);
    /// @notice Reserved shares were passed on at the price.
    event SharesPassedOn(
        uint256 indexed offeringId, address indexed from, address indexed to, uint64 count, uint256 cost
    );
    /// @notice All public shares are sold; from now on income is held for the shares.
    event SoftLocked(uint256 indexed offeringId, uint40 unlockAt, bytes32 seed);
    /// @notice The artifact's key is public.
    event KeyRevealed(uint256 indexed offeringId, bytes32 key, uint40 releasableAt);
    /// @notice A fresh proof was accepted and the shares are free. The digests are keccak256.
    event OfferingReleased(
        uint256 indexed offeringId,
        address indexed caller,
        bytes32 outputDigest,
        bytes32 proofDigest,
        uint256 seedMoney,
        uint256 seedShares
    );
    /// @notice The fresh proof, where it stands in no transaction's calldata. `subject` is the offering's id.
    event ProofPublished(bytes32 indexed subject, bytes input, bytes output, bytes proof);
    /// @notice The offering did not sell out; model and bond are the creator's again.
    event OfferingFailed(uint256 indexed offeringId);
    /// @notice What was sold was not delivered. `bonus` is what holders get beyond their money.
    event OfferingDefaulted(
        uint256 indexed offeringId, DefaultCause cause, address indexed caller, uint256 bonus, string reason
    );
    /// @notice A holder was credited after a failure or default.
    event HolderRepaid(uint256 indexed offeringId, address indexed holder, uint64 count, uint256 amount);
    /// @notice An account took its credits.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice An address of the constructor has no code, or contradicts another.
    error NotAContract(address account);
    /// @notice A number of the terms or rules is out of range; `field` is its name in ASCII.
    error TermOutOfRange(bytes32 field, uint256 found, uint256 least, uint256 most);
    /// @notice The model is not PROVEN, not the caller's, has no encrypted artifact, allows no derivatives, leaves less
    ///         than half of its income to holders, or its circuit is tombstoned, of a class that is not accepted, may
    ///         need more gas than a release can have, or (but for LOCAL ones) has so few inputs that a fresh proof might be an old one; `what` is the reason in
    ///         ASCII.
    error ModelRefused(uint256 modelId, bytes32 what);
    /// @notice The move belongs to another status.
    error WrongStatus(uint256 offeringId, OfferingStatus status);
    /// @notice Fewer shares are left, or on offer, than are asked for.
    error TooFewShares(uint256 offeringId, uint256 left, uint256 wanted);
    /// @notice The key is not the committed one.
    error WrongKey(uint256 offeringId);
    /// @notice Only the offering's guardian may.
    error NotGuardian(uint256 offeringId, address caller, address guardian);
    /// @notice A reason is empty or longer than 256 bytes.
    error ReasonRefused(uint256 lengthBytes);
    /// @notice The holder has no reservation that is not paid back.
    error NothingToClaim(uint256 offeringId, address holder);
    /// @notice The account has no credits.
    error NothingToWithdraw(address account);
    /// @notice Credits cannot be sent there.
    error ReceiverRefused(address receiver);
    /// @notice The token delivered another amount than was asked for.
    error ReceivedAmountMismatch(uint256 expected, uint256 received);

    /// @notice Opens an offering: takes bond and model, fixes the fee's floors, makes shares and pool. The model's owner
    ///         may, after approving this contract for the model and for the bond. Income up to now is credited to the
    ///         caller in the ledger; until the soft lock income stays the creator's, but what descendants owe only once
    ///         it is claimed: what is claimed after the soft lock is the shares'.
    function open(OfferingTerms calldata terms) external returns (uint256 offeringId);

    /// @notice Reserves up to `most` whole shares and pays for them, for good; fewer if fewer are left, but not fewer
    ///         than `least`. The last one begins the soft lock. Approve what it costs and no more: ids are a counter, and
    ///         after a reorganisation one may name another offering.
    function reserve(uint256 offeringId, uint64 most, uint64 least) external returns (uint64 count);

    /// @notice Offers whole shares of the caller's reservation at exactly the price, in place of what it offered before.
    function offerResale(uint256 offeringId, uint64 count) external;

    /// @notice Takes over whole shares that a holder offers, at exactly the price, until the release is decided.
    function buyResale(uint256 offeringId, address holder, uint64 count) external;

    /// @notice Reveals the artifact's key, in the lock or the grace after it. Whoever knows the key may.
    function reveal(uint256 offeringId, bytes32 key) external;

    /// @notice Proves that the revealed key does not open one chunk of the artifact to what was committed. Anyone may,
    ///         while the offering is REVEALED. It defaults.
    function challenge(uint256 offeringId, WrongChunk calldata chunk) external;

    /// @notice Says that the revealed artifact does not rebuild the proved key. The guardian may, while REVEALED. It
    ///         defaults.
    function guardianDefault(uint256 offeringId, string calldata reason) external;

    /// @notice Releases the offering with a proof about exactly {releaseInput}. Anyone may, while RELEASABLE.
    function finalize(uint256 offeringId, bytes calldata output, bytes calldata proof) external;

    /// @notice Declares the default of an OVERDUE offering, or of any that is sold whose circuit is tombstoned before it
    ///         is overdue; then it is nobody's fault and the bond goes back. Anyone may.
    function declareDefault(uint256 offeringId) external;

    /// @notice Gives model and bond of a FAILED offering back to its creator, or of an OPEN one whose circuit is
    ///         tombstoned: it fails at once. Anyone may.
    function close(uint256 offeringId) external;

    /// @notice Credits a holder of a FAILED or DEFAULTED offering with what its reservation cost, and after a default
    ///         with its part of bond and held income. Anyone may, once for each holder.
    function repay(uint256 offeringId, address holder) external returns (uint256 amount);

    /// @notice Sends the caller's credits to `to`.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice What the offering is now.
    function statusOf(uint256 offeringId) external view returns (OfferingStatus);

    /// @notice The facts of an offering.
    function offeringOf(uint256 offeringId) external view returns (Offering memory);

    /// @notice The model's last offering, or zero.
    function lastOfferingOf(uint256 modelId) external view returns (uint256 offeringId);

    /// @notice How many offerings there are; their ids count from 1.
    function offeringCount() external view returns (uint256);

    /// @notice Whole shares that a holder reserved and was not paid back.
    function reservationOf(uint256 offeringId, address holder) external view returns (uint64 count);

    /// @notice Whole shares that a holder offers at the price.
    function resaleOf(uint256 offeringId, address holder) external view returns (uint64 count);

    /// @notice When the release becomes possible: lock over, and the challenge time since the reveal. Zero before it.
    function releasableAt(uint256 offeringId) external view returns (uint256 timestamp);

    /// @notice The packed input that the release's proof must be about, drawn by the router from the offering's seed,
    ///         which is the proof's context as well. Reverts before the reveal.
    function releaseInput(uint256 offeringId) external view returns (bytes memory input);

    /// @notice The circuit that releases: the model's first.
    function releaseCircuit(uint256 offeringId) external view returns (bytes32 circuitId);

    /// @notice What the account can withdraw.
    function credits(address account) external view returns (uint256 amount);

    /// @notice The numbers of this deployment.
    function rules() external view returns (OfferingRules memory);

    /// @notice The ledger that names this contract.
    function ledger() external view returns (IRevenueLedger);

    /// @notice The token that is paid in.
    function token() external view returns (IERC20);

    /// @notice Says when locks end.
    function calendar() external view returns (IBusinessCalendar);

    /// @notice Makes share tokens.
    function shareTokens() external view returns (IModelTokenFactory);

    /// @notice The factory of Uniswap v2 that pools are made with.
    function pools() external view returns (IUniswapV2Factory);
}
