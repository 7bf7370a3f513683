"""`zkml prover status`: what the journal, the chain and the running node say."""

from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.options import Session, chain_command


@click.command()
@click.option("--account", metavar="ADDRESS", help="Whose stake and credits [the prover's key's].")
@chain_command
def status(session: Session, account: str | None) -> None:
    """Print the running node's queue, the journal's jobs, and the prover's stake and credits on chain.

    Without a chain or a key it prints what the journal says.

    Example: zkml prover status --json
    """
    from prover_nodes.status import read_all_statuses
    from zkml.cli.stakes import describe_account

    statuses = read_all_statuses(session.settings.prover.journal_url or session.home.journal)
    on_chain, text = describe_account(session, account)
    node, node_text = _running_node(session)
    value = {
        "node": node,
        "account": on_chain,
        "markets": [{"market": scope, **found.as_json()} for scope, found in statuses],
    }
    lines = [node_text, text]
    for scope, found in statuses:
        counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
        lines.append(f"market {scope}\njobs: {counts}; earned {found.earned} units")
        if found.requests:
            lines.append(
                "requests: " + ", ".join(f"{count} {state}" for state, count in found.requests.items())
            )
        rows = [[case.job_id, case.state, case.stage, case.fee, case.reason] for case in found.cases]
        if rows:
            lines.append(table(["job", "state", "stage", "fee", "reason"], rows))
    session.console.result(value, "\n".join([*lines, *([] if statuses else ["no jobs yet"])]))


def _running_node(session: Session) -> tuple[dict[str, Any] | None, str]:
    """Return what the node of this home says of itself; None where none runs."""
    from prover_nodes.process_file import ProcessFile, ask_status
    from zkml.adapters.home_directory import is_locked

    if not is_locked(session.home, "prover"):
        return None, "no node runs in this home"
    note = ProcessFile(session.home.prover_work.parent).read()
    if note is None:
        return {"pid": None}, "a node runs one round in this home"
    told = (ask_status(note.admin) if note.admin else None) or {}
    value = {"pid": note.pid, "admin": note.admin, "api": note.api, "draining": note.draining, **told}
    return value, "\n".join(_describe_node(value))


def _describe_node(node: dict[str, Any]) -> list[str]:
    where = "".join(f", {name} {node[name]}" for name in ("api", "admin") if node[name])
    lines = [f"process {node['pid']} {'drains' if node['draining'] else 'runs'}{where}"]
    proofs = node.get("proofs")
    if isinstance(proofs, dict):
        lines.append(
            f"{proofs.get('running')} of {proofs.get('slots')} slots prove, {proofs.get('waiting')} promised "
            f"proofs wait, the next would begin in {proofs.get('wait_seconds')} s"
        )
    lines += [f"{name}: {problem}" for name, problem in dict(node.get("problems") or {}).items()]
    for gpu in dict(node.get("gpu") or {}).get("gpus", []):
        used, memory = int(gpu["used_bytes"]) >> 20, int(gpu["memory_bytes"]) >> 20
        lines.append(
            f"GPU {gpu['index']} {gpu['name']}: {gpu['utilisation_percent']} % at work, "
            f"{used} of {memory} MiB in use"
        )
    return lines
