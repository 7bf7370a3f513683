"""Deployment records: read whole, or refused with the path."""

import pytest

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import DEPLOYMENT_ORDER
from verifier_contracts.deploy_contract import creation_address
from verifier_contracts.deployments import DeployedContract, Deployment, read_deployment
from verifier_contracts.terms import (
    JobTerms,
    default_job_terms,
    default_offering_rules,
    default_protocol_terms,
)
from zkml.adapters.atomic_write import write_atomically
from zkml.errors import DeploymentError, FormatError, StorageError


def contract(pair):
    return DeployedContract(address="0x" + pair * 20, code_hash="0x" + pair * 32)


@pytest.fixture
def record():
    contracts = {name: contract(f"{place + 1:02x}") for place, (name, _) in enumerate(DEPLOYMENT_ORDER)}
    return Deployment(
        chain_id=31337,
        genesis_hash="0x" + "a" * 64,
        deployer="0x" + "b" * 40,
        block=1,
        token_decimals=6,
        token_symbol="zUSD",
        terms=JobTerms(),
        protocol=default_protocol_terms("0x" + "b" * 40, is_local=True),
        offering_rules=default_offering_rules(is_local=True),
        **contracts,
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
        lambda data: data.replace(b"zkml.deployment/4", b"zkml.deployment/3"),
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
        lambda data: data.replace(b'"grace_seconds":36', b'"grace_seconds":-1'),
        lambda data: data.replace(b'"bonus_ppm":500000', b'"bonus_ppm":1000001'),
        lambda data: data.replace(b'"min_commit_blocks":1', b'"min_commit_blocks":0'),
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


def test_contracts__of_a_record__are_all_in_the_order_of_deployment(record):
    """A record names every contract of a deployment, and nothing else is one."""
    assert list(record.contracts) == [name for name, _ in DEPLOYMENT_ORDER]
    assert record.addresses["manager"] == record.manager.address


def test_terms__as_abi__have_the_order_of_the_struct():
    """Terms survive the way to the contract and back, and no field of the struct is missing."""
    terms = JobTerms(min_collateral="5", grace_seconds=7)
    assert JobTerms.from_abi(terms.as_abi()) == terms
    (function,) = (item for item in load_artifact("JobManager").abi if item.get("name") == "terms")
    names = [part["name"] for part in function["outputs"][0]["components"]]
    python = ["".join(word.title() for word in name.split("_")) for name in JobTerms.model_fields]
    assert [name.lower() for name in names] == [name.lower() for name in python]


def test_defaults__elsewhere__are_strict():
    """Where money is, jobs accept audited verifiers alone, commitments age, and the admin waits two days."""
    assert default_job_terms(is_local=False).accepted_classes == 0b0100
    assert default_job_terms(is_local=True).accepted_classes == 0b1110
    public = default_protocol_terms("0x" + "b" * 40, is_local=False)
    assert public.timelock_delay_seconds == 2 * 24 * 3600
    assert public.min_commit_blocks > 1


def test_creation_address__of_a_known_deployment__is_the_chains():
    """Addresses are computed as every chain does: Anvil's first account creates its first contract there."""
    first = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert creation_address(first, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert creation_address(first, 300) != creation_address(first, 44)
