"""Does a node prove as fast as bare EZKL: 20 queued jobs, against the same 20 inputs without a chain?"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from eth_account import Account
from eth_account.signers.local import LocalAccount
from onnx import TensorProto, helper, numpy_helper

from benchmarks.machine import describe
from circuits.bundle import Bundle
from circuits.port import CompileRequest
from circuits.srs import SrsStore
from circuits.systems import open_system
from prover_nodes.build import build_node
from prover_nodes.node import Node
from prover_nodes.workers.count import proofs_at_once
from verifier_contracts.deploy import deploy_core
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.store.directory import DirectoryStore
from zkml.config.settings import Settings
from zkml.core.market_identifiers import JobSpec
from zkml.core.tensors import input_commitment, unpack_input
from zkml.publish.publication import publish
from zkml.wiring import Market, bind

JOBS = 20
SIZES = (64, 512, 10)
LEAST_RATIO = 0.95
LEAST_PROVE_SECONDS = 4.0
CACHE = Path(tempfile.gettempdir()) / "zkml-benchmarks" / "-".join(map(str, SIZES))
ONE_TOKEN = 1_000_000

# Imports EZKL and nothing of this project; the first witness and proof warm it up and are not counted.
BARE = """
import json, sys, time
import ezkl
given = json.load(sys.stdin)
def once(elements):
    began = time.perf_counter()
    tensors = [[(number % given["modulus"]).to_bytes(32, "little").hex() for number in elements]]
    ezkl.gen_witness(json.dumps({"input_data": tensors}), given["compiled"], given["witness"])
    witnessed = time.perf_counter()
    ezkl.prove(given["witness"], given["compiled"], given["key"], given["proof"], given["srs"])
    return witnessed - began, time.perf_counter() - witnessed
