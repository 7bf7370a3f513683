"""Read what users name things by: models, circuits, digests, addresses."""

import re

from zkml.errors import ConfigError

_DIGEST = re.compile(r"(?:sha256:|0x)?([0-9a-fA-F]{64})")


def parse_model(text: str) -> int:
    """Read a model id: decimal, or hexadecimal with 0x.

    Raises:
        ConfigError: neither.
    """
    try:
        number = int(text, 16) if text.startswith("0x") else int(text)
    except ValueError as error:
        raise ConfigError(
            f"expected a model id (0x... or decimal), found {text!r:.80}",
            hint="list them: zkml registry list",
        ) from error
    if not 0 <= number < 1 << 256:
        raise ConfigError(f"expected a model id of at most 256 bits, found {text!r:.100}")
    return number


def parse_digest(text: str, what: str) -> bytes:
    """Read 32 bytes as 64 hexadecimal digits, with or without 0x or sha256: before them.

    Raises:
        ConfigError: something else; names `what`.
    """
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise ConfigError(f"expected a {what} of 64 hexadecimal digits, found {text!r:.100}")
    return bytes.fromhex(found.group(1))


def parse_address(text: str, what: str) -> str:
    """Read an address and return it checksummed.

    Raises:
        ConfigError: no address, or of a wrong checksum; names `what`.
    """
    from eth_utils.address import is_address, to_checksum_address

    if not is_address(text):
        raise ConfigError(
            f"expected the address of {what}, found {text!r:.80}",
            hint="0x and 40 hexadecimal digits; with capitals the checksum must be right",
        )
    return str(to_checksum_address(text))
