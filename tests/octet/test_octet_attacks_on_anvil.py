"""The forgeries and false statements of these tests against a real node: through factory, router and adapter, with
the gas that the router gives. Stolen contexts are in `test_octet_settlements`."""

import random
from contextlib import closing

import forgeries
import pytest
from careless_contract import CALLERS
from evm_verifier import packed, tensors
from forged_messages import FORGED
from forgeries import forgery
from octet_attacks import Bench
from octet_programs import convolutions, maxima, pools_and_views

from circuits.octet.chain.chain_key import chain_key_words
from circuits.octet.chain.instructions import Instruction, Op, Section, Slot
from circuits.octet.proof_length import words_to_bytes
from circuits.octet.spec import curve
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_core
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.core.identifiers import VerifierClass
from zkml.errors import DomainError, ProofRejectedError

pytestmark = pytest.mark.integration

DEPLOYER = dev_account(31337)
FACTORY = "OctetSharedVerifierFactory"
GAS_LIMIT = 900_000
SYSTEM = keccak256(b"a proof system of these tests")[:4]


class OnChain:
    """Circuits of these tests' programs behind the router of a real node."""

    def __init__(self, market):
        self.market, self.circuits = market, {}

    def circuit(self, bench, key=None, words=None):
        """Return the id of a bench's circuit, added with the first question."""
        verifying = (key or bench.key).verifying
        place = (id(verifying), tuple(words or ()))
        if place not in self.circuits:
            layout, domain, zero = tensors(bench.program)
            words = words or chain_key_words(verifying, bench.key.srs.tau_g2, layout, domain, zero)
            terms = (bytes(32), SYSTEM, layout.as_abi(), domain.as_abi(), GAS_LIMIT, VerifierClass.LOCAL)
            call = ("storeKeyAndAddCircuit", self.market.router.address, list(words), terms)
            factory = BoundContract(
                self.market.chain, load_artifact(FACTORY), self.market.deployment.verifiers.address
            )
            added = bytes(factory.simulate(DEPLOYER.address, *call))
            factory.transact(DEPLOYER, *call)
            # The key is kept beside its circuit, so that its identity stays its own.
            self.circuits[place] = added, verifying
        return self.circuits[place][0]

    def accepts(self, bench, words, claim=None, key=None):
        """Whether the router takes words for a proof of a claim; whatever else it says is an error."""
        claim = claim or bench.statement
        data, output = packed(bench.program, claim)
        try:
            circuit = self.circuit(bench, key)
            self.market.router.verify(circuit, claim.context, data, output, words_to_bytes(words))
        except (ProofRejectedError, DomainError):
            return False
        return True


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    with Anvil.start(folder / "chain") as node, closing(Chain(node.endpoint)) as endpoint:
        yield OnChain(wiring.bind(endpoint, deploy_core(endpoint, DEPLOYER, folder=folder)))


NETWORKS = {
    "dense": forgeries.dense,
    "table": forgeries.table,
    "maximum": forgeries.maximum,
    "index": forgeries.index,
    "convolutions": lambda: Bench(convolutions()),
    "pools and views": lambda: Bench(pools_and_views()),
    "maxima": lambda: Bench(maxima()),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network__on_a_real_chain__is_accepted_as_it_is_and_in_no_other_form(name, chain):
    """Every ninth word plus one, zeroed, plus r and random; a point off the curve; longer and shorter; another context."""
    rng, bench = random.Random(name), NETWORKS[name]()
    words = bench.prove()
    assert chain.accepts(bench, words)
    others = [(*words, 0), words[:-1], (1, 1, *words[2:]), (curve.Q, *words[1:])]
    for place in range(0, len(words), 9):
        for value in (words[place] + 1, 0, words[place] + R, rng.randrange(R)):
            others.append((*words[:place], value, *words[place + 1 :]))
    assert not any(chain.accepts(bench, each) for each in others if each != words)
    lie = bench.false_statement()
    assert not chain.accepts(bench, words, lie)
    assert not chain.accepts(bench, bench.prove(claim=lie), lie)


KINDS = sorted({check.partition("[")[0] for check in FORGED} - set(CALLERS))
"""One forgery of each kind: of the rounds' messages the first, and none that a call cannot hold."""


def test_forgery__of_every_kind__is_refused_by_the_real_router(chain):
    """What passes for want of one check passes nowhere on a chain; the statement's input domain is the router's check."""
    made = {kind: forgery(next(name for name in FORGED if name.partition("[")[0] == kind)) for kind in KINDS}
    taken = [
        kind for kind, each in made.items() if chain.accepts(each.bench, each.words, each.claim, each.key)
    ]
    assert taken == []


def test_key_of_a_stranger__that_loops__ends_with_the_circuits_gas(chain):
    """A plan of 2^32 products a step: the router refuses, having spent no more than the circuit's limit says."""
    bench = forgeries.dense()
    words = bench.prove()
    data, output = packed(bench.program, bench.statement)
    circuit = chain.circuit(bench, words=endless(bench))
    proof = (circuit, bench.statement.context, data, output, words_to_bytes(words))
    router = chain.market.router
    with pytest.raises(ProofRejectedError):
        router.verify(*proof)
    assert chain.accepts(bench, words)


def endless(bench):
    """Return the words of a key whose plan begins with sums of 2^32 terms."""
    words = list(chain_key_words(bench.key.verifying, bench.key.srs.tau_g2, *tensors(bench.program)))
    data, start = bytearray(b"".join(words)), int.from_bytes(words[2], "big") >> 112 & 0xFFFF
    step = Instruction(Op.INNER, (slot(300), slot(0), 65535, slot(0), 65535, slot(0)))
    code = step.encode(lambda each: each.index)
    data[start : start + len(code)] = code
    return [bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


def slot(number):
    return Slot(Section.CONSTANT, number)
