"""Reading a proved output on a real chain: an endpoint that lies, and every way in which a job is settled."""

import dataclasses
from collections.abc import Iterator

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, LAYOUT, ONE_TOKEN, Forwarder, example_input, proof_of
from client_lab import INPUT, LOCAL, Lab, start_lab

from marketplace.jobs import Settlement
from verifier_contracts.artifacts import load_artifact
from zkml import wiring
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import Log, Transaction
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.client import checked_commitment, read_output
from zkml.client.models import check_model
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass, circuit_id, model_id
from zkml.core.job_machine import JobStatus
from zkml.core.tensors import pack
from zkml.errors import (
    BindingError,
    ProofRejectedError,
    TombstonedError,
    VerificationError,
    VerifierMismatchError,
)

pytestmark = pytest.mark.integration

OTHER_INPUT = example_input(7)
OTHER_OUTPUT = pack([9, 10], LAYOUT.output_bytes)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("client")) as lab:
        yield lab


# --- the ways of settling -------------------------------------------------------------------------


def two_jobs(lab, prover=None):
    """Open two jobs of different inputs and claim both."""
    jobs = [lab.open().job_id, lab.open(packed_input=OTHER_INPUT).job_id]
    for job in jobs:
        lab.market.manager.claim(prover or lab.prover, job)
    return jobs


def test_read__settled_in_one_call_with_others__each_job_its_own_output(lab):
    """Of several proofs in one transaction each job's is verified, and no other's output is returned."""
    first, second = two_jobs(lab)
    pairs = ((first, INPUT, EXAMPLE_OUTPUT), (second, OTHER_INPUT, OTHER_OUTPUT))
    lab.market.manager.settle_many(
        lab.prover, [Settlement(job, given, out, proof_of(given, out)) for job, given, out in pairs]
    )
    outputs = [read_output(lab.market, job, accepted_classes=LOCAL) for job in (first, second)]
    assert [output.packed for output in outputs] == [EXAMPLE_OUTPUT, OTHER_OUTPUT]
    assert [output.jobs_of_proof for output in outputs] == [1, 1]
    assert outputs[0].transaction == outputs[1].transaction


def batch_of_two():
    """Return input, output and proof of both jobs at once."""
    given, out = INPUT + OTHER_INPUT, EXAMPLE_OUTPUT + OTHER_OUTPUT
    return given, out, proof_of(given, out)


def test_read__settled_by_one_proof_for_two_jobs__each_job_its_own_slice(lab):
    """A batch proof is verified whole, by a circuit of the model, and cut at the job's place."""
    jobs = two_jobs(lab)
    lab.market.manager.settle_batch(lab.prover, jobs, lab.built.batch_circuit_id, batch_of_two())
    outputs = [read_output(lab.market, job, accepted_classes=LOCAL) for job in jobs]
    assert [output.packed for output in outputs] == [EXAMPLE_OUTPUT, OTHER_OUTPUT]
    assert {output.circuit_id for output in outputs} == {lab.built.batch_circuit_id}
    assert {output.jobs_of_proof for output in outputs} == {2}


def test_read__settled_by_a_contract__proof_found_in_the_event(lab):
    """A prover may be a contract: single or batch, what it proved is found in the receipt and verified."""
    market, contract = lab.market, Forwarder(lab.market.chain)
    stake = 10 * ONE_TOKEN
    market.token.mint(lab.built.deployer, contract.address, stake)
    contract.call(market.token.contract, "approve", market.provers.address, stake)
    contract.call(market.provers.contract, "register", "", [lab.built.spec.proof_system_id])
    contract.call(market.provers.contract, "stake", contract.address, stake)
    jobs = [lab.open().job_id, lab.open().job_id, lab.open(packed_input=OTHER_INPUT).job_id]
    for job in jobs:
        contract.call(market.manager.contract, "claim", job)
    single = (jobs[0], INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))
    contract.call(market.manager.contract, "settle", *single)
    contract.call(
        market.manager.contract, "settleBatch", jobs[1:], lab.built.batch_circuit_id, *batch_of_two()
    )
    outputs = [read_output(market, job, accepted_classes=LOCAL) for job in jobs]
    assert [output.packed for output in outputs] == [EXAMPLE_OUTPUT, EXAMPLE_OUTPUT, OTHER_OUTPUT]
    assert [output.jobs_of_proof for output in outputs] == [1, 2, 2]
    assert {output.prover for output in outputs} == {contract.address}


