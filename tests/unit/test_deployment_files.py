"""The files to run a node with: linters accept them, and they say what the node does."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from prover_nodes.metrics import PrometheusObserver
from prover_nodes.slots import ProvingSlots
from prover_nodes.vitals import watch_gpus, watch_slots, watch_state
from zkml.adapters.system_clock import SystemClock
from zkml.cli.main import command_tree
from zkml.config.load import known_keys, variable_of
from zkml.config.settings import ProverSettings
from zkml.core.ports.gpu import Gpu

FOLDER = Path(__file__).parents[2] / "prover_nodes" / "deployment"
UNIT = FOLDER / "zkml-prover.service"
BIN = Path(sys.executable).parent


def run(*argv, **options) -> subprocess.CompletedProcess[str]:
    """Run a linter."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, **options)


def compose() -> dict:
    """Return the compose file."""
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def seconds(text: str) -> float:
    """Return a span such as 3660 or 3660s in seconds."""
    return float(text.removesuffix("s"))


def test_compose__fits_the_compose_specification():
    """The compose file is what the Compose specification's own schema allows."""
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = run(BIN / "check-jsonschema", *schema, FOLDER / "compose.yaml")
    assert done.returncode == 0, done.stdout
    broken = FOLDER.parent.parent / "pyproject.toml"
    assert run(BIN / "check-jsonschema", *schema, "--force-filetype", "toml", broken).returncode == 1


def test_compose__files_it_mounts__are_here():
    """What is mounted from beside the file is one of the files here, or one that the operator brings."""
    brought = {"./zkml.toml", "./bundles", "./deployments"}
    for service in compose()["services"].values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert source in brought or (FOLDER / source).is_file(), source


def test_compose__secrets__are_files_and_no_variables():
    """The key and Grafana's password come as secrets; no variable of the file holds one."""
    file = compose()
    assert all(set(secret) == {"file"} for secret in file["secrets"].values())
    for service in file["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("KEY|PASSWORD", name) or name.endswith("__FILE"), name
            assert not name.startswith("ZKML_") or name in {variable_of(key) for key in known_keys()}, (
                name,
                value,
            )


def test_compose__containers__are_confined_and_drain():
    """No container gains privileges, metrics are not published, and stopping waits for claimed jobs."""
    services = compose()["services"]
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    prover = services["prover"]
    assert not [port for port in prover["ports"] if port.endswith(":9464")]
    assert prover["stop_signal"] == "SIGTERM"
    assert seconds(prover["stop_grace_period"]) > ProverSettings().drain_seconds
    assert {"prometheus", "grafana"} == {name for name in services if services[name].get("profiles")}


def flags_of(words: list[str]) -> set[str]:
    """Return the flags of a `prover run` that the words call, each of which must exist."""
    assert words[:2] == ["prover", "run"]
    known = {flag for option in command_tree()["prover"]["run"].params for flag in option.opts}
    used = {word for word in words if word.startswith("--")}
    assert used <= known
    return used


def test_commands__of_every_file__exist():
    """What container, image and service call is a command of this version, with its flags."""
    assert "--key-file" in flags_of(compose()["services"]["prover"]["command"])
    image = (FOLDER / "Dockerfile").read_text()
    flags_of(json.loads(re.search(r"^CMD (\[.*\])$", image, re.MULTILINE)[1]))
    flags_of(shlex.split(unit()["Service"]["ExecStart"])[1:])


def test_dockerfile__copies_what_is_there_and_runs_as_nobody_special():
    """Every path that is copied exists, the last user is not root, and no secret is built in."""
    text = (FOLDER / "Dockerfile").read_text()
    root = FOLDER.parents[1]
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        assert all((root / source).exists() for source in sources.split())
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert "STOPSIGNAL SIGTERM" in text
    assert "/healthz" in text
    assert not re.search(r"KEY|PASSWORD|\.key", text)


def unit() -> dict[str, dict[str, str]]:
    """Return the service unit; of a key that stands there twice, the last one."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    return {name: dict(parser[name]) for name in parser.sections()}


# What the linter gets wrong, or does not know yet.
KNOWN_FINDINGS = (
    # It takes the bits that a mask takes away for those that it grants.
    r"Security\.UMaskOW",
    # It knows neither; both are older than systemd 250.
    r"InvalidSetting\] - (OOMPolicy|LoadCredential) ",
    # A service that delegates gets a part of the cgroup tree to manage, for which this one has no use.
    r"Security\.Delegate",
)


def lint(path: Path) -> list[str]:
    """Return what systemdlint finds, but for what it gets wrong itself."""
    done = run(BIN / "systemdlint", "--nodropins", "--norootfs", str(path))
    findings = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return [line for line in findings if not re.search("|".join(KNOWN_FINDINGS), line)]


def test_unit__a_linter_accepts_it(tmp_path):
    """systemdlint finds nothing in the unit, and would find a mistake."""
    assert lint(UNIT) == []
    broken = tmp_path / UNIT.name
    broken.write_text(UNIT.read_text().replace("KillMode=mixed", "KillMode=gently\nKillSgnal=1"))
    assert len(lint(broken)) == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_unit__systemd_itself_accepts_it(tmp_path):
    """systemd reads the unit without a complaint, and rates its exposure as low."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/zkml/bin/zkml", sys.executable))
    done = run("systemd-analyze", "verify", "--man=no", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    rated = run("systemd-analyze", "security", "--offline=true", "--threshold=30", str(copy))
    assert rated.returncode == 0, rated.stdout[-300:]


def test_unit__drains_is_confined_and_holds_no_key():
    """Stopping sends SIGTERM and waits for claimed jobs; the key is a credential; nothing else is writable."""
    service = unit()["Service"]
    assert (service["KillSignal"], service["KillMode"]) == ("SIGTERM", "mixed")
    assert seconds(service["TimeoutStopSec"]) > ProverSettings().drain_seconds
    assert service["LoadCredential"].startswith("prover.key:")
    assert "${CREDENTIALS_DIRECTORY}/prover.key" in service["ExecStart"]
    confined = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "MemoryMax": "24G"}
    assert confined.items() <= service.items()
    variables = re.findall(r"^Environment=(ZKML_\w+)=", UNIT.read_text(), re.MULTILINE)
    assert set(variables) <= {variable_of(key) for key in known_keys()} | {"ZKML_CONFIG"}


