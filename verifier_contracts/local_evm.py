"""An EVM in this process, without a chain: deploy code, call it, measure gas.

Revm through pyrevm, with the rules of the EVM version that our contracts are compiled for. State is in
memory and ends with the object.
"""

import re
from dataclasses import dataclass

import pyrevm
from eth_utils.address import is_address, to_canonical_address, to_checksum_address

from zkml.adapters.evm.reverts import STANDARD_REVERTS, RevertDecoder
from zkml.core.digests import keccak256
from zkml.errors import RevertedError

SPECIFICATION = "CANCUN"
CALL_GAS_LIMIT = 16_000_000
"""Gas of a call unless its caller says otherwise: near EIP-7825's limit of a transaction."""

_DEPLOYER = "0x00000000000000000000000000000000000d3910"
_PROBE = "0x00000000000000000000000000000000000c0de0"
# Returns the code of the address in the first word of calldata: EXTCODESIZE, EXTCODECOPY, RETURN. What
# EVM.get_code returns is padded with zeros, as revm keeps it.
_PROBE_CODE = bytes.fromhex("5f35803b805f5f843c5ff3")
_REVERT = re.compile(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}")


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call returned.

    Attributes:
        data: return data.
        gas_used: gas of the execution alone, without a transaction's base and calldata cost.
    """

    data: bytes
    gas_used: int


class LocalEvm:
    """An EVM whose state is in memory.

    Args:
        chain_id: what `block.chainid` returns.
        reverts: decoder for the words of errors; OpenZeppelin's and the compiler's own are known always.
    """

    def __init__(self, *, chain_id: int = 31337, reverts: RevertDecoder = STANDARD_REVERTS) -> None:
        self._evm = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id)), spec_id=SPECIFICATION)
        self._reverts = reverts
        self.place(_PROBE, _PROBE_CODE)

    def deploy(self, creation_code: bytes, arguments: bytes = b"") -> str:
        """Run creation code as a deploying transaction would.

        Args:
            creation_code: the contract's creation code.
            arguments: ABI-encoded constructor arguments.

        Returns:
            The checksummed address of the new contract.

        Raises:
            RevertedError: the constructor refused, or the code breaks a rule of the EVM.
        """
        try:
            return str(to_checksum_address(self._evm.deploy(_DEPLOYER, creation_code + arguments)))
        except RuntimeError as error:
            raise self._translate(error, "the deployment") from error

    def place(self, address: str, code: bytes) -> None:
        """Put code at an address, without running a constructor.

        Args:
            address: 20 bytes in hexadecimal; the caller's code may depend on it.
            code: runtime code.
        """
        self._evm.insert_account_info(_checked(address), pyrevm.AccountInfo(nonce=1, code=code))

    def code_at(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none."""
        return self.call(_PROBE, bytes(12) + to_canonical_address(address)).data

    def code_hash_at(self, address: str) -> bytes:
        """Return keccak256 of the code at an address, as EXTCODEHASH does for a contract."""
        return keccak256(self.code_at(address))

    def call(self, to: str, calldata: bytes, *, gas_limit: int = CALL_GAS_LIMIT) -> CallResult:
        """Call a contract without changing state (STATICCALL).

        Args:
            to: the contract's address.
            calldata: selector and arguments.
            gas_limit: gas for the execution, as a contract would pass it on; what a transaction costs
                before its first instruction comes on top.

        Returns:
            Return data and gas.

        Raises:
            RevertedError: the call reverted, ran out of gas or broke a rule; its `context` has `data`,
                the revert data in hexadecimal, and `gas_used`.
        """
        return self._run(to, calldata, gas_limit, is_static=True)

    def transact(self, to: str, calldata: bytes, *, gas_limit: int = CALL_GAS_LIMIT) -> CallResult:
        """Call a contract as a transaction would, and keep what it changes.

        Args:
            to: the contract's address.
            calldata: selector and arguments.
            gas_limit: as for `call`.

        Returns:
            Return data and gas, refunds taken off.

        Raises:
            RevertedError: as for `call`; nothing was changed then.
        """
        return self._run(to, calldata, gas_limit, is_static=False)

    def _run(self, to: str, calldata: bytes, gas_limit: int, *, is_static: bool) -> CallResult:
        intrinsic = intrinsic_gas(calldata)
        try:
            data = self._evm.message_call(
                _DEPLOYER, _checked(to), calldata=calldata, gas=gas_limit + intrinsic, is_static=is_static
            )
        except RuntimeError as error:
            raise self._translate(error, f"the call of {to}") from error
        outcome = self._evm.result
        assert outcome is not None  # there is one after every call that ran
        return CallResult(bytes(data), outcome.gas_used - intrinsic)

    def _translate(self, error: RuntimeError, where: str) -> RevertedError:
        found = _REVERT.search(str(error))
        if found:
            return self._reverts.error(bytes.fromhex(found[2]), where)
        return RevertedError(
            f"expected {where} to succeed, found {str(error).splitlines()[0]}", name="", data="0x"
        )


def intrinsic_gas(calldata: bytes) -> int:
    """Return what a transaction with `calldata` costs before its first instruction (EIP-2028)."""
    zeros = calldata.count(0)
    return 21_000 + 4 * zeros + 16 * (len(calldata) - zeros)


def _checked(address: str) -> str:
    if not is_address(address):
        raise ValueError(f"expected an address of 20 bytes, found {address!r}")
    return address
