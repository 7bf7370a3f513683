// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IUniswapV2Factory} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Factory.sol";
import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";
import {ERC6551Registry} from "erc6551/ERC6551Registry.sol";
import {ERC6551Account} from "erc6551/examples/simple/ERC6551Account.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {Artifact, ArtifactChallenge, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";
import {BusinessCalendar} from "marketplace/src/BusinessCalendar.sol";
import {
    IInitialModelOffering,
    Offering,
    OfferingRules,
    OfferingStatus,
    OfferingTerms
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken, IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {InitialModelOffering} from "marketplace/src/InitialModelOffering.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {ModelTokenFactory} from "marketplace/src/ModelTokenFactory.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {FeeTerms, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {Ceremony} from "verifier_contracts/src/Ceremonies.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice The cheatcodes that only these tests need.
interface FileVm {
    function readFile(string calldata path) external view returns (string memory text);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory text);
    function parseBytes(string calldata text) external pure returns (bytes memory data);
}

/// @notice Everything that an offering needs, as it is deployed, with Uniswap v2 from its own package; this contract
///         stands for the job manager, so that a model earns in one line.
abstract contract OfferingWorld is Market {
    FileVm private constant files = FileVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    string private constant FACTORY = "node_modules/@uniswap/v2-core/build/UniswapV2Factory.json";

    uint64 internal constant TOTAL = 1_001;
    uint64 internal constant CREATORS = 490;
    uint64 internal constant PUBLIC = 511;
    uint80 internal constant PRICE = 2_000_000;
    uint256 internal constant RAISE = uint256(PUBLIC) * PRICE;
    uint128 internal constant BOND = 200_000_000;
    uint32 internal constant SEED_PPM = 250_000;
    uint256 internal constant SEED_MONEY = RAISE / 4;
    uint256 internal constant SEED_SHARES = uint256(PUBLIC) * 1e18 / 4;
    uint256 internal constant HOLIDAYS = 1;
    /// @dev Monday, 2027-02-15.
    uint32 internal constant PRESIDENTS_DAY = 20864;
    uint32 internal constant CHALLENGE = 3 days;
    uint32 internal constant GRACE = 7 days;
    bytes32 internal constant KEY = keccak256("the key");
    bytes internal constant WEIGHTS = "weights of a model, in forty-eight bytes or so..";
    uint256 internal constant SHARE = 1e18;

    address internal warden = address(0x6A2D);
    address internal ann = address(0xA77);
    address internal ben = address(0xBE7);
    address internal eve = address(0xE7E);

    TripleVerifier internal verifier;
    BusinessCalendar internal calendar;
    IUniswapV2Factory internal pools;
    InitialModelOffering internal offerings;
    uint256 internal modelId;

    function deployOfferings() internal {
        token = new LocalPaymentToken();
        deployOfferingsOn();
    }

    /// @dev On any token, hostile ones included, that `token` is by now.
    function deployOfferingsOn() internal {
        vm.warp(START);
        vm.roll(1000);
        admin = new ProtocolAdmin(
            timelock, treasury, guardian, PlatformTerms(PLATFORM_PPM, FLAT_FEE), PlatformTerms(100_000, 1_000_000)
        );
        router = new VerifierRouter(admin, new Ceremony[](0));
        uint32[] memory holidays = new uint32[](HOLIDAYS);
        holidays[0] = PRESIDENTS_DAY;
        calendar = new BusinessCalendar(admin, holidays);
        pools = newPools();
        IModelTokenFactory tokens = new ModelTokenFactory();
        address accounts = address(new ERC6551Registry());
        address account = address(new ERC6551Account());
        uint256 nonce = vm.getNonce(address(this));
        ledger = RevenueLedger(vm.computeCreateAddress(address(this), nonce + 2));
        address place = vm.computeCreateAddress(address(this), nonce + 3);
        registry = new ModelRegistry(router, ledger, IERC6551Registry(accounts), account, 1, 256);
        lineage = new LineageRegistry(registry);
        new RevenueLedger(IERC20(address(token)), address(this), place, lineage, admin);
        offerings = new InitialModelOffering(ledger, calendar, tokens, pools, rules());
        vm.assertEq(address(offerings), place, "precomputed");
    }

    function newPools() internal returns (IUniswapV2Factory made) {
        bytes memory code =
            files.parseBytes(string.concat("0x", files.parseJsonString(files.readFile(FACTORY), ".bytecode")));
        code = bytes.concat(code, abi.encode(address(0)));
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
    }

    function rules() internal pure returns (OfferingRules memory) {
        return OfferingRules({
            minBond: 1_000_000,
            bondPpm: 100_000,
            challengeSeconds: CHALLENGE,
            graceSeconds: GRACE,
            minVestingSeconds: 90 days,
            minLpLockSeconds: 180 days,
            minSeedPpm: 50_000,
            acceptedClasses: 14
        });
    }

    // --- models and artifacts -------------------------------------------------------------------

    /// @dev A PROVEN model of the publisher's whose artifact KEY opens.
    function closedModel(string memory name) internal returns (uint256 id) {
        verifier = new TripleVerifier();
        return modelOn(verifier, name);
    }

    function modelOn(TripleVerifier adapter, string memory name) internal returns (uint256 id) {
        ModelCommitment memory commitment =
            commitmentFor(router.add(specOf(address(adapter), keccak256(bytes(name)))), name);
        commitment.keyCommitment = keccak256(abi.encodePacked(KEY));
        id = registerModel(commitment);
        prove(id);
    }

    function encrypted() internal pure returns (bytes memory cipher) {
        cipher = bytes.concat(WEIGHTS);
        ArtifactChallenge.applyStream(cipher, 0, ArtifactChallenge.streamKeyOf(KEY, plainRoot()), 0);
    }

    function plainDigest() internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(ArtifactChallenge.blindingOf(KEY), uint256(0), WEIGHTS));
    }

    function plainRoot() internal pure returns (bytes32) {
        return ArtifactChallenge.leafOf(ArtifactChallenge.PLAIN, 0, WEIGHTS.length, plainDigest());
    }

    /// @dev One chunk, so that the leaves are the roots.
    function artifactOf(bytes memory cipher) internal pure returns (Artifact memory) {
        bytes32 cipherRoot = ArtifactChallenge.leafOf(ArtifactChallenge.CIPHER, 0, cipher.length, keccak256(cipher));
        return Artifact({plainRoot: plainRoot(), cipherRoot: cipherRoot, sizeBytes: uint64(cipher.length)});
    }

    /// @dev What a creator publishes who does not want anybody to have the weights.
    function junk() internal pure returns (bytes memory) {
        return noise(7, WEIGHTS.length);
    }

    function chunkOf(bytes memory cipher) internal pure returns (WrongChunk memory) {
        return WrongChunk({
            index: 0,
            cipherChunk: cipher,
            cipherPath: new bytes32[](0),
            plainDigest: plainDigest(),
            plainPath: new bytes32[](0)
        });
    }

    // --- offerings ------------------------------------------------------------------------------

    function termsOf(uint256 id) internal view returns (OfferingTerms memory) {
        return OfferingTerms({
            modelId: id,
            totalShares: TOTAL,
            price: PRICE,
            bond: BOND,
            windowSeconds: 30 days,
            seedPpm: SEED_PPM,
            vestingSeconds: 100 days,
            lpLockSeconds: 200 days,
            fees: FeeTerms({modelFee: 2_000_000, minModelFee: 1_000_000, minModelFeePpm: 100_000}),
            maxModelFee: 5_000_000,
            successorRatePpm: 100_000,
            guardian: warden,
            artifact: artifactOf(encrypted()),
            name: "Digits shares",
            symbol: "DIGITS"
        });
    }

    function openAs(address account, OfferingTerms memory terms) internal returns (uint256 offeringId) {
        pay(account, terms.bond);
        vm.prank(account);
        registry.approve(address(offerings), terms.modelId);
        vm.prank(account);
        return offerings.open(terms);
    }

    /// @dev An offering of a fresh model of the publisher's.
    function offered() internal returns (uint256 offeringId) {
        return openAs(publisher, termsOf(modelId));
    }

    function pay(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(offerings), type(uint256).max);
    }

    function reserveAs(address account, uint256 offeringId, uint64 count) internal {
        pay(account, uint256(count) * PRICE);
        vm.prank(account);
        offerings.reserve(offeringId, count, count);
    }

    /// @dev Ann 300, Ben the rest.
    function sold() internal returns (uint256 offeringId) {
        offeringId = offered();
        sell(offeringId);
    }

    function sell(uint256 offeringId) internal {
        reserveAs(ann, offeringId, 300);
        reserveAs(ben, offeringId, PUBLIC - 300);
    }

    function revealed() internal returns (uint256 offeringId) {
        offeringId = sold();
        offerings.reveal(offeringId, KEY);
    }

    function releasable() internal returns (uint256 offeringId) {
        offeringId = revealed();
        vm.warp(offerings.releasableAt(offeringId));
    }

    /// @dev Lets the verifier accept exactly the proof that releases.
    function acceptRelease(uint256 offeringId) internal {
        verifier.accept(offerings.offeringOf(offeringId).seed, offerings.releaseInput(offeringId), OUTPUT, PROOF);
    }

    function finalizeAs(address account, uint256 offeringId) internal {
        acceptRelease(offeringId);
        vm.prank(account, account);
        offerings.finalize(offeringId, OUTPUT, PROOF);
    }

    function trading() internal returns (uint256 offeringId) {
        offeringId = releasable();
        finalizeAs(stranger, offeringId);
    }

    function sharesIn(uint256 offeringId) internal view returns (IModelToken) {
        return offerings.offeringOf(offeringId).shares;
    }

    function pairOf(uint256 offeringId) internal view returns (IUniswapV2Pair) {
        return IUniswapV2Pair(pools.getPair(address(sharesIn(offeringId)), address(token)));
    }

    /// @dev Reserves of shares and of money.
    function reservesOf(uint256 offeringId) internal view returns (uint256 shares, uint256 money) {
        IUniswapV2Pair pair = pairOf(offeringId);
        (shares, money,) = pair.getReserves();
        if (pair.token0() != address(sharesIn(offeringId))) (shares, money) = (money, shares);
    }

    function expectStatus(uint256 offeringId, OfferingStatus status) internal {
        vm.expectRevert(abi.encodeWithSelector(IInitialModelOffering.WrongStatus.selector, offeringId, status));
    }

    function assertStatus(uint256 offeringId, OfferingStatus status, string memory claim) internal view {
        vm.assertEq(uint256(offerings.statusOf(offeringId)), uint256(status), claim);
    }

    /// @dev Escrow comes in and a settlement pays all of it to the model.
    function earn(uint256 id, uint80 revenue) internal {
        fund(requester, revenue);
        ledger.pull(requester, revenue);
        ledger.settle(id, prover, 0, revenue, 0);
    }
}
