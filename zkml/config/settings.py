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

    rpc_url: str = setting(
        "", "JSON-RPC endpoint; empty for the embedded node of this home (`zkml chain up`)"
    )
    chain_id: int = setting(0, "chain id the endpoint must have; 0 accepts any")
    confirmations: int = setting(3, "blocks on top before a claim may be proved; 0 on local chain ids")
    finality_blocks: int = setting(
        64, "blocks on top before an audit calls a settlement final; 0 on local chain ids"
    )
    timeout_seconds: float = setting(20.0, "longest wait for one answer of the endpoint")
    receipt_timeout_seconds: float = setting(180.0, "longest wait for a transaction to be mined")
    max_fee_gwei: float = setting(500.0, "most to pay for one gas, whatever the endpoint suggests")
    replace_seconds: float = setting(45.0, "a node's transaction that waits longer is sent again for more")
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
    min_fee: int = setting(
        0, "least fee to claim a job for, in the payment token's smallest unit (1000000 = 1 of 6 decimals)"
    )
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
    workers: int = setting(
        0,
        "proofs made at once; 0 for two, which together keep the processors busy, or for one where there is "
        "a single processor, a GPU program or a cluster",
    )
    settlers: int = setting(4, "finished proofs that are checked, settled and confirmed at once")
    ray_address: str = setting(
        "", "Ray cluster that runs witness and prove, e.g. auto or 10.0.0.1:6379; empty for none"
    )
    cost_per_hour: int = setting(
        0, "what an hour of proving costs, in the payment token's smallest unit; a job must pay for its share"
    )
    profit_percent: float = setting(20.0, "what `prover calibrate` adds to the cost when it proposes a fee")
    units_per_ether: int = setting(
        0, "what one ether is worth in the payment token's smallest unit; 0 leaves gas out of the profit"
    )
    journal_url: str = setting(
        "",
        "database of the journal, e.g. postgresql+psycopg://host/name; empty for a SQLite file in the home",
    )
    fast_key_dir: str = setting("", "memory file system for proving keys, e.g. /dev/shm/zkml; empty for none")
    gpu_binary: str = setting("", "EZKL's own GPU build; empty for the CPU package")
    require_gpu: bool = setting(default=False, doc="refuse to prove where no GPU does the work")
    admin_host: str = setting("127.0.0.1", "where /metrics, /healthz and /readyz are served; keep it private")
    admin_port: int = setting(0, "port of metrics and health; 0 for none")
    log_format: str = setting("text", "log lines as text or json")
    drain_seconds: float = setting(3600.0, "longest wait for claimed jobs when the node is asked to stop")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The HTTP API of a prover node, where clients pay on tabs."""

    host: str = setting("127.0.0.1", "where the API listens; a proxy with TLS stands before a public one")
    port: int = setting(0, "port of the API; 0 for none")
    public_url: str = setting("", "endpoint to write into the prover registry, https:// but on local chains")
    prover_fee: int = setting(
        0, "fee for one request on a tab, in the payment token's smallest unit; never below prover.min_fee"
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "addresses of proxies whose X-Forwarded-For names the client; empty to believe nobody"
    )
    max_body_bytes: int = setting(4194304, "largest body of a request")
    requests_per_minute: int = setting(120, "requests that one address may send in a minute")
    max_waiting: int = setting(16, "paid requests that wait for a proof; beyond it clients are told to wait")
    timeout_seconds: float = setting(600.0, "longest that a request is held open for its proof")
    settle_margin_seconds: float = setting(
        120.0, "time left between a proof's predicted end and a signed request's expiry"
    )
    keep_hours: float = setting(24.0, "how long an answer can be asked for again")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """A client of prover nodes."""

    node: str = setting("", "prover node to ask; empty to look one up in the prover registry")
    tab_amount: int = setting(10000000, "what a new tab reserves, in the payment token's smallest unit")
    tab_hours: float = setting(24.0, "how long a new tab stays open")
    http_timeout_seconds: float = setting(20.0, "longest wait for one answer of a prover node")
    max_response_bytes: int = setting(16777216, "largest answer to read from a prover node")


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
    api: ApiSettings = field(default_factory=ApiSettings)
    client: ClientSettings = field(default_factory=ClientSettings)


SECTIONS: dict[str, type] = {
    "chain": ChainSettings,
    "keys": KeySettings,
    "prover": ProverSettings,
    "api": ApiSettings,
    "client": ClientSettings,
}
"""Tables of `zkml.toml`; `home` stands above them."""

SECRET_VARIABLES = ("ZKML_PRIVATE_KEY",)
"""Environment variables that hold secrets; never read as settings, never handed to a child process."""
