"""Compiling the C++ sources, once per machine and version, into the user's cache.

    <cache>/<digest>/liboctet.so        the kernels, on every path that this machine and compiler have
    <cache>/<digest>/libverifier.so     the verifier alone: portable code, built in seconds

The digest is of the sources, the compiler and the options. Built at first use rather than when the package
is installed: the package stays one file for every platform, an auditor's install needs no compiler, and the
code that runs is the code of the sources that are read here, for the digest names it. A build takes some
seconds and is never repeated. `ZKML_NATIVE_CACHE` names another folder, for images that are built once and
run elsewhere: there it may be read-only, and be root's, if nobody else can write to it. `CXX` names the
compiler, which must be the same there, for it is part of the name.
"""

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from zkml.adapters.private_folder import make_private_folder
from zkml.errors import ConfigError, ToolchainError

CACHE_VARIABLE = "ZKML_NATIVE_CACHE"
SOURCES = Path(__file__).parent / "sources"

_OPTIONS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wno-psabi")
_SECONDS = 300.0


@dataclass(frozen=True)
class OptionalFile:
    """A file that may use more instructions than every machine has.

    Attributes:
        name: of the file.
        define: tells the other files that it is there; the processor is asked before any of it runs.
        options: let the compiler use the instructions there and nowhere else.
    """

    name: str
    define: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """What a shared library is made of.

    Attributes:
        name: of its file.
        sources: files that every machine compiles.
        optional: files left out where the compiler refuses them; for x86-64 only.
        options: of this library, beside those of all.
    """

    name: str
    sources: tuple[str, ...]
    optional: tuple[OptionalFile, ...] = ()
    options: tuple[str, ...] = ()


_ADX = ("-mbmi2", "-madx")
_IFMA = (*_ADX, "-mavx512f", "-mavx512ifma", "-mavx512dq", "-mavx512vl")

KERNELS = Library(
    "liboctet.so",
    ("shared.cc", "capi.cc", "path_scalar.cc"),
    (
        OptionalFile("path_adx.cc", "OCTET_HAS_ADX", _ADX),
        OptionalFile("path_ifma.cc", "OCTET_HAS_IFMA", _IFMA),
    ),
)
VERIFIER = Library("libverifier.so", ("shared.cc", "verifier.cc"))


def built_library(library: Library = KERNELS) -> Path:
    """Return a library's path, compiling it when this version is not in the cache.

    One that is there is taken as it is, without a lock and without writing: a cache may be read-only.

    Raises:
        ToolchainError: there is no C++ compiler, or it refuses the sources.
        ConfigError: the cache cannot be written, or is not a folder of this user alone.
    """
    compiler = _compiler()
    cache = _cache()
    try:
        folder = cache / _digest(compiler, library)
        target = folder / library.name
        if _is_ready(cache, folder, target):
            return target
        make_private_folder(cache, purpose="compiled kernels")
        with FileLock(folder.with_suffix(".lock")):
            if not target.is_file():
                make_private_folder(folder, purpose="compiled kernels")
                _compile(compiler, library, target)
    except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise ConfigError(
            f"expected a writable folder for compiled kernels, found {reason} at {cache}",
            hint=f"name another folder in {CACHE_VARIABLE}, or free some disk space",
            path=cache,
        ) from error
    return target


def must_build(library: Library = KERNELS) -> bool:
    """Tell whether `built_library` would compile, which takes some seconds."""
    try:
        compiler, cache = _compiler(), _cache()
        folder = cache / _digest(compiler, library)
    except (ConfigError, OSError):
        return False
    return not _is_ready(cache, folder, folder / library.name)


def _is_ready(cache: Path, folder: Path, target: Path) -> bool:
    """Tell whether a library is there that nobody can have written but this user or the system's own."""
    try:
        places = [place.lstat() for place in (cache, folder, target)]
    except OSError:
        return False
    kinds = [
        stat.S_ISDIR(places[0].st_mode),
        stat.S_ISDIR(places[1].st_mode),
        stat.S_ISREG(places[2].st_mode),
    ]
    ours = (place.st_uid in (0, os.getuid()) and not place.st_mode & 0o022 for place in places)
    return all(kinds) and all(ours)


def _cache() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("zkml") / "native"


def _compiler() -> str:
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    for name in names:
        found = shutil.which(name) if name else None
        if found:
            return found
    raise ToolchainError(
        "expected a C++17 compiler for OCTET's native code, found none",
        hint="install g++ or clang++, or go on with the prover and verifier in plain Python",
    )


def _digest(compiler: str, library: Library) -> str:
    """Return a name for exactly this library: what is compiled, by what, how, for which kind of machine."""
    state = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        if path.suffix in {".cc", ".h"}:
            state.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    version = _run([compiler, "--version"]).stdout
    made_by = (compiler, version, _OPTIONS, library, platform.system(), platform.machine())
    state.update(repr(made_by).encode())
    return state.hexdigest()[:32]


def _compile(compiler: str, library: Library, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as work, ThreadPoolExecutor() as pool:

        def compiled(name: str, options: tuple[str, ...]) -> tuple[Path, str]:
            file = Path(work) / f"{name}.o"
            return file, _object(compiler, name, file, (*library.options, *options))

        optional = library.optional if platform.machine() in {"x86_64", "AMD64"} else ()
        tried = list(pool.map(lambda item: compiled(item.name, item.options), optional))
        # A refusal leaves a path out.
        present = tuple(
            f"-D{item.define}" for item, (_, refusal) in zip(optional, tried, strict=True) if not refusal
        )
        needed = list(pool.map(lambda name: compiled(name, present), library.sources))
        for name, (_, refusal) in zip(library.sources, needed, strict=True):
            if refusal:
                raise ToolchainError(
                    f"expected {compiler} to compile {name}, found {refusal}",
                    hint="a compiler of C++17 is needed: g++ 9 or clang++ 9 and later",
                )
        objects = [str(file) for file, refusal in (*tried, *needed) if not refusal]
        linked = Path(work) / library.name
        result = _run([compiler, "-shared", "-pthread", "-o", str(linked), *objects])
        if result.returncode:
            raise ToolchainError(f"expected {compiler} to link {library.name}, found {_last_line(result)}")
        linked.chmod(0o755)  # whatever the umask: what others can write is not loaded
        linked.replace(target)


def _object(compiler: str, name: str, target: Path, options: tuple[str, ...]) -> str:
    """Compile one file; return the refusal, or an empty string."""
    result = _run([compiler, *_OPTIONS, *options, "-c", str(SOURCES / name), "-o", str(target)])
    return (_last_line(result) or f"exit code {result.returncode}") if result.returncode else ""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"expected {command[0]} to run, found {error}") from error


def _last_line(result: subprocess.CompletedProcess[str]) -> str:
    errors = [line for line in result.stderr.splitlines() if "error" in line]
    return errors[0] if errors else ""
