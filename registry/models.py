"""The typed binding of ModelRegistry: registering models, activating them, and what their owners set."""

from eth_account.signers.local import LocalAccount

from registry.model_facts import Genesis, ModelFacts, ModelStatus, Registration
from registry.model_reader import ModelReader
from registry.registration import Offer, plan_registration, register_model
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call, OnSigned, ignore_signed
from zkml.core.identifiers import DerivativeTerms, FeeTerms, ModelCommitment
from zkml.core.progress import Progress, silent

__all__ = ["Genesis", "ModelFacts", "ModelRegistryBinding", "ModelStatus", "Registration"]

_FREE = FeeTerms()
_UNLICENSED = DerivativeTerms()


class ModelRegistryBinding(ModelReader):
    """The registry at an address, to read and to write."""

    def register(
        self,
        account: LocalAccount,
        commitment: ModelCommitment,
        fees: FeeTerms = _FREE,
        derivatives: DerivativeTerms = _UNLICENSED,
        *,
        on_signed: OnSigned = ignore_signed,
        progress: Progress = silent,
    ) -> tuple[int, TransactionReceipt]:
        """Register a model in two transactions; its ERC-721 token goes to the account.

        Interrupted, call again with the same arguments: a commitment that was made and has not lapsed counts.

        Args:
            account: who publishes.
            commitment: what the model is; never changes.
            fees: what it asks for.
            derivatives: what derivatives owe.
            on_signed: called with each signed transaction before it leaves this machine.
            progress: hears of the wait for the commitment's age.

        Returns:
            The model's id, computed here and found in the event, and the receipt.

        Raises:
            NotRegisteredError: the router does not know a circuit.
            TombstonedError: a circuit is tombstoned.
            RegistryError: registered before; circuits that do not belong together; terms that contradict
                themselves; or a field is empty or too long.
            NotOwnerError: the predecessor is another owner's.
            BindingError: the chain gave it another id than we compute.
            TransactionTimeoutError: the chain made too few blocks in time.
            ChainError: see `BoundContract.transact`.
        """
        offer = Offer(commitment, fees, derivatives)
        return register_model(self.contract, account, offer, on_signed=on_signed, progress=progress)

    def plan_registration(
        self,
        account: LocalAccount,
        commitment: ModelCommitment,
        fees: FeeTerms = _FREE,
        derivatives: DerivativeTerms = _UNLICENSED,
    ) -> tuple[Call, ...]:
        """Return the calls that `register` would make, without making them; raises as it does."""
        return plan_registration(self.contract, account, Offer(commitment, fees, derivatives))

    def activate(
        self,
        account: LocalAccount,
        model_id: int,
        circuit_id: bytes,
        packed_output: bytes,
        proof: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """File the genesis proof of one circuit; the last one makes the model PROVEN. Anybody may.

        Raises:
            ProofRejectedError: the proof is not one of the circuit's genesis input and this output.
            RegistryError: it is PROVEN already; the circuit is none of the model's, or its proof was filed
                before; or another model of the same circuit is PROVEN.
            TombstonedError: the circuit is tombstoned.
            NotRegisteredError: no such model.
            ChainError: see `BoundContract.transact`.
        """
        arguments = (model_id, circuit_id, packed_output, proof)
        return self.contract.transact(account, "activate", *arguments, on_signed=on_signed)

    def set_fee_terms(
        self, account: LocalAccount, model_id: int, terms: FeeTerms, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Set what a model asks of jobs and tabs that open from now on; its minimums can only rise.

        Raises:
            NotOwnerError: the account does not own the model.
            RegistryError: a minimum would fall, the fee is below it, or a part is above a half.
            NotRegisteredError: no such model.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "setFeeTerms", model_id, tuple(terms), on_signed=on_signed)

    def set_derivative_terms(
        self,
        account: LocalAccount,
        model_id: int,
        terms: DerivativeTerms,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Set what derivatives declared from now on owe; raises as `set_fee_terms` does."""
        return self.contract.transact(
            account, "setDerivativeTerms", model_id, tuple(terms), on_signed=on_signed
        )

    def set_access(
        self,
        account: LocalAccount,
        model_id: int,
        prover: str,
        *,
        granted: bool,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Let a prover prove a closed model, or no longer; raises as `open_model` does."""
        return self.contract.transact(account, "setAccess", model_id, prover, granted, on_signed=on_signed)

    def open_model(
        self, account: LocalAccount, model_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Open a closed model to every prover, for ever.

        Raises:
            NotOwnerError: the account does not own the model.
            RegistryError: it is open already.
            NotRegisteredError: no such model.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "openModel", model_id, on_signed=on_signed)

    def approve(
        self, account: LocalAccount, spender: str, model_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Let `spender` take one model, e.g. the contract of offerings; the owner may.

        Raises:
            RevertedError: the account does not own the model.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact_repeatable(account, "approve", spender, model_id, on_signed=on_signed)

    def retire(
        self, account: LocalAccount, model_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Retire a PROVEN model, for ever: no new jobs, no claims.

        Raises:
            NotOwnerError: the account does not own the model.
            RegistryError: it is not PROVEN.
            NotRegisteredError: no such model.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "retire", model_id, on_signed=on_signed)

    def create_account(
        self, account: LocalAccount, model_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Create a model's ERC-6551 account, through which its owner acts as the DID's subject."""
        return self.contract.transact_repeatable(account, "createAccount", model_id, on_signed=on_signed)
