"""From a person's numbers to a packed input."""

import numpy as np
import pytest

from zkml.client.inputs import check_packed, fetch_manifest, pack_input
from zkml.client.journal import OpeningJournal, OpeningRecord
from zkml.core.cid import cid_of
from zkml.core.digests import digest_bytes, digest_of
from zkml.core.identifiers import ModelCommitment, VerifierClass
from zkml.core.manifest import ROLES, BundleManifest
from zkml.core.market_identifiers import JobSpec
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.core.verifier_classes import check_class
from zkml.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    DomainError,
    FormatError,
    LayoutError,
    ManifestError,
    StorageError,
    UnsuitableCircuitError,
)

DIGEST = "sha256:" + "ab" * 32
LAYOUT = TensorLayout(4, 1, 2, 2)
DOMAIN = InputDomain(-100, 100)


def manifest() -> BundleManifest:
    files = {
        role: {"path": f"{role}.bin", "digest": DIGEST, "cid": cid_of(role.encode()), "size_bytes": 1}
        for role in ROLES
    }
    return BundleManifest.from_fields(
        {
            "name": "tiny",
            "system": "ezkl",
            "system_version": "23.0.5",
            "proof_system": "halo2-kzg-bn254-ezkl-v23",
            "input_visibility": "public",
            "output_visibility": "public",
            "param_visibility": "fixed",
            "weight_point": None,
            "batch": 1,
            "input_shape": [1, 4],
            "output_shape": [1, 2],
            "input_scale_bits": 7,
            "output_scale_bits": 14,
            "layout": {
                "input_count": 4,
                "input_bytes": 1,
                "output_count": 2,
                "output_bytes": 2,
                "input_minimum": -100,
                "input_maximum": 100,
            },
            "srs": {"name": "insecure-local", "secure": False, "tau_g2": DIGEST, "logrows": 9},
            "verifying_key": DIGEST,
            "proof_bytes": 3072,
            "fidelity": {"samples": 1, "max_abs_error": 0.0, "mean_abs_error": 0.0, "argmax_agreement": 1.0},
            "files": files,
        },
        where="the test",
    )


class OneFile:
    """A store of one file under one CID."""

    def __init__(self, cid: str, data: bytes) -> None:
        self._cid, self._data = cid, data

    def read(self, cid: str, *, limit_bytes: int) -> bytes:
        if cid != self._cid:
            raise ArtifactNotFoundError(f"expected {cid} in the store, found nothing")
        if len(self._data) > limit_bytes:
            raise FormatError("expected fewer bytes")
        return self._data


def commitment(data: bytes, cid: str) -> ModelCommitment:
    return ModelCommitment(
        circuit_ids=(bytes(32),),
        onnx_digest=bytes(32),
        settings_digest=bytes(32),
        manifest_digest=digest_bytes(digest_of(data)),
        dataset_digest=bytes(32),
        key_commitment=bytes(32),
        predecessor=0,
        manifest_cid=cid,
        name="tiny",
        licence="MIT",
    )


def test_pack_input__floats__quantised_as_ezkl_rounds():
    """Halves are rounded away from zero at the manifest's scale: 0.50390625 * 2^7 = 64.5 becomes 65."""
    packed = pack_input([0.50390625, -0.50390625, 0.0, 0.25], manifest())
    assert packed == bytes([65, 256 - 65, 0, 32])


def test_pack_input__integers__taken_as_they_are():
    """Integers are the circuit's own and are not scaled."""
    assert pack_input(np.array([[1, -2, 3, -4]]), manifest()) == bytes([1, 254, 3, 252])


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([0.1, 0.2, 0.3], LayoutError, "expected 4 input elements"),
        ([0.1, 0.2, 0.3, 9.0], DomainError, "found 1152 at index 3"),
        ([1, 2, 3, 101], DomainError, "found 101 at index 3"),
        ([0.1, 0.2, 0.3, float("nan")], DomainError, "NaN"),
        ([0.1, 0.2, 0.3, float("inf")], DomainError, "infinity"),
        (["a", "b", "c", "d"], DomainError, "an array of numbers"),
        ([True, False, True, False], DomainError, "an array of numbers"),
        ([[1, 2], [3]], LayoutError, "an array of numbers"),
        (np.array([2**64 - 1, 0, 0, 0], dtype=np.uint64), DomainError, "64 bits"),
    ],
)
def test_pack_input__what_does_not_fit__clear_error(values, error, words):
    """Wrong counts, kinds and values are named before anything is sent."""
    with pytest.raises(error, match=words):
        pack_input(values, manifest())


def test_check_packed__as_the_chain_will():
    """Length and domain of a packed input are checked by the chain's own rule."""
    check_packed(bytes([100, 156, 0, 0]), LAYOUT, DOMAIN)
    with pytest.raises(LayoutError, match="expected 4 bytes"):
        check_packed(bytes(5), LAYOUT, DOMAIN)
    with pytest.raises(DomainError, match="found -101 at index 1"):
        check_packed(bytes([0, 155, 0, 0]), LAYOUT, DOMAIN)


