"""The contract's own code for encrypted artifacts, in an EVM of this process.

It is where the keystream comes from: of the ways to many short keccaks that a base install has, this one is
the fastest, 27 MB/s of a core, where calls of a hash library from Python make 5.
"""

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.contract_errors import known_reverts, translate
from verifier_contracts.deploy_contract import creation_code
from verifier_contracts.local_evm import LocalEvm
from zkml.adapters.evm import abi
from zkml.core.artifact_encryption import CHUNK_BYTES, Artifact, ArtifactKey, WrongChunk
from zkml.errors import RevertedError

PIECE_BYTES = 64 * CHUNK_BYTES
"""The most that one call transforms: some 1.5 million gas."""


class LocalArtifacts:
    """The functions of the contract of this name."""

    def __init__(self) -> None:
        artifact = load_artifact("LocalArtifacts")
        self._abi = artifact.abi
        self._transform = abi.function(artifact.abi, "transform")
        self._evm = LocalEvm(reverts=known_reverts())
        self._address = self._evm.deploy(creation_code(artifact, ()))

    def transform(self, stream_key: bytes, first_word: int, piece: bytes) -> bytes:
        """Encrypt or decrypt a piece: what `artifact_encryption.transformed` does, fast.

        Args:
            stream_key: of the artifact.
            first_word: the piece's place in the artifact, in words of 32 bytes.
            piece: at most `PIECE_BYTES`.
        """
        if len(piece) > PIECE_BYTES:
            raise ValueError(f"expected at most {PIECE_BYTES} bytes, found {len(piece)}")
        calldata = abi.encode_call(self._transform, (stream_key, first_word, piece))
        answer = self._evm.call(self._address, calldata).data
        (result,) = abi.decode_values(self._transform.outputs, answer, "LocalArtifacts.transform")
        return bytes(result)

    def check_refuted(self, artifact: Artifact, key: ArtifactKey, chunk: WrongChunk) -> int:
        """Check that the chain would accept the evidence against a chunk.

        Args:
            artifact: what the creator committed to.
            key: as revealed; that it is the one committed to is not looked at.
            chunk: the evidence.

        Returns:
            The gas of checking it, without that of a transaction and its calldata.

        Raises:
            MarketError: the chunk is what was promised, or the artifact cannot be one.
            LayoutError: there is no such chunk, or it has another length.
            BindingError: it is not a chunk of this artifact.
        """
        entry = abi.function(self._abi, "refute")
        calldata = abi.encode_call(entry, (artifact.as_abi(), key.secret, chunk.as_abi()))
        try:
            return self._evm.call(self._address, calldata).gas_used
        except RevertedError as error:
            raise translate(error) from error