once(given["inputs"][0])
began = time.perf_counter()
used = time.process_time()
stages = [once(elements) for elements in given["inputs"]]
found = {"seconds": time.perf_counter() - began, "used": time.process_time() - used, "stages": stages}
print(json.dumps(found), file=sys.stderr)
"""
BN254_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617


@dataclass(frozen=True)
class Took:
    """What a number of inputs took: wall time, and time of all processors together."""

    seconds: float
    processor_seconds: float
    witness: float = 0.0
    prove: float = 0.0


def processor_seconds() -> float:
    """Return the processor time of this process and of all children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write_model(path: Path) -> Path:
    """Write an ONNX model of matrix products, each followed by a ReLU."""
    draw = np.random.default_rng(11)
    nodes, weights, last = [], [], "input"
    for number, (inputs, outputs) in enumerate(itertools.pairwise(SIZES)):
        matrix = (draw.normal(size=(inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"weights{number}"))
        nodes.append(helper.make_node("MatMul", [last, f"weights{number}"], [f"product{number}"]))
        last = "output" if number == len(SIZES) - 2 else f"layer{number}"
        nodes.append(helper.make_node("Relu", [f"product{number}"], [last]))
    shapes = [[1, SIZES[0]], [1, SIZES[-1]]]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(("input", "output"), shapes, strict=True)
    ]
    graph = helper.make_graph(nodes, "wide", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def open_bundle() -> Bundle:
    """Return the circuit, compiled once a machine."""
    target = CACHE / "bundle"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(3).uniform(-1, 1, size=(8, SIZES[0])).astype(np.float32)
        open_system("ezkl").compile(
            CompileRequest(
                name="wide",
                onnx=write_model(CACHE / "model.onnx"),
                calibration=samples,
                target=target,
                srs=SrsStore(CACHE / "srs"),
                domain=(-1.0, 1.0),
            )
        )
    return Bundle.open(target)


def pack_inputs(bundle: Bundle) -> list[bytes]:
    """Return the inputs of the jobs."""
    system, draw = open_system("ezkl"), np.random.default_rng(5)
    rows = draw.uniform(-1, 1, size=(JOBS, SIZES[0])).astype(np.float32)
    return [system.quantize_input(bundle, row) for row in rows]


def run_bare(bundle: Bundle, inputs: list[bytes], folder: Path) -> Took:
    """Witness and prove inputs one after the other, in one warm process of EZKL alone."""
    return _took(_start_bare(bundle, inputs, folder, "bare"))


def run_bare_at_once(bundle: Bundle, inputs: list[bytes], folder: Path, processes: int) -> float:
    """Return the seconds that bare EZKL takes in several processes at once, their warm-up left out."""
    running = [
        _start_bare(bundle, inputs[number::processes], folder, f"bare-{number}")
        for number in range(processes)
    ]
    return max(_took(bare).seconds for bare in running)


def _start_bare(bundle: Bundle, inputs: list[bytes], folder: Path, name: str) -> "subprocess.Popen[str]":
    given = {
        "compiled": str(bundle.file("compiled_circuit")),
        "key": str(bundle.file("proving_key")),
        "srs": str(bundle.file("srs")),
        "witness": str(folder / f"{name}.witness.json"),
        "proof": str(folder / f"{name}.proof.json"),
        "modulus": BN254_MODULUS,
        "inputs": [list(unpack_input(bundle.manifest.tensor_layout, packed)) for packed in inputs],
    }
    pipe = subprocess.PIPE
    running = subprocess.Popen(
        [sys.executable, "-c", BARE], stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True
    )
    assert running.stdin is not None
    running.stdin.write(json.dumps(given))
    running.stdin.close()
    return running


def _took(running: "subprocess.Popen[str]") -> Took:
    assert running.stderr is not None
    words = running.stderr.read()
    if running.wait():
        raise SystemExit(f"expected bare EZKL to prove, found: {words}")
    found = json.loads(words.splitlines()[-1])
    stages = np.array(found["stages"])
    witness, prove = stages.mean(axis=0)
    return Took(found["seconds"], found["used"], float(witness), float(prove))


@dataclass(frozen=True)
class Bench:
    """A chain with a published model, its requester and its prover."""

    market: Market
    account: LocalAccount
    prover: LocalAccount
    model_id: int
    circuit_id: bytes

    def open(self, packed: bytes) -> bytes:
        """Open a job that leaves time for all of them."""
        manager, chain = self.market.manager, self.market.chain
        spec = JobSpec(
            model_id=self.model_id,
            circuit_id=self.circuit_id,
            input_commitment=input_commitment(packed),
            input_uri="",
            min_prover_fee=ONE_TOKEN,
            max_prover_fee=ONE_TOKEN,
            max_total=10 * ONE_TOKEN,
            ramp_seconds=0,
            claim_seconds=3600,
            deadline=chain.now() + 7200,
        )
        job_id, _ = manager.open(self.account, spec, packed)
        return job_id


def prepare(chain: Chain, bundle: Bundle, folder: Path) -> Bench:
    """Deploy everything, publish the model, and fund a prover."""
    account = dev_account(chain.chain_id)
    market = bind(chain, deploy_core(chain, account, folder=folder / "deployments"))
    prover: LocalAccount = Account.create()
    chain.send_once("anvil_setBalance", [prover.address, hex(10**20)])
    market.token.mint(account, prover.address, 1000 * ONE_TOKEN)
    market.token.mint(account, account.address, 1000 * ONE_TOKEN)
    market.token.approve(account, market.ledger.address, 1000 * ONE_TOKEN)
    published = publish(
        market,
        account,
        bundle,
        open_system("ezkl"),
        store=DirectoryStore(folder / "store"),
        cache_dir=folder / "verifiers",
        scratch=folder / "scratch",
    )
    return Bench(market, account, prover, published.model_id, published.circuit.circuit_id)


def start_node(bench: Bench, bundle: Bundle, folder: Path) -> Node:
    """Return a node with the settings of a plain installation, and stake for all claims."""
    settings = Settings()
    return build_node(
        account=bench.prover,
        market=bench.market,
        bundles=[bundle],
        store=DirectoryStore(folder / "store"),
        journal=folder / "journal.sqlite",
        work=folder / "work",
        verifiers=folder / "verifiers",
        prover=replace(settings.prover, max_stake=1000 * ONE_TOKEN),
        chain=settings.chain,
        measurements=folder / "measurements.json",
    )


def run_node(bench: Bench, bundle: Bundle, inputs: list[bytes], folder: Path) -> Took:
    """Serve queued jobs, from the first look at the market to the last settlement."""
    node = start_node(bench, bundle, folder)
    with node:
        # The node gets to know the circuit, as bare EZKL does.
        node.run_once([bench.open(inputs[0])]).raise_first_error()
        for packed in inputs:
            bench.open(packed)
        used, began = processor_seconds(), time.perf_counter()
        report = node.run_once()
        seconds = time.perf_counter() - began
        report.raise_first_error()
    if len(report.settled) != len(inputs):
        raise SystemExit(f"expected {len(inputs)} settled jobs, found {report.as_json()}")
    return Took(seconds, processor_seconds() - used)


def main() -> None:
    """Run bare EZKL before and after the node, each time with half of the inputs, and print the ratio."""
    print(describe())
    bundle = open_bundle()
    inputs = pack_inputs(bundle)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Anvil.start(folder / "chain") as anvil, Chain(anvil.endpoint) as chain:
            bench = prepare(chain, bundle, folder)
            halves = [run_bare(bundle, inputs[: JOBS // 2], folder)]
            node = run_node(bench, bundle, inputs, folder)
            halves.append(run_bare(bundle, inputs[JOBS // 2 :], folder))
            at_once = proofs_at_once(Settings().prover)
            crowded = run_bare_at_once(bundle, inputs, folder, at_once)
    seconds, bare = node.seconds, sum(half.seconds for half in halves)
    bare_used = sum(half.processor_seconds for half in halves)
    prove = sum(half.prove for half in halves) / 2
    witness = sum(half.witness for half in halves) / 2
    print(f"circuit: 2^{bundle.manifest.srs.logrows} rows, {bundle.manifest.proof_bytes} bytes of proof")
    print(f"bare EZKL, witness + prove: {witness:.2f} + {prove:.2f} s each, {bare:.1f} s for {JOBS}")
    print(f"the two halves of it: {halves[0].seconds:.1f} and {halves[1].seconds:.1f} s")
    print(f"node, from open to settled: {seconds:.1f} s for {JOBS}, {3600 * JOBS / seconds:.0f} jobs an hour")
    verdict = "met" if bare / seconds >= LEAST_RATIO else "missed"
    print(f"node's throughput / bare: {bare / seconds:.3f} (at least {LEAST_RATIO} asked: {verdict})")
    print(
        f"node's throughput / bare EZKL in {at_once} processes at once, as the node proves: "
        f"{crowded / seconds:.3f} ({crowded:.1f} s for {JOBS})"
    )
    print(f"processor time of the node / bare: {node.processor_seconds / bare_used:.3f}")
    if prove < LEAST_PROVE_SECONDS:
        print(f"note: a proof took {prove:.2f} s; the question is about {LEAST_PROVE_SECONDS:g} s or more")


if __name__ == "__main__":
    main()
