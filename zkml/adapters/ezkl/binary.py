"""Drive an EZKL program as a child process: the GPU build, which no Python package carries.

Only `prove` and `--version` are used. The program is chosen by the operator and trusted like this one.
Its arguments are those of EZKL 23: `prove --witness --compiled-circuit --pk-path --proof-path --srs-path
--check-mode`. Its GPU code runs only where ICICLE_BACKEND_INSTALL_DIR names ICICLE's backend; without it, or
where the device cannot be warmed up, it proves on the CPU and ends well: so its end says nothing of the GPU.
"""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zkml.adapters.ezkl.client import MadeProof
from zkml.adapters.ezkl.process import (
    DEFAULT_OPTIONS,
    ChildOptions,
    environment,
    killed,
    shorten,
    was_killed,
)
from zkml.adapters.process.child import ChildResult, Limits, OnSample, run_child
from zkml.core.field import felt_from_ezkl_hex
from zkml.errors import BackendError, ToolchainError, ZkmlError

BACKEND_VARIABLE = "ICICLE_BACKEND_INSTALL_DIR"
_GPU_VARIABLES = (
    BACKEND_VARIABLE,
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "CUDA_CACHE_PATH",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_MPS_PIPE_DIRECTORY",
    "NVIDIA_VISIBLE_DEVICES",
    "NVIDIA_DRIVER_CAPABILITIES",
)
_VERSION = re.compile(r"^ezkl\s+v?(\S.*?)\s*$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WARM_UP_FAILED = "warmup failed"
_VERSION_LIMITS = Limits(memory_bytes=2 << 30, wall_seconds=60.0, stdout_bytes=65_536)


@dataclass(frozen=True, slots=True)
class ProvingFiles:
    """What a proof is made from.

    Attributes:
        witness: from `zkml.adapters.ezkl.client.gen_witness`.
        compiled: the compiled circuit.
        proving_key: whose digest the caller checked, if its checks are left out.
        srs: of the circuit's size.
    """

    witness: Path
    compiled: Path
    proving_key: Path
    srs: Path


@dataclass(frozen=True, slots=True)
class BinaryProof:
    """A proof that the program made.

    Attributes:
        made: the proof and what it cost.
        warm_up_failed: the program said that it could not use its device.
    """

    made: MadeProof
    warm_up_failed: bool


@dataclass(frozen=True, slots=True)
class EzklBinary:
    """An EZKL program."""

    path: Path

    def version(self) -> str:
        """Return the version that the program says it has.

        Raises:
            ToolchainError: there is no such program, or it says none.
            ProverLimitError: it does not answer.
        """
        with tempfile.TemporaryDirectory(prefix="zkml-ezkl-") as private:
            result = run_child(
                [str(self.path), "--version"],
                limits=_VERSION_LIMITS,
                env=_environment(private, DEFAULT_OPTIONS),
            )
        found = _VERSION.search(result.stdout.decode("utf-8", "replace"))
        if result.returncode != 0 or found is None:
            raise ToolchainError(
                f"expected an EZKL program, found none that tells its version at {self.path}",
                hint="set prover.gpu_binary to the program of EZKL's GPU release",
                program=str(self.path),
            )
        return found.group(1)

    def prove(
        self,
        files: ProvingFiles,
        *,
        options: ChildOptions = DEFAULT_OPTIONS,
        on_sample: OnSample | None = None,
    ) -> BinaryProof:
        """Make a proof. It is not checked: look at a lookup out of range before, and verify it after.

        Args:
            files: what it is made from.
            options: limits and progress.
            on_sample: called with the ids of the program's processes while it runs.

        Raises:
            BackendError: the program failed, or wrote no proof.
            ProverLimitError: out of memory or time.
            ToolchainError: there is no such program.
        """
        with tempfile.TemporaryDirectory(prefix="zkml-proof-") as scratch:
            proof = Path(scratch) / "proof.json"
            result = run_child(
                [str(self.path), *_arguments(files, proof)],
                limits=options.limits,
                on_tick=options.on_tick,
                on_sample=on_sample,
                env=_environment(scratch, options),
            )
            if result.returncode != 0:
                raise _failed(result)
            bytes_, instances = _read_proof(proof)
        output = (result.stdout + result.stderr).decode("utf-8", "replace")
        made = MadeProof(bytes_, instances, result.wall_seconds, result.peak_rss_bytes)
        return BinaryProof(made, _WARM_UP_FAILED in output.lower())


def has_backend() -> bool:
    """Say whether this process's environment names a GPU backend for the program."""
    return bool(os.environ.get(BACKEND_VARIABLE))


def _arguments(files: ProvingFiles, proof: Path) -> Sequence[str]:
    arguments = ["prove", "--witness", files.witness, "--compiled-circuit", files.compiled]
    arguments += ["--pk-path", files.proving_key, "--proof-path", proof, "--srs-path", files.srs]
    # Unsafe leaves out EZKL's own second look, like the package does: the node verifies each proof itself.
    return [str(argument) for argument in [*arguments, "--check-mode", "unsafe"]]


def _environment(private: str, options: ChildOptions) -> dict[str, str]:
    found = {name: os.environ[name] for name in _GPU_VARIABLES if name in os.environ}
    return environment(private, options.flavour) | found


def _failed(result: ChildResult) -> ZkmlError:
    if was_killed(result):
        return killed("prove")
    text = _COLOUR.sub("", (result.stdout + result.stderr).decode("utf-8", "replace"))
    lines = text.strip().splitlines()
    words = shorten(lines[-1]) if lines else "no words"
    return BackendError(
        f"expected a proof of the EZKL program, found exit code {result.returncode}: {words}", call="prove"
    )


def _read_proof(path: Path) -> tuple[bytes, tuple[int, ...]]:
    try:
        document = json.loads(path.read_bytes())
        instances = tuple(felt_from_ezkl_hex(felt) for column in document["instances"] for felt in column)
        return bytes(document["proof"]), instances
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(
            "expected a proof file of the EZKL program, found none that can be read"
        ) from error
