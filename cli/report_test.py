#!/usr/bin/env python3
"""Tests of `flipscope report` against the built program: report_test.py PROGRAM [unittest options]."""

import csv
import io
import json
import re

import cases
from cases import Case, CLASSIFIER, SAMPLES


class Report(Case):
    def setUp(self):
        super().setUp()
        self.inject("run.db", "--first", 100, "--bits", "3-5")

    def test_page(self):
        self.assertIn("report.html written", self.good("report", "run.db", "--out", "report.html"))
        page = (self.folder / "report.html").read_text()
        self.assertTrue(page.startswith("<!doctype html>"))
        self.assertIn("<title>classifier · Flipscope report</title>", page)
        self.assertNotRegex(page, r"(src|href)=[\"']?https?:")
        data = json.loads(re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.S)[1])
        self.assertEqual(data, json.loads(self.good("report", "run.db", "--format", "json")))
        self.good("report", "run.db", "--out", "again.html", "--threads", 1, "--quiet")
        self.assertEqual(page, (self.folder / "again.html").read_text())

    def test_numbers_are_those_of_the_store(self):
        campaign = json.loads(self.good("report", "run.db", "--json"))["campaigns"][0]
        rows = list(csv.DictReader(io.StringIO(self.csv("run.db"))))
        harm = [(int(row["critical"]) + int(row["due"])) / 100 for row in rows]
        self.assertEqual(campaign["done"], len(rows))
        self.assertAlmostEqual(campaign["all"]["harm"]["mean"], sum(harm) / len(harm), 12)
        self.assertAlmostEqual(campaign["all"]["harmful"]["mean"], sum(h > 0 for h in harm) / len(harm), 12)
        self.assertEqual(campaign["all"]["harm"]["lower"], campaign["all"]["harm"]["upper"])
        worst = max(rows, key=lambda row: int(row["critical"]) + int(row["due"]))
        self.assertEqual([campaign["worst"][0][key] for key in ("layer", "index", "bit")],
                         [worst["layer"], int(worst["index"]), int(worst["bit"])])
        left = {r["bits"]: r["left"] for r in campaign["residuals"]}
        self.assertAlmostEqual(left[100], sum(sorted(harm)[:-100]) / sum(harm), 9)
        by_layer = {row["layer"]: row for row in json.loads(
            self.good("export", "run.db", "--by", "layer", "--json"))["rates"]}
        for layer in campaign["layers"]:
            self.assertAlmostEqual(layer["critical"]["mean"], by_layer[layer["layer"]]["critical"]["mean"], 12)

    def test_formats(self):
        text = self.good("report", "run.db", "--format", "md")
        for heading in ("# Which bits matter", "### By layer", "### Most critical bits", "### What was run"):
            self.assertIn(heading, text)
        rows = list(csv.DictReader(io.StringIO(self.good("report", "run.db", "--format", "csv"))))
        layers = [row for row in rows if row["section"] == "layer" and row["name"] == "harm"]
        self.assertEqual([row["layer"] for row in layers], ["conv1", "conv2", "dense"])
        self.good("report", "run.db", "--format", "md", "--out", "report.md")
        self.assertEqual((self.folder / "report.md").read_text(), text)

    def test_rankings_and_several_stores(self):
        self.good("rank", CLASSIFIER, *SAMPLES, "--first", 100, "--bits", "3-5", "--metric", "msb", "--out", "msb.csv")
        self.good("evaluate", "run.db", "--ranking", "msb.csv", "--against", "binfi", "--out", "curves.csv",
                  "--out-top", "tops.csv", "--quiet")
        self.inject("part.db", "--first", 100, "--select", "random:50")
        report = json.loads(self.good("report", "run.db", "part.db", "--ranking", "msb.csv,curves.csv,tops.csv", "--json"))
        self.assertEqual([c["name"] for c in report["campaigns"]], ["classifier · run", "classifier · part"])
        names = [r["name"] for r in report["campaigns"][0]["rankings"]]
        self.assertEqual(names, ["msb", "binfi", "binfi+implied", "(best possible)"])
        judged = json.loads(self.good("evaluate", "run.db", "--ranking", "msb.csv", "--json"))["rankings"][0]
        self.assertEqual(report["campaigns"][0]["rankings"][0]["area"], judged["area"])
        part = report["campaigns"][1]
        self.assertLess(part["all"]["harmful"]["lower"], part["all"]["harmful"]["mean"])

    def test_plans_and_costs(self):
        self.good("protect", "run.db", "--budget", "50", "--out", "plan.csv", "--quiet")
        (self.folder / "plan.json").write_text(self.good("protect", "run.db", "--budget", "area:3%", "--json"))
        self.good("protect", "run.db", "--budget", "50", "--to", "json", "--out", "bits.json", "--quiet")
        report = json.loads(self.good("report", "run.db", "--plan", "plan.csv,plan.json,bits.json", "--json"))
        plans = {plan["name"]: plan for plan in report["plans"]}
        place = lambda row: (row["tensor"], row["index"], row["bit"])
        chosen = {place(row) for row in csv.DictReader(io.StringIO((self.folder / "plan.csv").read_text()))}
        harm = [(int(row["critical"]) + int(row["due"]), place(row) in chosen) for row in csv.DictReader(io.StringIO(self.csv("run.db")))]
        left = sum(h for h, is_chosen in harm if not is_chosen) / sum(h for h, _ in harm)
        self.assertAlmostEqual(plans["plan"]["left"], left, 9)
        self.assertAlmostEqual(plans["bits"]["left"], left, 9)
        self.assertEqual(sum(layer["bits"] for layer in plans["plan"]["layers"]), 50)
        printed = json.loads((self.folder / "plan.json").read_text())
        self.assertEqual(plans["plan: area:3%"]["bits"], printed["protected"])
        self.assertIn("| plan | 50 |", self.good("report", "run.db", "--plan", "plan.csv", "--format", "md"))
        self.inject("more.db", "--first", 50, "--bits", "3-5")
        (self.folder / "costs.csv").write_text("store,latency\nrun,3\nmore,4\n")
        stores = ("run.db", "more.db")
        report = json.loads(self.good("report", *stores, "--costs", "costs.csv", "--json"))["design_space"]
        compared = json.loads(self.good("compare", *stores, "--costs", "costs.csv", "--json"))["designs"]
        for mine, theirs in zip(report["designs"], compared):
            self.assertEqual([mine["protected"], mine["pareto"], mine["costs"]],
                             [theirs["protected"], theirs["pareto"], [str(int(theirs["costs"]["latency"]))]])
        self.good("report", *stores, "--costs", "costs.csv", "--plan", "plan.csv", "--out", "two.html")
        for plan in ("none.csv", "costs.csv", "run.db"):
            self.bad("report", "run.db", "--plan", plan, "--format", "md", says=[plan])
        self.bad("report", "run.db", "--costs", "costs.csv", "--format", "md", says=["two stores"])
        self.bad("report", *stores, "--costs", "plan.csv", "--format", "md", says=["plan.csv", "a second row"])

    def test_trials(self):
        self.inject("trials.db", "--first", 10, "--faults", "multi:4", "--select", "random:20")
        campaign = json.loads(self.good("report", "trials.db", "--json"))["campaigns"][0]
        self.assertTrue(campaign["trials"])
        self.assertEqual(campaign["layers"], [])
        self.good("report", "trials.db", "--out", "trials.html")

    def test_mistakes(self):
        self.bad("report", says=["STORE"])
        self.bad("report", "run.db", says=["--out", "--format"])
        self.bad("report", "none.db", "--format", "md", says=["none.db"])
        self.bad("report", "run.db", "run.db", "--format", "md", says=["run.db", "twice"])
        self.bad("report", "run.db", "--format", "pdf", says=["pdf", "html"])
        for form in ("md", "csv"):
            self.bad("report", "run.db", "--format", form, "--json", says=["--json", f"--format {form}", "--out"])
        self.assertEqual(json.loads(self.good("report", "run.db", "--format", "md", "--json", "--out", "r.md"))["out"], "r.md")
        self.bad("report", "run.db", "--out", "no/where.html", says=["no/where.html"])
        self.bad("report", "run.db", "--out", "fifo", says=["fifo"])
        self.bad("report", CLASSIFIER, "--format", "md", says=["classifier.onnx"])
        self.bad("report", "run.db", "--ranking", "none.csv", "--format", "md", says=["none.csv"])
        self.bad("report", "run.db", "--out", "full.html", says=["full.html"], disk=50_000)
        (self.folder / "curves.csv").write_text("ranking,flips,found\na,b,c\n")
        self.bad("report", "run.db", "--ranking", "curves.csv", "--format", "md", says=["curves.csv:2"])
        self.inject("part.db", "--first", 10, "--select", "random:10")
        (self.folder / "list.csv").write_text("layer,index,bit\nconv1,0,3\n")
        self.assertIn("| list |", self.good("report", "part.db", "--ranking", "list.csv", "--format", "md"))


if __name__ == "__main__":
    cases.main(__doc__)
