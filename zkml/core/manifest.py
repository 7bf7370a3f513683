"""The manifest of a circuit bundle: what the circuit is, and the digest of every file.

A bundle is a directory and this manifest. The circuit's identity is (proof system, ONNX, settings, SRS)
and the verifying key that follows from them. The compiled circuit file is never deterministic, so no
identifier is derived from it, only its integrity.

Weights are `fixed` in the verifying key, or `committed`: then the key is the same for all weights of one
architecture, and a point that every proof begins with says which weights they are.
"""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from zkml.core.cid import CID_PATTERN
from zkml.core.digests import Digest, keccak256, record_digest
from zkml.core.records import DigestText, Name, Record, from_hex
from zkml.core.tensors import InputDomain, TensorLayout, width_for
from zkml.errors import FormatError, LayoutError, ManifestError

FileRole = Literal[
    "onnx",
    "settings",
    "compiled_circuit",
    "proving_key",
    "verifying_key",
    "srs",
    "verification_srs",
    "weightless_onnx",
]
ROLES: tuple[FileRole, ...] = (
    "onnx",
    "settings",
    "compiled_circuit",
    "proving_key",
    "verifying_key",
    "srs",
    "verification_srs",
)
"""The files of every bundle; one with committed weights has its `weightless_onnx` besides."""

INSECURE_SRS_NAME = "insecure-local"
MAX_BATCH = 1024
FIXED_WEIGHTS = bytes(32)
"""The weight commitment of a circuit whose verifying key binds the weights."""


class FileEntry(Record):
    """One file of a bundle."""

    tag: ClassVar[str] = "zkml.file/1"

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    digest: DigestText
    cid: Annotated[str, Field(pattern=CID_PATTERN)]
    size_bytes: Annotated[int, Field(ge=0)]


class SrsIdentity(Record):
    """Which structured reference string the keys were made with.

    Attributes:
        name: the ceremony's name, or `insecure-local`.
        secure: False when somebody may know tau; such a circuit works on local chains only.
        tau_g2: digest of the file's G2 points (G2 and [tau]G2), equal for every size of one ceremony.
        logrows: log2 of the rows the file serves.
    """

    tag: ClassVar[str] = "zkml.srs/1"

    name: Name
    secure: bool
    tau_g2: DigestText
    logrows: Annotated[int, Field(ge=1, le=26)]


class Layout(Record):
    """The public tensors as JSON; `TensorLayout` and `InputDomain` are the checked forms."""

    tag: ClassVar[str] = "zkml.layout/1"

    input_count: int
    input_bytes: int
    output_count: int
    output_bytes: int
    input_minimum: int
    input_maximum: int

    @classmethod
    def of(cls, tensors: TensorLayout, domain: InputDomain) -> Self:
        """Return the JSON form of the two; the inverse of a manifest's `tensor_layout` and `input_domain`."""
        return cls(
            input_count=tensors.input_count,
            input_bytes=tensors.input_bytes,
            output_count=tensors.output_count,
            output_bytes=tensors.output_bytes,
            input_minimum=domain.minimum,
            input_maximum=domain.maximum,
        )


class Fidelity(Record):
    """How far the circuit's outputs were from the model's on the calibration data."""

    tag: ClassVar[str] = "zkml.fidelity/1"

    samples: int
    max_abs_error: float
    mean_abs_error: float
    argmax_agreement: Annotated[float, Field(ge=0, le=1)]


