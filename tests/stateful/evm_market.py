"""The market's real contracts in an EVM of this process: no node, and a clock that the test sets."""

import re

import pyrevm
from eth_utils.address import to_checksum_address

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.ceremonies import PUBLIC_CEREMONIES
from verifier_contracts.contract_errors import known_reverts
from verifier_contracts.deploy_contract import creation_address, creation_code
from verifier_contracts.terms import JobTerms, PlatformTerms, default_offering_rules
from zkml.adapters.evm import abi
from zkml.core.digests import keccak256
from zkml.core.identifiers import (
    CircuitSpec,
    DerivativeTerms,
    FeeTerms,
    ModelCommitment,
    VerifierClass,
    proof_system_id,
)
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain, TensorLayout, pack
from zkml.errors import RevertedError

CHAIN_ID = 31337
START = 1_800_000_000
LAYOUT = TensorLayout(input_count=3, input_bytes=2, output_count=1, output_bytes=4)
INPUT = pack([1, 2, 3], LAYOUT.input_bytes)
OUTPUT = pack([7], LAYOUT.output_bytes)
PROOF = b"any proof"
HOLIDAYS = [20_836, 20_864]
"""The two federal holidays after START, which is a Friday midnight on the Pacific coast."""
REVERTED = re.compile(r"output: 0x([0-9a-f]*)")
ACCEPTS_ALL = b"\x00"  # one STOP: an adapter that accepts whatever it is given


def actor(number):
    """Return the address of one of the actors."""
    return str(to_checksum_address(number.to_bytes(20, "big")))


DEPLOYER, TREASURY, GUARDIAN = actor(0xD0), actor(0x7E), actor(0x6A)


