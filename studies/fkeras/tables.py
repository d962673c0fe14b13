"""Tables (Markdown) and plots of the FKeras study, from what rerun.py has computed."""

import csv
import json
import pathlib

TOP = (1, 5, 20)


def share(part, whole):
    return f"{100 * part / whole:.2f}%" if whole else ""


def number(value, digits=3):
    return "" if value is None else f"{value:.{digits}f}".replace("-", "−")


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


def positions_of(count):
    return [("MSB" if k == 0 else f"−{k}") for k in range(count)]


def positions(networks, results):
    rows = []
    for network in networks:
        at = results[network.name]["worse"]["by_position_from_msb"]
        rows.append([network.name] + [share(p["sensitive"], p["bits"]) for p in at[:POSITIONS]] + [""] * (POSITIONS - len(at)))
    return table(["share of sensitive bits"] + positions_of(POSITIONS), rows)


LABELS = {"hessian-paper": "`hessian`, as the paper prints it", "hessian-code": "`hessian`, as its code computes it",
          "trace-moved": "`trace`, by how far a flip moves it", "binfi": "BinFI, its flips alone",
          "binfi+implied": "BinFI, with implied bits", "statfi-aware": "StatFI, aware", "statfi-unaware": "StatFI, unaware",
          "statfi-layer": "StatFI, by layer", "random": "random", "(best possible)": "best possible"}
POSITIONS = 9  # bits from the top that tables show: a float32's sign and exponent


def name_of(ranking):
    known = LABELS.get(label(ranking))
    return known or f"`{label(ranking)}`"


def flips(count, bits):
    return "never" if count is None else f"{count:,} ({share(count, bits)})"


def summary(networks, results):
    """The paper's ranking, ours and the rivals, a row a network."""
    rows = []
    for network in networks:
        evaluation = results[network.name]["worse"]
        worse, bits = sensitive_bits(evaluation)
        by = {label(ranking): ranking for ranking in evaluation["rankings"]}
        chosen = [by.get(name) for name in ("hessian", "flip", "binfi+implied", "(best possible)")]

        def each(what):
            return " / ".join("–" if ranking is None else what(ranking) for ranking in chosen)

        gain = by["flip"]["gain"]
        reached = [each(lambda ranking, k=k: share(reach(ranking, k), bits) if reach(ranking, k) is not None else "never") for k in TOP]
        rows.append([network.name, f"{bits:,}", share(worse, bits), each(lambda r: number(r["spearman"])),
                     each(lambda r: number(r["area"], 3)), f"{number(gain[0])} to {number(gain[1])}", *reached,
                     each(lambda r: number(r["times_sooner_than_random"], 2) or "never")])
    return table(["network", "bits", "sensitive", "ρ", "area", "gain of `flip`, 95%"] + [f"all of the top {k}% after" for k in TOP]
                 + ["90% of the sensitive bits, times sooner than in random order"], rows)


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
                     number(ranking["area"], 4) + (f", {gain[0]:+.4f} to {gain[1]:+.4f}".replace("-", "−") if gain else "")]
                    + [flips(reach(ranking, k), bits) for k in TOP]
                    + ["never" if found is None else f"{found:,} ({sooner:.2f})"])
    return table(["ranking", "flips, missed", "ρ; of the top bits, of the lowest", "area, gain over `hessian`"]
                 + [f"all of the top {k}%" for k in TOP] + ["90% of the sensitive bits (times sooner than in random order)"], rows)


def correlations(evaluation):
    """Spearman's ρ, all bits and each position from the top."""
    rows = [[name_of(ranking), number(ranking["spearman"])] + [number(rho) for rho in ranking["spearman_from_msb"][:POSITIONS]]
            for ranking in evaluation["rankings"] if ranking["spearman"] is not None]
    width = max(len(row) for row in rows)
    header = ["Spearman's ρ", "all"] + positions_of(width - 2)
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
    """Tables and plots of those networks that have been judged."""
    networks = [n for n in networks if (folder_of(out, n) / "evaluation.json").exists()]
    results = {n.name: json.loads((folder_of(out, n) / "evaluation.json").read_text()) for n in networks}
    text = ["# FKeras, all tables\n", "What `studies/fkeras/rerun.py` writes; [FKeras, rerun](fkeras.md) says what to make of it. Sensitive: the "
            "score is worse than the golden one. *Missed* are sensitive bits that a method never flips nor implies; ρ is Spearman's, "
            "of all bits and of those at a position; gains in area over `hessian`, 95% by a bootstrap over words.\n",
            "## Sensitive bits\n", overview(networks, results), positions(networks, results), "## Rankings\n",
            "`hessian` / `flip` / BinFI, with implied bits / best possible:\n", summary(networks, results)]
    for network in networks:
        evaluation = results[network.name]["worse"]
        text += [f"### {network.name}\n", network.about + "\n", rankings(evaluation), correlations(evaluation)]
        plot(folder_of(out, network), network.name, evaluation)
    (out / "tables.md").write_text("\n".join(text))
    print(out / "tables.md")


def folder_of(out, network):
    return out / network.name.replace(",", "").replace(" ", "-").lower()
