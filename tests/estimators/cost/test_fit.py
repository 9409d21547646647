from __future__ import annotations

import numpy as np

from alchemiscale_lake.estimators.cost.design_columns import design
from alchemiscale_lake.estimators.cost.features import derive
from alchemiscale_lake.estimators.cost.fit import fit, noise_sd, prior, row_variance


def _laid_out(n: int, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return design(
        derive(
            {
                "n_atoms": np.exp(rng.uniform(8, 11.5, n)),
                "simulated_ns": np.full(n, 6.0),
                "protocol": rng.choice(["P", "Q"], n),
                "gpu_model": rng.choice(["L40S", "A100"], n),
            }
        )
    )


def _predicted(laid_out, posterior):  # type: ignore[no-untyped-def]
    return laid_out.matrix @ posterior.mean


def test_without_results_the_prior_stands() -> None:
    laid_out = _laid_out(5)

    believed = prior(laid_out.columns)

    assert not believed.mean.any()
    assert (row_variance(laid_out.matrix, believed.covariance) > 0.3).all()


def test_finds_what_protocols_and_gpus_add() -> None:
    laid_out = _laid_out(600)
    rows = laid_out.derived
    truth = 0.5 * (rows.rows["protocol"] == "Q") - 0.3 * (rows.gpu_model == "A100")

    posterior = fit(laid_out, truth + np.random.default_rng(1).normal(0, 0.1, 600))

    np.testing.assert_allclose(_predicted(laid_out, posterior), truth, atol=0.04)
    assert 0.06 < posterior.noise_sd < 0.12


def test_stragglers_do_not_bend_the_rest() -> None:
    laid_out = _laid_out(200)
    residual = np.random.default_rng(1).normal(0, 0.05, 200)
    residual[:6] += 3.0

    posterior = fit(laid_out, residual)

    assert np.abs(_predicted(laid_out, posterior)[6:]).max() < 0.1


def test_noise_is_estimated_per_protocol() -> None:
    laid_out = _laid_out(600)
    noisy = laid_out.derived.rows["protocol"] == "Q"

    posterior = fit(laid_out, np.random.default_rng(1).normal(0, np.where(noisy, 0.4, 0.05)))

    assert posterior.protocol_noise_sd["Q"] > 4 * posterior.protocol_noise_sd["P"]


def test_a_start_changes_the_path_and_not_the_end() -> None:
    laid_out = _laid_out(200)
    residual = np.random.default_rng(1).normal(0.3, 0.1, 200)

    cold = fit(laid_out, residual)
    warm = fit(laid_out, residual, start=cold)

    np.testing.assert_allclose(_predicted(laid_out, warm), _predicted(laid_out, cold), atol=1e-3)


def test_variance_of_rows_is_the_diagonal() -> None:
    laid_out = _laid_out(50)
    covariance = prior(laid_out.columns).covariance + 0.01
    dense = laid_out.matrix.toarray()

    variance = row_variance(laid_out.matrix, covariance)

    np.testing.assert_allclose(variance, np.diag(dense @ covariance @ dense.T))


def test_complex_legs_have_noise_of_their_own() -> None:
    rng = np.random.default_rng(0)
    is_complex = np.repeat([1.0, 0.0], 200)
    rows = derive({"n_atoms": np.exp(rng.uniform(8, 11.5, 400)), "is_complex": is_complex})
    laid_out = design(rows)

    posterior = fit(laid_out, rng.normal(0, 1, 400) * np.where(is_complex == 1.0, 0.3, 0.03))

    noisy, quiet = noise_sd(posterior, rows)[[0, -1]]
    assert noisy > 4 * quiet
