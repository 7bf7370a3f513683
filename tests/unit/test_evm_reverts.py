"""Revert data becomes words, and never an exception of its own."""

import pytest
from eth_abi.abi import encode

from verifier_contracts.artifacts import load_artifact, shipped_names
from verifier_contracts.contract_errors import PLAIN, TWINS, known_reverts, translate
from zkml.adapters.evm.abi import entries
from zkml.adapters.evm.reverts import STANDARD_REVERTS
from zkml.core.digests import keccak256
from zkml.errors import (
    BindingError,
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    LineageError,
    MarketError,
    ProofRejectedError,
    ProverRefusedError,
    RevertedError,
    StakeError,
    TabRefusedError,
    TombstonedError,
)


def revert_of(signature, values):
    types = signature[signature.index("(") + 1 : -1]
    return keccak256(signature.encode())[:4] + encode(types.split(",") if types else [], values)


def test_decode__reason_string__is_quoted():
    """`require(false, reason)` is shown in its own words."""
    assert STANDARD_REVERTS.decode(revert_of("Error(string)", ["too late"])).describe() == "'too late'"


def test_decode__panic__is_named():
    """Solidity's panic codes are shown in words."""
    assert STANDARD_REVERTS.decode(revert_of("Panic(uint256)", [0x11])).describe() == "an arithmetic overflow"


def test_decode__token_error__has_named_arguments():
    """OpenZeppelin's token errors are known without any ABI."""
    account = "0x" + "11" * 20
    data = revert_of("ERC20InsufficientBalance(address,uint256,uint256)", [account, 1, 2])
    found = STANDARD_REVERTS.decode(data)
    assert found.name == "ERC20InsufficientBalance"
    assert found.arguments == {"sender": account, "balance": 1, "needed": 2}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no reason"),
        (bytes.fromhex("deadbeef"), "unknown error 0xdeadbeef"),
        (bytes.fromhex("08c379a0") + b"\x00" * 7, "unknown error"),
        (bytes.fromhex("08c379a0") + b"\xff" * 64, "unknown error"),
        (b"\x01", "unknown error 0x01"),
    ],
)
def test_decode__hostile_data__stays_bytes(data, words):
    """Data that is empty, foreign, cut or absurd is described and raises nothing."""
    found = STANDARD_REVERTS.decode(data)
    assert found.name == ""
    assert words in found.describe()


def test_decode__proof_rejected__shows_the_verifiers_own_reason():
    """The router's ProofRejected carries the adapter's revert data, which is decoded, too."""
    reason = keccak256(b"VerifierReverted()")[:4]
    found = known_reverts().decode(revert_of("ProofRejected(bytes32,bytes)", [b"\x01" * 32, reason]))
    assert found.describe().endswith("reason=VerifierReverted())")
    assert found.innermost().name == "VerifierReverted"


def test_decode__reason_nested_without_end__stops():
    """A revert that wraps itself a hundred times is decoded to a bounded depth."""
    data = b""
    for _ in range(100):
        data = revert_of("ProofRejected(bytes32,bytes)", [bytes(32), data])
    assert known_reverts().decode(data).describe().count("ProofRejected") == 4


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (b"windowSeconds", "'windowSeconds'"),
        (b"", "0x00000000"),
        (b"\x01" * 32, "0x01010101"),
        (b"A", "0x4100"),
    ],
)
def test_error__name_in_a_word__is_shown_as_text(word, shown):
    """A term's name that a contract put into 32 bytes is read as such; every other word stays bytes."""
    data = revert_of("TermOutOfRange(bytes32,uint256,uint256,uint256)", [word.ljust(32, b"\0"), 1, 2, 3])
    assert f"field={shown}" in known_reverts().error(data, "x").message


