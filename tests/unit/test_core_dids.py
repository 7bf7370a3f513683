"""DIDs of models, and the constants of the ceremony that keys are checked against."""

import pytest

from circuits.srs_file import ceremony_verification_srs, published_ceremonies
from circuits.srs_points import P
from verifier_contracts.ceremonies import PUBLIC_CEREMONIES
from zkml.core.dids import did_of, parse_did, token_account
from zkml.errors import FormatError

WELL_KNOWN = "0x000000006551c19487814612e58FE06813775758"
ACCOUNT = "0xd098036686C269233C5Ef8745a54660f44425eee"


def account_of(**changes):
    terms = {
        "accounts": WELL_KNOWN,
        "implementation": "0x" + "11" * 20,
        "token_contract": "0x" + "22" * 20,
        "token_id": 5,
    }
    return token_account(changes.pop("chain_id", 31337), **{**terms, **changes})


def test_token_account__any_part_changed__is_another():
    """A token's account is of one chain, registry, implementation, contract and token."""
    changed = [
        {"chain_id": 1},
        {"accounts": "0x" + "22" * 20},
        {"implementation": "0x" + "22" * 20},
        {"token_contract": "0x" + "11" * 20},
        {"token_id": 1 << 255},
    ]
    found = {account_of(), *(account_of(**change) for change in changed)}
    assert len(found) == 6
    assert account_of() == ACCOUNT


def test_did__written_and_read__is_the_same():
    """A DID names chain and account, the chain in hexadecimal."""
    assert did_of(31337, ACCOUNT.lower()) == f"did:ethr:0x7a69:{ACCOUNT}"
    assert parse_did(did_of(31337, ACCOUNT)) == (31337, ACCOUNT)
    assert parse_did(f"did:ethr:0x1:{ACCOUNT.lower()}") == (1, ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ACCOUNT,
        f"did:ethr:{ACCOUNT}",
        f"did:ethr:31337:{ACCOUNT}",
        f"did:ethr:0x07a69:{ACCOUNT}",
        f"did:ethr:0x{'f' * 17}:{ACCOUNT}",
        f"did:ethr:0x7a69:{ACCOUNT}#controller",
        f"did:ethr:0x7a69:{ACCOUNT}\n",
        f"did:web:0x7a69:{ACCOUNT}",
        f"did:ethr:0x7a69:{ACCOUNT[:-1]}",
    ],
)
def test_parse_did__another_kind__is_refused(text):
    """What is not exactly chain and account is no DID of ours."""
    with pytest.raises(FormatError, match="expected did:ethr"):
        parse_did(text)


def test_ceremonies__of_the_router__are_those_of_the_files():
    """-[tau]G2 as the router knows it is that of the ceremony's own file, negated."""
    (ceremony,) = PUBLIC_CEREMONIES
    assert ceremony.name in [known.name for known in published_ceremonies()]
    tau = ceremony_verification_srs()[-128:]
    undo = pow(1 << 256, -1, P)
    words = [int.from_bytes(tau[start : start + 32], "little") * undo % P for start in range(0, 128, 32)]
    x0, x1, y0, y1 = words
    found = [int.from_bytes(word, "big") for word in ceremony.negated_tau_g2]
    assert found == [x1, x0, P - y1, P - y0]