def all_metrics() -> set[str]:
    """Return the names that a node with a GPU has."""
    metrics, clock = PrometheusObserver(), SystemClock()
    watch_slots(metrics, ProvingSlots(1, 1, clock))
    watch_state(metrics, is_ready=lambda: True, is_draining=lambda: False)
    watch_gpus(metrics, lambda: (Gpu(0, "", "", 1, 0, None),), clock)
    return metrics.names()


def dashboard() -> dict:
    """Return the dashboard."""
    return json.loads((FOLDER / "grafana" / "zkml-prover.json").read_text())


def expressions() -> list[str]:
    """Return every query of the dashboard."""
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [*panels, *(entry["definition"] for entry in dashboard()["templating"]["list"])]


def test_dashboard__every_metric_in_a_panel__is_one_of_the_nodes():
    """No panel asks for a metric that the node does not have."""
    named = {name for text in expressions() for name in re.findall(r"zkml_prover_\w+", text)}
    assert named <= all_metrics(), named - all_metrics()
    assert len(named) >= 25


def test_dashboard__what_a_node_counts__is_shown():
    """No count or histogram of the node's own is left out of the dashboard."""
    text = " ".join(expressions())
    families = {
        re.sub(r"_(bucket|sum|count|total)$", "", name) for name in all_metrics() if "_process_" not in name
    }
    unshown = {name for name in families if name not in text}
    assert unshown <= {"zkml_prover_gas_used", "zkml_prover_chain_head_block"}, unshown


def test_dashboard__panels__have_ids_titles_and_places_of_their_own():
    """Grafana loads panels by id, and two must not lie over each other."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_provisioning__names_fit_together():
    """Prometheus scrapes the compose file's node at its port; Grafana finds the source and the dashboard."""
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]
    assert (scrape["metrics_path"], scrape["static_configs"]) == ("/metrics", [{"targets": ["prover:9464"]}])
    services = compose()["services"]
    assert services["prover"]["expose"] == ["9464"]
    source = yaml.safe_load((FOLDER / "grafana" / "datasource.yml").read_text())["datasources"][0]
    assert {
        target["datasource"]["uid"] for panel in dashboard()["panels"] for target in panel.get("targets", [])
    } == {source["uid"]}
    provider = yaml.safe_load((FOLDER / "grafana" / "dashboards.yml").read_text())["providers"][0]
    mounted = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/zkml-prover.json" in mounted


def test_package__has_every_file_here():
    """Whatever lies here is installed with the package, so that an operator finds it."""
    patterns = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    allowed = {*patterns["*"], *patterns.get("prover_nodes.deployment", [])}
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            name = str(path.relative_to(FOLDER))
            assert any(Path(name).match(pattern) for pattern in allowed), name
