"""The trade-off of a scenario from `report/summary.csv` alone, with pandas and matplotlib.

    python examples/pandas/headline.py cardiogram-out/latest nat-reboot headline.png

It needs `pip install pandas matplotlib` and results of `cardiogram run`. Read columns by name: more may join them. An empty
field is an absent value, which pandas reads as NaN. What else can be made of the files is in `results.ipynb`.
"""

import argparse
import csv
from pathlib import Path

PICTURES = [".pdf", ".png", ".svg"]


def arguments() -> argparse.Namespace:
    """The arguments, looked at before anything is computed."""
    about, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("results", type=Path, help="the folder that `cardiogram run` wrote")
    parser.add_argument("scenario", help="a scenario in it")
    parser.add_argument("picture", type=Path, help=f"the file to write: {', '.join(PICTURES)}")
    given = parser.parse_args()

    file = given.results / "report" / "summary.csv"
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            scenarios = {row.get("scenario"): None for row in csv.DictReader(lines)}
    except OSError as error:
        parser.error(f"{file}: {error.strerror}; `cardiogram report {given.results}` writes it")
    except UnicodeDecodeError:
        parser.error(f"{file} is no text; `cardiogram report {given.results}` writes it anew")
    if given.scenario not in scenarios:
        names = ", ".join(filter(None, scenarios)) or "none"
        parser.error(f"{file} has no scenario `{given.scenario}`; it has {names}")
    if given.picture.suffix not in PICTURES:
        parser.error(f"the name `{given.picture}` says no kind of picture; end it in {', '.join(PICTURES)}")
    if not given.picture.parent.is_dir():
        parser.error(f"there is no folder {given.picture.parent} to write {given.picture.name} to")
    try:
        import matplotlib  # noqa: F401
        import pandas  # noqa: F401
    except ImportError as error:
        parser.error(f"{error.name} is not installed; `pip install pandas matplotlib`")
    return given


def main() -> None:
    given = arguments()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd

    summary = pd.read_csv(given.results / "report" / "summary.csv")
    cells = summary[summary.scenario == given.scenario].set_index("strategy").sort_values("rank", kind="stable")
    shown = ["rank", "on_front", "avoidable_s_per_day", "packets_per_h", "detect_mean_s", "availability"]
    print(cells[shown].to_string(float_format=lambda value: f"{value:.4g}"))

    figure, axes = plt.subplots(figsize=(9, 5.5))
    for strategy, cell in cells.dropna(subset=["avoidable_s_per_day"]).iterrows():
        place = (cell.packets_per_h, cell.avoidable_s_per_day)
        if pd.notna(cell.avoidable_s_per_day_low):
            axes.plot([place[0]] * 2, [cell.avoidable_s_per_day_low, cell.avoidable_s_per_day_high], color="#b0b0b0")
        # Filled: on the front. No strategy is better in one number and at least as good in the other.
        axes.plot(*place, "o", fillstyle="full" if cell.on_front else "none")
        axes.annotate(strategy, place, xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    # Zero is a value: a strategy that loses nothing a policy could save.
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set(
        xlabel="packets per device-hour (both directions)",
        ylabel="avoidable downtime (s a device-day)",
        title=f"{given.scenario}: what a policy could have saved, and what it cost",
    )
    axes.grid(which="major", color="#e2e2e2")
    figure.tight_layout()
    figure.savefig(given.picture, dpi=120)


if __name__ == "__main__":
    main()
