"""Typed messages: our digests are those that wallets sign, and a signature names one signer."""

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from zkml.adapters.keys.typed_signatures import recover_signer, sign_message
from zkml.core.digests import keccak256
from zkml.core.eip712 import Eip712Domain
from zkml.core.market_identifiers import TabSpec
from zkml.core.signed_requests import SignedRequest, opening_message, request_message
from zkml.core.token_authorizations import permit_message, receive_authorization
from zkml.errors import BindingError, FormatError

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNER = Account.from_key(b"\x01" * 32)
HEX32 = st.binary(min_size=32, max_size=32)
ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
AMOUNT = st.integers(0, 2**80 - 1)
TIME = st.integers(0, 2**40 - 1)
WORD = st.integers(0, 2**256 - 1)
CHAIN = st.integers(1, 2**64)
DOMAINS = st.builds(Eip712Domain, st.text(max_size=20), st.text(max_size=4), CHAIN, ADDRESS)
REQUESTS = st.builds(SignedRequest, HEX32, HEX32, HEX32, AMOUNT, AMOUNT, TIME, st.integers(0, 2**64 - 1))
MESSAGES = st.one_of(
    st.builds(request_message, CHAIN, ADDRESS, REQUESTS),
    st.builds(
        opening_message, CHAIN, ADDRESS, st.builds(TabSpec, WORD, ADDRESS, ADDRESS, AMOUNT, TIME), WORD
    ),
    st.builds(
        receive_authorization,
        DOMAINS,
        payer=ADDRESS,
        receiver=ADDRESS,
        amount=WORD,
        valid_after=WORD,
        valid_before=WORD,
        nonce=HEX32,
    ),
    st.builds(
        permit_message, DOMAINS, owner=ADDRESS, spender=ADDRESS, amount=WORD, nonce=WORD, deadline=WORD
    ),
)


@given(MESSAGES)
def test_digest__of_any_message__is_the_wallets(message):
    """What a wallet would sign for the JSON is the digest that we compute ourselves."""
    wallet = encode_typed_data(full_message=message.as_wallet_json())
    assert (wallet.header, wallet.body) == (message.domain.separator, message.struct_hash)
    assert message.digest == keccak256(b"\x19\x01" + wallet.header + wallet.body)


@given(MESSAGES)
def test_signature__of_any_message__names_its_signer(message):
    """A signature is recovered to its signer, and of another message to somebody else."""
    signature = sign_message(SIGNER, message)
    assert recover_signer(message, signature) == SIGNER.address
    other = request_message(7, SIGNER.address, SignedRequest(*[bytes(32)] * 3, 0, 0, 0, 0))
    assert recover_signer(other, signature) != SIGNER.address


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:64],
        lambda raw: raw + b"\x00",
        lambda raw: raw[:64] + bytes([raw[64] - 27]),
        lambda raw: (
            raw[:32] + (ORDER - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes([55 - raw[64]])
        ),
        lambda raw: bytes(64) + raw[64:],
        lambda raw: b"\xff" * 32 + raw[32:],
        lambda _: b"",
    ],
    ids=["short", "long", "old v", "high s", "zero", "no point", "empty"],
)
def test_recover__malformed_or_malleable__is_refused(change):
    """The other form of a signature, which everybody can compute, is none; nor is anything malformed."""
    message = request_message(7, SIGNER.address, SignedRequest(*[bytes(32)] * 3, 0, 0, 0, 0))
    with pytest.raises(BindingError, match="SignedRequest"):
        recover_signer(message, change(sign_message(SIGNER, message)))


@pytest.mark.parametrize(
    "changes", [{"model_fee": 1 << 80}, {"nonce": -1}, {"expiry": 1 << 40}, {"tab_id": b"\x00" * 33}]
)
def test_digest__value_that_does_not_fit__is_refused(changes):
    """A value is never cut to its field: another one would be signed."""
    request = SignedRequest(*[bytes(32)] * 3, 0, 0, 0, 0)._replace(**changes)
    with pytest.raises(FormatError, match="SignedRequest"):
        _ = request_message(7, SIGNER.address, request).digest
