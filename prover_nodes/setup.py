"""Look at what an operator has told the settings: do bundles open, does the key, does the chain answer?"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from circuits.bundle import Bundle
from circuits.verifier_source import check_chain_verifier
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.key_files import load_key_file, load_key_variable
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.errors import ConfigError, ZkmlError
from zkml.wiring import KEY_VARIABLE, open_chain, open_market


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        about: what was looked at.
        is_well: whether it can be used.
        found: what is there, or what is wrong, on one line.
        hint: the next step, where something is wrong.
    """

    about: str
    is_well: bool
    found: str
    hint: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {"about": self.about, "ok": self.is_well, "found": self.found, "hint": self.hint}


def check_setup(settings: Settings, home: Home, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what was found of each thing that the settings name; nothing is changed, and nothing raised.

    Args:
        settings: as they would be used.
        home: of these settings.
        environment: where a private key may be.
    """
    for path in settings.prover.bundles:
        yield _look(f"bundle {path}", functools.partial(_bundle, Path(path).expanduser()))
    if settings.keys.key_file or KEY_VARIABLE in environment:
        yield _look("key", lambda: _key(settings, environment))
    opened: list[Chain] = []
    yield _look("chain", lambda: _chain(settings, home, opened))
    for chain in opened:
        with chain:
            yield _look("contracts", functools.partial(_contracts, chain, home))


def _look(about: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(about, is_well=True, found=look())
    except ZkmlError as error:
        return Finding(about, is_well=False, found=error.message, hint=error.hint)


def _bundle(path: Path) -> str:
    bundle = Bundle.open(path)
    check_chain_verifier(bundle)
    manifest = bundle.manifest
    return f"{manifest.name}, {manifest.system} {manifest.system_version}"


def _key(settings: Settings, environment: Mapping[str, str]) -> str:
    keys = settings.keys
    if not keys.key_file:
        return f"account {load_key_variable(KEY_VARIABLE, environment).address}, from {KEY_VARIABLE}"
    password = Path(keys.password_file).expanduser() if keys.password_file else None
    account = load_key_file(Path(keys.key_file).expanduser(), password_file=password)
    return f"account {account.address}, readable by its owner only"


def _chain(settings: Settings, home: Home, opened: list[Chain]) -> str:
    chain = open_chain(settings, home)
    opened.append(chain)
    if not settings.chain.chain_id and not chain.is_local:
        raise ConfigError(
            f"expected the chain's id in chain.chain_id, found 0; the endpoint serves {chain.chain_id}",
            hint=f"give --chain-id {chain.chain_id} if that is the chain you mean",
        )
    return f"{chain.endpoint} serves chain {chain.chain_id} at height {chain.height()}"


def _contracts(chain: Chain, home: Home) -> str:
    market = open_market(home, chain)
    return f"job manager {market.manager.address}, payments in {market.token.symbol}"
