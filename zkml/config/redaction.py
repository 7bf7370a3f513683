"""Keep secrets out of whatever is shown: of settings, their files and variables, and the URLs among them.

Pure: whoever has read a key file or a variable says what is secret.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from zkml.config.settings import SECRET_VARIABLES, Settings

HIDDEN = "***"
SECRET_NAMES = re.compile(r"(?i)(private|secret|passw|passphrase|mnemonic|api_?key|authorization|credential)")
"""Names of fields whose values are never shown."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s\"'<>]+")
_RAW_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_KEY_SEGMENT_LENGTH = 16
"""A part of a path that is at least so long is taken for an endpoint's key."""
_WEB = ("http", "https", "ws", "wss")
_SHORTEST_SECRET = 4
"""Shorter ones would blank out half of every line, and are none."""


def is_raw_key(text: str) -> bool:
    """Say whether a text has the form of a private key."""
    return _RAW_KEY.fullmatch(text.strip()) is not None


def holds_secret(url: str) -> bool:
    """Say whether a URL carries a password, a query or a part of its path that looks like a key."""
    return bool(_secrets_of(url))


def without_credentials(url: str) -> str:
    """Return a URL with its user, password, query and whatever looks like a key blanked out.

    What cannot be read as a URL is not shown at all.
    """
    if not holds_secret(url):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    shown = f"[{host}]" if ":" in host else host
    path = "/".join(
        HIDDEN if parts.scheme in _WEB and _looks_like_key(part) else part for part in parts.path.split("/")
    )
    user = f"{HIDDEN}@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, f"{user}{shown}{port}", path, HIDDEN if parts.query else "", ""))


class Redactor:
    """Takes secrets out of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know these secrets; each also without 0x, in capitals, and as a URL would write it."""
        forms: set[str] = set()
        for secret in secrets:
            plain = secret.strip()
            bare = plain[2:] if is_raw_key(plain) and plain.lower().startswith("0x") else plain
            forms |= {plain, bare, unquote(plain)}
        wanted = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, wanted)), re.IGNORECASE) if wanted else None

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str], extra: Iterable[str] = ()) -> Self:
        """Know the secrets of a run.

        Args:
            settings: their URLs may carry credentials.
            environment: the variables that hold secrets.
            extra: what else is secret, such as the password of a keystore.
        """
        urls = (settings.chain.rpc_url, settings.prover.journal_url, settings.prover.ray_address)
        found = [secret for url in urls for secret in _secrets_of(url)]
        found += [environment[name] for name in SECRET_VARIABLES if environment.get(name)]
        return cls([*found, *extra])

    def __call__(self, text: str) -> str:
        """Return the text without what is known to be secret, and without credentials in any URL."""
        cleaned = _URL.sub(lambda url: _cleaned_url(url[0]), text)
        return cleaned if self._secrets is None else self._secrets.sub(HIDDEN, cleaned)


def _cleaned_url(url: str) -> str:
    try:
        return without_credentials(url) if "@" in urlsplit(url).netloc else url
    except ValueError:
        return HIDDEN


def _looks_like_key(part: str) -> bool:
    return len(part) >= _KEY_SEGMENT_LENGTH and re.fullmatch(r"[A-Za-z0-9_.~-]+", part) is not None


def _secrets_of(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        secrets = [parts.password or ""]
        _ = parts.port
        if parts.username and not parts.password:
            secrets.append(parts.username)
    except ValueError:
        return [url]
    # A database's name and its file are no keys.
    if parts.scheme in _WEB:
        secrets += [part for part in parts.path.split("/") if _looks_like_key(part)]
    secrets += [value for _, value in parse_qsl(parts.query)]
    return [secret for secret in secrets if secret]
