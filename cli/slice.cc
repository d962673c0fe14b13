// flipscope slice: heuristics on what faults change at the end of their slice (SliceFI).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "flipscope/analysis/slice_judgement.h"
#include "flipscope/campaign/output_file.h"
#include "flipscope/campaign/verdicts.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/selection.h"
#include "flipscope/numeric/error.h"
#include "interrupt.h"
#include "json.h"
#include "slice_setup.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr double kPercents[] = {1, 5, 10, 20};

/// The faults to score: those that the oracle knows, or what --select says.
std::vector<std::uint64_t> chosen_faults(const Options& options, const FaultSpace& space,
                                         const std::optional<Verdicts>& verdicts) {
  if (verdicts) return verdicts->faults;
  const SelectionMethod method = parse_selection(options.campaign.select);
  if (method.kind == SelectionMethod::Kind::list) {
    fail("usage", "slice --select is exhaustive or random:N, not \"{}\"", options.campaign.select);
  }
  const auto selection = select_faults(space, FaultModel(), method, options.campaign.seed, {});
  std::vector<std::uint64_t> faults;
  for (std::uint64_t row = 0; row < selection->size(); ++row) {
    faults.push_back(space.number(selection->fault(row).sites.front()));
  }
  return faults;
}

void write_scores(const SliceSetup& setup, const std::vector<std::uint64_t>& faults,
                  const std::vector<double>& scores, const std::string& out) {
  const std::vector<SliceColumn>& columns = setup.columns();
  OutputFile file(out);
  std::string header = "fault,layer,tensor,index,bit,slice";
  for (const SliceColumn& column : columns) header += "," + column.name();
  file.write(header + "\n");
  for (std::size_t f = 0; f < faults.size(); ++f) {
    const FaultSite site = setup.space().site(faults[f]);
    const FaultTarget& target = setup.space().targets()[static_cast<std::size_t>(site.target)];
    const Slice& slice = setup.problem().slicing().slices[setup.problem().slice_of(site)];
    std::string line =
        fmt::format("{},{},{},{},{},{}", faults[f], csv_field(target.layer),
                    csv_field(target.tensor), site.index, site.bit, csv_field(slice.layer));
    for (std::size_t c = 0; c < columns.size(); ++c) {
      line += fmt::format(",{}", scores[f * columns.size() + c]);
    }
    file.write(line + "\n");
  }
  file.finish();
}

/// A column's judgements: over all faults, and by slice.
struct Judged {
  Judgement all;
  std::map<std::size_t, Judgement> by_slice;
};

std::vector<Judged> judge_columns(const SliceSetup& setup, const Verdicts& verdicts,
                                  const std::vector<double>& scores) {
  const std::size_t columns = setup.columns().size();
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t f = 0; f < verdicts.faults.size(); ++f) {
    members[setup.problem().slice_of(setup.space().site(verdicts.faults[f]))].push_back(f);
  }
  std::vector<Judged> judged(columns);
  for (std::size_t c = 0; c < columns; ++c) {
    const auto judge_some = [&](const std::vector<std::size_t>& which) {
      std::vector<double> score, magnitude;
      for (const std::size_t f : which) {
        score.push_back(scores[f * columns + c]);
        magnitude.push_back(verdicts.magnitude[f]);
      }
      return judge(score, magnitude, kPercents);
    };
    std::vector<std::size_t> all(verdicts.faults.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    judged[c].all = judge_some(all);
    for (const auto& [slice, which] : members) judged[c].by_slice[slice] = judge_some(which);
  }
  return judged;
}

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

Json columns_json(const SliceSetup& setup, const std::vector<Judged>& judged) {
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
                        const std::vector<Judged>& judged) {
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

}  // namespace

void describe_slice(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_samples(command, options);
  describe_fault_space(command, options);
  command.heading("Slices");
  std::vector<const char*> names;
  for (const Heuristic& heuristic : heuristics()) names.push_back(heuristic.name);
  command.option("heuristic", "NAME[:REDUCTION],...", options.heuristics,
                 fmt::format("{}, or all; over samples by {}, or all (default: "
                             "centroid:mean).",
                             fmt::join(names, ", "), fmt::join(reduction_names(), ", "))
                     .c_str());
  command.option(
      "slice-end", "layer|sums|update",
      [&](const std::string& text) {
        if (text != "update") parse_slice_end(text);
        options.slice_end = text;
      },
      "Slices end before the next weighted layer (default), or at their own layer's sums; update: "
      "there too, by golden + change of weight x input, without a run.");
  command.option(
      "classes", "labels|decisions",
      [&](const std::string& text) {
        if (text != "labels" && text != "decisions") {
          fail("usage", "--classes is labels or decisions, not \"{}\"", text);
        }
        options.classes = text;
      },
      "Classes of centroids: labels where there are any (default), or golden decisions; a network "
      "without decisions has clusters of its outputs.");
  command.option("select", "HOW", options.campaign.select,
                 "exhaustive (default), random:N; with --oracle the faults are the oracle's.");
  command.option("oracle", "STORE", options.oracle,
                 "A campaign, exhaustive or a random part, that judges the heuristics.");
  command.option("out", "FILE.csv", options.out, "The scores: a line for each fault.");
  describe_common(command, options);
  command.example(
      "slice examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --heuristic centroid,jacobian-margin --out s.csv");
}

int slice(const Options& options) {
  const std::vector<std::string> heuristics =
      options.heuristics.empty() ? std::vector<std::string>{"centroid"} : options.heuristics;
  const std::atomic<bool>& stop = stop_on_interrupt();
  const SliceSetup setup(options, heuristics);
  std::optional<Verdicts> verdicts;
  if (!options.oracle.empty()) verdicts = read_verdicts(options.oracle, setup.space());
  const std::vector<std::uint64_t> faults = chosen_faults(options, setup.space(), verdicts);
  const std::string checkpoint = options.out.empty() ? "" : options.out + ".partial";
  const auto scores = score_slices(options, setup, faults, checkpoint, stop);
  if (!scores) {
    std::fprintf(stderr, "flipscope: [slice] interrupted; %s\n",
                 checkpoint.empty() ? "without --out nothing is kept"
                                    : ("this goes on: " + options.command).c_str());
    return 3;
  }
  if (!options.out.empty()) write_scores(setup, faults, *scores, options.out);
  if (!checkpoint.empty()) std::filesystem::remove(checkpoint);
  std::vector<Judged> judged;
  if (verdicts) judged = judge_columns(setup, *verdicts, *scores);

  if (options.json) {
    print(text(Json::Object{{"model", options.campaign.model},
                            {"samples", setup.problem().samples()},
                            {"slice_end", options.slice_end},
                            {"faults", faults.size()},
                            {"oracle_samples", verdicts ? Json(verdicts->samples) : Json()},
                            {"slices", slices_json(setup.problem())},
                            {"heuristics", columns_json(setup, judged)},
                            {"seed", options.campaign.seed}}));
  } else if (!options.quiet) {
    print(slices_text(setup) + "\n");
    if (verdicts) print(judged_text(setup, *verdicts, judged));
    if (!options.out.empty()) {
      print(fmt::format("{}: {} faults by {} heuristics, on {} samples (seed {})\n", options.out,
                        grouped(faults.size()), setup.columns().size(),
                        grouped(static_cast<std::uint64_t>(setup.problem().samples())),
                        options.campaign.seed));
    }
  }
  return 0;
}

}  // namespace flipscope::cli
