"""Keys: loaded from safe files only, and never shown."""

import json
import os
import stat

import pytest
from eth_account import Account

from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.key_files import (
    create_key_file,
    load_key_file,
    load_key_variable,
    load_or_create_key_file,
)
from zkml.errors import KeyFileError, StorageError

SECRET = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def secret_file(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [SECRET, "0x" + SECRET, SECRET + "\n", SECRET.upper()])
def test_load_key_file__raw_hexadecimal__is_the_account(tmp_path, text):
    """A key loads with or without 0x and a newline."""
    assert load_key_file(secret_file(tmp_path / "key", text)).address == ADDRESS


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_load_key_file__readable_by_others__is_refused_with_the_remedy(tmp_path, mode):
    """A key that others may read is not used."""
    path = secret_file(tmp_path / "key", SECRET, mode)
    with pytest.raises(KeyFileError) as caught:
        load_key_file(path)
    assert caught.value.hint == f"chmod 600 {path}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "0x", SECRET[:-1], SECRET + "00", "g" * 64, "0" * 64, "f" * 64, "{", '{"version": 3}']
)
def test_load_key_file__of_another_form__is_refused_without_showing_it(tmp_path, text):
    """A malformed key is refused, and neither message nor cause repeats it."""
    path = secret_file(tmp_path / "key", text)
    password = secret_file(tmp_path / "password", "x")
    with pytest.raises(KeyFileError) as caught:
        load_key_file(path, password_file=password)
    shown = str(caught.value.as_json()) + repr(caught.value.__cause__)
    assert len(text) < 10 or text not in shown


def test_load_key_file__missing_or_directory__is_refused(tmp_path):
    """No file, and a folder in its place, are key file errors."""
    with pytest.raises(KeyFileError, match="found none"):
        load_key_file(tmp_path / "none")
    with pytest.raises(KeyFileError):
        load_key_file(tmp_path)


def test_load_key_file__keystore__needs_its_password(tmp_path):
    """An encrypted keystore opens with the password of a file, and with no other."""
    keystore = Account.encrypt(SECRET, "correct horse", kdf="pbkdf2", iterations=1000)
    path = secret_file(tmp_path / "keystore.json", json.dumps(keystore))
    right = secret_file(tmp_path / "right", "correct horse\n")
    wrong = secret_file(tmp_path / "wrong", "incorrect\n")
    assert load_key_file(path, password_file=right).address == ADDRESS
    with pytest.raises(KeyFileError, match="password"):
        load_key_file(path, password_file=wrong)
    with pytest.raises(KeyFileError, match="password file"):
        load_key_file(path)


def test_load_key_variable__unset_or_malformed__is_refused():
    """The environment is held to the same form as a file."""
    assert load_key_variable("K", {"K": SECRET}).address == ADDRESS
    for environ in ({}, {"K": ""}, {"K": SECRET[:-2]}):
        with pytest.raises(KeyFileError) as caught:
            load_key_variable("K", environ)
        assert SECRET[:20] not in str(caught.value)


def test_create_key_file__new__is_private_and_loads(tmp_path):
    """A new key file has mode 0600 whatever the umask, and holds the account."""
    old = os.umask(0)
    try:
        account = create_key_file(tmp_path / "keys" / "prover")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "keys" / "prover").stat().st_mode) == 0o600
    assert load_key_file(tmp_path / "keys" / "prover").address == account.address


def test_create_key_file__existing__is_left_alone(tmp_path):
    """A key is never overwritten."""
    path = secret_file(tmp_path / "key", SECRET)
    with pytest.raises(KeyFileError, match="found one"):
        create_key_file(path)
    assert path.read_text() == SECRET
    assert load_or_create_key_file(path).address == ADDRESS


def test_create_key_file__folder_is_a_file__is_a_storage_error(tmp_path):
    """A place that cannot be written is a storage error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        create_key_file(tmp_path / "file" / "key")


@pytest.mark.parametrize("chain_id", [1, 11155111, 10])
def test_dev_account__on_a_real_chain__is_refused(chain_id):
    """The well-known key is for local chains alone."""
    assert dev_account(31337).address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    with pytest.raises(KeyFileError):
        dev_account(chain_id)