def test_read__settled_in_grace_by_the_claimer_before__its_output_and_its_name(lab):
    """Who came late but in time is the prover that was paid, and the one a proof is bound to."""
    with lab.afterwards_undone():
        opened = lab.open(claim_seconds=60)
        lab.market.manager.claim(lab.prover, opened.job_id)
        pass_time(lab.market.chain, 100)
        lab.market.manager.reclaim(lab.built.enrolled(), opened.job_id)
        proof = proof_of(INPUT, EXAMPLE_OUTPUT)
        lab.market.manager.settle(lab.prover, opened.job_id, INPUT, EXAMPLE_OUTPUT, proof)
        output = read_output(lab.market, opened.job_id, accepted_classes=LOCAL)
        assert (output.prover, output.packed) == (lab.prover.address, EXAMPLE_OUTPUT)


def test_read__circuit_tombstoned_since__refused(lab):
    """A proof of a circuit that is not trusted any more proves nothing, however well it verifies."""
    opened = lab.open()
    lab.settle(opened.job_id)
    with lab.afterwards_undone():
        lab.market.router.tombstone(lab.built.deployer, lab.built.circuit_id, "key leaked")
        with pytest.raises(TombstonedError, match="key leaked"):
            read_output(lab.market, opened.job_id, accepted_classes=LOCAL)
    assert read_output(lab.market, opened.job_id, accepted_classes=LOCAL).packed == EXAMPLE_OUTPUT


# --- endpoints that lie ---------------------------------------------------------------------------


class LyingChain(Chain):
    """An endpoint that tells another output or proof, in event and calldata alike, or other code."""

    def __init__(self, endpoint, *, lies=None, other_code=("", b"")):
        self.lies, self.other_code = lies or {}, other_code
        super().__init__(endpoint)

    def transaction(self, transaction):
        found = super().transaction(transaction)
        entry = abi.function(load_artifact("JobManager").abi, "settle")
        if found is None or found.data[:4] != entry.selector:
            return found
        arguments = abi.decode_calldata(entry, found.data) | self.lies
        return dataclasses.replace(found, data=abi.encode_call(entry, list(arguments.values())))

    def logs(self, address, topics, **options):
        entry = abi.event(load_artifact("JobManager").abi, "JobSettled")
        for log in super().logs(address, topics, **options):
            yield self._lie(log, entry) if log.topics[0] == entry.topic else log

    def code(self, account):
        address, code = self.other_code
        return code if account == address else super().code(account)

    def _lie(self, log, entry):
        values = abi.decode_log(entry, log).arguments
        if "output" in self.lies:
            values["output"] = self.lies["output"]
        if "proof" in self.lies:
            values["proofDigest"] = keccak256(self.lies["proof"])
        data = abi.encode_arguments(
            ["uint80", "bytes", "bytes32"],
            [values["proverFee"], values["output"], values["proofDigest"]],
            "log",
        )
        return dataclasses.replace(log, data=data)


@pytest.mark.parametrize(
    ("lies", "error"),
    [
        ({"output": pack([-5, 70_001], LAYOUT.output_bytes)}, ProofRejectedError),
        ({"proof": bytes(32)}, ProofRejectedError),
        ({"input": example_input(1)}, VerificationError),
        ({"output": EXAMPLE_OUTPUT + b"\x00"}, VerificationError),
    ],
    ids=["output", "proof", "input", "long output"],
)
def test_read__endpoint_lies_about_the_settlement__nothing_is_returned(lab, lies, error):
    """An endpoint cannot make a client use an output that no proof of this job's input has."""
    opened = lab.open()
    lab.settle(opened.job_id)
    with LyingChain(lab.endpoint, lies=lies) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(error):
            read_output(liar, opened.job_id, accepted_classes=LOCAL)


def test_read__endpoint_serves_a_verifier_that_accepts_anything__refused(lab):
    """Code that does not hash to the circuit's pin is never run for a verdict."""
    opened = lab.open()
    lab.settle(opened.job_id)
    code = (lab.built.spec.adapter, b"\x00")
    lies = {"output": bytes(LAYOUT.output_length_bytes)}
    with LyingChain(lab.endpoint, lies=lies, other_code=code) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(VerifierMismatchError, match="expected adapter code of hash"):
            read_output(liar, opened.job_id, accepted_classes=LOCAL)


