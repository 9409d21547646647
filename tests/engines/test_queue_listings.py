"""Listings of jobs as each queue prints them."""

from collections.abc import Callable, Sequence

import pytest

from alchemiscale_lake.engines.queue_listings import list_jobs, list_nodes
from alchemiscale_lake.settings import JOBQUEUE_KINDS

PBS = """{
    "timestamp":1664911414,
    "pbs_version":"19.0.0",
    "pbs_server":"meta-pbs.example.org",
    "Jobs":{
        "12860476.meta-pbs.example.org":{
            "Job_Name":"lake-01",
            "Job_Owner":"someone@example.org",
            "job_state":"R",
            "queue":"charon_2h",
            "server":"meta-pbs.example.org",
            "exec_host":"charon24/0*2+charon21/0*2"
        },
        "12860477.meta-pbs.example.org":{
            "Job_Name":"STDIN",
            "Job_Owner":"someone@example.org",
            "job_state":"Q",
            "queue":"workq"
        }
    }
}"""


SGE = """<?xml version='1.0'?>
<job_info  xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <queue_info>
    <job_list state="running">
      <JB_job_number>389524</JB_job_number>
      <JAT_prio>0.50500</JAT_prio>
      <JB_name>lake-01</JB_name>
      <JB_owner>someone</JB_owner>
      <state>r</state>
      <JAT_start_time>2011-11-23T17:20:34</JAT_start_time>
      <queue_name>cloud@cloud-002</queue_name>
      <slots>1</slots>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>112742</JB_job_number>
      <JAT_prio>0.00000</JAT_prio>
      <JB_name>CH3ONO2</JB_name>
      <JB_owner>someone</JB_owner>
      <state>hqw</state>
      <JB_submission_time>2015-05-08T16:30:25</JB_submission_time>
      <queue_name></queue_name>
      <slots>1</slots>
    </job_list>
  </job_info>
</job_info>"""


MOAB = """<Data><Object>queue</Object><cluster LocalActiveNodes="1" time="1278480000"></cluster>
<queue count="1" option="active">
<job AWDuration="3931" Account="gvo00000" Class="short" DRMJID="123456788.master.gengar.vsc" EEDuration="1278479828"
 Group="vsc40000" JobID="123456788" JobName="lake-01" MasterHost="node129" ReqAWDuration="7200" ReqProcs="8"
 State="Running" SubmissionTime="1278470000" User="vsc40000"></job></queue>
<queue count="1" option="eligible">
<job JobID="Moab.123456789" JobName="job.sh" State="Idle" User="vsc40000"></job></queue>
<queue count="0" option="blocked"></queue></Data>"""


CONDOR = """[
{
  "ClusterId": 207,
  "JobBatchName": "lake-01",
  "JobStatus": 2,
  "ProcId": 0
}
,
{
  "ClusterId": 208,
  "JobStatus": 1,
  "ProcId": 0
}
,
{
  "ClusterId": 206,
  "JobBatchName": "lake-00",
  "JobStatus": 4,
  "ProcId": 0
}
]
"""


OAR = """{
   "1717": {"id": 1717, "name": "lake-01", "owner": "someone", "state": "Running", "queue": "default"},
   "1718": {"id": 1718, "name": null, "owner": "someone", "state": "Waiting", "queue": "default"},
   "1716": {"id": 1716, "name": "lake-00", "owner": "someone", "state": "Terminated", "queue": "default"}
}"""


def answering(*answers: str) -> Callable[..., str]:
    """Replace a command by one with these outputs, in order."""
    left = list(answers)

    def run(*command: str, unless: str | None = None) -> str:
        assert all(isinstance(word, str) for word in command)
        return left.pop(0)

    return run


@pytest.mark.parametrize(
    ("kind", "answers", "running", "pending"),
    [
        ("slurm", ["1|RUNNING|lake-01\n12|PENDING|a|b\n13|COMPLETING|x\n"], {"1": "lake-01", "13": "x"}, {"12": "a|b"}),
        ("pbs", ["12860476.meta-pbs\n12860477.meta-pbs\n", PBS], {"12860476": "lake-01"}, {"12860477": "STDIN"}),
        ("moab", [MOAB], {"123456788": "lake-01"}, {"123456789": "job.sh"}),
        ("lsf", ["7|RUN|lake-01\n8|PEND|x\n9|USUSP|y\n"], {"7": "lake-01", "9": "y"}, {"8": "x"}),
        ("sge", [SGE], {"389524": "lake-01"}, {"112742": "CH3ONO2"}),
        ("htcondor", [CONDOR], {"207.0": "lake-01"}, {"208.0": ""}),
        ("oar", [OAR], {"1717": "lake-01"}, {"1718": ""}),
    ],
)
def test_what_each_queue_says(
    kind: str, answers: Sequence[str], running: dict[str, str], pending: dict[str, str]
) -> None:
    jobs = list_jobs(kind, answering(*answers))

    assert {job.job_id: job.name for job in jobs.values() if job.state == "running"} == running
    assert {job.job_id: job.name for job in jobs.values() if job.state == "pending"} == pending
    assert all(job_id == job.job_id for job_id, job in jobs.items())


EMPTY_XML = "<job_info><queue_info></queue_info><job_info></job_info></job_info>"


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("slurm", [""]),
        ("pbs", [""]),
        # all had ended when more were requested
        ("pbs", ["1.server\n", '{"timestamp":1, "pbs_version":"2024.1.2", "pbs_server":"gadi-pbs-01"}']),
        ("pbs", ["1.server\n", ""]),
        ("moab", ['<Data><queue count="0" option="active"></queue></Data>']),
        ("lsf", [""]),
        ("sge", [EMPTY_XML]),
        ("htcondor", [""]),
        ("oar", [""]),
        ("oar", ["{}"]),
    ],
)
def test_an_empty_queue(kind: str, answers: Sequence[str]) -> None:
    assert list_jobs(kind, answering(*answers)) == {}


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
def test_what_cannot_be_read_is_an_error_and_no_empty_queue(kind: str) -> None:
    with pytest.raises(ValueError, match="cannot be parsed"):
        list_jobs(kind, answering("slurm_load_jobs error", "what?"))


def test_only_slurm_lists_its_nodes() -> None:
    assert list_nodes("slurm", answering("node1\nnode2\nnode1\n")) == {"node1", "node2"}
    assert list_nodes("pbs", answering()) == frozenset()
