// flipscope slice: heuristics on what faults change at the end of their slice (SliceFI).
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <numeric>

#include "flipscope/analysis/hybrid.h"
#include "flipscope/analysis/slice_scatter.h"
#include "flipscope/campaign/hybrid_selection.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "slice_text.h"
#include "stop_signal.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr double kConfidence = 0.95;
constexpr double kPercents[] = {1, 5, 10, 20};

/// The faults to score: what --select says, of which the oracle knows those that it is left with.
std::vector<std::uint64_t> chosen_faults(const Options& options, const FaultSpace& space,
                                         std::optional<Verdicts>& verdicts) {
  const SelectionMethod method = parse_selection(options.campaign.select);
  using Kind = SelectionMethod::Kind;
  if (method.kind != Kind::exhaustive && method.kind != Kind::random) {
    fail("usage", "slice --select is exhaustive or random:N, not \"{}\"", options.campaign.select);
  }
  if (verdicts && method.kind == Kind::exhaustive) return verdicts->faults;
  const auto selection =
      draw_faults(space, FaultModel(), method, kConfidence, options.campaign.seed);
  std::vector<std::uint64_t> faults;
  for (std::uint64_t row = 0; row < selection->size(); ++row) {
    faults.push_back(space.number(selection->fault(row).sites.front()));
  }
  if (!verdicts) return faults;
  verdicts = among(*verdicts, faults);
  return verdicts->faults;
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

void write_scatter(const SliceSetup& setup, const std::vector<std::uint64_t>& faults,
                   const std::vector<double>& scores, const std::string& out) {
  constexpr std::int64_t kSamples = 500;
  constexpr std::size_t kFaults = 3;  // of each slice, those that score highest in the first column
  const SliceProblem& problem = setup.problem();
  std::vector<std::vector<std::size_t>> members(problem.slicing().slices.size());
  for (std::size_t f = 0; f < faults.size(); ++f) {
    members[problem.slice_of(setup.space().site(faults[f]))].push_back(f);
  }
  OutputFile file(out);
  file.write("slice,kind,fault,sample,class,x,y,variance_shown\n");
  for (std::size_t s = 0; s < members.size(); ++s) {
    std::ranges::stable_sort(members[s], std::greater(),
                             [&](std::size_t f) { return scores[f * setup.columns().size()]; });
    std::vector<std::uint64_t> shown;
    for (const std::size_t f : members[s]) {
      if (shown.size() < kFaults) shown.push_back(faults[f]);
    }
    const Scatter scatter = scatter_of(problem, s, shown, kSamples);
    for (const ScatterPoint& point : scatter.points) {
      file.write(fmt::format("{},{},{},{},{},{},{},{}\n",
                             csv_field(problem.slicing().slices[s].layer), to_string(point.kind),
                             point.fault ? std::to_string(*point.fault) : "",
                             point.sample < 0 ? "" : std::to_string(point.sample), point.label,
                             point.x, point.y, scatter.share));
    }
  }
  file.finish();
}

std::vector<JudgedColumn> judge_columns(const SliceSetup& setup, const Verdicts& verdicts,
                                        const std::vector<double>& scores) {
  const std::size_t columns = setup.columns().size();
  std::map<std::size_t, std::vector<std::size_t>> members;
  for (std::size_t f = 0; f < verdicts.faults.size(); ++f) {
    members[setup.problem().slice_of(setup.space().site(verdicts.faults[f]))].push_back(f);
  }
  std::vector<JudgedColumn> judged(columns);
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

ReplayedColumn replay_column(const Options& options, const SliceSetup& setup,
                             const SliceReport& report, const std::vector<double>& scores,
                             std::size_t column) {
  const SliceProblem& problem = setup.problem();
  const Verdicts& verdicts = *report.verdicts;
  const std::vector<double> work = exact_work(setup.graph(), problem.slicing());
  std::vector<double> seconds(work.size(), 0.0);
  for (const SliceCost& cost : report.costs) seconds[cost.slice] = cost.exact;
  ReplayedColumn all;
  all.seeds = options.replays;
  all.faults = verdicts.faults.size();
  all.audit = options.audit > 0 ? std::min(options.audit, all.faults) : default_audit(all.faults);
  std::vector<double> priority, cost;
  double total = 0;
  for (std::size_t f = 0; f < verdicts.faults.size(); ++f) {
    const std::size_t slice = problem.slice_of(setup.space().site(verdicts.faults[f]));
    priority.push_back(scores[f * setup.columns().size() + column] / work[slice]);
    cost.push_back(seconds[slice]);
    total += seconds[slice];
    all.critical += verdicts.critical[f] / static_cast<double>(all.faults);
  }
  const auto seeds = static_cast<double>(all.seeds);
  for (std::uint64_t seed = 0; seed < all.seeds; ++seed) {
    const HybridReplay replay =
        replay_hybrid(priority, verdicts.critical, all.audit, options.campaign.seed + seed);
    double run = 0, time = 0;
    for (std::size_t f = 0; f < cost.size(); ++f) {
      run += replay.ran[f];
      time += replay.ran[f] != 0 ? cost[f] : 0;
    }
    all.run += run / static_cast<double>(all.faults) / seeds;
    all.time += total > 0 ? time / total / seeds : 0;
    all.stated += replay.error.stated / seeds;
    all.lower += replay.error.interval.lower / seeds;
    all.upper += replay.error.interval.upper / seeds;
    all.actual += replay.actual / seeds;
    all.covered += replay.covered ? 1 : 0;
  }
  return all;
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
                 "exhaustive (default), random:N; with --oracle those of them that it holds.");
  command.option("oracle", "STORE", options.oracle,
                 "A campaign, exhaustive or a random part, that judges the heuristics.");
  command.option("cost", "N", options.cost_faults,
                 "Time about N faults of each slice, by slice and heuristic, exactly, and whole "
                 "(default: 0), and say where the exact run is no dearer.");
  command.option("replay", "SEEDS", options.replays,
                 "Play hybrid campaigns (inject --select hybrid:...) with so many seeds and the "
                 "oracle's outcomes: what they run (with --cost also of the time), the error they "
                 "state, and the one they leave.");
  command.option("audit", "N", options.audit,
                 "--replay: faults that are audited (default: a twentieth, 8000 at least, a "
                 "quarter at most).");
  command.option("out", "FILE.csv", options.out, "The scores: a line for each fault.");
  command.option("scatter", "FILE.csv", options.scatter,
                 "Points for pictures: expected and faulty outputs of each slice in the plane of "
                 "their two principal axes, under the faults that score highest.");
  describe_common(command, options);
  command.example(
      "slice examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --heuristic centroid,jacobian-margin --out s.csv");
}

int slice(const Options& options) {
  const std::vector<std::string> heuristics =
      options.heuristics.empty() ? std::vector<std::string>{"centroid"} : options.heuristics;
  if (options.replays > 0 && options.oracle.empty()) {
    fail("usage", "--replay needs --oracle STORE, whose outcomes it plays with");
  }
  for (const std::string& out : {options.out, options.scatter}) {
    if (!out.empty()) check_writable(out);
  }
  const std::atomic<bool>& stop = stop_signal();
  const SliceSetup setup(options, heuristics);
  SliceReport report;
  if (!options.oracle.empty()) report.verdicts = read_verdicts(options.oracle, setup.space());
  const std::vector<std::uint64_t> faults = chosen_faults(options, setup.space(), report.verdicts);
  report.faults = faults.size();
  const std::string checkpoint = options.out.empty() ? "" : options.out + ".partial";
  const auto begin = std::chrono::steady_clock::now();
  const auto scores = score_slices(options, setup, faults, checkpoint, stop);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  report.seconds = took.count();
  if (scores && options.cost_faults > 0) {
    report.costs = measure_cost(setup.problem(), faults, setup.columns(), options.cost_faults,
                                options.campaign.seed, stop);
  }
  if (!scores || stop) return interrupted(options, checkpoint);
  if (!options.out.empty()) write_scores(setup, faults, *scores, options.out);
  if (!options.scatter.empty()) write_scatter(setup, faults, *scores, options.scatter);
  forget(checkpoint);
  if (report.verdicts) report.judged = judge_columns(setup, *report.verdicts, *scores);
  for (std::size_t c = 0; options.replays > 0 && c < setup.columns().size(); ++c) {
    report.replayed.push_back(replay_column(options, setup, report, *scores, c));
  }
  if (options.json) {
    print(slice_json(options, setup, report));
  } else if (!options.quiet) {
    print(slice_text(options, setup, report));
  }
  return 0;
}

}  // namespace flipscope::cli
