"""All other verbs, by their functions, by name, and as python -m flipscope."""

import json
import subprocess
import sys
import unittest

import numpy as np

import flipscope
from case import CLASSIFIER, SCALE, Case


class Verbs(Case):
    def test_run(self):
        result = self.model.run(**self.samples)
        np.testing.assert_array_equal(result.outputs, self.model(self.inputs / 256))
        self.assertEqual(result["accuracy"], np.mean(result.outputs.argmax(axis=1) == self.labels))
        self.assertTrue(self.model.run(**self.samples, expect=result.outputs)["expect"]["same"])
        self.assertFalse(self.model.run(**self.samples, expect=result.outputs + 1)["expect"]["same"])

    def test_rank_is_a_selection_and_is_judged(self):
        ranking = self.model.rank(**self.samples, metric="flip", layers="conv1")
        self.assertEqual(ranking["rank"].tolist(), list(range(432)))
        top = self.campaign("top.db", select=ranking.select(50), layers=None)
        self.assertEqual(top.rows()["bit"].tolist(), ranking["bit"][:50].tolist())
        judged = flipscope.evaluate(self.campaign(), ranking)
        self.assertEqual(len(judged["rankings"]), 2)

    def test_a_table_protects(self):
        ranking = self.model.rank(metric="msb", **self.samples, layers="conv1")
        protect = {name: ranking[name][:72] for name in ("layer", "tensor", "index", "bit")}
        rows = self.campaign(protect=protect).rows()
        self.assertTrue((rows["masked"][rows["bit"] == 5] == 100).all())

    def test_protect(self):
        store = self.campaign()
        bits = flipscope.protect(store, budget="bits:10%")
        self.assertEqual(bits.rows, 43)
        self.assertEqual(set(bits["tensor"]), {"conv1.weight"})
        rows = self.campaign("protected.db", protect=bits).rows()
        self.assertLess(rows["critical"].sum(), store.rows()["critical"].sum())
        for form, says in (("c-header", "protect_conv1_weight[72]"), ("tmrg", "module protected_conv1_weight ")):
            flipscope.protect(store, budget=10, to=form, out=self.path("plan"))
            self.assertIn(says, (self.folder / "plan").read_text())

    def test_slice(self):
        scores = self.model.slice(**self.samples, layers="conv1", heuristic="centroid:mean", oracle=self.campaign())
        self.assertEqual(scores["fault"].tolist(), list(range(432)))
        self.assertIn("centroid:mean", scores)

    def test_compare(self):
        both = flipscope.compare([self.campaign("a.db"), self.campaign("b.db", layers="dense")])
        self.assertEqual([(d["name"], d["bits"]) for d in both["designs"]], [("a", 432), ("b", 3240)])

    def test_vulnerability(self):
        factors = self.model.vulnerability(self.inputs[:16], scale=SCALE, sampling="complete", layers="dense")
        self.assertIn("dense", json.dumps(factors))

    def test_trace(self):
        result = self.model.trace(**self.samples, layers="dense", top=1, probes=2)
        self.assertIn("layers", result)

    def test_report_shows_itself(self):
        page = flipscope.report(self.campaign(), out=self.path("report.html"))
        self.assertTrue((self.folder / "report.html").read_text().lower().startswith("<!doctype html>"))
        self.assertIn("<iframe srcdoc=", page._repr_html_())
        self.assertIsNone(page._repr_markdown_())

    def test_a_report_takes_what_other_verbs_gave(self):
        store = self.campaign()
        self.model.vulnerability(self.inputs[:16], scale=SCALE, sampling="complete", layers="dense",
                                 out=self.path("factors"))
        page = flipscope.report(
            [store, self.campaign("other.db")], format="csv",
            ranking=self.model.rank(**self.samples, metric="msb", layers="conv1"),
            slice=self.model.slice(**self.samples, layers="conv1", heuristic="l2", oracle=store),
            plan=[flipscope.protect(store, budget=10), flipscope.protect(store, budget=20, out=self.path("twenty.csv"))],
            vulnerability=self.path("factors"), costs={"store": ["run", "other"], "LUT": [3, 4]})
        sections = {line.split(",")[1] for line in page.text().splitlines()}
        self.assertLessEqual({"ranking", "slice", "plan", "vulnerability", "design"}, sections)
        self.assertIsNone(page._repr_html_())
        self.assertIn("twenty", page.text())
        self.assertIn("# ", flipscope.report(store, format="md")._repr_markdown_())

    def test_bench(self):
        times = self.model.bench(self.inputs[:8], scale=SCALE, layers="conv1", faults_per_layer=4, seconds=0.05)
        self.assertEqual(times["layers"][0]["layer"], "conv1")

    def test_sample_size(self):
        few, many = (self.model.sample_size(method="layer", error=e)["networks"][0] for e in (0.1, 0.02))
        self.assertLess(few["faults"], many["faults"])

    def test_any_verb(self):
        self.assertEqual(flipscope.verb("info", self.model)["parts"]["weights"]["bits"], 8856)
        with self.assertRaisesRegex(flipscope.Error, "there is no verb"):
            flipscope.verb("fly")


class Package(unittest.TestCase):
    def test_command_line(self):
        done = subprocess.run([sys.executable, "-m", "flipscope", "info", str(CLASSIFIER), "--json"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), flipscope.info(CLASSIFIER))
        done = subprocess.run([sys.executable, "-m", "flipscope", "info"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
