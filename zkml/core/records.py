"""The frozen records of one request: each names its parents by digest and never holds them.

    JobRequest -> WitnessRecord -> ClaimRecord -> ProofRecord -> SettlementRecord

Reading a record from bytes is the one place where untrusted text becomes a narrow type.
"""

import re
from typing import Annotated, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from zkml.core.digests import Digest, canonical_json, keccak256, record_digest
from zkml.core.market_identifiers import JobSpec
from zkml.core.pricing import FeeQuote
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError

HexBytes = Annotated[str, Field(pattern=r"^0x([0-9a-f]{2})*$")]
Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
DigestText = Annotated[Digest, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A short name that can be printed anywhere: no blanks, no line ends, nothing that moves a cursor."""
Amount = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,77})$")]
"""A token amount or a 256-bit number as decimal text, because JSON numbers end at 2^53."""

MAX_NAMED_PROVERS = 8
"""How many provers a job can name; a constant of the contract."""

NO_CONTEXT = "0x" + "00" * 32
"""The context of a proof that is bound to nothing but its input and output."""

_HEX = re.compile(r"([0-9a-fA-F]{2})*")  # bytes.fromhex would skip blanks


def to_hex(data: bytes) -> str:
    """Return bytes as lower-case hexadecimal with 0x."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """Return the bytes of hexadecimal text with or without 0x.

    Raises:
        FormatError: not hexadecimal.
    """
    digits = text.removeprefix("0x") if isinstance(text, str) else ""
    if not isinstance(text, str) or not _HEX.fullmatch(digits):
        raise FormatError(f"expected hexadecimal bytes, found {text!r:.80}")
    return bytes.fromhex(digits)


def _one_line(text: str) -> str:
    """Cut and escape text that may come from outside, such as the name of a foreign field."""
    return text[:200].encode("unicode_escape").decode()


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with a record: every field, at most five."""
    problems = [
        f"{_one_line('.'.join(str(part) for part in problem['loc'])) or 'record'}: "
        f"{_one_line(problem['msg'].lower())}"
        for problem in error.errors()[:5]
    ]
    return "; ".join(problems)


class Record(BaseModel):
    """A frozen record with a tag, a canonical form and a digest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    tag: ClassVar[str] = ""

    def to_bytes(self) -> bytes:
        """Return the canonical JSON of the record, tag included."""
        return canonical_json({"format": self.tag, **self.model_dump(mode="json")})

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Self:
        """Parse a record.

        Args:
            data: JSON bytes, in any order of names.
            where: what the bytes are, for the error message.

        Raises:
            FormatError: not JSON, another kind of record, or a field is missing, foreign or malformed.
        """
        fields = parse_object(data, where=where)
        found = fields.pop("format", None)
        if found != cls.tag:
            raise FormatError(f"expected a record of format {cls.tag}, found {found!r:.80} in {where}")
        return cls.from_fields(fields, where=where)

    @classmethod
    def from_fields(cls, fields: dict[str, object], *, where: str) -> Self:
        """Build a record from plain JSON values; see `from_bytes`."""
        try:
            return cls.model_validate_json(canonical_json(fields))
        except ValidationError as error:
            raise FormatError(f"expected a {cls.tag} record, found {explain(error)} in {where}") from error

    @property
    def own_digest(self) -> Digest:
        """The digest by which later records name this one."""
        return record_digest(self.tag, self.model_dump(mode="json"))


class QuoteFields(BaseModel):
    """What model and platform asked when a job or tab opened; see `pricing.FeeQuote`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model_fee_floor: Amount
    model_fee_ppm: int
    flat_fee: Amount
    platform_ppm: int

    def as_quote(self) -> FeeQuote:
        """Return the numbers to compute with."""
        return FeeQuote(int(self.model_fee_floor), self.model_fee_ppm, int(self.flat_fee), self.platform_ppm)

    @classmethod
    def from_quote(cls, quote: FeeQuote) -> Self:
        """Return the fields of a quote."""
        return cls(
            model_fee_floor=str(quote.model_fee_floor),
            model_fee_ppm=quote.model_fee_ppm,
            flat_fee=str(quote.flat_fee),
            platform_ppm=quote.platform_ppm,
        )


class AskedJob(Record):
    """What records of a job have in common: where it is, who asked, and for what; see `JobSpec`."""

    chain_id: int
    manager: Address
    job_id: Hex32
    model_id: Amount
    circuit_id: Hex32
    requester: Address
    input_commitment: Hex32
    input_uri: Annotated[str, Field(max_length=256)]
    min_prover_fee: Amount
    max_prover_fee: Amount
    max_total: Amount
    ramp_seconds: int
    claim_seconds: int
    deadline: int
    provers: Annotated[tuple[Address, ...], Field(max_length=MAX_NAMED_PROVERS)]

    def as_spec(self) -> JobSpec:
        """Return what was asked for, as the job's id hashes it."""
        return JobSpec(
            model_id=int(self.model_id),
            circuit_id=from_hex(self.circuit_id),
            input_commitment=from_hex(self.input_commitment),
            input_uri=self.input_uri,
            min_prover_fee=int(self.min_prover_fee),
            max_prover_fee=int(self.max_prover_fee),
            max_total=int(self.max_total),
            ramp_seconds=self.ramp_seconds,
            claim_seconds=self.claim_seconds,
            deadline=self.deadline,
            provers=self.provers,
        )


class JobRequest(AskedJob):
    """A job as its opening transaction put it on chain."""

    tag: ClassVar[str] = "zkml.request/2"

    input: HexBytes
    quote: QuoteFields
    escrow: Amount
    opened_transaction: Hex32
    opened_block: int
    opened_block_hash: Hex32


class SignedRequestRecord(Record):
    """One inference that a tab's signer asked for, as it travels: the request and its signature."""

    tag: ClassVar[str] = "zkml.signed-request/1"

    chain_id: int
    manager: Address
    tab_id: Hex32
    circuit_id: Hex32
    input_commitment: Hex32
    model_fee: Amount
    prover_fee: Amount
    expiry: int
    nonce: Amount
    signature: HexBytes


class WitnessRecord(Record):
    """What the circuit computed for a request: the output that a proof will carry."""

    tag: ClassVar[str] = "zkml.witness/1"

    request: DigestText
    input: HexBytes
    output: HexBytes
    wall_seconds: float


class ClaimRecord(Record):
    """A claim that binds the payee, before any proof is public."""

    tag: ClassVar[str] = "zkml.claim/1"

    request: DigestText
    witness: DigestText
    prover: Address
    claim_number: int
    transaction: Hex32
    block: int


class ProofRecord(Record):
    """A proof of a claimed request, checked off chain before it is sent anywhere."""

    tag: ClassVar[str] = "zkml.proof-record/1"

    claim: DigestText
    proof: HexBytes
    wall_seconds: float


class SettlementRecord(Record):
    """The transaction in which the chain's verifier accepted the proof and the prover was paid."""

    tag: ClassVar[str] = "zkml.settlement/2"

    proof_record: DigestText
    transaction: Hex32
    block: int
    gas_used: int
    prover_fee: Amount


class ProofFile(Record):
    """A portable proof: what `zkml circuit prove` writes and `zkml audit proof` reads.

    Only packed tensors and proof bytes count. EZKL's own proof file also carries rescaled and
    hexadecimal copies that its verifier never looks at; they are dropped, so nobody can be misled.

    Attributes:
        context: what else the proof is bound to, such as a job; zeros, and not written, where it is nothing
            or where the proof system binds none.
    """

    tag: ClassVar[str] = "zkml.proof/1"

    system: Name
    system_version: Name
    circuit: DigestText
    verifying_key: DigestText
    input: HexBytes
    output: HexBytes
    proof: HexBytes
    context: Hex32 = NO_CONTEXT

    @model_serializer(mode="wrap")
    def _without_empty_context(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Write proofs without a context as they were written before there were any."""
        fields: dict[str, object] = serialize(self)
        if self.context == NO_CONTEXT:
            del fields["context"]
        return fields

    @property
    def proof_digest(self) -> bytes:
        """keccak256 of the proof bytes, as the contracts' events carry it."""
        return keccak256(from_hex(self.proof))