class BundleManifest(Record):
    """A circuit bundle's manifest.

    Attributes:
        name: what people call the model; letters, digits, `.`, `_`, `-`.
        system: name of the proof system, e.g. `ezkl`.
        system_version: exact version of the system that made the keys.
        proof_system: ERC-7992's lower-case name and version, hashed to four bytes on chain.
        param_visibility: whether the verifying key binds the weights, or a commitment in every proof does.
        weight_point: the 64 bytes that every proof begins with; None where weights are fixed.
        batch: how many inputs one proof is about; shapes and layout are those of all of them together.
        input_shape, output_shape: tensor shapes in the circuit.
        input_scale_bits, output_scale_bits: fixed-point exponents.
        proof_bytes: exact length of every proof of this circuit.
        verifying_key: digest of the verifying key file; the pin on chain.
    """

    tag: ClassVar[str] = "zkml.bundle/2"

    name: Name
    system: Name
    system_version: Name
    proof_system: Name
    input_visibility: Literal["public"]
    output_visibility: Literal["public"]
    param_visibility: Literal["fixed", "committed"]
    weight_point: Annotated[str, Field(pattern=r"^0x[0-9a-f]{128}$")] | None
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)]
    input_shape: list[Annotated[int, Field(ge=1)]]
    output_shape: list[Annotated[int, Field(ge=1)]]
    input_scale_bits: Annotated[int, Field(ge=0, le=30)]
    output_scale_bits: Annotated[int, Field(ge=0, le=60)]
    layout: Layout
    srs: SrsIdentity
    verifying_key: DigestText
    proof_bytes: Annotated[int, Field(ge=1, le=1_000_000)]
    fidelity: Fidelity
    files: dict[FileRole, FileEntry]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        missing = [role for role in ROLES if role not in self.files]
        if missing:
            raise ValueError(f"files: expected one of each role, missing {', '.join(missing)}")
        paths = [entry.path for entry in self.files.values()]
        if len(set(paths)) != len(paths):
            raise ValueError("files: expected distinct paths")
        if self.files["verifying_key"].digest != self.verifying_key:
            raise ValueError("verifying_key: expected the digest of the verifying key file")
        if self.srs.secure and self.srs.name == INSECURE_SRS_NAME:
            raise ValueError(f"srs: expected secure false for {INSECURE_SRS_NAME}")
        self._check_weights()
        self._check_tensors()
        return self

    def _check_weights(self) -> None:
        is_committed = self.param_visibility == "committed"
        if is_committed != (self.weight_point is not None):
            raise ValueError("weight_point: expected one where weights are committed, and nowhere else")
        if is_committed != ("weightless_onnx" in self.files):
            raise ValueError(
                "files: expected a weightless_onnx where weights are committed, and nowhere else"
            )

    def _check_tensors(self) -> None:
        try:
            layout, domain = self.tensor_layout, self.input_domain
        except LayoutError as error:
            raise ValueError(f"layout: {error.message}") from error
        for name, shape, count in (
            ("input", self.input_shape, layout.input_count),
            ("output", self.output_shape, layout.output_count),
        ):
            if math.prod(shape) != count:
                raise ValueError(f"layout: expected {math.prod(shape)} {name} elements, found {count}")
            if shape[:1] != [self.batch] and self.batch > 1:
                raise ValueError(f"batch: expected {name} shapes that begin with {self.batch}, found {shape}")
        if width_for(domain.minimum, domain.maximum) > layout.input_bytes:
            raise ValueError("layout: expected a domain that fits the width of an input element")

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Self:
        """Parse a manifest from untrusted bytes.

        Raises:
            ManifestError: unknown version, a field missing, foreign or contradictory.
        """
        try:
            return cls.from_bytes(data, where=where)
        except FormatError as error:
            raise ManifestError(error.message, hint="rebuild or re-download the bundle") from error

    @property
    def tensor_layout(self) -> TensorLayout:
        """The checked layout of the public tensors."""
        return TensorLayout(
            self.layout.input_count,
            self.layout.input_bytes,
            self.layout.output_count,
            self.layout.output_bytes,
        )

    @property
    def input_domain(self) -> InputDomain:
        """The checked domain of each input element."""
        return InputDomain(self.layout.input_minimum, self.layout.input_maximum)

    @property
    def weight_commitment(self) -> bytes:
        """What the router pins of the weights: keccak256 of the point, or zeros where the key binds them."""
        return FIXED_WEIGHTS if self.weight_point is None else keccak256(from_hex(self.weight_point))

    @property
    def circuit(self) -> Digest:
        """The circuit's identity: equal wherever the same keys are rebuilt from the same sources."""
        identity = {
            "system": self.system,
            "system_version": self.system_version,
            "onnx": self.files["onnx"].digest,
            "settings": self.files["settings"].digest,
            "tau_g2": self.srs.tau_g2,
            "verifying_key": self.verifying_key,
        }
        if self.weight_point is not None:
            identity["weight_point"] = self.weight_point
        return record_digest("zkml.circuit-identity/1", identity)
