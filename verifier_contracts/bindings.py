"""A contract of ours at an address: calls, transactions and events, with our errors.

Typed bindings wrap this class; nothing else encodes calldata.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.contract_errors import known_reverts, translate
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log, TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import Call, DryRun, OnSigned, SignedTransaction, ignore_signed
from zkml.errors import RevertedError


@contextlib.contextmanager
def contract_errors() -> Iterator[None]:
    """Turn what a contract refuses into the errors of our tree."""
    try:
        yield
    except RevertedError as error:
        twin = translate(error)
        if twin is error:
            raise
        raise twin from error


class BoundContract:
    """One contract on one chain.

    Attributes:
        chain: where it is.
        artifact: what it is.
        address: checksummed.
        spare_gas: that its transactions get besides the estimate; see `Call`.
    """

    def __init__(self, chain: Chain, artifact: ContractArtifact, address: str, *, spare_gas: int = 0) -> None:
        self.chain = chain
        self.artifact = artifact
        self.address = address
        self.spare_gas = spare_gas

    def call(
        self, function: str, *arguments: Any, sender: str | None = None, block: BlockTag = "latest"
    ) -> Any:
        """Call a view function.

        Args:
            function: its name.
            arguments: in the order of the ABI; structs as tuples.
            sender: msg.sender.
            block: state and time to read at.

        Returns:
            The result; a tuple of them where there are several, None where there is none.

        Raises:
            ZkmlError: the twin of the contract's error; `RevertedError` where it has none.
            RpcError: the node does not answer, or something that does not decode.
        """
        call = self.plan(function, *arguments)
        with contract_errors():
            data = self.chain.call(
                self.address, call.data, what=call.what, sender=sender, block=block, reverts=call.reverts
            )
        return self._decode_result(function, len(arguments), data)

    def plan(self, function: str, *arguments: Any) -> Call:
        """Return the call of a function, before anybody signs it.

        Raises:
            FormatError: an argument does not fit its type.
        """
        entry = abi.function(self.artifact.abi, function, len(arguments))
        return Call(
            target=self.address,
            data=abi.encode_call(entry, arguments),
            what=f"{self.artifact.name}.{function}",
            arguments=entry.name_inputs(arguments),
            reverts=known_reverts(),
            spare_gas=self.spare_gas,
        )

    def simulate(self, sender: str, function: str, *arguments: Any) -> Any:
        """Run a transaction at the head of the chain without sending it, and return its result.

        Raises:
            ZkmlError: see `call`.
        """
        with contract_errors():
            data = transactions.simulate(self.chain, self.plan(function, *arguments), sender)
        return self._decode_result(function, len(arguments), data)

    def dry_run(self, sender: str, function: str, *arguments: Any) -> DryRun:
        """Say what a transaction would do and cost, without sending it; raises as `call` does."""
        with contract_errors():
            return transactions.dry_run(self.chain, self.plan(function, *arguments), sender)

    def transact(
        self,
        account: LocalAccount,
        function: str,
        *arguments: Any,
        gas: int | None = None,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Send a transaction and wait until it is mined and confirmed.

        Args:
            account: who signs and pays for gas.
            function: its name.
            arguments: in the order of the ABI; structs as tuples.
            gas: its limit, without a simulation before; see `transactions.send`.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            ZkmlError: see `call`; and what `transactions.send` raises.
        """
        with contract_errors():
            return transactions.send(
                self.chain, account, self.plan(function, *arguments), gas=gas, on_signed=on_signed
            )

    def transact_repeatable(
        self, account: LocalAccount, function: str, *arguments: Any, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send a transaction that may take effect twice without harm; see `transactions.send_repeatable`."""
        with contract_errors():
            return transactions.send_repeatable(
                self.chain, account, self.plan(function, *arguments), on_signed=on_signed
            )

    def resume(self, signed: SignedTransaction) -> TransactionReceipt:
        """Go on with a transaction that a journal kept; raises as `transact` does."""
        with contract_errors():
            return transactions.resume(self.chain, signed)

    def events_in(self, logs: Iterable[Log], event: str) -> list[Event]:
        """Return this contract's events of one kind among logs, decoded."""
        entry = abi.event(self.artifact.abi, event)
        return [
            abi.decode_log(entry, log)
            for log in logs
            if log.address == self.address and log.topics[:1] == (entry.topic,)
        ]

    def find_events(
        self,
        event: str,
        filters: Mapping[str, Any] | None = None,
        *,
        from_block: int,
        to_block: int | None = None,
    ) -> Iterator[Event]:
        """Yield events of one kind, oldest first.

        Args:
            event: its name.
            filters: values of indexed arguments by name.
            from_block: first height.
            to_block: last height; the latest block's when None.

        Raises:
            RpcError: see `Chain.logs`.
        """
        entry = abi.event(self.artifact.abi, event)
        wanted = dict(filters or {})
        topics: list[bytes | None] = [entry.topic]
        for name, kind, indexed in zip(entry.names, entry.inputs, entry.indexed, strict=True):
            if indexed:
                topics.append(abi.topic_of(kind, wanted.pop(name)) if name in wanted else None)
        if wanted:
            raise LookupError(f"no indexed arguments {sorted(wanted)} in event {event}")
        for log in self.chain.logs(self.address, topics, from_block=from_block, to_block=to_block):
            yield abi.decode_log(entry, log)

    def _decode_result(self, function: str, count: int, data: bytes) -> Any:
        entry = abi.function(self.artifact.abi, function, count)
        values = abi.decode_values(entry.outputs, data, f"{self.artifact.name}.{function}")
        return values[0] if len(values) == 1 else (values or None)
