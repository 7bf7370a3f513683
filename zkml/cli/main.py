"""argv in, exit code out: 0 done, 1 failed, 2 usage, 3 rejected, 4 inconclusive, 130 interrupted.

Nouns are imported when they are used, so that `zkml audit` never loads what `zkml model` needs.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from zkml.cli.console import Console
from zkml.core import extras
from zkml.errors import ConfigError, ForeignPackageError, ToolchainError, ZkmlError

NOUNS = {
    "demo": ("zkml.cli.demo", "Run the main job from training to audit."),
    "model": ("zkml.cli.model", "Export and check ONNX models."),
    "circuit": ("zkml.cli.circuit", "Compile, inspect, prove and verify circuits."),
    "chain": ("zkml.cli.chain", "Run the embedded node and deploy the contracts."),
    "verifier": ("zkml.cli.verifier", "Add, show, attest and tombstone verifiers."),
    "registry": ("zkml.cli.registry", "Register models, look them up and set their terms."),
    "lineage": ("zkml.cli.lineage", "Show and declare what models derive from."),
    "did": ("zkml.cli.did", "Resolve the identities of models."),
    "infer": ("zkml.cli.infer", "Pay a node for one output, verified before it is shown."),
    "mcp": ("zkml.cli.mcp", "Offer models as tools of the Model Context Protocol."),
    "job": ("zkml.cli.job", "Open, show, await, cancel and refund jobs."),
    "tab": ("zkml.cli.tab", "Prepay a prover and sign requests."),
    "prover": ("zkml.cli.prover", "Run a prover node and see to its stake."),
    "revenue": ("zkml.cli.revenue", "Show what models earn and claim it."),
    "imo": ("zkml.cli.imo", "Offer a model's shares, buy them, release them."),
    "steward": ("zkml.cli.steward", "Show and vote on what holders decide about a model."),
    "audit": ("zkml.cli.audit", "Check a job, a request, a proof, a circuit or a bundle."),
    "config": ("zkml.cli.config", "Show and check the settings."),
}
PACKAGES = ("circuits", "verifier_contracts", "prover_nodes", "registry", "marketplace")


class Nouns(click.Group):
    """A group whose members are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the nouns in the order of the journey."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the noun's module and return its `command`."""
        if cmd_name not in NOUNS:
            return None
        command: click.Command = importlib.import_module(NOUNS[cmd_name][0]).command
        command.context_settings.update(ctx.command.context_settings)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the nouns without importing them."""
        with formatter.section("Nouns"):
            formatter.write_dl([(name, text) for name, (_, text) in NOUNS.items()])


@click.command(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="zkml")
def root() -> None:
    """AI models that are owned, run and paid for by proof.

    Example: zkml demo
    """


def check_packages() -> None:
    """Refuse to start when a generic package name is shadowed by another distribution's.

    Raises:
        ForeignPackageError: names the package and where it was found.
    """
    ours = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        if found != ours:
            raise ForeignPackageError(
                f"expected the package {name} of zkml in {ours}, found {found or 'nothing'}",
                hint=f"another distribution installs {name!r}: use a fresh virtual environment",
            )


def _interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
    # Ctrl-C's path, so that `finally` blocks stop the node and its children.
    raise KeyboardInterrupt


def _usage_error(error: click.ClickException) -> ConfigError:
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zkml"
    return ConfigError(error.format_message().rstrip(".").replace("\n", " "), hint=f"see {command} --help")


def _explain(error: Exception) -> ZkmlError:
    """Say what an exception outside the tree is: a missing extra, or a defect of ours."""
    if isinstance(error, ModuleNotFoundError) and error.name in extras.PACKAGES:
        return ToolchainError(
            f"expected the package {error.name} for this command, found none",
            hint=extras.install_hint(error.name),
        )
    first = str(error).splitlines()[0] if str(error) else ""
    return ZkmlError(
        f"internal error: {type(error).__name__}: {first}",
        hint="this is a defect of zkml: repeat with -vv for the traceback and report it",
    )


def run(argv: list[str]) -> int:  # noqa: PLR0911  (one return per exit code)
    """Run one command and return its exit code; nothing but a defect of ours raises.

    Args:
        argv: arguments without the program's name.
    """
    console = Console(as_json="--json" in argv)
    try:
        check_packages()
        code = root.main(argv, prog_name="zkml", standalone_mode=False)
    except ZkmlError as error:
        console.failure(error)
        return error.exit_code
    except click.exceptions.Abort:
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        console.failure(_usage_error(error))
        return 2
    except KeyboardInterrupt:
        console.note("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output is gone; Python must not complain about it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  (the last resort, told without a traceback)
        explained = _explain(error)
        console.failure(explained)
        if any(arg.startswith("-vv") for arg in argv):
            traceback.print_exc()
        return explained.exit_code
    return code if isinstance(code, int) else 0


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:]))


def command_tree() -> dict[str, Any]:
    """Return every noun with its verbs, for the tests of help and docs."""
    context = click.Context(root)
    tree: dict[str, Any] = {}
    for noun in NOUNS:
        command = root.get_command(context, noun)
        tree[noun] = dict(command.commands) if isinstance(command, click.Group) else command
    return tree
