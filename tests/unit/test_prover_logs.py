"""A node's log and its errors: one line an event, and never a secret."""

import io
import json
import logging
import os
import subprocess
import sys

import pytest

from prover_nodes.logs import configure_logging
from prover_nodes.metrics import PrometheusObserver
from zkml.cli.main import run
from zkml.config.load import load
from zkml.config.redaction import HIDDEN, Redactor, holds_secret, without_credentials
from zkml.errors import ConfigError

KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
PASSWORD = "correct-horse-battery"
ENDPOINT_KEY = "q7RkZ2fJ0123456789abcdefgh"
RPC_URL = f"https://alice:{PASSWORD}@chain.example/v3/{ENDPOINT_KEY}?token=tok-0123456"
JOURNAL_URL = f"postgresql+psycopg://node:{PASSWORD}@db.example/journal"
SECRETS = (KEY, KEY.upper(), PASSWORD, ENDPOINT_KEY, "tok-0123456")


def redactor() -> Redactor:
    """Return one that knows what a run with these settings knows."""
    settings = load(flags={"chain.rpc_url": RPC_URL, "prover.journal_url": JOURNAL_URL}).settings
    return Redactor.of(settings, {"ZKML_PRIVATE_KEY": "0x" + KEY})


@pytest.fixture(params=["text", "json"])
def log(request):
    """Return a function that logs through a node's own set-up, and what was written."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.level
    handler = configure_logging(form=request.param, redactor=redactor(), stream=stream)
    yield logging.getLogger("prover_nodes.test"), stream, request.param
    root.removeHandler(handler)
    root.setLevel(before)


def fail(message):
    """Fail with a message."""
    raise ConfigError(message)


def test_log__secrets_in_messages_fields_and_tracebacks__are_blanked_out(log):
    """Whatever way a secret takes into a record, it does not come out."""
    logger, stream, _ = log
    logger.info("connecting to %s", RPC_URL)
    logger.warning("journal %s", JOURNAL_URL, extra={"private_key": "any", "deep": {"a": [f"0x{KEY}"]}})
    logger.info("bytes", extra={"raw": bytes.fromhex(KEY)})
    try:
        fail(f"expected something else than 0x{KEY}")
    except ConfigError:
        logger.exception("failed with %s", PASSWORD)
    logger.error("another's url: https://bob:hunter2222@other.example/")
    written = stream.getvalue()
    assert written.count(HIDDEN) >= 6
    assert not [secret for secret in (*SECRETS, "hunter2222", "private_key=any") if secret in written]
    assert "chain.example" in written


def test_log__a_strangers_text__begins_no_line_of_its_own(log):
    """A name with line ends or control characters stays within its line."""
    logger, stream, form = log
    logger.info("model %s", "a\nERROR forged \x1b[2J")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    if form == "json":
        event = json.loads(lines[0])
        assert (event["level"], event["logger"]) == ("info", "prover_nodes.test")
        assert event["event"].startswith("model a\n")


def test_log__configured_twice__writes_each_line_once():
    """Setting the log up again replaces what was set up before."""
    root, streams = logging.getLogger(), [io.StringIO(), io.StringIO()]
    for stream in streams:
        handler = configure_logging(stream=stream)
    logging.getLogger("prover_nodes.test").info("once")
    root.removeHandler(handler)
    assert [stream.getvalue().count("once") for stream in streams] == [0, 1]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://chain.example:8545", "https://chain.example:8545"),
        ("https://u:p@chain.example/rpc", "https://***@chain.example/rpc"),
        (f"https://chain.example/v3/{ENDPOINT_KEY}", "https://chain.example/v3/***"),
        ("http://[::1]:8545/?key=abc", "http://[::1]:8545/?***"),
        ("sqlite:////var/lib/a-rather-long-directory/journal.sqlite",) * 2,
        ("http://[broken", HIDDEN),
    ],
)
def test_without_credentials__keeps_what_is_public(url, shown):
    """User, password, query and what looks like a key are blanked out of a URL, and nothing else."""
    assert without_credentials(url) == shown
    assert holds_secret(url) == (url != shown)


def test_metrics__whatever_is_told__hold_no_secret():
    """A secret that is given for a code, a purpose or a circuit is no label's value."""
    metrics = PrometheusObserver()
    for secret in (KEY, f"0x{KEY}", RPC_URL, JOURNAL_URL):
        metrics.work_failed("job", secret, given_up=False)
        metrics.gas_spent(secret, gas=1, wei=1, succeeded=True)
        metrics.stage_finished("prove", secret, 1.0)
    body = metrics.render()[0].decode()
    assert not [secret for secret in SECRETS if secret in body]


def command(*argv, **variables):
    """Run a command in a process of its own; return all that it printed."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("ZKML_")}
    done = subprocess.run(
        [sys.executable, "-m", "zkml.cli", *argv],
        capture_output=True,
        text=True,
        env={**environment, **variables},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_errors__secrets_by_variable__are_in_no_output(tmp_path):
    """A command that fails, prints settings or a traceback shows none of the secrets it was given."""
    dead = RPC_URL.replace("chain.example", "127.0.0.1:9")
    variables = {
        "ZKML_HOME": str(tmp_path / "home"),
        "ZKML_PRIVATE_KEY": KEY,
        "ZKML_CHAIN_RPC_URL": dead,
        "ZKML_PROVER_JOURNAL_URL": JOURNAL_URL.replace("postgresql+psycopg", "nosuchdriver"),
    }
    for argv, code in (
        (("config", "show"), 0),
        (("prover", "run", "-vv"), 1),
        (("prover", "status", "-vv", "--json"), 2),
    ):
        found, printed = command(*argv, **variables)
        assert found == code, printed
        assert not [secret for secret in SECRETS if secret in printed], printed


@pytest.mark.parametrize(
    "flags",
    [
        ("--key-file", KEY),
        ("--password-file", KEY),
        ("--rpc-url", f"ftp://alice:{PASSWORD}@chain.example"),
    ],
)
def test_errors__secrets_by_mistake__are_not_repeated(flags, capsys, tmp_path):
    """A key given for a path, or a URL of another scheme, is refused without being printed."""
    assert run(["prover", "withdraw", "--home", str(tmp_path), *flags]) == 2
    printed = "".join(capsys.readouterr())
    assert not [secret for secret in SECRETS if secret in printed]


def test_errors__key_files_of_another_form__are_not_repeated(capsys, tmp_path):
    """What stands in a file that is no key, or is open to others, is not printed."""
    path = tmp_path / "prover.key"
    path.write_text(KEY + " and more")
    for mode in (0o600, 0o644):
        path.chmod(mode)
        argv = ["prover", "init", "--yes", "--home", str(tmp_path), "--config", str(tmp_path / "z.toml")]
        (tmp_path / "z.toml").write_text("")
        assert run([*argv, "--key-file", str(path), "-vv"]) == 2
        assert KEY not in "".join(capsys.readouterr())