def test_error__long_argument__is_one_short_line():
    """A reason of a megabyte does not flood the terminal."""
    error = known_reverts().error(
        revert_of("ProofRejected(bytes32,bytes)", [bytes(32), b"\xaa" * 1_000_000]), "X"
    )
    assert len(error.message) < 400
    assert "\n" not in error.message


def test_twins__every_error_of_every_contract__has_one_or_is_plain():
    """Each custom error of the shipped contracts is mapped, or is on the list of those that stay plain."""
    solidity = {entry.name for name in shipped_names() for entry in entries(load_artifact(name).abi, "error")}
    assert solidity - TWINS.keys() - PLAIN == set()
    assert (TWINS.keys() | PLAIN) - solidity == set()
    assert TWINS.keys() & PLAIN == set()


@pytest.mark.parametrize(
    ("signature", "values", "twin"),
    [
        ("TotalTooHigh(uint256,uint80)", [2, 1], MarketError),
        ("TotalTooHigh(uint256,uint256)", [2, 1], LineageError),
        ("CircuitIsTombstoned(bytes32)", [bytes(32)], TombstonedError),
        ("StakeTooLow(address,uint256,uint256)", ["0x" + "11" * 20, 2, 1], StakeError),
        ("TabNotOpen(bytes32)", [bytes(32)], TabRefusedError),
        ("NotRegistered(address)", ["0x" + "11" * 20], ProverRefusedError),
        ("WrongStatus(uint256,uint8)", [1, 0], MarketError),
        ("WrongStatus(uint256,uint8)", [1, 6], InvalidTransitionError),
        ("WrongKey(uint256)", [1], BindingError),
    ],
)
def test_translate__errors_of_one_name_or_one_branch__are_told_apart(signature, values, twin):
    """A job's price and a lineage's rates are two errors of one name; each branch has its own class."""
    found = translate(known_reverts().error(revert_of(signature, values), "x"))
    assert type(found) is twin


def test_selectors__of_all_contracts__belong_to_one_signature_each():
    """No two errors share a selector, so decoding is never ambiguous."""
    found = {}
    for name in shipped_names():
        for entry in entries(load_artifact(name).abi, "error"):
            assert found.setdefault(entry.selector, entry.signature) == entry.signature


@pytest.mark.parametrize(
    ("status", "twin"),
    [(0, JobNotFoundError), (1, InvalidTransitionError), (3, InvalidTransitionError), (6, JobExpiredError)],
)
def test_translate__wrong_status__depends_on_the_status(status, twin):
    """WrongStatus says not found, expired or not allowed, by the status it carries."""
    error = known_reverts().error(
        revert_of("WrongStatus(bytes32,uint8)", [bytes(32), status]), "JobManager.claim"
    )
    assert type(translate(error)) is twin


def test_translate__proof_rejected__is_a_verdict():
    """A refused proof leaves with the exit code of a verdict."""
    error = known_reverts().error(revert_of("ProofRejected(bytes32,bytes)", [bytes(32), b""]), "x")
    twin = translate(error)
    assert isinstance(twin, ProofRejectedError)
    assert twin.exit_code == 3
    assert twin.hint


def test_translate__unknown_error__stays_reverted():
    """What we do not know stays RevertedError, with the data in its context."""
    error = known_reverts().error(bytes.fromhex("deadbeef"), "x")
    assert translate(error) is error
    assert isinstance(error, RevertedError)
    assert error.context["data"] == "0xdeadbeef"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (revert_of("NothingToWithdraw(address)", ["0x" + "11" * 20]), "credits come from"),
        (revert_of("NothingToClaim(uint256)", [7]), "zkml revenue show"),
        (revert_of("NothingToClaim(uint256,address)", [7, "0x" + "11" * 20]), "zkml imo show"),
    ],
)
def test_translate__nothing_to_take__says_where_money_comes_from(data, word):
    """Who asks for what is not there learns what would be, or where to look."""
    found = translate(known_reverts().error(data, "X"))
    assert type(found) is MarketError
    assert word in found.hint
