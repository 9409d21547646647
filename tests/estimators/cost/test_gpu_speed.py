from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.cost.gpu_speed import known_models, speed_of, unlisted


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A100 80GB PCIe", "A100"),
        ("A100-PCIE-40GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA GH200 480GB", "H200"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L40", "L40"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla V100S-PCIE-32GB", "V100"),
        ("NVIDIA A10G", "A10"),
        ("NVIDIA A40", "A40"),
        ("NVIDIA RTX A6000", "A40"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 2080 Ti", "RTX 2080 Ti"),
        ("NVIDIA GeForce RTX 3060 Ti", "RTX 3060 Ti"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000"),
        ("Quadro RTX 6000", "Quadro RTX 6000"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA A30", "A30"),
        ("NVIDIA A2", "A2"),
        ("NVIDIA RTX A5000", "RTX A5000"),
        ("A4000", "RTX A4000"),
        ("NVIDIA GeForce RTX 4070", "RTX 4070"),
        ("NVIDIA GeForce RTX 4070 Ti", "RTX 4070 Ti"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070 Ti SUPER"),
        ("NVIDIA GeForce RTX 3080", "RTX 3080"),
        ("NVIDIA GeForce RTX 5080", "RTX 5080"),
        ("Tesla P100-PCIE-16GB", "P100"),
        ("NVIDIA GeForce GTX 1080 Ti", "GTX 1080 Ti"),
        ("NVIDIA TITAN Xp", "GTX 1080 Ti"),
        ("NVIDIA RTX 5000 Ada Generation", "RTX 5000 Ada"),
        ("NVIDIA RTX 4000 SFF Ada Generation", "RTX 4000 Ada"),
        ("l40s", "L40S"),
        ("cpu", "cpu"),
    ],
)
def test_names_as_drivers_print_them(name: str, model: str) -> None:
    speed = speed_of(name)

    assert speed is not None
    assert speed.model == model


@pytest.mark.parametrize("name", ["NVIDIA RTX A2000", "GeForce MX450", "AMD Instinct MI300X", "", "NVIDIA A1000"])
def test_what_no_table_has_is_unknown(name: str) -> None:
    assert speed_of(name) is None


def test_every_model_of_the_table_is_found_by_its_own_name() -> None:
    assert {speed.model for name in known_models() if (speed := speed_of(name))} == set(known_models())


def test_newest_table_as_published() -> None:
    # ns/day at 4 fs, openmm.org
    speed = speed_of("NVIDIA L40S")

    assert speed is not None
    step_ms = speed.step_ms(np.array([23_558.0, 92_224.0]))
    np.testing.assert_allclose(4e-6 * 86_400_000 / step_ms, [2059.5, 799.507])


def test_older_tables_are_brought_to_the_newest_by_a_common_model() -> None:
    # OpenMM 7.7: V100 at 326.957, A100 at 428.537 ns/day of 92,224 atoms
    v100, a100 = speed_of("V100"), speed_of("A100")

    assert v100 is not None
    assert a100 is not None
    assert v100.large_ms / a100.large_ms == pytest.approx(428.537 / 326.957)


def test_small_systems_do_not_use_a_large_gpu() -> None:
    h100, t4 = speed_of("H100"), speed_of("T4")
    assert h100 is not None
    assert t4 is not None

    ratio = t4.step_ms(np.array([3_000.0, 90_000.0])) / h100.step_ms(np.array([3_000.0, 90_000.0]))

    assert ratio[0] < 1.5
    assert ratio[1] > 4.0


def test_a_slice_of_a_card_is_slower_where_there_is_work() -> None:
    whole, slice_ = speed_of("NVIDIA A100-SXM4-40GB"), speed_of("NVIDIA A100-SXM4-40GB MIG 2g.10gb")
    assert whole is not None
    assert slice_ is not None

    atoms = np.array([10.0, 1e6])

    assert slice_.step_ms(atoms)[0] == pytest.approx(whole.step_ms(atoms)[0], rel=0.05)
    assert slice_.step_ms(atoms)[1] == pytest.approx(3.5 * whole.step_ms(atoms)[1], rel=0.05)
    assert slice_.sd_log > whole.sd_log


def test_another_board_with_the_same_chip_is_less_certain() -> None:
    desk, laptop = speed_of("NVIDIA GeForce RTX 4090"), speed_of("NVIDIA GeForce RTX 4090 Laptop GPU")
    assert desk is not None
    assert laptop is not None

    assert laptop.sd_log > desk.sd_log


# ns/day of plain MD of solvated proteins in openfe, github.com/OpenFreeEnergy/performance_benchmarks
_ATOMS = np.array([33_893.0, 48_992.0, 72_515.0])
_NS_PER_DAY = {
    "L4": (580, 425, 282),
    "A30": (503, 377, 265),
    "RTX 4070 Ti": (898, 688, 460),
    "T4": (309, 216, 138),
    "A10G": (701, 505, 323),
    "A100": (745, 604, 437),
    "L40S": (1050, 844, 628),
}


@pytest.mark.parametrize("name", _NS_PER_DAY)
def test_ratios_to_an_l40s_are_as_published_for_plain_md(name: str) -> None:
    speed, reference = speed_of(name), speed_of("L40S")
    assert speed is not None
    assert reference is not None

    ratio = speed.step_ms(_ATOMS) / reference.step_ms(_ATOMS)

    published = np.array(_NS_PER_DAY["L40S"]) / np.array(_NS_PER_DAY[name])
    assert np.abs(np.log(ratio / published)).max() < 2 * speed.sd_log


def test_scaling_by_data_sheets_widens_the_interval_and_keeps_the_overhead() -> None:
    scaled, measured = speed_of("RTX 3080"), speed_of("RTX 3090")
    assert scaled is not None
    assert measured is not None

    assert scaled.sd_log > measured.sd_log
    assert scaled.latency_ms == measured.latency_ms
    assert 1.1 < scaled.large_ms / measured.large_ms < 1.25


def test_a_speed_can_be_given_as_a_multiple_of_a_listed_one() -> None:
    given, listed = speed_of("0.5 x RTX 4090"), speed_of("RTX 4090")
    assert given is not None
    assert listed is not None

    assert given.model == "0.5 x RTX 4090"
    work = [speed.large_ms - speed.latency_ms for speed in (given, listed)]
    assert work[0] == pytest.approx(2 * work[1])
    assert speed_of("0.5 x nothing known") is None
    assert speed_of("0 x RTX 4090") is None


def test_what_is_unlisted_is_wide() -> None:
    assert unlisted().sd_log > 2 * max(speed.sd_log for name in known_models() if (speed := speed_of(name)))


@given(
    st.sampled_from([*known_models(), "cpu"]),
    st.floats(1, 1e6),
    st.floats(1.01, 10),
    st.floats(1, 8),
)
def test_more_atoms_take_longer_and_packing_never_costs(name: str, atoms: float, more: float, packing: float) -> None:
    speed = speed_of(name)
    assert speed is not None

    fewer, many = speed.step_ms(np.array([atoms, atoms * more]))

    assert 0 < fewer < many
    assert speed.step_ms(np.array([atoms]), packing)[0] <= fewer
