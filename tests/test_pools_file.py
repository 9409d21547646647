"""The file: found, read, and every mistake reported with its line."""

from __future__ import annotations

import pickle
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.amounts import format_bytes, format_seconds
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.pools_file import find_pools_file, load_pools, read_pools_file
from alchemiscale_lake.pools_file.secrets import holds_secret, names_secret

REPOSITORY = Path(__file__).parents[1]
TEMPLATES = [REPOSITORY / "deployments/pools.yaml", *sorted((REPOSITORY / "deployments/pools").glob("*.yaml"))]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a name as in messages when run from its folder."""
    monkeypatch.chdir(tmp_path)
    return Path("pools.yaml")


def mistakes(file: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    file.write_text(dedent(text))
    with pytest.raises(SettingsError) as caught:
        read_pools_file(file, environment)
    found = list(caught.value.facts["mistakes"])
    head = [f"{len(found)} mistakes in pools.yaml"] if len(found) > 1 else []
    assert str(caught.value).splitlines() == [*head, *found]
    return [line.removeprefix("pools.yaml:") for line in found]


# --- found -------------------------------------------------------------------------------------


def test_the_file_given_goes_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALCHEMISCALE_LAKE_POOLS", raising=False)
    assert find_pools_file() is None

    for name in ("pools.yaml", "named.yaml", "given.yaml"):
        Path(name).write_text("pools: {}")
    assert find_pools_file() == Path("pools.yaml")

    monkeypatch.setenv("ALCHEMISCALE_LAKE_POOLS", "named.yaml")
    assert find_pools_file() == Path("named.yaml")
    assert find_pools_file("given.yaml") == Path("given.yaml")


def test_a_file_that_is_named_has_to_exist(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"no pools file at nosuch.yaml; copy"):
        find_pools_file("nosuch.yaml")

    monkeypatch.setenv("ALCHEMISCALE_LAKE_POOLS", "nosuch.yaml")
    with pytest.raises(SettingsError, match=r"nosuch.yaml, set in ALCHEMISCALE_LAKE_POOLS"):
        find_pools_file()


def test_what_cannot_be_read(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read pools.yaml: No such file"):
        load_pools("pools.yaml")

    file.write_bytes(b"pools: \xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        load_pools("pools.yaml")


# --- read --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_are_right(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKE", raising=False)

    assert load_pools(path).pools


def test_what_a_file_says(file: Path) -> None:
    file.write_text(
        dedent(
            """\
            lake: ${PLACE}/lake
            pools:
              here: {kind: local}
              cluster: &cluster
                kind: slurm
                queue: ${QUEUE:-gpu}
                account: 007
                cores: ${CORES}
                memory: 32GiB
                gpus: 1
                walltime: 24:00:00
                environment:
                  - source ${HOME}/on
                directives: --comment=$${USER}
                limits: {maximum: 1e1}
              night:
                <<: *cluster
                walltime: 1-00:00:01
            """
        )
    )

    read = read_pools_file(file, {"PLACE": "/data", "CORES": "8"})

    cluster, night = read.pools.pools["cluster"], read.pools.pools["night"]
    assert read.pools.lake == "/data/lake"
    assert (cluster.queue, cluster.account, cluster.cores, cluster.limits.maximum) == ("gpu", "007", 8, 10)
    assert cluster.environment == ("source ${HOME}/on",)
    assert cluster.directives == ("--comment=${USER}",)
    assert night == cluster.model_copy(update={"walltime_s": 86401.0})
    assert read.where("pools", "cluster", "walltime") == "pools.yaml:11: pools.cluster.walltime"
    assert read.where("pools", "night", "idle") == "pools.yaml:16: pools.night.idle"
    assert read.where("hosts") == "pools.yaml:1: hosts"


amounts = st.fixed_dictionaries(
    {
        "memory": st.integers(2**20, 2**50),
        "walltime": st.integers(301, 10**7),
        "idle": st.floats(0.001, 1e6),
    }
)


@given(amounts, st.booleans())
def test_amounts_round_trip_through_a_file(tmp_path_factory: pytest.TempPathFactory, keys: Any, as_text: bool) -> None:
    file = tmp_path_factory.mktemp("round") / "pools.yaml"
    said = keys
    if as_text:
        said = {
            "memory": format_bytes(keys["memory"]),
            "walltime": format_seconds(keys["walltime"]),
            "idle": format_seconds(keys["idle"]),
        }
    file.write_text(yaml.safe_dump({"pools": {"q": {"kind": "pbs", "cores": 1, **said}}}))

    pool = load_pools(file).pools["q"]

    assert {"memory": pool.memory_bytes, "walltime": pool.walltime_s, "idle": pool.idle_s} == keys


# --- mistakes ----------------------------------------------------------------------------------


def test_all_mistakes_are_reported_together(file: Path) -> None:
    found = mistakes(
        file,
        """\
        pools:
          first:
            kind: slrum
            walltim: 24h
          second:
            kind: slurm
            partition: gpu
            maximum: 3
            cores: four
            memory: 16
            walltime: 24:00
            lease: 10s
            scopes: a-b
            limits:
              minimum: 5
              maximum: 2
          3d: {kind: local}
        protocols:
          openfe.X: {}
          Y: {duration_s: 3}
        shares: {a-*-*: 0.7, b-*-*: 0.6}
        """,
    )

    assert found == [
        "3: pools.first.kind: 'slrum' is unknown; did you mean slurm? "
        "Choose one of local, slurm, pbs, lsf, sge, htcondor, oar, moab, work-pool",
        "4: pools.first.walltim: unknown key; did you mean walltime?",
        "7: pools.second.partition: unknown key; did you mean queue?",
        "8: pools.second.maximum: unknown key; put it under limits",
        "9: pools.second.cores: 'four' is not a whole number",
        "10: pools.second.memory: 16B is less than 1MiB; give the unit, as in 16GiB",
        "11: pools.second.walltime: '24:00' is minutes for some queues, hours for others; write 30m, 24h or 24:00:00",
        "12: pools.second.lease: is not longer than the heartbeat: every claim would be lost",
        "13: pools.second.scopes.0: 'a-b' is not a Scope; write three names joined by '-', as in asap-sars2-mpro "
        "(a name cannot contain '-', and '*' is the wildcard)",
        "15: pools.second.limits.minimum: 5 is above the maximum of 2",
        "17: pools.3d: '3d' is not a pool name; begin with a letter, then letters, digits, '-' and '_', at most 63",
        "19: protocols.openfe.X: 'openfe.X' is not a class name; omit the module, as in RelativeHybridTopologyProtocol",
        "20: protocols.Y.duration_s: unknown key; write duration, with its unit in the value",
        "21: shares: they add up to 1.3; give fractions of 1",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: is empty; begin with a line `pools:`"),
        ("# nothing yet\n", "1: is empty; begin"),
        ("- a\n", "1: has no keys; begin with a line `pools:`"),
        ("lake: x\n", "1: pools: is missing; add a line `pools:`"),
        ("pools:\n", "1: pools: has no value; give one, or remove the key"),
        ("pools: {}\n", "1: pools: is empty; name at least one"),
        ("pools: local\n", "1: pools: 'local' is given instead of keys"),
        ("pools:\n  a: local\n", "2: pools.a: 'local' is given instead of keys"),
        ("pools:\n  a:\n    cores: 1\n", "2: pools.a.kind: is missing; add a line `kind:`"),
        ("pools:\n  a:\n    kind: local\n    limits:\n", "4: pools.a.limits: has no value"),
        ("pools:\n  a:\n    kind: local\n    cores: 0\n", "4: pools.a.cores: 0 is less than 1"),
        ("pools:\n  a:\n    kind: local\n    cores: yes\n", "4: pools.a.cores: 'yes' is not a whole number"),
        ("pools:\n  a:\n    kind: local\n    cores: true\n", "4: pools.a.cores: true is not allowed here"),
        ("pools:\n  a:\n    kind: local\n    heartbeat: .inf\n", "4: pools.a.heartbeat: inf is not finite"),
        ("pools:\n  a:\n    kind: local\n    heartbeat: 0\n", "4: pools.a.heartbeat: 0 is not above 0"),
        ("pools:\n  a:\n    kind: local\n    work_root: 3\n", "4: pools.a.work_root: 3 is not text; put it in quotes"),
        ("pools:\n  a:\n    kind: local\n    scopes: {a: b}\n", "4: pools.a.scopes: {'a': 'b'} is not a list"),
        ("pools:\n  a:\n    kind: local\n    kind: local\n", "4: pools.a.kind: is given twice, first in line 3"),
        ("pools:\n  a: {kind: local}\n  a: {kind: local}\n", "3: pools.a: is given twice, first in line 2"),
        ("pools:\n  a:\n\tkind: local\n", "3: a tab in the indentation; use spaces"),
        ("pools:\n  a:\n    scopes: [*-*-*]\n", "3: not valid YAML: "),
        ("pools:\n  a: b: c\n", "2: not valid YAML: mapping values are not allowed here; check the indentation"),
        ("pools:\n  a: {kind: local\n", "3: not valid YAML: "),
        ("pools: {}\n---\npools: {}\n", "2: not valid YAML: "),
        ("pools: \x00\n", "1: a character that YAML forbids"),
        ("pools:\n  a: {kind: !!python/name:os.system x}\n", "2: pools.a.kind: the tag "),
        ("pools: &a\n  a: *a\n", "1: pools.a: '*' refers to a value that contains it"),
        ("pools:\n  a:\n    <<: 3\n    kind: local\n", "3: pools.a: '<<' needs a mapping"),
        ("pools:\n  [a, b]: 3\n", "2: pools: a key must be one word"),
        ("pools:\n  a:\n    kind: ${NOSUCH}\n", "3: pools.a.kind: ${NOSUCH} is not set; export NOSUCH, or write"),
        ("pools:\n  a:\n    kind: ${\n", "3: pools.a.kind: '${' begins a variable"),
    ],
)
def test_one_mistake(file: Path, text: str, said: str) -> None:
    (found,) = mistakes(file, text, {})

    assert found.startswith(said)


def test_every_line_with_a_tab_is_named(file: Path) -> None:
    found = mistakes(file, "pools:\n\ta:\n\t\tkind: local\n")

    assert [line.partition(":")[0] for line in found] == ["2", "3"]


def test_consequences_of_a_mistake_are_not_reported(file: Path) -> None:
    found = mistakes(file, "pools:\n  a:\n    kind: slurm\n    cores: x\n    memory: x\n    walltime: ${X}\n", {})

    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "pools.a.cores",
        "pools.a.memory",
        "pools.a.walltime",
    ]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("mem", "did you mean memory?"),
        ("gres", "did you mean directives?"),
        ("max_workers", "did you mean limits.maximum?"),
        ("backlog_gpu_hours", "put it under burst"),
        ("walltime_s", "write walltime, with its unit in the value"),
        ("work-root", "did you mean work_root?"),
        ("qwertz", "known keys: kind, cores, memory, "),
    ],
)
def test_unknown_keys_are_guessed(file: Path, key: str, meant: str) -> None:
    (found,) = mistakes(file, f"pools:\n  a:\n    kind: local\n    {key}: 1\n")

    assert found.startswith(f"4: pools.a.{key}: unknown key; {meant}")


def test_the_error_survives_a_process(file: Path) -> None:
    file.write_text("pools: {}")
    with pytest.raises(SettingsError) as caught:
        load_pools(file)

    again = pickle.loads(pickle.dumps(caught.value))

    assert (str(again), again.facts) == (str(caught.value), caught.value.facts)


# --- secrets -----------------------------------------------------------------------------------

HIDDEN = "hunter2hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"aws_secret_access_key: {HIDDEN}",
        f"lake: s3://user:{HIDDEN}@bucket/lake",
        f"pools: {{a: {{kind: slurm, environment: 'export AWS_SECRET_ACCESS_KEY={HIDDEN}'}}}}",
        f"pools: {{a: {{kind: slurm, environment: ['export PREFECT_API_KEY=\"{HIDDEN}\"']}}}}",
        f"pools: {{a: {{kind: slurm, account: {{password: {HIDDEN}}}}}}}",
        "lake: s3://AKIAABCDEFGHIJKLMNOP/lake",
        "lake: ${AWS_SESSION_TOKEN}",
        "lake: s3://${HARMLESS}/lake",
    ],
)
def test_secrets_are_refused_and_not_repeated(file: Path, line: str) -> None:
    values = {"AWS_SESSION_TOKEN": HIDDEN, "HARMLESS": "AKIAABCDEFGHIJKLMNOP"}

    found = mistakes(file, f"hosts: {{}}\n{line}\n", values)

    assert any("this file must not contain credentials" in one for one in found)
    assert not any(HIDDEN in one or "AKIAABCDEFGHIJKLMNOP" in one for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "export AWS_SHARED_CREDENTIALS_FILE=/home/me/.aws/credentials",
        "export AWS_SECRET_ACCESS_KEY=$KEY",
        'export AWS_SECRET_ACCESS_KEY="$(cat /run/secrets/key)"',
        "export ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK=lake",
        "export TOKENIZERS_PARALLELISM=false",
        "module load cuda/12:keychain",
        "s3://bucket/secret-project/lake",
        "--comment=token",
    ],
)
def test_what_only_sounds_like_a_secret_passes(text: str) -> None:
    assert not holds_secret(text)


@pytest.mark.parametrize("name", ["password", "PGPASSWORD", "aws-secret-access-key", "api_key", "github.token"])
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)
    assert not names_secret(f"{name}_file")


@given(st.text(max_size=200))
def test_any_text_is_settings_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "pools.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    try:
        load_pools(file)
    except SettingsError as e:
        assert str(file) in str(e)  # noqa: PT017 - a text that happens to be right is no failure


words = st.sampled_from(
    ["pools", "a", "kind", "local", "slurm", "cores", "walltime", "limits", "<<", "*", "1", "24h", "", "${X}", "burst"]
)
trees = st.recursive(
    words | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, trees, max_size=4))
def test_any_tree_is_settings_or_a_settings_error(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    file = tmp_path_factory.mktemp("tree") / "pools.yaml"
    file.write_text(yaml.safe_dump({"pools": {"a": {"kind": "local"}}} | tree))

    try:
        load_pools(file)
    except SettingsError as e:
        assert f"{file}:" in str(e)  # noqa: PT017 - a tree that happens to be right is no failure
