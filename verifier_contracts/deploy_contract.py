"""Deploy one contract, and know where before: addresses follow from the deployer's count of transactions."""

from collections.abc import Sequence
from typing import Any

import rlp
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address, to_checksum_address

from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.bindings import contract_errors
from verifier_contracts.contract_errors import known_reverts
from verifier_contracts.deployments import DeployedContract
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.core.digests import keccak256
from zkml.core.records import to_hex
from zkml.errors import DeploymentError


def creation_code(artifact: ContractArtifact, arguments: Sequence[Any]) -> bytes:
    """Return what creates a contract: its creation code and the encoded arguments of its constructor.

    Raises:
        FormatError: an argument does not fit its type.
    """
    return artifact.creation_code + abi.encode_constructor(artifact.abi, arguments)


def creation_address(deployer: str, nonce: int) -> str:
    """Return the address, checksummed, of the contract that an account creates in a transaction.

    Args:
        deployer: who sends it.
        nonce: how many transactions it has sent before.
    """
    return str(to_checksum_address(keccak256(rlp.encode([to_canonical_address(deployer), nonce]))[12:]))


def deploy_contract(
    chain: Chain, account: LocalAccount, artifact: ContractArtifact, arguments: Sequence[Any] = ()
) -> DeployedContract:
    """Deploy one contract and check that its code is the artifact's.

    Raises:
        DeploymentError: the chain has other code at the new address.
        ZkmlError: the twin of the constructor's error.
        ChainError: see `transactions.send`.
    """
    code = creation_code(artifact, arguments)
    call = Call(target=None, data=code, what=f"deploy {artifact.name}", reverts=known_reverts())
    with contract_errors():
        receipt = transactions.send_repeatable(chain, account, call)
    if receipt.contract is None:
        raise DeploymentError(f"expected a new {artifact.name}, found none in {receipt.transaction}")
    runtime = chain.code(receipt.contract)
    artifact.verify_code(runtime, where=receipt.contract)
    return DeployedContract(
        address=receipt.contract,
        code_hash=to_hex(keccak256(runtime)),
        creation=to_hex(keccak256(code)),
        transaction=receipt.transaction,
        block=receipt.block,
    )
