"""Load and create accounts: from files or the environment, never from flags; no message holds a key."""

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from eth_account import Account
from eth_account.signers.local import LocalAccount

from zkml.core.strict_json import parse_object
from zkml.errors import FormatError, KeyFileError, StorageError

MAX_KEY_FILE_BYTES = 64 * 1024

_RAW_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_NEW_HINT = "zkml makes one with mode 0600 where a command says so; see the documentation of keys"


def load_key_file(path: Path, *, password_file: Path | None = None) -> LocalAccount:
    """Load an account from a file that only its owner may read.

    Args:
        path: 64 hexadecimal digits, or an encrypted keystore (JSON, version 3).
        password_file: first line is the keystore's password.

    Raises:
        KeyFileError: missing, readable by others, of another form, or the password is wrong.
    """
    text = read_secret(path)
    if text.lstrip().startswith("{"):
        return _decrypt(path, text, password_file)
    return _account_from(text, f"key file {path}")


def load_key_variable(name: str, environ: Mapping[str, str]) -> LocalAccount:
    """Load an account from the environment variable `name`, 64 hexadecimal digits.

    Raises:
        KeyFileError: not set, or of another form.
    """
    if name not in environ:
        raise KeyFileError(f"expected a private key in {name}, found it unset")
    return _account_from(environ[name], f"environment variable {name}")


def create_key_file(path: Path) -> LocalAccount:
    """Make a new account and store its key in a file that only its owner may read.

    Raises:
        KeyFileError: something stands there already; it is left alone.
        StorageError: no space or no permission.
    """
    account: LocalAccount = Account.create()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"expected a folder at {path.parent}, found {error.strerror}") from error
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileError(
            f"expected no file yet, found one at {path}", hint="keep it, or move it"
        ) from error
    except OSError as error:
        raise StorageError(f"expected a writable folder, found {error.strerror} at {path}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(bytes(account.key).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageError(f"expected room for a key, found {error.strerror} at {path}") from error
    return account


def load_or_create_key_file(path: Path) -> LocalAccount:
    """Load the account of a key file, or make one where there is no file; raises as both do."""
    return load_key_file(path) if path.exists() else create_key_file(path)


def read_secret(path: Path) -> str:
    """Return the text of a file that only its owner may read.

    Raises:
        KeyFileError: missing, readable by others, no text, or too large.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            _check_mode(path, mode)
            data = file.read(MAX_KEY_FILE_BYTES + 1)
        if len(data) > MAX_KEY_FILE_BYTES:
            raise KeyFileError(f"expected a key, found more than {MAX_KEY_FILE_BYTES} bytes in {path}")
        return data.decode("utf-8")
    except FileNotFoundError as error:
        raise KeyFileError(f"expected a key file, found none at {path}", hint=_NEW_HINT) from error
    except OSError as error:
        raise KeyFileError(f"expected a readable key file, found {error.strerror} at {path}") from error
    except UnicodeDecodeError:
        _refuse_form(f"key file {path}")


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise KeyFileError(f"expected a key file, found no regular file at {path}")
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(
            f"expected a key file for its owner only, found mode {stat.S_IMODE(mode):04o} at {path}",
            hint=f"chmod 600 {path}",
        )


def _account_from(text: str, where: str) -> LocalAccount:
    found = _RAW_KEY.fullmatch(text.strip())
    if found is None:
        _refuse_form(where)
    try:
        account: LocalAccount = Account.from_key(found[1])
    except ValueError:
        # Zero, or beyond the curve's order. The cause is left out: it may repeat the key.
        _refuse_form(where)
    return account


def _refuse_form(where: str) -> NoReturn:
    raise KeyFileError(
        f"expected a private key of 64 hexadecimal digits or an encrypted keystore, "
        f"found something else in {where}",
        hint="check that it is the right file",
    ) from None


def _decrypt(path: Path, text: str, password_file: Path | None) -> LocalAccount:
    if password_file is None:
        raise KeyFileError(
            f"expected a password file for the encrypted keystore {path}, found none configured",
            hint="put the password into a file of mode 0600 and name it in the configuration",
        )
    password = read_secret(password_file).split("\n", 1)[0].rstrip("\r")
    try:
        keystore = parse_object(text.encode(), where=str(path))
        account: LocalAccount = Account.from_key(Account.decrypt(json.dumps(keystore), password))
    except (FormatError, ValueError, TypeError, KeyError, NotImplementedError):
        raise KeyFileError(
            f"expected the password in {password_file} to open the keystore {path}, found that it does not",
            hint="check the password, and that the keystore is of version 3 and whole",
        ) from None
    return account
