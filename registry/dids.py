"""Resolve DIDs of models: did:ethr of the ERC-6551 account of a model's token, with what the registry says.

Whoever owns the token acts through the account. But an owner can hand the identity on in the ERC-1056
registry, and a buyer of the model would not get it back: the answer says whether that has happened.
"""

from collections.abc import Mapping
from typing import Any

from registry.derivations import check_model_id
from registry.did_documents import RECOVERY_METHOD, did_document, is_deactivated
from registry.did_events import DidHistory, DidRegistry
from registry.model_facts import ModelFacts
from registry.model_reader import ModelReader
from zkml.adapters.evm.rpc import Chain
from zkml.core.dids import did_of, parse_did, token_account
from zkml.errors import BindingError, WrongChainError

CONTENT_TYPE = "application/did+ld+json"


class DidResolver:
    """Resolves the DIDs of one chain."""

    def __init__(self, chain: Chain, addresses: Mapping[str, str], *, from_block: int) -> None:
        """Bind it.

        Args:
            chain: where.
            addresses: of the deployment, by the names of its fields.
            from_block: height of the deployment.
        """
        self._chain = chain
        self._addresses = addresses
        self._from_block = from_block
        self._registry = ModelReader(chain, addresses["registry"])
        self._dids = DidRegistry(chain, addresses["did_registry"])

    def did_of_model(self, model_id: int) -> str:
        """Return a model's DID; computed here, whether the model exists or not."""
        return did_of(self._chain.chain_id, self._account_of(model_id))

    def model_of(self, account: str) -> int | None:
        """Return the model whose ERC-6551 account this is, or None.

        Raises:
            RpcError: see `Chain.logs`.
        """
        for found in self._registry.registrations(from_block=self._from_block):
            if self._account_of(found.model_id) == account:
                return found.model_id
        return None

    def resolve(self, did: str) -> dict[str, Any]:
        """Resolve a DID, a model's or any other account's of this chain.

        Args:
            did: did:ethr:<chain id, hexadecimal>:<account>.

        Returns:
            A resolution: `didDocument`, `didDocumentMetadata` and `didResolutionMetadata`.

        Raises:
            FormatError: it is another kind of DID.
            WrongChainError: it is of another chain.
            RpcError: the chain's answers contradict each other; see also `Chain.request`.
        """
        chain_id, account = parse_did(did)
        if chain_id != self._chain.chain_id:
            raise WrongChainError(
                f"expected a DID of chain {self._chain.chain_id:#x}, found one of chain {chain_id:#x}",
                hint="give --rpc-url of that chain",
            )
        return self._resolve(account, self.model_of(account))

    def resolve_model(self, model_id: int) -> dict[str, Any]:
        """Resolve a model's DID; see `resolve`.

        Raises:
            NotRegisteredError: no such model.
            BindingError: the registry names another account than the one computed here.
            RpcError: see `resolve`.
        """
        account = self._account_of(model_id)
        found = self._facts(model_id).account
        if found != account:
            raise BindingError(
                f"expected account {account} of model {model_id:#x}, found {found}",
                hint="the endpoint lies, or the contracts are of another version of zkml",
            )
        return self._resolve(account, model_id)

    def _resolve(self, account: str, model_id: int | None) -> dict[str, Any]:
        block = self._chain.block()
        history = self._dids.history(account)
        document = did_document(history, self._chain.chain_id, block.timestamp)
        metadata: dict[str, Any] = {"deactivated": is_deactivated(history), "blockNumber": block.number}
        if history.changes:
            metadata["versionId"] = str(history.changes[-1].log.block)
        if model_id is not None:
            self._add_model(document, metadata, history, self._facts(model_id))
        return {
            "didDocument": document,
            "didDocumentMetadata": metadata,
            "didResolutionMetadata": {"contentType": CONTENT_TYPE},
        }

    def _facts(self, model_id: int) -> ModelFacts:
        facts = self._registry.facts(model_id)
        check_model_id(
            model_id,
            facts.publisher,
            facts.commitment,
            chain_id=self._chain.chain_id,
            registry=self._registry.address,
        )
        return facts

    def _add_model(
        self, document: dict[str, Any], metadata: dict[str, Any], history: DidHistory, facts: ModelFacts
    ) -> None:
        """Add what the registry says: who owns the model, where its manifest is, what it is registered as."""
        did, chain_id = document["id"], self._chain.chain_id
        follows_owner = history.owner == history.identity and not metadata["deactivated"]
        metadata["modelId"] = f"{facts.model_id:#066x}"
        metadata["modelStatus"] = facts.status.name
        metadata["controlledByModelOwner"] = follows_owner
        if follows_owner:
            document["controller"] = did_of(chain_id, facts.owner)
            # The account accepts its owner's signatures (ERC-1271).
            method = {
                "id": f"{did}#owner",
                "type": RECOVERY_METHOD,
                "controller": did,
                "blockchainAccountId": f"eip155:{chain_id}:{facts.owner}",
            }
            document["verificationMethod"].append(method)
            document["authentication"].append(method["id"])
            document["assertionMethod"].append(method["id"])
        entry = f"eip155:{chain_id}/erc721:{self._addresses['registry']}/{facts.model_id}"
        document.setdefault("service", []).extend(
            [
                {
                    "id": f"{did}#manifest",
                    "type": "ZkmlManifest",
                    "serviceEndpoint": f"ipfs://{facts.commitment.manifest_cid}",
                },
                {"id": f"{did}#model", "type": "ZkmlModel", "serviceEndpoint": entry},
            ]
        )

    def _account_of(self, model_id: int) -> str:
        return token_account(
            self._chain.chain_id,
            accounts=self._addresses["accounts"],
            implementation=self._addresses["account_implementation"],
            token_contract=self._addresses["registry"],
            token_id=model_id,
        )
