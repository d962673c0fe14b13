#include "slice_text.h"

#include <algorithm>
#include <cmath>

#include "json.h"
#include "terminal.h"

namespace flipscope::cli {

namespace {

Json judgement_json(const Judgement& judgement) {
  Json::Array top;
  for (const TopShare& share : judgement.top) {
    top.push_back(Json::Object{
        {"percent", share.percent}, {"precision", share.precision}, {"recall", share.recall}});
  }
  return Json::Object{{"faults", judgement.faults},
                      {"spearman", judgement.spearman},
                      {"area", judgement.area},
                      {"top", std::move(top)},
                      {"found", Json(judgement.found)}};
}

Json slices_json(const SliceProblem& problem) {
  Json::Array slices;
  const auto names = [&](const std::vector<int>& values) {
    Json::Array list;
    for (const int v : values)
      list.push_back(problem.graph().values[static_cast<std::size_t>(v)].name);
    return list;
  };
  for (const Slice& slice : problem.slicing().slices) {
    slices.push_back(Json::Object{{"layer", slice.layer},
                                  {"nodes", slice.last - slice.first},
                                  {"inputs", names(slice.inputs)},
                                  {"outputs", names(slice.outputs)},
                                  {"elements", slice.elements}});
  }
  return slices;
}

Json columns_json(const SliceSetup& setup, const std::vector<JudgedColumn>& judged) {
  Json::Array columns;
  for (std::size_t c = 0; c < setup.columns().size(); ++c) {
    const SliceColumn& column = setup.columns()[c];
    Json::Object object{{"heuristic", column.name()}, {"formula", column.heuristic->formula}};
    if (!judged.empty()) {
      object.emplace_back("all", judgement_json(judged[c].all));
      Json::Array slices;
      for (const auto& [slice, judgement] : judged[c].by_slice) {
        slices.push_back(Json::Object{{"layer", setup.problem().slicing().slices[slice].layer},
                                      {"judgement", judgement_json(judgement)}});
      }
      object.emplace_back("by_layer", std::move(slices));
    }
    columns.push_back(std::move(object));
  }
  return columns;
}

std::string share_text(double share) {
  return std::isnan(share) ? "" : fmt::format("{:.3f}", share);
}

std::string judged_text(const SliceSetup& setup, const Verdicts& verdicts,
                        const std::vector<JudgedColumn>& judged) {
  Table overall({"heuristic", "rho", "area", "precision 1%", "5%", "20%", "recall 1%", "5%", "20%"},
                "lrrrrrrrr");
  std::vector<std::string> header{"rho by slice"};
  const std::vector<Slice>& slices = setup.problem().slicing().slices;
  for (const auto& [slice, unused] : judged.front().by_slice) header.push_back(slices[slice].layer);
  Table by_slice(header, "l" + std::string(header.size() - 1, 'r'));
  for (std::size_t c = 0; c < judged.size(); ++c) {
    const Judgement& all = judged[c].all;
    const auto at = [&](double percent) {
      return *std::ranges::find(all.top, percent, &TopShare::percent);
    };
    overall.row({setup.columns()[c].name(), share_text(all.spearman),
                 fmt::format("{:.4f}", all.area), share_text(at(1).precision),
                 share_text(at(5).precision), share_text(at(20).precision),
                 share_text(at(1).recall), share_text(at(5).recall), share_text(at(20).recall)});
    std::vector<std::string> row{setup.columns()[c].name()};
    for (const auto& [unused, judgement] : judged[c].by_slice) {
      row.push_back(share_text(judgement.spearman));
    }
    by_slice.row(row);
  }
  return fmt::format("Against the oracle, {} faults on {} samples\n\n",
                     grouped(verdicts.faults.size()),
                     grouped(static_cast<std::uint64_t>(verdicts.samples))) +
         overall.text() + "\n" + by_slice.text() +
         "\nrho: Spearman's, of score and |change of score|. area: mean over flips, highest score "
         "first, of the\nshare of all change found by then. Precision, recall: of the highest "
         "scores, against the faults that\nchange most.\n";
}

std::string slices_text(const SliceSetup& setup) {
  const SliceProblem& problem = setup.problem();
  Table table({"slice", "nodes", "reads", "gives", "elements"}, "lrrrr");
  for (const Slice& slice : problem.slicing().slices) {
    table.row({slice.layer, std::to_string(slice.last - slice.first),
               std::to_string(slice.inputs.size()), std::to_string(slice.outputs.size()),
               grouped(static_cast<std::uint64_t>(slice.elements))});
  }
  return table.text();
}

std::string microseconds(double seconds) {
  return seconds > 0 ? fmt::format("{:.3g}", seconds * 1e6) : "";
}

/// Where the exact run is no dearer than slice and heuristic, which knows less.
std::string advice(const SliceSetup& setup, const std::vector<SliceCost>& costs) {
  std::string page;
  for (std::size_t c = 0; c < setup.columns().size(); ++c) {
    std::vector<std::string> exact, slices;
    for (const SliceCost& cost : costs) {
      (cost.pays(c) ? slices : exact).push_back(setup.problem().slicing().slices[cost.slice].layer);
    }
    const std::string name = setup.columns()[c].name();
    if (exact.empty()) {
      page += fmt::format("{}: cheaper than the exact run in every slice.\n", name);
    } else if (slices.empty()) {
      page += fmt::format("{}: the exact run is no dearer in any slice; use inject.\n", name);
    } else {
      page += fmt::format("{}: the exact run is no dearer in {}; cheaper by slices are {}.\n", name,
                          fmt::join(exact, ", "), fmt::join(slices, ", "));
    }
  }
  return page;
}

std::string cost_text(const SliceSetup& setup, const std::vector<SliceCost>& costs) {
  std::vector<std::string> header{"us a pair", "slice",     "update",    "exact",      "suffix",
                                  "whole",     "c scratch", "no change", "same change"};
  for (const SliceColumn& column : setup.columns()) header.push_back(column.name());
  Table table(header, "l" + std::string(header.size() - 1, 'r'));
  for (const SliceCost& cost : costs) {
    std::vector<std::string> row{setup.problem().slicing().slices[cost.slice].layer,
                                 microseconds(cost.run),
                                 microseconds(cost.update),
                                 microseconds(cost.exact),
                                 microseconds(cost.suffix),
                                 microseconds(cost.whole),
                                 microseconds(cost.centroids_from_scratch),
                                 percent(cost.unchanged),
                                 percent(cost.coinciding)};
    for (const double seconds : cost.column) row.push_back(microseconds(seconds));
    table.row(row);
  }
  return "What one (fault, sample) pair costs on one thread\n\n" + table.text() +
         "\nslice: a run to its end; update: golden + change of weight x input in its place; "
         "exact: by difference to the\nnetwork's output. c scratch: centroid distances of whole "
         "outputs. Heuristics are without the slice's run.\n\n" +
         advice(setup, costs);
}

Json costs_json(const SliceSetup& setup, const std::vector<SliceCost>& costs) {
  Json::Array rows;
  for (const SliceCost& cost : costs) {
    Json::Array columns;
    for (std::size_t c = 0; c < cost.column.size(); ++c) {
      columns.push_back(Json::Object{{"heuristic", setup.columns()[c].name()},
                                     {"seconds_per_pair", cost.column[c]},
                                     {"pays", cost.pays(c)}});
    }
    rows.push_back(Json::Object{
        {"layer", setup.problem().slicing().slices[cost.slice].layer},
        {"faults", cost.faults},
        {"seconds_per_pair", Json::Object{{"slice", cost.run},
                                          {"update", cost.update},
                                          {"exact", cost.exact},
                                          {"suffix", cost.suffix},
                                          {"whole", cost.whole},
                                          {"centroids_from_scratch", cost.centroids_from_scratch},
                                          {"comparing", cost.comparing}}},
        {"unchanged", cost.unchanged},
        {"coinciding", cost.coinciding},
        {"heuristics", std::move(columns)}});
  }
  return rows;
}

std::string replayed_text(const SliceSetup& setup, const std::vector<ReplayedColumn>& replayed) {
  Table table({"hybrid campaign", "run exactly", "of the time", "error stated", "interval",
               "error left", "of critical", "covered"},
              "lrrrrrrr");
  for (std::size_t c = 0; c < replayed.size(); ++c) {
    const ReplayedColumn& r = replayed[c];
    table.row({setup.columns()[c].name(), percent(r.run), r.time > 0 ? percent(r.time) : "",
               fmt::format("{:.3g}", r.stated), fmt::format("{:.3g} to {:.3g}", r.lower, r.upper),
               fmt::format("{:.3g}", r.actual), percent(r.critical > 0 ? r.actual / r.critical : 0),
               fmt::format("{} of {}", r.covered, r.seeds)});
  }
  return table.text() +
         fmt::format(
             "\nMeans over {} seeds, audits of {} faults; the critical rate of all is "
             "{:.6g}. Errors are of that rate.\n",
             replayed.front().seeds, grouped(replayed.front().audit), replayed.front().critical);
}

Json replayed_json(const SliceSetup& setup, const std::vector<ReplayedColumn>& replayed) {
  Json::Array rows;
  for (std::size_t c = 0; c < replayed.size(); ++c) {
    const ReplayedColumn& r = replayed[c];
    rows.push_back(Json::Object{{"heuristic", setup.columns()[c].name()},
                                {"seeds", r.seeds},
                                {"audit", r.audit},
                                {"run", r.run},
                                {"time", r.time},
                                {"stated", r.stated},
                                {"interval", Json::Array{r.lower, r.upper}},
                                {"actual", r.actual},
                                {"critical", r.critical},
                                {"covered", r.covered}});
  }
  return rows;
}

}  // namespace

std::string slice_json(const Options& options, const SliceSetup& setup, const SliceReport& report) {
  return text(
      Json::Object{{"model", options.campaign.model},
                   {"samples", setup.problem().samples()},
                   {"slice_end", options.slice_end},
                   {"faults", report.faults},
                   {"seconds", report.seconds},
                   {"oracle_samples", report.verdicts ? Json(report.verdicts->samples) : Json()},
                   {"slices", slices_json(setup.problem())},
                   {"heuristics", columns_json(setup, report.judged)},
                   {"hybrid", replayed_json(setup, report.replayed)},
                   {"cost", costs_json(setup, report.costs)},
                   {"seed", options.campaign.seed}});
}

std::string slice_text(const Options& options, const SliceSetup& setup, const SliceReport& report) {
  std::string page = slices_text(setup) + "\n";
  if (report.verdicts) page += judged_text(setup, *report.verdicts, report.judged) + "\n";
  if (!report.replayed.empty()) page += replayed_text(setup, report.replayed) + "\n";
  if (!report.costs.empty()) page += cost_text(setup, report.costs) + "\n";
  return page + fmt::format("{}{} faults by {} heuristics on {} samples (seed {}), in {}\n",
                            options.out.empty() ? "" : options.out + ": ", grouped(report.faults),
                            setup.columns().size(),
                            grouped(static_cast<std::uint64_t>(setup.problem().samples())),
                            options.campaign.seed, duration(report.seconds));
}

}  // namespace flipscope::cli
