"""When is which verifier cheaper: one generated for a circuit, or the chain's shared one?"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.machine import describe
from circuits.bundle import Bundle
from circuits.port import CompileRequest, ProofSystem
from circuits.sample import prove_sample
from circuits.srs import SrsStore
from circuits.systems import open_system
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import deploy_contract, deploy_core
from verifier_contracts.router import VerifierRouter
from verifier_contracts.shared_verifier import add_shared_circuit, deploy_shared_verifier
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.circuit_verifiers import MadeGenerated, MadeShared, make_generated, make_shared
from zkml.core.identifiers import VerifierClass
from zkml.core.records import from_hex
from zkml.publish.verifiers import terms_for

SHAPES = ((4, 3), (64, 10), (784, 10))
"""Inputs and outputs of the linear layers that are measured: 7, 74 and 794 instances."""
GAS_LIMIT = 12_000_000
_HEADERS = False
"""Blocks with the hashes of their transactions only."""


@dataclass(frozen=True)
class Costs:
    """Gas of transactions for one circuit, and of one verification of it by either verifier."""

    instances: int
    shared_once: int
    generated_add: int
    generated_next: int
    shared_first: int
    shared_next: int
    generated_verify: int
    shared_verify: int


def write_layer(path: Path, inputs: int, outputs: int) -> Path:
    """Write an ONNX model of one linear layer and a ReLU."""
    weights = (np.random.default_rng(7).normal(size=(inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["input", "weights"], ["product"]),
            helper.make_node("Relu", ["product"], ["output"]),
        ],
        "layer",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


class Bench:
    """A local chain with all contracts, and what its transactions cost."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        self.chain = chain
        self.folder = folder
        self.account = dev_account(chain.chain_id)
        self.deployment = deploy_core(chain, self.account, folder=folder)
        self.router = VerifierRouter(chain, self.deployment.router.address)

    def gas_of(self, transaction: str | None) -> int:
        """Return what a transaction used."""
        assert transaction is not None
        receipt = self.chain.receipt(transaction)
        assert receipt is not None
        return receipt.gas_used

    def add_generated(self, bundle: Bundle, made: MadeGenerated) -> tuple[int, int]:
        """Deploy verifier and adapter and add the circuit; return the gas with and without the verifier."""
        verifier = deploy_contract(self.chain, self.account, made.artifact)
        layout, weights = bundle.manifest.tensor_layout, bundle.manifest.weight_commitment
        adapter = deploy_contract(
            self.chain,
            self.account,
            load_artifact("EzklVerifier"),
            (verifier.address, layout.as_abi(), weights),
        )
        terms = terms_for(bundle, made.expected, GAS_LIMIT, VerifierClass.LOCAL)
        _, receipt = self.router.add(self.account, terms.spec(adapter.address, from_hex(adapter.code_hash)))
        rest = self.gas_of(adapter.transaction) + receipt.gas_used
        return self.gas_of(verifier.transaction) + rest, rest

    def add_shared(self, bundle: Bundle, made: MadeShared) -> tuple[int, int, int]:
        """Add the circuit twice, the second time with other weights; return the gas of once, first, next."""
        before = self.chain.height()
        expected = made.expected
        shared = deploy_shared_verifier(
            self.chain, self.account, self.deployment, expected.system, made.inner, folder=self.folder
        )
        once = self.spent_since(before)
        terms = terms_for(bundle, expected, GAS_LIMIT, VerifierClass.LOCAL)
        spent = []
        for weights in (terms.weight_commitment, b"\x01" * 32):
            changed = replace(terms, weight_commitment=weights)
            _, receipt = add_shared_circuit(self.account, self.router, shared, expected.key, changed)
            assert receipt is not None
            spent.append(receipt.gas_used)
        return once, spent[0], spent[1]

    def spent_since(self, block: int) -> int:
        """Return the gas of all blocks after `block`; nobody else uses this chain."""
        numbers = range(block + 1, self.chain.height() + 1)
        return sum(
            int(self.chain.request("eth_getBlockByNumber", hex(number), _HEADERS)["gasUsed"], 16)
            for number in numbers
        )


def measure(bench: Bench, system: ProofSystem, bundle: Bundle) -> Costs:
    """Add a circuit in both ways and verify one real proof with both verifiers."""
    generated = make_generated(bundle, cache_dir=bench.folder)
    shared = make_shared(bundle, cache_dir=bench.folder)
    proof = prove_sample(bundle, system, scratch=bench.folder)
    claim = {
        "packed_input": from_hex(proof.input),
        "packed_output": from_hex(proof.output),
        "proof": from_hex(proof.proof),
    }
    generated_add, generated_next = bench.add_generated(bundle, generated)
    once, first, following = bench.add_shared(bundle, shared)
    layout = bundle.manifest.layout
    return Costs(
        instances=layout.input_count + layout.output_count,
        shared_once=once,
        generated_add=generated_add,
        generated_next=generated_next,
        shared_first=first,
        shared_next=following,
        generated_verify=generated.expected.verify(**claim).adapter,
        shared_verify=shared.expected.verify(**claim).adapter,
    )


def break_even(saved: int, extra: int) -> str:
    """Return after how many settlements the generated verifier is the cheaper one."""
    if saved <= 0:
        return "0"
    return f"{saved / extra:.0f}" if extra > 0 else "never"


def report(costs: list[Costs]) -> None:
    """Print one line a circuit: gas to add it, gas to verify, and where the lines cross."""
    once = max(entry.shared_once for entry in costs)
    saved = min(entry.generated_add - entry.shared_first for entry in costs)
    print(
        f"shared verifier and factory, once a chain: {once:,} gas, paid back by {-(-once // saved)} circuits"
    )
    print("gas to add a circuit: of a new architecture | further weights of a known architecture")
    print(f"{'instances':>9}{'generated':>12}{'shared':>10} |{'generated':>10}{'shared':>9}")
    for entry in costs:
        print(
            f"{entry.instances:>9}{entry.generated_add:>12,}{entry.shared_first:>10,} |"
            f"{entry.generated_next:>10,}{entry.shared_next:>9,}"
        )
    print("gas to verify a proof (execution; calldata is the same), and how many settlements of a circuit of")
    print("a new architecture | of further weights it takes until the generated verifier is the cheaper one")
    print(f"{'instances':>9}{'generated':>12}{'shared':>10}{'extra':>9}{'new':>8} |{'further':>9}")
    for entry in costs:
        extra = entry.shared_verify - entry.generated_verify
        new = break_even(entry.generated_add - entry.shared_first, extra)
        further = break_even(entry.generated_next - entry.shared_next, extra)
        print(
            f"{entry.instances:>9}{entry.generated_verify:>12,}{entry.shared_verify:>10,}{extra:>9,}"
            f"{new:>8} |{further:>9}"
        )


def main() -> None:
    """Compile three circuits, add each in both ways on a local node, and print the table."""
    print(describe())
    system = open_system("ezkl")
    costs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = np.random.default_rng(3)
        with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
            bench = Bench(chain, folder)
            for inputs, outputs in SHAPES:
                request = CompileRequest(
                    name=f"layer-{inputs}",
                    onnx=write_layer(folder / f"{inputs}.onnx", inputs, outputs),
                    calibration=samples.uniform(-1, 1, size=(8, inputs)).astype(np.float32),
                    target=folder / f"layer-{inputs}",
                    srs=SrsStore(folder / "srs"),
                    domain=(-1.0, 1.0),
                )
                costs.append(measure(bench, system, system.compile(request)))
    report(costs)
