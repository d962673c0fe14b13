"""What notebooks show."""

import pathlib
import unittest
from unittest import mock

import flipscope
from case import Case


class Notebooks(Case):
    """What notebooks show."""

    def shows(self, thing, *words):
        shown = thing._repr_html_()
        for word in words:
            self.assertTrue(word in shown, f"{word!r} is not in {shown[:300]}… ({len(shown)} characters)")
        return shown

    def test_a_store_shows_parts_of_its_report(self):
        store = self.campaign()
        self.shows(store, "<iframe srcdoc=", ":not(#answer):not(#where)", "&quot;done&quot;: 432")
        with mock.patch("flipscope.display.SHOWN_UNASKED", 100):  # As of a campaign of many faults.
            shown = self.shows(store, "432 of 432 faults on 100 samples", "<td>masked</td>")
        self.assertLess(len(shown), 1000)

    def test_a_ranking_and_its_evaluation(self):
        ranking = self.model.rank(**self.samples, metric="msb", layers="conv1")
        self.shows(ranking, "The first 43 of 432 bits", "<th>bit 5</th>", ">43</td>", "<th>score</th>")
        gradient = self.model.rank(**self.samples, metric="gradient", layers="conv1")
        judged = flipscope.evaluate(self.campaign(), [ranking, gradient])
        names = [pathlib.Path(r["ranking"]).stem for r in judged["rankings"]]
        self.assertEqual(names, ["msb", "gradient", "(best possible)"])
        self.shows(judged, "<iframe srcdoc=", ":not(#rankings)", "&quot;msb&quot;", "&quot;gradient&quot;")

    def test_a_plan(self):
        plan = flipscope.protect(self.campaign(), budget="bits:10%")
        left = next(p["error_left"] for p in plan.summary["points"] if p["bits"] == 43)
        self.shows(plan, "<b>43</b> of 432 bits", f"<b>{left:.1%}</b> of the harm", "<svg", "<polyline")
        ranking = self.model.rank(metric="msb", **self.samples, layers="conv1")
        bare = flipscope.protect(self.model, budget=5, ranking=ranking, layers="conv1", **self.samples)
        self.assertNotIn("<svg", self.shows(bare, "<b>5</b> of 432 bits"))

    def test_tables(self):
        table = flipscope.Table.of([{"a": 1, "b": "<x>", "c": [1]}, {"a": 2, "b": "y", "c": []}])
        self.assertEqual((table["a"].tolist(), table["b"].tolist(), "c" in table), ([1, 2], ["<x>", "y"], False))
        self.shows(table, "<td>&lt;x&gt;</td>")
        self.assertNotIn("<th>tensor</th>", self.shows(self.campaign().rates("layer"), "<th>critical</th>"))


if __name__ == "__main__":
    unittest.main()
