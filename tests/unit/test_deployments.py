"""Deployment records: read whole, or refused with the path."""

import pytest

from verifier_contracts.deployments import DeployedContract, Deployment, JobTerms, read_deployment
from zkml.adapters.atomic_write import write_atomically
from zkml.errors import DeploymentError, FormatError, StorageError


def contract(digit):
    return DeployedContract(address="0x" + digit * 40, code_hash="0x" + digit * 64)


@pytest.fixture
def record():
    return Deployment(
        chain_id=31337,
        genesis_hash="0x" + "a" * 64,
        deployer="0x" + "b" * 40,
        block=1,
        router=contract("1"),
        token=contract("2"),
        token_decimals=6,
        token_symbol="zUSD",
        registry=contract("3"),
        manager=contract("4"),
        terms=JobTerms(),
    )


def test_read_deployment__written_before__is_the_same(tmp_path, record):
    """A record survives its file, defaults and absent transactions included."""
    path = tmp_path / "deep" / "record.json"
    write_atomically(path, record.to_bytes())
    assert read_deployment(path) == record


def test_read_deployment__none__says_how_to_get_one(tmp_path):
    """Without a record the next step is named."""
    with pytest.raises(DeploymentError) as caught:
        read_deployment(tmp_path / "none.json")
    assert "chain deploy" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data.replace(b"zkml.deployment/1", b"zkml.deployment/2"),
        lambda data: data.replace(b"0x1111", b"0x111g", 1),
        lambda data: data.replace(b'"block":1,', b""),
        lambda data: data.replace(b'"block":1,', b'"block":"1",'),
        lambda data: data.replace(b'"block":1,', b'"block":1,"extra":2,'),
        lambda data: data.replace(b'"token_decimals":6', b'"token_decimals":37'),
        lambda data: data.replace(b'"token_decimals":6', b'"token_decimals":-1'),
        lambda data: data.replace(b'"token_decimals":6,', b""),
        lambda data: data.replace(b"zUSD", b"z" * 17),
        lambda data: data.replace(b"zUSD", b"z\\u001b[2J"),
        lambda data: data.replace(b'"min_collateral":"1000000"', b'"min_collateral":1000000'),
    ],
)
def test_read_deployment__one_fault__is_refused_with_the_path(tmp_path, record, change):
    """A record that is cut, of another version, or has one bad field is not read at all."""
    data = record.to_bytes()
    assert change(data) != data
    path = tmp_path / "record.json"
    path.write_bytes(change(data))
    with pytest.raises(FormatError, match=r"record\.json"):
        read_deployment(path)


def test_write_atomically__failed__leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    """A write that fails half way changes nothing."""
    path = tmp_path / "file"
    write_atomically(path, b"old", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_atomically(path, b"new")
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"old"]
