"""Witness and proof as tasks of a real Ray cluster: two machines in one, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ezkl_circuits import Lab, relu

from prover_nodes.workers.ray_workers import open_ray_workers, share_of
from zkml.adapters.process.child import Limits
from zkml.adapters.ray.cluster import NodeResources, RayCluster
from zkml.config.settings import ProverSettings
from zkml.errors import ConfigError, GpuError

pytestmark = pytest.mark.integration
__all__ = ["relu"]

GIBIBYTE = 1 << 30


@pytest.fixture(scope="module")
def answers(relu: Lab, tmp_path_factory):
    """Run the whole of `ray_world` once."""
    world = Path(__file__).with_name("ray_world.py")
    run = subprocess.run(
        [sys.executable, str(world), str(relu.bundle.path), str(tmp_path_factory.mktemp("ray"))],
        capture_output=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    return json.loads(run.stdout)


def test_proofs__on_two_machines__verify_and_are_counted(answers):
    """Witness and proofs made by tasks hold, and the observer hears of each with its device and memory."""
    found = answers["proofs"]
    assert found["verified"] == 5
    assert [one.split("@")[0] + one[one.index(":") :] for one in found["observed"]] == ["tiny:cpu:True"] * 5
    assert found["peak_known"]
    assert found["seconds_known"]


def test_proofs__witness__stays_on_the_machine_that_made_it(answers):
    """The node itself never holds a witness file."""
    assert answers["proofs"]["witnesses_here"] == []


def test_bundle__spoiled_in_a_machines_cache__is_fetched_again(answers):
    """What lies in a cache is hashed before it is used."""
    assert answers["proofs"]["mended"]


def test_bundle__lost_by_the_cluster__is_put_there_again(answers):
    """A store that lost the bundle's pieces gets them again, once, from the node that has the files."""
    assert answers["proofs"]["found_again"]


def test_error__of_a_task__is_the_error_it_would_be_here(answers):
    """An input of another length is a LayoutError, wherever it was looked at."""
    assert answers["proofs"]["wrong_input"]["type"] == "LayoutError"


def test_connect__sigterm__still_answered_by_this_process(answers):
    """Ray replaces the handler that drains the node; it is put back."""
    assert answers["proofs"]["same_sigterm"]


def test_tasks__two_at_once__run_on_both_machines(answers):
    """Two tasks that wait for each other end, each on a machine of its own."""
    assert answers["losses"]["machines"] == ["a", "b"]


def test_task__worker_dies_once__is_begun_again(answers):
    """A killed worker costs one attempt."""
    assert answers["losses"]["after_one_death"] == "alive"


def test_task__worker_dies_each_time__fails_after_the_second(answers):
    """A task that kills its workers is begun twice, and no third time."""
    assert answers["losses"]["lost"]["type"] == "BackendError"
    assert answers["losses"]["deaths"] == 2


def test_task__no_place_in_time__prover_limit_error(answers):
    """A task for which the cluster has no place is not waited for without end."""
    assert answers["losses"]["nowhere"]["type"] == "ProverLimitError"


def test_close__task_under_way__cancelled_with_its_children(answers):
    """Closing ends the waiting thread, the task, and the processes that it had started; nothing begins after."""
    assert [one["type"] for one in answers["losses"]["cancelled"]] == ["BackendError"]
    assert answers["losses"]["child_gone"]
    assert answers["losses"]["after_close"]["type"] == "BackendError"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "host:port", ""])
def test_connect__nobody_answers__config_error_at_once(address):
    """An address that is none, or where nobody is, is said to be that, before Ray is even loaded."""
    with pytest.raises(ConfigError):
        RayCluster.connect(address)


def test_open__gpu_required_without_a_program__refused_before_connecting():
    """A node that may prove on GPUs alone does not start without a program that uses one."""
    prover = ProverSettings(ray_address="127.0.0.1:1", require_gpu=True)
    with pytest.raises(GpuError, match="none named"):
        open_ray_workers([], prover=prover, limits=Limits(GIBIBYTE, 600), measurements=None)


def test_share__workers_of_a_cluster__fill_its_processors():
    """As many proofs as there are workers share the processors, and none asks for more than a machine has."""
    limits = Limits(16 * GIBIBYTE, 600)
    nodes = [NodeResources(16, 64 * GIBIBYTE, 0), NodeResources(16, 8 * GIBIBYTE, 0)]
    for workers, cpus, memory in ((1, 16, 16), (2, 16, 16), (8, 4, 16), (100, 1, 16)):
        share = share_of(nodes, ProverSettings(workers=workers), limits)
        assert (share.cpus, share.memory_bytes // GIBIBYTE, share.gpus) == (cpus, memory, 0)
    with pytest.raises(ConfigError, match="a processor and a GPU"):
        share_of(nodes, ProverSettings(gpu_binary="/opt/ezkl-gpu"), limits)
