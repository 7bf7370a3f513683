"""The cache of compiled code: read-only, full, of others; none of it is more than a slower proof."""

import errno
import os

import pytest
from native_system import forget
from octet_bundles import small_bundle, small_proof

from circuits.octet import native_choice, verifier_engine
from circuits.octet import verify as octet_verify
from circuits.octet.native import build
from circuits.octet.opened_key import open_key
from circuits.verification import verify_proof
from zkml.errors import CompileError, ConfigError, KeygenError, ManifestError, ToolchainError


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and a compiler that takes no time."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(build.CACHE_VARIABLE, str(folder))
    monkeypatch.setattr(build, "_compiler", lambda: "c++")
    monkeypatch.setattr(build, "_digest", lambda compiler, library: "0" * 32)
    monkeypatch.setattr(build, "_run", compile_nothing)
    return folder


def compile_nothing(command):
    """Write what a compiler would."""
    target = command[command.index("-o") + 1]
    with open(target, "wb") as stream:  # noqa: PTH123 as a compiler does
        stream.write(b"\x7fELF")
    return build.subprocess.CompletedProcess(command, 0, "", "")


def failing(number):
    """Return what the system says to whoever writes."""

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o555])
def test_native_cache__a_library_that_is_there_is_taken_without_writing(mode, cache, monkeypatch):
    """An image is built once and runs where its files cannot be written, perhaps as another user than root."""
    made = build.built_library(build.VERIFIER)
    for folder in (cache, made.parent):
        folder.chmod(mode)
    monkeypatch.setattr(build, "FileLock", failing(errno.EROFS))
    monkeypatch.setattr(build, "make_private_folder", failing(errno.EROFS))
    assert build.built_library(build.VERIFIER) == made
    assert not build.must_build(build.VERIFIER)
    cache.chmod(0o700)
    made.parent.chmod(0o700)


@pytest.mark.parametrize("place", ["cache", "folder", "file"])
def test_native_cache__what_others_can_write_is_not_loaded(place, cache):
    """Code that anybody may have put there is no code of ours."""
    made = build.built_library(build.VERIFIER)
    for folder in (cache, made.parent):
        folder.chmod(0o755)  # in a folder of this user alone nobody could reach the rest
    {"cache": cache, "folder": made.parent, "file": made}[place].chmod(0o777)
    assert build.must_build(build.VERIFIER)
    with pytest.raises(ConfigError, match="this user alone"):
        build.built_library(build.VERIFIER)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("step", ["FileLock", "TemporaryDirectory"])
def test_native_cache__a_disk_that_takes_nothing_is_a_reason_and_no_crash(step, number, cache, monkeypatch):
    """Read-only, full or forbidden: the specification does the work, and people are told why."""
    owner = build if step == "FileLock" else build.tempfile
    monkeypatch.setattr(owner, step, failing(number))
    with pytest.raises(ConfigError, match=os.strerror(number)) as caught:
        build.built_library()
    assert str(cache) in caught.value.message
    forget()
    try:
        for choice in (native_choice.choose_native(), native_choice.choose_verifier()):
            assert os.strerror(number) in choice.reason
    finally:
        forget()


@pytest.fixture
def fresh():
    """A process that has chosen nothing yet."""
    bundle, proof = small_bundle(), small_proof()
    forget()
    yield bundle, proof
    forget()


@pytest.mark.parametrize("kind", [KeygenError, CompileError])
def test_verifier__a_key_that_the_library_refuses_is_a_bundle_that_is_refused(kind, fresh, monkeypatch):
    """No verdict by one verifier where the other finds no key: who opened the bundle is told that it is wrong."""
    bundle, proof = fresh

    def refuse(*args):
        raise kind("expected a key, found none")

    monkeypatch.setattr(verifier_engine, "choose_verifier", lambda: native_choice.VerifierChoice(object()))
    monkeypatch.setattr(verifier_engine, "NativeVerifier", refuse)
    with pytest.raises(ManifestError, match="expected a key, found none in the verifying key"):
        verify_proof(bundle, proof)


def test_verifier__without_a_compiler_says_so_once_and_verifies(fresh, monkeypatch):
    """A verdict of the specification's, with one notice that tells why it took so long."""
    bundle, proof = fresh
    tried, heard = [], []

    def refuse():
        tried.append(1)
        raise ToolchainError("expected a compiler, found none")

    monkeypatch.setattr(native_choice, "load_verifier", refuse)
    verify_proof(bundle, proof)  # nobody listens: the notice is kept for whoever does
    for _ in range(2):
        verify_proof(bundle, proof, progress=heard.append)
    assert isinstance(verifier_engine.open_verifier(open_key(bundle)), verifier_engine.PlainVerifier)
    assert [event.note for event in heard if event.note] == [
        "octet runs in plain Python, slowly: expected a compiler, found none"
    ]
    assert tried == [1]


def test_verifier__built_for_the_first_time__is_a_stage_of_its_own(fresh, monkeypatch):
    """Some seconds of compiling have a name; where there is nothing to compile there is no stage."""
    bundle, proof = fresh
    for must, stages in ((True, ["kernels", "kernels"]), (False, [])):
        forget()
        heard = []
        monkeypatch.setattr(octet_verify, "must_build", lambda library, must=must: must)
        verify_proof(bundle, proof, progress=heard.append)
        assert [event.stage for event in heard if not event.note] == stages