def test_fetch_manifest__committed_bytes__parsed():
    """The manifest of CID and digest on chain is the one that is used."""
    data = manifest().to_bytes()
    assert fetch_manifest(commitment(data, cid_of(data)), OneFile(cid_of(data), data)) == manifest()


def test_fetch_manifest__other_digest__refused():
    """A CID and a digest of different files are refused."""
    data = manifest().to_bytes()
    with pytest.raises(DigestMismatchError, match="expected a manifest of digest"):
        fetch_manifest(commitment(b"other", cid_of(data)), OneFile(cid_of(data), data))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_fetch_manifest__no_manifest__refused(data):
    """Bytes that are committed and are no manifest are refused."""
    with pytest.raises(ManifestError):
        fetch_manifest(commitment(data, cid_of(data)), OneFile(cid_of(data), data))


def test_fetch_manifest__cid_of_a_path__refused():
    """A path in the place of a CID is refused before any file is looked up."""
    with pytest.raises(FormatError, match="expected a CIDv1"):
        fetch_manifest(commitment(b"", "../../etc/passwd"), OneFile("", b""))


def test_check_class__below_policy__refused():
    """A class outside the requester's policy is refused, and a local one on a public chain always."""
    everything = frozenset({VerifierClass.LOCAL, VerifierClass.CEREMONY, VerifierClass.UNVOUCHED})
    check_class(VerifierClass.LOCAL, everything, 31337)
    with pytest.raises(UnsuitableCircuitError, match="found local"):
        check_class(VerifierClass.LOCAL, everything, 1)
    with pytest.raises(UnsuitableCircuitError, match="found unvouched"):
        check_class(VerifierClass.UNVOUCHED, frozenset({VerifierClass.CEREMONY}), 31337)


def opening(number: int = 1) -> OpeningRecord:
    return OpeningRecord(
        chain_id=31337,
        genesis_hash="0x" + "22" * 32,
        manager="0x" + "33" * 20,
        requester="0x" + "44" * 20,
        nonce=number,
        job_id=f"0x{number:064x}",
        model_id="7",
        circuit_id="0x" + "77" * 32,
        input_commitment="0x" + "55" * 32,
        input_uri="",
        min_prover_fee="1000000",
        max_prover_fee="2000000",
        max_total="3000000",
        ramp_seconds=30,
        claim_seconds=60,
        deadline=99,
        provers=("0x" + "88" * 20,),
        transaction="0x" + "66" * 32,
        raw="0x02",
        account_nonce=3,
    )


def test_journal__kept_opening__found_again_until_it_is_finished(tmp_path):
    """A signed opening outlives the process, and is no longer pending once the chain has it."""
    journal = OpeningJournal(tmp_path / "client")
    assert list(journal.pending()) == []
    for number in (2, 1):
        journal.keep(opening(number))
    assert list(OpeningJournal(tmp_path / "client").pending()) == [opening(1), opening(2)]
    journal.finish(opening(1))
    assert list(journal.pending()) == [opening(2)]
    assert journal.find(opening(1).job_id) == opening(1)
    assert opening(1).signed.raw == b"\x02"
    assert opening(1).as_spec() == JobSpec(
        model_id=7,
        circuit_id=b"\x77" * 32,
        input_commitment=b"\x55" * 32,
        input_uri="",
        min_prover_fee=1_000_000,
        max_prover_fee=2_000_000,
        max_total=3_000_000,
        ramp_seconds=30,
        claim_seconds=60,
        deadline=99,
        provers=("0x" + "88" * 20,),
    )


def test_journal__unknown_or_damaged__clear_error(tmp_path):
    """A record that is not there or is damaged is named."""
    journal = OpeningJournal(tmp_path)
    with pytest.raises(ArtifactNotFoundError, match="expected an opening of 0x01"):
        journal.find("0x01")
    journal.keep(opening()).write_bytes(b"{}")
    with pytest.raises(FormatError, match=r"zkml\.opening/2"):
        list(journal.pending())


def test_journal__cannot_be_written__storage_error_before_anything_is_sent(tmp_path):
    """Where the journal cannot be written nothing is sent, because keeping it raises."""
    (tmp_path / "client").write_text("a file in the way")
    with pytest.raises(StorageError):
        OpeningJournal(tmp_path / "client").keep(opening())


@pytest.mark.parametrize("chain_id", [1, 31337])
def test_check_class__ceremony__accepted_where_policy_names_it(chain_id):
    """The router looked for audited code and a public ceremony's key, so policy alone decides."""
    check_class(VerifierClass.CEREMONY, frozenset({VerifierClass.CEREMONY}), chain_id)
    with pytest.raises(UnsuitableCircuitError, match="found ceremony"):
        check_class(VerifierClass.CEREMONY, frozenset({VerifierClass.UNVOUCHED}), chain_id)
