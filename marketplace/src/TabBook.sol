// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {FeeQuote, IJobManager, Payment, SignedRequest, Tab, TabSpec} from "marketplace/src/IJobManager.sol";
import {TransferAuthorization} from "marketplace/src/IRevenueLedger.sol";
import {MarketTerms} from "marketplace/src/MarketTerms.sol";
import {Pricing} from "marketplace/src/Pricing.sol";
import {IProverRegistry} from "registry/src/IProverRegistry.sol";

/// @title Tabs: what is reserved for one prover and one model, drawn by signed requests and accepted proofs
/// @dev A tab can be drawn by nobody but its prover and for nothing but proofs. Who sends what opens or closes one is of
///      no consequence; who sends a settlement is: its order against others decides what is left.
abstract contract TabBook is MarketTerms, EIP712, ReentrancyGuardTransient {
    /// @dev A {Tab}, laid out so that a settlement reads four words and writes one.
    struct StoredTab {
        address signer;
        uint40 expiry;
        bool closed;
        address prover;
        uint80 balance;
        uint256 modelId;
        FeeQuote quote;
        address requester;
    }

    bytes32 private constant TAB_TAG = keccak256("zkml.tab.v1");
    bytes32 private constant REQUEST_TYPEHASH = keccak256(
        "SignedRequest(bytes32 tabId,bytes32 circuitId,bytes32 inputCommitment,uint80 modelFee,uint80 proverFee,uint40 expiry,uint64 nonce)"
    );
    bytes32 private constant OPENING_TYPEHASH = keccak256(
        "TabOpening(uint256 modelId,address prover,address signer,uint80 amount,uint40 expiry,uint256 nonce)"
    );

    mapping(bytes32 tabId => StoredTab) private _tabs;
    mapping(bytes32 tabId => mapping(uint256 word => uint256 bits)) private _usedNonces;

    constructor() EIP712("zkML JobManager", "1") {}

    /// @inheritdoc IJobManager
    function openTab(TabSpec calldata spec) external nonReentrant returns (bytes32 tabId) {
        tabId = _open(spec, msg.sender);
        _pull(spec.amount);
    }

    /// @inheritdoc IJobManager
    function openTabAuthorized(
        TabSpec calldata spec,
        address requester,
        uint256 validAfter,
        uint256 validBefore,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 tabId) {
        tabId = _open(spec, requester);
        // Its nonce is the tab's id, so what was signed opens this tab and no other, and only once.
        TransferAuthorization memory authorization = TransferAuthorization({
            from: requester, validAfter: validAfter, validBefore: validBefore, nonce: tabId, signature: signature
        });
        LEDGER.pullAuthorized(authorization, spec.amount);
    }

    /// @inheritdoc IJobManager
    function openTabPermitted(TabSpec calldata spec, address requester, bytes calldata permit, bytes calldata signature)
        external
        nonReentrant
        returns (bytes32 tabId)
    {
        _checkOpening(spec, requester, signature);
        tabId = _open(spec, requester);
        (uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(permit, (uint256, uint8, bytes32, bytes32));
        LEDGER.pullPermitted(requester, spec.amount, deadline, v, r, s);
    }

    /// @inheritdoc IJobManager
    function settleSigned(
        SignedRequest calldata request,
        bytes calldata signature,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external nonReentrant {
        StoredTab storage stored = _tabs[request.tabId];
        bytes32 digest = requestDigest(request);
        _checkRequest(request, stored, digest, signature);
        Payment memory payment = _draw(request, stored);
        _checkCommitment(request.inputCommitment, input);
        _verify(request.circuitId, _contextOf(digest, stored.prover), input, output, proof);

        _payRequest(request, stored, digest, payment, output, keccak256(proof));
        _publishUnlessPlain(digest, input, output, proof);
    }

    /// @inheritdoc IJobManager
    function closeTab(bytes32 tabId) external nonReentrant {
        StoredTab storage stored = _tabs[tabId];
        if (stored.signer == address(0) || stored.closed) revert TabNotOpen(tabId);
        if (block.timestamp <= stored.expiry && msg.sender != stored.prover) revert TabStillOpen(tabId, stored.expiry);
        address requester = stored.requester;
        uint80 amount = stored.balance;

        stored.closed = true;
        stored.balance = 0;
        emit TabClosed(tabId, requester, amount);
        _credit(requester, amount);
    }

    /// @inheritdoc IJobManager
    function tab(bytes32 tabId) external view returns (Tab memory facts) {
        StoredTab storage stored = _tabs[tabId];
        return Tab({
            requester: stored.requester,
            prover: stored.prover,
            signer: stored.signer,
            modelId: stored.modelId,
            balance: stored.balance,
            expiry: stored.expiry,
            quote: _loadQuote(stored.quote),
            closed: stored.closed
        });
    }

    /// @inheritdoc IJobManager
    function isNonceUsed(bytes32 tabId, uint64 nonce) external view returns (bool) {
        return _usedNonces[tabId][nonce >> 8] >> (nonce & 0xff) & 1 == 1;
    }

    /// @inheritdoc IJobManager
    function tabAuthorizationNonce(TabSpec calldata spec, address requester) external view returns (bytes32 nonce) {
        return _idOf(TAB_TAG, requester, nonces[requester], keccak256(abi.encode(spec)));
    }

    /// @inheritdoc IJobManager
    function requestDigest(SignedRequest calldata request) public view returns (bytes32 digest) {
        return _hashTypedDataV4(keccak256(abi.encode(REQUEST_TYPEHASH, request)));
    }

    function _open(TabSpec calldata spec, address requester) private returns (bytes32 tabId) {
        if (spec.prover == address(0) || spec.signer == address(0) || spec.amount == 0) revert InvalidTab(spec);
        _checkEnd(spec.expiry);
        _checkProven(spec.modelId);
        _checkAccess(spec.modelId, spec.prover);
        if (!PROVERS.stakeOf(spec.prover).registered) revert IProverRegistry.NotRegistered(spec.prover);
        bytes32 circuitId = REGISTRY.circuitOf(spec.modelId);
        _checkClass(circuitId);
        _checkAlive(circuitId);
        FeeQuote memory quote = quoteFor(spec.modelId);

        tabId = _idOf(TAB_TAG, requester, nonces[requester]++, keccak256(abi.encode(spec)));
        StoredTab storage stored = _tabs[tabId];
        stored.signer = spec.signer;
        stored.expiry = spec.expiry;
        stored.prover = spec.prover;
        stored.balance = spec.amount;
        stored.modelId = spec.modelId;
        stored.quote = quote;
        stored.requester = requester;
        emit TabOpened(tabId, spec.modelId, spec.prover, requester, spec, quote);
    }

    /// @dev A contract wallet is asked itself (ERC-1271), statically and with all the gas there is: the sender pays, and
    ///      can see beforehand what it will cost.
    function _checkOpening(TabSpec calldata spec, address requester, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(OPENING_TYPEHASH, spec, nonces[requester])));
        if (!SignatureChecker.isValidSignatureNowCalldata(requester, digest, signature)) {
            revert OpeningNotAuthorized(requester);
        }
    }

    /// @dev Everything about a request that its proof does not say.
    function _checkRequest(
        SignedRequest calldata request,
        StoredTab storage stored,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        address signer = stored.signer;
        if (signer == address(0) || stored.closed) revert TabNotOpen(request.tabId);
        // Else the signer, who is shown a proof before the chain is, could use up nonce or tab by a cheaper request.
        if (msg.sender != stored.prover) revert NotClaimant(request.tabId, msg.sender, stored.prover);
        uint40 expiry = request.expiry < stored.expiry ? request.expiry : stored.expiry;
        if (block.timestamp > expiry) revert RequestExpired(digest, expiry);
        // A malformed signature recovers to zero, which signs for no tab.
        (address found,,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (found != signer) revert WrongSigner(signer, found);
        _checkCircuitOf(stored.modelId, request.circuitId, 1);
        _checkClass(request.circuitId);
    }

    /// @dev Uses the nonce up and takes the price off the tab: before the proof is checked, which a refused proof undoes.
    function _draw(SignedRequest calldata request, StoredTab storage stored) private returns (Payment memory payment) {
        FeeQuote memory quote = _loadQuote(stored.quote);
        uint256 least = Pricing.leastModelFee(quote, request.proverFee);
        if (request.modelFee < least) revert ModelFeeTooLow(request.modelFee, least);
        payment = Pricing.split(quote, request.modelFee, request.proverFee);
        uint256 price = Pricing.priceOf(payment);
        uint80 balance = stored.balance;
        if (price > balance) revert TabTooSmall(request.tabId, price, balance);
        uint256 bit = 1 << (request.nonce & 0xff);
        uint256 used = _usedNonces[request.tabId][request.nonce >> 8];
        if (used & bit != 0) revert NonceUsed(request.tabId, request.nonce);

        _usedNonces[request.tabId][request.nonce >> 8] = used | bit;
        stored.balance = balance - uint80(price);
    }

    function _payRequest(
        SignedRequest calldata request,
        StoredTab storage stored,
        bytes32 digest,
        Payment memory payment,
        bytes calldata output,
        bytes32 proofDigest
    ) private {
        address prover = stored.prover;
        emit RequestSettled(digest, request.tabId, prover, request.nonce, payment, output, proofDigest);
        _earn(stored.modelId, prover, payment);
    }
}
