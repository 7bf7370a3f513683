"""Canonical and strict JSON, and the digests built on them."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.digests import (
    canonical_json,
    digest_bytes,
    digest_from_bytes,
    digest_of,
    digest_of_chunks,
    keccak256,
    parse_digest,
    record_digest,
)
from zkml.core.strict_json import MAX_JSON_BYTES, parse_json, parse_object
from zkml.errors import FormatError

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_json__any_value__parses_back_to_one_form(value):
    """Canonical bytes parse to a value whose canonical bytes are the same."""
    data = canonical_json(value)
    assert canonical_json(parse_json(data, where="test")) == data
    assert json.loads(data) == value


@given(st.dictionaries(TEXT, st.integers(0, 9), max_size=8))
def test_canonical_json__order_of_names__does_not_count(record):
    """A record's bytes and digest do not depend on the order of insertion."""
    turned = dict(reversed(record.items()))
    assert canonical_json(record) == canonical_json(turned)
    assert record_digest("tag", record) == record_digest("tag", turned)


def test_canonical_json__known_value__is_rfc_8785s():
    """Names sort by UTF-16 units, numbers are ECMAScript's, nothing is blank."""
    value = {"b": [1.0, 1e21, 0.1, -0.0], "a": "\u20ac\n", "\U0001f600": 1, "\ufb33": 2}
    assert canonical_json(value).decode() == '{"a":"€\\n","b":[1,1e+21,0.1,0],"\U0001f600":1,"\ufb33":2}'


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53 + 1, -(2**53) - 1, {1: 2}, object(), b"x", {"a": {1, 2}}, "\ud800"],
)
def test_canonical_json__no_canonical_form__is_refused(value):
    """What two readers could read differently has no bytes, and so no digest."""
    with pytest.raises(FormatError, match="canonical JSON form"):
        canonical_json(value)


def test_canonical_json__endless_nesting__is_refused():
    """A value nested beyond the interpreter's stack is an error and not a crash."""
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(FormatError, match="canonical JSON form"):
        canonical_json(value)
    while value:
        value = value.pop()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a":1,"a":1}', "'a' twice in the file"),
        (b'[{"x":{"b":1,"b":2}}]', "'b' twice in the file"),
        (b'{"a":NaN}', "found NaN in the file"),
        (b"[Infinity]", "found Infinity in the file"),
        (b"[-Infinity]", "found -Infinity in the file"),
        (b"[1e999]", "found 1e999 in the file"),
        (b"[-1e999]", "found -1e999 in the file"),
        (b"\xff", "expected JSON, found .* in the file"),
        (b"\xef\xbb\xbf{}", "expected JSON"),
        (b"", "expected JSON"),
        (b"{} x", "expected JSON"),
        (b"{'a':1}", "expected JSON"),
        (b"[1,]", "expected JSON"),
        (b"1" * 5000, "expected JSON"),
        (b"[" * 200_000, "at most 64 levels"),
    ],
)
def test_parse_json__what_readers_disagree_on__is_refused(data, message):
    """Duplicate names, NaN, infinities in any spelling, blanks, endless depth and digits are refused."""
    with pytest.raises(FormatError, match=message) as caught:
        parse_json(data, where="the file")
    assert "\n" not in caught.value.message


def test_parse_json__brackets_in_text__are_no_nesting():
    """Only brackets outside of text count, escaped quotes included; 64 levels are allowed."""
    tricky = '"' + '[{\\"' * 500 + '"'
    assert parse_json(("[" * 64 + tricky + "]" * 64).encode(), where="x")
    with pytest.raises(FormatError, match="at most 64 levels"):
        parse_json(("[" * 65 + tricky + "]" * 65).encode(), where="x")


def test_parse_json__unclosed_text__is_refused_in_linear_time():
    """A megabyte of escaped quotes after one that is never closed does not stall the reader."""
    with pytest.raises(FormatError, match="expected JSON"):
        parse_json(b"[" * 60 + b'"' + b'\\"' * 500_000 + b"[" * 10, where="x")


def test_parse_json__too_large__is_refused_unread():
    """A text over 64 MiB is refused by its length."""
    with pytest.raises(FormatError, match="at most"):
        parse_json(b" " * (MAX_JSON_BYTES + 1), where="x")


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_parse_object__no_object__is_refused(data):
    """A record is an object."""
    with pytest.raises(FormatError, match=r"expected a JSON object, found .* in the file"):
        parse_object(data, where="the file")


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_digest__chunks__are_the_whole(chunks):
    """The digest of chunks is that of their concatenation, and its 32 bytes come back."""
    digest = digest_of_chunks(chunks)
    assert digest == digest_of(b"".join(chunks)) == "sha256:" + hashlib.sha256(b"".join(chunks)).hexdigest()
    assert parse_digest(digest) == digest
    assert digest_from_bytes(digest_bytes(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "A" * 64,
        "sha1:" + "0" * 64,
        "sha256:" + "0" * 64 + "\n",
        None,
        3,
    ],
)
def test_parse_digest__other_text__is_refused(text):
    """A digest is its algorithm and 64 lower-case digits, and nothing around them."""
    with pytest.raises(FormatError, match="expected sha256"):
        parse_digest(text)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_digest_from_bytes__other_length__is_refused(length):
    """A contract's digest has 32 bytes."""
    with pytest.raises(FormatError, match="expected 32 bytes"):
        digest_from_bytes(bytes(length))


def test_keccak__empty__is_the_evms():
    """The hash is Keccak-256 as the EVM has it, not SHA3-256."""
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(VALUES, VALUES, TEXT, TEXT)
def test_record_digest__other_tag_or_value__is_another(first, second, tag, other_tag):
    """Digests agree only when tag and value agree."""
    same = tag == other_tag and canonical_json({"v": first}) == canonical_json({"v": second})
    tag, other_tag = tag.replace("\n", " "), other_tag.replace("\n", " ")
    same = same or (tag == other_tag and canonical_json({"v": first}) == canonical_json({"v": second}))
    assert (record_digest(tag, {"v": first}) == record_digest(other_tag, {"v": second})) == same