class EvmMarket:
    """Everything deployed, one proven model, and calls by anybody at any time."""

    def __init__(self, terms=None, platform=None, fees=None):
        self.terms = terms or JobTerms()
        self.rules = default_offering_rules(is_local=True)
        self.names = dict(NAMES)
        self.now, self.height = START, 1
        self._evm = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), spec_id="CANCUN")
        self._tick()
        self.addresses = {}
        self._deploy(platform or PlatformTerms())
        self.model_id, self.circuit_id = self.add_model("a model", fees or FeeTerms())

    def pass_time(self, seconds):
        """Let time pass, which mines a block."""
        self.now, self.height = self.now + seconds, self.height + 1
        self._tick()

    def send(self, sender, contract, function, *arguments):
        """Call as `sender` and keep the effects; raises `RevertedError` with the error's name."""
        return self._call(sender, contract, function, arguments, is_static=False)

    def read(self, contract, function, *arguments):
        """Call a view."""
        return self._call(DEPLOYER, contract, function, arguments, is_static=True)

    def fund(self, account, amount, spender):
        """Give an account tokens, which a contract may take."""
        self.send(DEPLOYER, "token", "mint", account, amount)
        self.send(account, "token", "approve", self.addresses[spender], amount)

    def enroll(self, prover, stake):
        """Register a prover with a stake."""
        self.fund(prover, stake, "provers")
        self.send(prover, "provers", "register", "", [proof_system_id("all-v1")])
        self.send(prover, "provers", "stake", prover, stake)

    def bind(self, name, artifact, address):
        """Give a contract that another one made a name."""
        self.names[name], self.addresses[name] = artifact, address

    def snapshot(self):
        """Return what `restore` takes."""
        return self._evm.snapshot(), self.now, self.height

    def restore(self, kept):
        """Go back to a snapshot."""
        checkpoint, self.now, self.height = kept
        self._evm.revert(checkpoint)
        self._tick()

    def _tick(self):
        self._evm.set_block_env(pyrevm.BlockEnv(number=self.height, timestamp=self.now, gas_limit=60_000_000))

    def _call(self, sender, contract, function, arguments, *, is_static):
        artifact = load_artifact(self.names[contract])
        entry = abi.function(artifact.abi, function, len(arguments))
        self._evm.reset_transient_storage()
        try:
            data = self._evm.message_call(
                sender,
                self.addresses[contract],
                calldata=abi.encode_call(entry, arguments),
                gas=16_000_000,
                is_static=is_static,
            )
        except RuntimeError as error:
            output = REVERTED.search(str(error))
            data = from_hex(output[1]) if output else b""
            raise known_reverts().error(data, f"{contract}.{function}") from error
        values = abi.decode_values(entry.outputs, bytes(data), function)
        return values[0] if len(values) == 1 else values

    def _deploy(self, platform):
        first = self._evm.basic(DEPLOYER).nonce
        names = list(NAMES)
        self.addresses = {
            name: creation_address(DEPLOYER, first + position) for position, name in enumerate(names)
        }
        at = self.addresses
        caps = PlatformTerms(fee_ppm=100_000, flat_fee="1000000")
        arguments = {
            "admin": (DEPLOYER, TREASURY, GUARDIAN, platform.as_abi(), caps.as_abi()),
            "router": (at["admin"], PUBLIC_CEREMONIES),
            "registry": (at["router"], at["ledger"], at["accounts"], at["account"], 1, 1000),
            "lineage": (at["registry"],),
            "provers": (at["token"], at["manager"], at["admin"], 3600),
            "calendar": (at["admin"], HOLIDAYS),
            "pools": (actor(0),),
            "ledger": (at["token"], at["manager"], at["offerings"], at["lineage"], at["admin"]),
            "manager": (at["ledger"], at["provers"], self.terms.as_abi()),
            "offerings": (
                at["ledger"],
                at["calendar"],
                at["share_tokens"],
                at["pools"],
                self.rules.as_abi(),
            ),
        }
        for name in names:
            code = creation_code(load_artifact(NAMES[name]), arguments.get(name, ()))
            found = to_checksum_address(self._evm.deploy(DEPLOYER, code))
            assert found == at[name], name

    def add_model(self, name, fees, parts=(), parents=(), key_commitment=bytes(32)):
        """Register and prove a model, with parts of its income and declared parents (id, rate)."""
        circuit_id = self.send(DEPLOYER, "router", "add", self._spec(name).as_abi())
        digests = [keccak256(part) for part in (b"onnx", b"settings", b"manifest")]
        commitment = ModelCommitment(
            (circuit_id,), *digests, bytes(32), key_commitment, 0, "bafkreitest", name, "MIT"
        )
        asked = (tuple(commitment), tuple(fees), tuple(DerivativeTerms()))
        hashed = self.read("registry", "commitmentHash", DEPLOYER, *asked, bytes(32))
        self.send(DEPLOYER, "registry", "commit", hashed)
        self.pass_time(24)
        self.pass_time(24)
        model_id = self.send(DEPLOYER, "registry", "register", *asked, bytes(32))
        if parts:
            self.send(DEPLOYER, "ledger", "fixParts", model_id, list(parts))
        if parents:
            self.send(DEPLOYER, "lineage", "declare", model_id, list(parents), 500_000)
        self.send(DEPLOYER, "registry", "activate", model_id, circuit_id, OUTPUT, PROOF)
        return model_id, circuit_id

    def _spec(self, name):
        adapter = actor(int.from_bytes(keccak256(name.encode())[:8], "big"))
        self._evm.insert_account_info(adapter, pyrevm.AccountInfo(nonce=1, code=ACCEPTS_ALL))
        return CircuitSpec(
            adapter=adapter,
            adapter_code_hash=keccak256(ACCEPTS_ALL),
            verifying_key_digest=keccak256(b"key"),
            weight_commitment=bytes(32),
            proof_system_id=proof_system_id("all-v1"),
            layout=LAYOUT,
            domain=InputDomain(minimum=-300, maximum=700),
            gas_limit=200_000,
            verifier_class=VerifierClass.LOCAL,
        )


NAMES = {
    "admin": "ProtocolAdmin",
    "router": "VerifierRouter",
    "token": "LocalPaymentToken",
    "accounts": "ERC6551Registry",
    "account": "ERC6551Account",
    "registry": "ModelRegistry",
    "lineage": "LineageRegistry",
    "provers": "ProverRegistry",
    "ledger": "RevenueLedger",
    "manager": "JobManager",
    "calendar": "BusinessCalendar",
    "pools": "UniswapV2Factory",
    "share_tokens": "ModelTokenFactory",
    "offerings": "InitialModelOffering",
}


def error_name(error: RevertedError) -> str:
    """Return the name of the contract's error."""
    revert = error.context.get("revert")
    return revert.name if revert is not None else ""