class InventingChain(Chain):
    """An endpoint that tells of a settlement nobody made, by a verifier of its own that accepts anything.

    It says that the job was settled in a batch, by a circuit of its own. Each lie covers the one before: then
    that circuit is the model's, then the job is of another model, then it was asked for like that.
    """

    ADAPTER, CODE = "0x000000000000000000000000000000000000bEEF", b"\x00"

    def __init__(self, lab, job_id, lies):
        self.lies, self.job_id, self.built = lies, job_id, lab.built
        super().__init__(lab.endpoint)
        self.spec = lab.built.spec._replace(
            adapter=self.ADAPTER,
            adapter_code_hash=keccak256(self.CODE),
            verifier_class=VerifierClass.UNVOUCHED,
        )
        self.circuit = circuit_id(self.chain_id, lab.built.router.address, self.spec)
        self.commitment = lab.built.commitment._replace(circuit_ids=(self.circuit,))
        self.model = model_id(
            self.chain_id, lab.built.registry.address, lab.built.deployer.address, self.commitment
        )
        self.output = pack([31337, -1], LAYOUT.output_bytes)

    def code(self, account):
        return self.CODE if account == self.ADAPTER else super().code(account)

    def call(self, target, data, **options):
        for artifact, name, lie in (
            ("JobManager", "job", self._facts),
            ("VerifierRouter", "circuit", self._spec),
            ("ModelRegistry", "commitmentOf", self._commitment),
        ):
            entry = abi.function(load_artifact(artifact).abi, name)
            if data[:4] == entry.selector:
                # What is asked of the invented circuit or model has no honest answer.
                is_invented = data[4:36] in (self.circuit, self.model.to_bytes(32, "big"))
                answer = b"" if is_invented else super().call(target, data, **options)
                (honest,) = abi.decode_values(entry.outputs, answer, name) if answer else (None,)
                return abi.encode_arguments(entry.outputs, [lie(honest)], "lie")
        return super().call(target, data, **options)

    def logs(self, address, topics, **options):
        opened, settled = (
            abi.event(load_artifact("JobManager").abi, name) for name in ("JobOpened", "JobSettled")
        )
        if topics[0] == settled.topic:
            data = abi.encode_arguments(
                ["uint80", "bytes", "bytes32"], [1, self.output, keccak256(b"x")], "log"
            )
            prover = bytes(12) + bytes.fromhex(self.built.deployer.address[2:])
            first = self.block(0)
            yield Log(
                address, (topics[0], self.job_id, prover), data, 0, first.block_hash, "0x" + "77" * 32, 0
            )
            return
        registered = abi.event(load_artifact("ModelRegistry").abi, "ModelRegistered").topic
        if topics[0] == registered and "model" in self.lies:
            topics = [registered, self.built.model_id.to_bytes(32, "big"), None, None]
        for log in super().logs(address, topics, **options):
            yield self._request(opened, log) if topics[0] == opened.topic else log

    def transaction(self, transaction):
        arguments = [[self.job_id], self.circuit, INPUT, self.output, b"x"]
        data = abi.encode_call(abi.function(load_artifact("JobManager").abi, "settleBatch"), arguments)
        sender, block = self.built.deployer.address, self.block(0).block_hash
        return Transaction(transaction, sender, self.built.jobs.address, data, 0, 0, 0, block)

    def _facts(self, honest):
        values = list(honest)
        values[8], values[17] = self.built.deployer.address, JobStatus.SETTLED
        if "facts" in self.lies:
            values[13], values[14] = self.model, self.circuit
        return tuple(values)

    def _spec(self, honest):
        return honest or self.spec.as_abi()

    def _commitment(self, _):
        return tuple(self.commitment if "commitment" in self.lies else self.built.commitment)

    def _request(self, entry, log):
        if "request" not in self.lies:
            return log
        values = abi.decode_log(entry, log).arguments
        spec = (self.model, self.circuit, *values["spec"][2:])
        told = [spec, values["quote"], values["escrow"], values["input"]]
        topics = (log.topics[0], log.topics[1], self.model.to_bytes(32, "big"), log.topics[3])
        data = abi.encode_arguments(entry.inputs[3:], told, "lie")
        return dataclasses.replace(log, topics=topics, data=data)


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ((), "expected the model's circuit"),
        (("commitment",), "expected model id"),
        (("commitment", "model", "facts"), "found other facts of the job"),
        (("commitment", "model", "facts", "request"), "to be the hash of its request"),
    ],
    ids=["circuit", "commitment", "model", "request"],
)
def test_read__endpoint_invents_a_settlement_with_its_own_verifier__refused(lab, lies, words):
    """From the job's id alone a client knows the circuit: no endpoint can put its own in its place."""
    opened = lab.open()
    with InventingChain(lab, opened.job_id, lies) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(BindingError, match=words):
            read_output(liar, opened.job_id, accepted_classes=LOCAL | {VerifierClass.UNVOUCHED})


def test_commitment__endpoint_swaps_the_manifest__refused(lab):
    """The manifest, and the scale in it, are those of the model's id, not those an endpoint tells."""
    with InventingChain(lab, bytes(32), ("commitment",)) as chain:
        liar = wiring.bind(chain, lab.built.deployment)
        with pytest.raises(BindingError, match="expected model id"):
            checked_commitment(liar, lab.built.model_id)
        with pytest.raises(BindingError, match="expected model id"):
            check_model(liar, lab.built.model_id, LOCAL)
    assert checked_commitment(lab.market, lab.built.model_id) == lab.built.commitment
