"""The settings of zkml: one line per key, with its unit and default.

No I/O: `load.py` fills these from mappings. A secret is never a setting; settings name the file or the
environment variable that holds it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def setting(default: Any, doc: str) -> Any:
    """Declare a key with its default and the sentence that documents it."""
    if isinstance(default, (list, tuple)):
        return field(default=tuple(default), metadata={"doc": doc})
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """The chain and its endpoint."""

    rpc_url: str = setting("", "JSON-RPC endpoint; empty for the embedded node of this home")
    chain_id: int = setting(0, "chain id the endpoint must have; 0 accepts any")
    confirmations: int = setting(3, "blocks on top before a claim may be proved; 0 on local chain ids")
    finality_blocks: int = setting(64, "blocks on top before an audit calls a settlement final; 0 on local")
    timeout_seconds: float = setting(20.0, "longest wait for one answer of the endpoint")
    receipt_timeout_seconds: float = setting(180.0, "longest wait for a transaction to be mined")
    max_fee_gwei: float = setting(500.0, "most to pay for one gas, whatever the endpoint suggests")
    accepted_classes: tuple[str, ...] = setting(
        ("ceremony",), "verifier classes to trust: ceremony, unvouched; local is added on local chain ids"
    )


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Where keys lie. Secrets themselves come from these files or from ZKML_PRIVATE_KEY."""

    key_file: str = setting("", "private key: hexadecimal or encrypted keystore; mode 0600")
    password_file: str = setting("", "password of an encrypted keystore; mode 0600")


@dataclass(frozen=True, slots=True)
class ProverSettings:
    """A prover node."""

    bundles: tuple[str, ...] = setting((), "directories of the circuit bundles this node proves")
    min_fee: int = setting(0, "least fee to claim a job for, in the payment token's smallest unit")
    reclaim: bool = setting(default=True, doc="take the claims of late provers over")
    auto_stake: bool = setting(default=True, doc="register as a prover and stake what claims lock, unasked")
    max_stake: int = setting(
        100000000, "most stake that auto_stake builds up, in the payment token's smallest unit"
    )
    poll_seconds: float = setting(2.0, "pause between two looks at the chain")
    memory_limit_mib: int = setting(16384, "largest resident memory of one proving process")
    time_limit_seconds: float = setting(1800.0, "longest run of one proving process")
    margin_seconds: float = setting(20.0, "time that must be left between a proof's end and the deadline")
    input_limit_bytes: int = setting(1048576, "largest packed input the node fetches by content address")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything, a section per role."""

    home: Path = field(
        default=Path(".zkml"),
        metadata={"doc": "directory of all state: chain, keys, bundles, journal, store"},
    )
    chain: ChainSettings = field(default_factory=ChainSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    prover: ProverSettings = field(default_factory=ProverSettings)


SECTIONS: dict[str, type] = {"chain": ChainSettings, "keys": KeySettings, "prover": ProverSettings}
"""Tables of `zkml.toml`; `home` stands above them."""

SECRET_VARIABLES = ("ZKML_PRIVATE_KEY",)
"""Environment variables that hold secrets; never read as settings, never handed to a child process."""
