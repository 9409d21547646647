from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimators.gpu_speed import known_models, speed_of, unlisted


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
        ("l40s", "L40S"),
        ("cpu", "cpu"),
    ],
)
def test_names_as_drivers_print_them(name: str, model: str) -> None:
    speed = speed_of(name)

    assert speed is not None
    assert speed.model == model


@pytest.mark.parametrize("name", ["NVIDIA L4", "NVIDIA GeForce GTX 1080", "AMD Instinct MI300X", "", "NVIDIA A1000"])
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


def test_another_board_with_the_same_chip_is_less_sure() -> None:
    desk, laptop = speed_of("NVIDIA GeForce RTX 4090"), speed_of("NVIDIA GeForce RTX 4090 Laptop GPU")
    assert desk is not None
    assert laptop is not None

    assert laptop.sd_log > desk.sd_log


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
