// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Parent} from "registry/src/ILineageRegistry.sol";
import {DerivativeTerms, FeeTerms, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {Registries} from "tests/contracts/support/Registries.sol";

/// @notice Makes random moves with models and their lineage, good and bad, and keeps its own books of them.
/// @dev A move that the rules forbid is tried all the same, and must revert: the handler itself never does.
contract ModelHandler is Registries {
    uint256 private constant ACTORS = 3;
    uint256 private constant MAX_MODELS = 20;

    /// @dev What the handler knows of a model, none of it read back.
    struct Book {
        address owner;
        ModelStatus status;
        bytes32 commitmentHash;
        bytes32 lineageHash;
        uint256 provenAt;
        bool declared;
    }

    LineageRegistry public lineage;
    uint256[] public ids;
    mapping(uint256 => Book) private _books;
    mapping(uint256 => FeeTerms) private _floors;
    uint256 private _clock;
    /// @notice A forbidden move that went through, or an allowed one that did not; empty while all is well.
    string public broken;

    constructor() {
        deployRegistries();
        lineage = new LineageRegistry(models);
    }

    function register(uint256 who, uint256 shape) external {
        if (ids.length == MAX_MODELS) return;
        string memory name = string(abi.encodePacked("model", ids.length));
        // One in eight shares its circuit with the model before.
        bytes32 circuitId =
            shape % 8 == 0 && ids.length != 0 ? models.circuitOf(ids[ids.length - 1]) : addCircuit(name, 1);
        ModelCommitment memory commitment = commitmentFor(circuitId, name);
        address owner = actor(who);
        uint256 id = registerAs(owner, commitment);
        ids.push(id);
        _books[id].owner = owner;
        _books[id].status = ModelStatus.REGISTERED;
        _books[id].commitmentHash = keccak256(abi.encode(commitment));
        _floors[id] = defaultFees();
    }

    function activate(uint256 which, bool honest) external {
        if (ids.length == 0) return;
        uint256 id = pick(which);
        bytes32 circuitId = models.circuitOf(id);
        Book storage book = _books[id];
        bool allowed = honest && book.status == ModelStatus.REGISTERED && models.provenModelOf(circuitId) == 0;
        if (honest) acceptGenesis(id, circuitId);
        try models.activate(id, circuitId, OUTPUT, honest ? PROOF : bytes("borrowed")) {
            if (!allowed) broken = "activate";
            book.status = ModelStatus.PROVEN;
            book.provenAt = ++_clock;
        } catch {
            if (allowed) broken = "activate refused";
        }
    }

    /// @param which three times in four a REGISTERED model without lineage, if there is one.
    /// @param seed most parents are PROVEN, if any model is.
    function declare(uint256 which, uint256 seed, bool byOwner) external {
        if (ids.length == 0) return;
        uint256 id = which % 4 == 0 ? pick(which) : pickIn(ModelStatus.REGISTERED, which);
        Book storage book = _books[id];
        Parent[] memory parents = new Parent[](1 + seed % 4);
        for (uint256 i; i < parents.length; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(seed, i)));
            uint256 parentId = dice % 16 == 0 ? pick(dice) : pickIn(ModelStatus.PROVEN, (dice >> 64) + i);
            parents[i] = Parent(parentId, uint32(dice >> 128) % (HALF_PPM / uint32(parents.length)));
        }
        vm.prank(byOwner ? book.owner : stranger);
        try lineage.declare(id, parents, HALF_PPM) {
            if (book.status != ModelStatus.REGISTERED || book.declared || !byOwner) broken = "declare";
            for (uint256 i; i < parents.length; ++i) {
                if (_books[parents[i].modelId].status != ModelStatus.PROVEN) broken = "declared an unproven parent";
            }
            book.declared = true;
            book.lineageHash = lineageHash(id);
        } catch {}
    }

    function setTerms(uint256 which, FeeTerms calldata fees, uint32 ratePpm, bool byOwner) external {
        if (ids.length == 0) return;
        uint256 id = pick(which);
        FeeTerms memory floor = _floors[id];
        FeeTerms memory asked = fees;
        asked.minModelFee = uint80(within(asked.minModelFee, 0, uint256(floor.minModelFee) + 50));
        asked.minModelFeePpm = uint32(within(asked.minModelFeePpm, 0, uint256(floor.minModelFeePpm) + 50));
        bool allowed = byOwner && asked.modelFee >= asked.minModelFee && asked.minModelFee >= floor.minModelFee
            && asked.minModelFeePpm >= floor.minModelFeePpm && asked.minModelFeePpm <= HALF_PPM;
        vm.startPrank(byOwner ? _books[id].owner : stranger);
        try models.setFeeTerms(id, asked) {
            if (!allowed) broken = "fee terms";
            _floors[id] = asked;
        } catch {
            if (allowed) broken = "fee terms refused";
        }
        try models.setDerivativeTerms(id, DerivativeTerms(ratePpm % 5 != 0, ratePpm % 1_000, 0, 0)) {
            if (!byOwner) broken = "derivative terms";
        } catch {
            if (byOwner) broken = "derivative terms refused";
        }
        vm.stopPrank();
    }

    function sell(uint256 which, uint256 to) external {
        if (ids.length == 0) return;
        uint256 id = pick(which);
        Book storage book = _books[id];
        address buyer = actor(to);
        vm.prank(book.owner);
        models.transferFrom(book.owner, buyer, id);
        book.owner = buyer;
    }

    function retire(uint256 which, bool byOwner) external {
        // Seldom, or too few models would be left to derive from.
        if (ids.length == 0 || which % 3 != 0) return;
        uint256 id = pick(which);
        Book storage book = _books[id];
        bool allowed = byOwner && book.status == ModelStatus.PROVEN;
        vm.prank(byOwner ? book.owner : stranger);
        try models.retire(id) {
            if (!allowed) broken = "retire";
            book.status = ModelStatus.DEPRECATED;
        } catch {
            if (allowed) broken = "retire refused";
        }
    }

    function modelCount() external view returns (uint256) {
        return ids.length;
    }

    function bookOf(uint256 id) external view returns (Book memory) {
        return _books[id];
    }

    function floorOf(uint256 id) external view returns (FeeTerms memory) {
        return _floors[id];
    }

    function registry() external view returns (ModelRegistry) {
        return models;
    }

    function lineageHash(uint256 id) public view returns (bytes32) {
        return keccak256(abi.encode(lineage.parentsOf(id), lineage.sharesOf(id), lineage.totalPpmOf(id)));
    }

    /// @dev The first model of a status from `which` on, without lineage if it must be REGISTERED; else any.
    function pickIn(ModelStatus wanted, uint256 which) private view returns (uint256 id) {
        for (uint256 i; i < ids.length; ++i) {
            id = ids[(which % ids.length + i) % ids.length];
            if (_books[id].status != wanted) continue;
            if (wanted != ModelStatus.REGISTERED || !_books[id].declared) return id;
        }
    }

    function pick(uint256 which) private view returns (uint256) {
        return ids[which % ids.length];
    }

    function actor(uint256 who) private pure returns (address) {
        return address(uint160(0xAC700 + who % ACTORS));
    }
}
