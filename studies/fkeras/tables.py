"""Tables (Markdown) and plots of the FKeras study, from what rerun.py has computed."""

import csv
import json
import pathlib

TOP = (1, 5, 20)


def share(part, whole):
    return f"{100 * part / whole:.2f}%" if whole else ""


def number(value, digits=3):
    return "" if value is None else f"{value:.{digits}f}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def label(ranking):
    return pathlib.Path(ranking["ranking"]).stem


def reach(ranking, percent):
    return next((top["flips"] for top in ranking["top"] if top["percent"] == percent), None)


def sensitive_bits(evaluation):
    return sum(layer["sensitive"] for layer in evaluation["by_layer"]), sum(layer["bits"] for layer in evaluation["by_layer"])


def overview(networks, results):
    rows = []
    for network in networks:
        worse, different = (sensitive_bits(results[network.name][sense]) for sense in ("worse", "different"))
        published = network.published
        rows.append([network.name, f"{worse[1]:,}", number(results[network.name]["campaign"].get("golden_score"), 4),
                     number(published.get("golden"), 3), share(*worse), share(*different),
                     share(published["sensitive"], 1) if "sensitive" in published else ""])
    return table(["network", "bits judged", "golden score", "published", "bits with a worse score", "with a different one", "published"],
                 rows)


def positions(networks, results):
    rows = []
    for network in networks:
        at = results[network.name]["worse"]["by_position_from_msb"]
        rows.append([network.name] + [share(p["sensitive"], p["bits"]) for p in at[:8]] + [""] * (8 - len(at)))
    return table(["share of sensitive bits"] + [("MSB" if k == 0 else f"MSB−{k}") for k in range(8)], rows)


LABELS = {"hessian-paper": "`hessian`, as the paper prints it", "hessian-code": "`hessian`, as its code computes it",
          "binfi": "BinFI, separate, with implied bits", "statfi-aware": "StatFI, aware", "statfi-unaware": "StatFI, unaware",
          "statfi-layer": "StatFI, by layer", "random": "random", "best": "best possible"}


def name_of(ranking):
    known = LABELS.get(label(ranking))
    return known or f"`{label(ranking)}`"


def flips(count, bits):
    return "never" if count is None else f"{count:,} ({share(count, bits)})"


def rankings(evaluation):
    _, bits = sensitive_bits(evaluation)
    rows = []
    for ranking in evaluation["rankings"]:
        at = ranking["spearman_from_msb"]
        ends = f"{number(at[0])}, {number(at[-1])}" if at else ""
        gain = ranking["gain"]
        found = ranking["flips_to_90_percent_of_sensitive"]
        sooner = ranking["times_sooner_than_random"]
        rows.append([name_of(ranking), f"{ranking['flips']:,}, {ranking['missed_sensitive']:,}", f"{number(ranking['spearman'])}; {ends}",
                     number(ranking["area"], 4) + (f", {gain[0]:+.4f} to {gain[1]:+.4f}" if gain else "")]
                    + [flips(reach(ranking, k), bits) for k in TOP]
                    + ["never" if found is None else f"{found:,} ({sooner:.2f})"])
    return table(["ranking", "flips, missed", "ρ; of the top bits, of the lowest", "area, gain over `hessian`"]
                 + [f"all of the top {k}%" for k in TOP] + ["90% of the sensitive bits (times sooner than in random order)"], rows)


def correlations(evaluation):
    """Spearman's ρ, all bits and each position from the top."""
    rows = [[name_of(ranking), number(ranking["spearman"])] + [number(rho) for rho in ranking["spearman_from_msb"]]
            for ranking in evaluation["rankings"] if ranking["spearman"] is not None]
    width = max(len(row) for row in rows)
    header = ["Spearman's ρ", "all"] + [("MSB" if k == 0 else f"−{k}") for k in range(width - 2)]
    return table(header, [row + [""] * (width - len(row)) for row in rows])


def plot(folder, name, evaluation):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves = {}
    with open(folder / "curves-worse.csv", newline="") as file:
        for row in csv.DictReader(file):
            curves.setdefault(pathlib.Path(row["ranking"]).stem, []).append((float(row["flips"]), float(row["found"])))
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for ranking, points in curves.items():
        left.plot(*zip(*points), label=ranking, linewidth=1.2)
    left.set(xlabel="flips", ylabel="share of all |change of score| found", title=name)
    left.legend(fontsize="x-small")
    for ranking in evaluation["rankings"]:
        found = [(top["percent"], top["flips"]) for top in ranking["top"] if top["flips"] is not None]
        if found:
            right.plot(*zip(*found), label=label(ranking), linewidth=1.2)
    right.set(xlabel="top percentile of bits", ylabel="flips until all are found", title=name)
    figure.savefig(folder / "curves.png", dpi=110)
    plt.close(figure)


def write(out, networks):
    results = {n.name: json.loads((folder_of(out, n) / "evaluation.json").read_text()) for n in networks}
    text = ["## Sensitive bits\n", overview(networks, results), positions(networks, results), "## Rankings\n"]
    for network in networks:
        evaluation = results[network.name]["worse"]
        text += [f"### {network.name}\n", rankings(evaluation), correlations(evaluation)]
        plot(folder_of(out, network), network.name, evaluation)
    (out / "tables.md").write_text("\n".join(text))
    print(out / "tables.md")


def folder_of(out, network):
    return out / network.name.replace(",", "").replace(" ", "-").lower()
