"""Trials on Ray: real clusters, with workers and nodes that die."""

import os
import pickle
import re
import signal
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import torch

from attncourse.trials import cluster as on_ray
from attncourse.trials.cluster import run_on_ray
from attncourse.trials.local import attempt, run_locally
from attncourse.trials.provenance import versions
from tests.trials import logged_run
from tests.trials.standins import count_up

ROOT = Path(__file__).parents[2]
MEMORY = 80_000_000
JOBS = [(variant, seed) for seed in range(4) for variant in ("plain", "wide")]

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="Ray's clusters in one machine need Linux"
)


def tasks(run, jobs=JOBS):
    return [
        partial(attempt, run, variant, seed, None) for variant, seed in jobs
    ]


def logged(run, folder, jobs=JOBS):
    folder.mkdir(exist_ok=True)
    return tasks(partial(run, folder=folder), jobs)


def free_ports(count):
    sockets = [socket.create_server(("", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def cluster():
    """Ray on two nodes with one processor each.

    Nodes that are told their ports do not wait for them, which ends after
    15 seconds on a busy machine.
    """
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    names = (
        "metrics_agent_port",
        "metrics_export_port",
        "dashboard_agent_listen_port",
        "runtime_env_agent_port",
    )
    node = {"num_cpus": 1, "object_store_memory": MEMORY}
    ports = free_ports(2 * len(names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("RAY_ADDRESS", raising=False)
        assert not ray.is_initialized()
        cluster = Cluster()
        try:
            cluster.add_node(
                wait=False,
                include_dashboard=False,
                **node,
                **dict(zip(names, ports[:4], strict=True)),
            )
            cluster.add_node(
                wait=False, **node, **dict(zip(names, ports[4:], strict=True))
            )
            cluster.wait_for_nodes(timeout=120)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def until(found, seconds=120.0):
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
    return result


def break_off(cluster, folder):
    """Kill the worker on the head and the other node, both in mid-run."""
    head = cluster.head_node.node_id
    until(lambda: len(logged_run.lines(folder, "hang")) == 2)
    broken = logged_run.lines(folder, "hang")
    (process,) = (pid for *_, pid, node in broken if node == head)
    os.kill(process, signal.SIGKILL)
    (other,) = cluster.worker_nodes
    cluster.remove_node(other, allow_graceful=False)
    return [(variant, seed) for variant, seed, *_ in broken]


@needs_linux
@pytest.mark.slow
def test_a_trial_survives_its_workers_and_nodes(cluster, tmp_path):
    """Each job counts once, with the very numbers of a local run.

    Bitwise, because the processor is the same one; another kind of processor
    may differ in the last bits.
    """
    here, there = tmp_path / "here", tmp_path / "there"
    expected = dict(run_locally(logged(logged_run.trains, here), workers=1))
    unbroken = logged(logged_run.trains, there)
    (there / "hang").touch()
    with ThreadPoolExecutor(1) as pool:
        breaking = pool.submit(break_off, cluster, there)
        outcomes = list(run_on_ray(unbroken, address=cluster.address))
        broken = breaking.result()

    assert sorted(number for number, _ in outcomes) == list(range(len(JOBS)))
    for number, outcome in outcomes:
        assert (outcome.variant, outcome.seed) == JOBS[number]
        assert outcome.metrics == expected[number].metrics
    losses = {outcome.metrics["loss"] for _, outcome in outcomes}
    assert len(losses) == len(JOBS)

    starts = Counter(line[:2] for line in logged_run.lines(there, "start"))
    ends = Counter(line[:2] for line in logged_run.lines(there, "end"))
    assert starts == Counter(JOBS) + Counter(broken)
    assert ends == Counter(JOBS)
    assert not sys.modules["ray"].is_initialized()
    assert cluster.head_node.any_processes_alive()


@needs_linux
@pytest.mark.slow
def test_a_run_that_fails_ends_the_others(cluster, tmp_path):
    """The error is that of a local run, and no run goes on."""
    jobs = [("plain", seed) for seed in range(5)]
    alone = logged(logged_run.fails, tmp_path / "alone", jobs)
    with pytest.raises(RuntimeError, match="no such luck") as expected:
        alone[0]()

    there = tmp_path / "there"
    with pytest.raises(RuntimeError) as found:
        list(
            run_on_ray(
                logged(logged_run.fails, there, jobs), address=cluster.address
            )
        )
    assert type(found.value) is RuntimeError
    assert str(found.value) == str(expected.value)
    assert str(found.value).startswith("variant 'plain', seed 0 failed")
    starts = logged_run.lines(there, "start")
    assert Counter(line[:2] for line in starts)["plain", 0] == 1
    assert len(starts) < len(jobs)
    for *_, process, _ in starts:
        until(lambda process=process: gone(process))


def gone(process):
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_node_must_have_what_the_trial_was_started_with(
    monkeypatch, tmp_path
):
    pytest.importorskip("ray")
    (task, *_) = tasks(count_up)
    packed, expected = pickle.dumps(task), on_ray._facts(task)
    assert on_ray._attempt(packed, expected).metrics["accuracy"] == 5.0
    with pytest.raises(RuntimeError) as error:
        on_ray._attempt(packed, {**expected, "torch": "1.0", "numpy": "0.9"})
    here = versions()
    for part in (
        r"node [\d.:a-f]+ has ",
        f"torch {re.escape(torch.__version__)}, numpy {here['numpy']}",
        "started with torch 1.0, numpy 0.9; install",
    ):
        assert re.search(part, str(error.value))
    other = {**expected, "source of the run": "0123456789ab"}
    with pytest.raises(RuntimeError, match="source of the run 0123456789ab"):
        on_ray._attempt(packed, other)


def test_only_the_source_that_a_node_imports_is_compared(monkeypatch):
    def typed_in(variant, seed):
        return {"accuracy": 0.5}

    typed_in.__module__ = "__main__"
    assert on_ray._facts(*tasks(typed_in, [("plain", 0)])) == versions()
    bound = partial(partial(count_up), seed=3)
    assert on_ray._facts(*tasks(bound, [("plain", 0)])) == on_ray._facts(
        *tasks(count_up, [("wide", 1)])
    )


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "attncourse\[ray\]"'):
        run_on_ray(tasks(count_up))


@pytest.mark.parametrize("gpus", [-0.25, 1.5])
def test_a_share_of_a_gpu_lies_between_none_and_one(gpus):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {gpus}"):
        run_on_ray(tasks(count_up), gpus=gpus)


class Idle(ModuleType):
    """Stands for Ray, and notes how it is started and left."""

    cloudpickle = pickle

    def __init__(self, joined=False, gpus=0):
        super().__init__("ray")
        self.joined = joined
        self.resources = {"CPU": 2.0} | ({"GPU": gpus} if gpus else {})
        self.calls = []

    def is_initialized(self):
        return self.joined

    def init(self, address, **options):
        self.calls.append((address, "include_dashboard" in options))

    def cluster_resources(self):
        return self.resources

    def shutdown(self):
        self.calls.append("left")


def joined(ray, address=None, gpus=0.0):
    with on_ray._joined(ray, address, gpus):
        return ray.calls


def test_it_joins_the_named_cluster_or_starts_one_and_leaves(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert joined(Idle()) == [("local", True), "left"]
    assert joined(Idle(), "auto") == [("auto", False), "left"]
    assert joined(Idle(joined=True), "auto") == []
    monkeypatch.setenv("RAY_ADDRESS", "ray://here:10001")
    assert joined(Idle()) == [("ray://here:10001", False), "left"]
    assert joined(Idle(), "there:6379") == [("there:6379", False), "left"]


def test_a_machine_without_the_gpu_does_not_wait_for_one(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray = Idle()
    with pytest.raises(ValueError, match=r"0\.25 for each task.* finds 0 on"):
        joined(ray, gpus=0.25)
    assert ray.calls[-1] == "left"
    joined(Idle(gpus=1), gpus=1.0)
    joined(Idle(), "auto", gpus=0.25)


def test_nothing_to_do_starts_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", Idle())
    assert list(run_on_ray([])) == []
    assert sys.modules["ray"].calls == []


def test_a_task_that_it_cannot_name_is_refused():
    with pytest.raises(ValueError, match="must be partials of attempt, got"):
        on_ray._arguments(partial(count_up, "plain", 0))
