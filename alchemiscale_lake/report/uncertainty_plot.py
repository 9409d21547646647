"""Plot of a network's uncertainty against GPU-hours, in SVG: what was reached, and the forecast to the target.

Numbers come from `rounds.network_progress`; colours are classes of the page's style.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ..rounds.network_progress import NetworkProgress

__all__ = ["uncertainty_plot"]

_WIDTH: Final = 1000.0
_HEIGHT: Final = 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 24.0, 16.0, 44.0
#: Without a target, the forecast is drawn for this many times what was spent.
_AHEAD: Final = 2.0
_N_TICKS: Final = 6

_Points = Sequence[tuple[float, float]]


def uncertainty_plot(progress: NetworkProgress) -> str | None:
    """Return the plot and its legend; None if there is nothing to draw.

    Parameters
    ----------
    progress : NetworkProgress
    """
    mean = [(p.gpu_hours, p.mean_uncertainty_kcal_mol) for p in progress.points]
    largest = [(p.gpu_hours, p.max_uncertainty_kcal_mol) for p in progress.points]
    forecast = _forecast(progress)
    if len(mean) + len(forecast) < 2:
        return None
    target = None if progress.forecast is None else progress.forecast.target_kcal_mol
    xs = [x for x, _ in [*mean, *forecast]]
    ys = [y for _, y in [*mean, *largest, *forecast]] + ([target] if target is not None else [])
    paper = _Paper(max(xs), max(ys))
    shapes = [paper.axes()]
    if progress.budget_gpu_hours is not None and progress.budget_gpu_hours <= paper.x_max:
        shapes.append(
            paper.upright(progress.budget_gpu_hours, "budget", f"budget {_amount(progress.budget_gpu_hours)}")
        )
    if target is not None:
        shapes.append(paper.level(target, "target", f"target {target:g}"))
    shapes += [paper.line(largest, "largest"), paper.line(mean, "mean", dots=True), paper.line(forecast, "forecast")]
    if target is not None and forecast and forecast[-1][1] <= target:
        x, y = forecast[-1]
        shapes.append(f'<circle class="goal" cx="{paper.x(x):.1f}" cy="{paper.y(y):.1f}" r="5"></circle>')
    picture = (
        f'<svg class="plot" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" '
        f'aria-label="uncertainty against GPU-hours">{"".join(shapes)}</svg>'
    )
    return f'{picture}<p class="legend">{_legend(progress, bool(mean), bool(forecast))}</p>'


def _forecast(progress: NetworkProgress) -> list[tuple[float, float]]:
    """Return the forecast of the uncertainty that the target is about."""
    forecast = progress.forecast
    if forecast is None:
        return []
    points = [
        (
            progress.gpu_hours + p.gpu_hours,
            p.max_uncertainty_kcal_mol if forecast.of == "max" else p.mean_uncertainty_kcal_mol,
        )
        for p in forecast.points
    ]
    if forecast.gpu_hours_to_target is None:
        end = (1.0 + _AHEAD) * (progress.gpu_hours + progress.in_flight_gpu_hours)
        points = [point for k, point in enumerate(points) if point[0] <= end or k < 3]
    return points


def _legend(progress: NetworkProgress, has_points: bool, has_forecast: bool) -> str:
    keys = []
    if has_points:
        keys += [("mean", "mean over the ligands, as gather prints it"), ("largest", "largest of a ligand")]
    if has_forecast and progress.forecast is not None:
        which = "largest" if progress.forecast.of == "max" else "mean"
        keys.append(("forecast", f"forecast of the {which} one, as stop rules count it"))
    return "".join(
        f'<span class="key"><svg class="sample" viewBox="0 0 30 10" aria-hidden="true">'
        f'<line class="{name}" x1="1" x2="29" y1="5" y2="5"></line></svg>{text}</span>'
        for name, text in keys
    )


class _Paper:
    """The area of a plot, from zero on both axes."""

    def __init__(self, x_max: float, y_max: float) -> None:
        self.x_step, self.y_step = _step(x_max), _step(y_max)
        self.x_max = max(self.x_step * math.ceil(x_max / self.x_step - 1e-9), self.x_step)
        self.y_max = max(self.y_step * math.ceil(y_max / self.y_step - 1e-9), self.y_step)

    def x(self, hours: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * hours / self.x_max

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / self.y_max

    def axes(self) -> str:
        parts = []
        for k in range(round(self.y_max / self.y_step) + 1):
            y = self.y(k * self.y_step)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"></line>')
            parts.append(
                f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{k * self.y_step:.4g}</text>'
            )
        for k in range(round(self.x_max / self.x_step) + 1):
            x = self.x(k * self.x_step)
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 17:.1f}" text-anchor="middle">'
                f"{k * self.x_step:.4g}</text>"
            )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text class="tick" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">GPU-hours</text>')
        parts.append(
            f'<text class="tick" transform="translate(14 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)" '
            'text-anchor="middle">kcal/mol</text>'
        )
        return "".join(parts)

    def line(self, points: _Points, name: str, *, dots: bool = False) -> str:
        if not points:
            return ""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        drawn = f'<polyline class="{name}" points="{path}"></polyline>'
        if dots:
            drawn += "".join(
                f'<circle class="{name}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5">'
                f"<title>{_amount(x)}: {y:.3g} kcal/mol</title></circle>"
                for x, y in points
            )
        return drawn

    def level(self, value: float, name: str, text: str) -> str:
        y = self.y(value)
        return (
            f'<line class="{name}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"></line>'
            f'<text class="{name}" x="{_WIDTH - _RIGHT}" y="{y - 5:.1f}" text-anchor="end">{text}</text>'
        )

    def upright(self, hours: float, name: str, text: str) -> str:
        x = self.x(hours)
        return (
            f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"></line>'
            f'<text class="{name}" x="{x - 5:.1f}" y="{_TOP + 10}" text-anchor="end">{text}</text>'
        )


def _step(largest: float) -> float:
    """Return a round distance of ticks: 1, 2 or 5 times a power of ten."""
    if not largest > 0:
        return 1.0
    rough = largest / _N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9))


def _amount(hours: float) -> str:
    return f"{hours:,.3g} GPU-hours" if hours < 1000 else f"{hours:,.0f} GPU-hours"
