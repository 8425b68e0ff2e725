"""The headline plot of a scenario from the CSV files alone, with pandas and matplotlib.

    python examples/pandas/headline.py cardiogram-out/latest nat-reboot headline.png

It needs `pip install pandas matplotlib` and results of `cargo run --release -- run`. Read columns by name: more may join
them. An empty field is an absent value, which pandas reads as NaN.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd


def kaplan_meier_mean(times: pd.Series, happened: pd.Series) -> tuple[float, bool]:
    """The area under the survival curve up to the longest time watched, and whether the curve reaches zero.

    Breaks that nobody noticed count as longer than they were watched. At equal times detections come first.
    """
    watched = len(times)
    table = pd.DataFrame({"time": times, "happened": happened}).sort_values(
        ["time", "happened"], ascending=[True, False], kind="stable"
    )
    area, survival, last = 0.0, 1.0, 0.0
    for time, is_event in table.itertuples(index=False):
        area += (time - last) * survival
        last = time
        if is_event:
            survival *= (watched - 1) / watched
        watched -= 1
    return area, survival < 1e-12


def headline(results: Path, scenario: str) -> pd.DataFrame:
    runs = pd.read_csv(results / "runs.csv")
    episodes = pd.read_csv(results / "episodes.csv")
    manifest = json.loads((results / "manifest.json").read_text())
    duration_s = next(it["duration_s"] for it in manifest["scenarios"] if it["name"] == scenario)

    # Rates are sums over sums, never means of rates.
    runs = runs[runs.scenario == scenario]
    sums = runs.groupby("strategy")[["packets_up", "packets_down", "device_hours"]].sum()
    points = pd.DataFrame({"packets_per_device_hour": (sums.packets_up + sums.packets_down) / sums.device_hours})

    # A break that was not noticed was watched until it was over, or until the run was.
    breaks = episodes[(episodes.scenario == scenario) & (episodes.outcome != "false-alarm")].copy()
    breaks["watched_s"] = breaks.detect_latency_s.fillna(breaks.end_s.fillna(duration_s) - breaks.begin_s)
    for strategy, group in breaks.groupby("strategy"):
        mean, is_known = kaplan_meier_mean(group.watched_s, group.outcome == "detected")
        points.loc[strategy, "detect_mean_s"] = mean
        points.loc[strategy, "is_known"] = is_known
    return points.sort_values("packets_per_device_hour")


def main() -> None:
    results, scenario, picture = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    points = headline(results, scenario)
    print(points.to_string(float_format=lambda value: f"{value:.4g}"))
    figure, axes = plt.subplots(figsize=(9, 5.5))
    for strategy, row in points.dropna(subset=["detect_mean_s"]).iterrows():
        place = (row.packets_per_device_hour, row.detect_mean_s)
        # An open marker: the mean is at least this.
        axes.plot(*place, "o", fillstyle="full" if row.is_known else "none")
        axes.annotate(strategy, place, xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="packets per device-hour (both directions)",
        ylabel="mean detection latency (s)",
        title=f"{scenario}: how soon a break is noticed, and what that costs",
    )
    axes.grid(which="major", color="#e2e2e2")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main()
