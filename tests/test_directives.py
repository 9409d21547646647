"""What queues accept, and what would be misread."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alchemiscale_lake.directives import directive_mistakes, log_folder_mistake, quoted, word_mistake
from alchemiscale_lake.settings import JOBQUEUE_KINDS, Pool
from tests.queue_pools import pool_of


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
@pytest.mark.parametrize("text", ["", " ", "a'b", 'a"b', "a\\b", "a$b", "a`b", "a\nb", "a\tb"])
def test_these_directives_are_never_written(kind: str, text: str) -> None:
    assert word_mistake(kind, "queue", text) is not None
    assert word_mistake(kind, "account", text) is not None
    assert log_folder_mistake(kind, text) is not None


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
@pytest.mark.parametrize("text", ["gpu", "a,b", "q@server", "all.q@@fast", "Ωmega-1", "a/b"])
def test_names_of_one_word_pass(kind: str, text: str) -> None:
    assert word_mistake(kind, "queue", text) is None
    assert word_mistake(kind, "account", text) is None


@pytest.mark.parametrize(
    ("key", "kinds"),
    [("queue", {"lsf"}), ("account", {"slurm", "pbs", "moab", "lsf"}), ("interface", set())],
)
def test_a_space_goes_where_it_can_be_quoted(key: str, kinds: set[str]) -> None:
    assert {kind for kind in JOBQUEUE_KINDS if word_mistake(kind, key, "my project") is None} == kinds


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        ("/a/log dir", {"slurm", "lsf", "htcondor"}),
        ("/a/100%", {"slurm", "pbs", "moab", "sge", "htcondor"}),
        ("/a/b:c", {"slurm", "lsf", "htcondor", "oar"}),
        ("/a/plain_1.x", set(JOBQUEUE_KINDS)),
    ],
)
def test_folders_that_jobs_can_write_to(folder: str, kinds: set[str]) -> None:
    assert {kind for kind in JOBQUEUE_KINDS if log_folder_mistake(kind, folder) is None} == kinds


@pytest.mark.parametrize(
    ("kind", "directive", "said"),
    [
        ("slurm", "-p gpu long", "'long', which belongs to no option"),
        ("slurm", "--comment=my project", "'project', which belongs to no option"),
        ("slurm", "gres=gpu:1", "does not begin with an option"),
        ("slurm", "#SBATCH --gres=gpu:1", "omit '#SBATCH'"),
        ("slurm", '--comment="my project', "an unmatched quotation mark"),
        ("slurm", "--a=b\n--c=d", "line break"),
        ("slurm", "# none", "does not begin with an option"),
        ("pbs", "-A my project", "'project', which belongs to no option"),
        ("pbs", "#PBS -A x", "omit '#PBS'"),
        ("lsf", "-R select[a] rusage[b]", "'rusage[b]', which belongs to no option"),
        ("sge", "#$ -l gpu=1", "omit '#$'"),
        ("oar", "/nodes=1", "does not begin with an option"),
        ("htcondor", "# x = y", "would be a comment"),
        ("htcondor", "a = b\nqueue 5", "line break"),
        ("moab", " ", "is empty"),
    ],
)
def test_directives_that_would_be_refused_or_not_read(kind: str, directive: str, said: str) -> None:
    (mistake,) = directive_mistakes(kind, [directive])

    assert said in mistake
    assert mistake.startswith(repr(directive))


@pytest.mark.parametrize(
    ("kind", "directive"),
    [
        ("slurm", "--gres=gpu:1 --constraint=a100 # one GPU"),
        ("slurm", "-p gpu -C 'a100|h100' --nice -5"),
        ("slurm", '--comment "my project" --exclusive'),
        ("pbs", '-l select=1:ncpus=4 -W group_list=chem -A "my project"'),
        ("lsf", '-R "rusage[mem=4GB] span[hosts=1]" -gpu - -m "host1 host2"'),
        ("sge", "-pe smp 4 -binding linear:4"),
        ("oar", "-l /nodes=1/gpu=1/core=4"),
        ("htcondor", 'requirements = (Machine == "a b")'),
    ],
)
def test_directives_that_are_read(kind: str, directive: str) -> None:
    assert list(directive_mistakes(kind, [directive])) == []


@given(st.text(max_size=20), st.sampled_from(["slurm", "pbs", "moab", "lsf"]))
def test_what_passes_is_one_word_to_its_queue(text: str, kind: str) -> None:
    if word_mistake(kind, "account", text) is None:
        # Slurm drops what follows a '#'
        assert shlex.split(quoted(kind, text), comments=True) == [text]


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
def test_a_pool_names_the_key_of_every_mistake(kind: str) -> None:
    wrong: dict[str, Any] = {"account": "a'b", "log_folder": "/a\n", "interface": "ib 0", "directives": ["\n"]}

    with pytest.raises(ValidationError) as caught:
        pool_of(kind, **wrong)

    assert all(f"{key}: " in str(caught.value) for key in wrong)


def test_pools_without_a_queue_have_no_directives() -> None:
    assert Pool(kind="local", work_root="/a b").work_root == "/a b"
