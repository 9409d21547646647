"""How test files are distributed among pytest-xdist's workers: the longest first, and no worker's death ends the run.

pytest-xdist 3.8 with `--dist loadscope` never ends after the death of a worker: others get its finished files again
and wait for tests that never come, and its replacement gets one test where it needs two.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

#: Names of files that take long, the longest first; those that mostly wait alternate with those that mostly compute.
LONGEST = (
    "test_slurm_campaign.py",
    "test_snippets.py",
    "test_run.py",
    "test_work_pool_live.py",
    "test_separate_pages.py",
    "test_deployments.py",
    "test_kills.py",
    "test_kubernetes.py",
    "test_engines.py",
    "test_work_pool_engine.py",
    "test_network_copies.py",
    "test_compose.py",
    "test_living_network.py",
    "test_histories.py",
    "test_run_campaign.py",
    "test_bucket_page.py",
    "test_slurm_page.py",
    "test_pool_histories.py",
    "test_slurm_engine.py",
    "test_bucket_kills.py",
    "test_migration_kills.py",
    "test_round_kills.py",
    "test_import_results.py",
    "test_bit_rot.py",
    "test_power_cuts.py",
    "test_ends.py",
    "test_gather.py",
    "test_resume.py",
    "test_file_pruning.py",
    "test_cases.py",
    "test_host_faults.py",
    "test_notes.py",
    "test_attempt.py",
    "test_processes.py",
    "test_bucket_outage.py",
    "test_hidden_spawns.py",
    "test_notebooks.py",
    "test_contracts.py",
    "test_predict.py",
    "test_cost.py",
    "test_regressor.py",
    "test_calibration.py",
    "test_train_cost_model.py",
    "test_local_pool.py",
    "test_closing.py",
    "test_grow.py",
    "test_browser_headers.py",
    "test_local_api.py",
)
_RANK = {file: rank for rank, file in enumerate(LONGEST)}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores: many tests wait for a server or a queue."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Distribute files as this module does, whatever `--dist` says."""
    return FileScheduling(config, log)


class FileScheduling(LoadScopeScheduling):
    """All tests of a file run on one worker, in the order of collection; what a dead worker left runs on another."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Queue what a worker left; return the test that it died of, which has failed and is not repeated."""
        left = {
            file: [test for test, done in tests.items() if not done] for file, tests in self.assigned_work[node].items()
        }
        fatal = next((test for tests in left.values() for test in tests), None)
        self.assigned_work[node] = {}
        super().remove_node(node)
        for file, tests in left.items():
            if rest := {test: False for test in tests if test != fatal}:
                self.workqueue[file] = rest
        for other in self.assigned_work:
            self._reschedule(other)
        return fatal

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker files until it knows what to do after the next test, or tell it that nothing is left."""
        while node in self.registered_collections and not node.shutting_down:
            if not self.workqueue:
                node.shutdown()
            elif self._pending_of(self.assigned_work[node]) > 2:
                return
            else:
                self._assign_work_unit(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker the longest file that is left."""
        file = min(self.workqueue, key=lambda file: _RANK.get(Path(file).name, len(_RANK)))
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)
