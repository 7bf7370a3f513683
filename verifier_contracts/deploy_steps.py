"""One contract after the other, with a file of what is done: a second run goes on where the first stopped."""

from pathlib import Path
from typing import Any, ClassVar

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy_contract import creation_address, creation_code, deploy_contract
from verifier_contracts.deployments import DeployedContract, check_contract, deployment_path
from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.rpc import Chain
from zkml.core.digests import keccak256
from zkml.core.progress import Progress, ProgressEvent
from zkml.core.records import Address, Hex32, Record, to_hex
from zkml.errors import DeploymentError, FormatError


class _Unfinished(Record):
    """What a deployment that is under way has deployed so far, by name."""

    tag: ClassVar[str] = "zkml.deployment-progress/1"

    chain_id: int
    genesis_hash: Hex32
    deployer: Address
    contracts: dict[str, DeployedContract]


class DeploymentSteps:
    """Deploys contracts by name, or takes those that an interrupted run deployed."""

    def __init__(self, chain: Chain, account: LocalAccount, folder: Path, progress: Progress) -> None:
        self.chain = chain
        self.account = account
        self._progress = progress
        self._path = deployment_path(folder, chain).with_suffix(".partial.json")
        self._done = self._read_done()

    def deploy(self, name: str, artifact_name: str, *arguments: Any) -> DeployedContract:
        """Deploy a contract, or take the one that an interrupted run deployed.

        Args:
            name: a field of `Deployment`.
            artifact_name: the contract's name.
            arguments: of its constructor.

        Raises:
            DeploymentError, ZkmlError, ChainError: see `deploy_contract`.
            StorageError: progress cannot be written.
        """
        self._progress(ProgressEvent(stage=f"deploy {artifact_name}"))
        artifact = load_artifact(artifact_name)
        contract = self._reusable(name, creation_code(artifact, arguments))
        if contract is None:
            contract = deploy_contract(self.chain, self.account, artifact, arguments)
            self._done[name] = contract
            self._write_done()
        self._progress(
            ProgressEvent(stage=f"deploy {artifact_name}", finished=True, note=f"at {contract.address}")
        )
        return contract

    def predict(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return where contracts that are deployed one after the other will be, by name.

        What an interrupted run deployed of them counts if nothing came between: contracts that point to
        predictions which can no longer come true are deployed anew.
        """
        nonce = self.chain.nonce(self.account.address)
        found = [self._done[name].address for name in names if name in self._done]
        for done in range(len(found), 0, -1):
            addresses = self._addresses(names, nonce - done)
            if found[:done] == list(addresses.values())[:done]:
                return addresses
        return self._addresses(names, nonce)

    def next_address(self, name: str, predicted: str) -> str:
        """Return where a contract would be now: where it is, or where the next transaction creates one."""
        found = self._done.get(name)
        if found is not None and found.address == predicted:
            return predicted
        return creation_address(self.account.address, self.chain.nonce(self.account.address))

    def finish(self) -> None:
        """Forget what was done: it is in the deployment's record now."""
        self._path.unlink(missing_ok=True)

    def _addresses(self, names: tuple[str, ...], first_nonce: int) -> dict[str, str]:
        if first_nonce < 0:
            return {}
        places = enumerate(names, start=first_nonce)
        return {name: creation_address(self.account.address, nonce) for nonce, name in places}

    def _reusable(self, name: str, code: bytes) -> DeployedContract | None:
        found = self._done.get(name)
        if found is None or found.creation != to_hex(keccak256(code)):
            return None
        try:
            check_contract(self.chain, name, found)
        except DeploymentError:
            return None
        return found

    def _read_done(self) -> dict[str, DeployedContract]:
        try:
            unfinished = _Unfinished.from_bytes(self._path.read_bytes(), where=str(self._path))
        except (OSError, FormatError):
            # Damaged or none: at worst a contract is deployed again that nobody points to.
            return {}
        mine = (self.chain.chain_id, self.chain.genesis_hash, self.account.address)
        found = (unfinished.chain_id, unfinished.genesis_hash, unfinished.deployer)
        return dict(unfinished.contracts) if found == mine else {}

    def _write_done(self) -> None:
        unfinished = _Unfinished(
            chain_id=self.chain.chain_id,
            genesis_hash=self.chain.genesis_hash,
            deployer=self.account.address,
            contracts=self._done,
        )
        write_atomically(self._path, unfinished.to_bytes())
