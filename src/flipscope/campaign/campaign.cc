// Starts or resumes a campaign.
#include "flipscope/campaign/campaign.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "flipscope/campaign/judge.h"
#include "flipscope/campaign/outcome_sums.h"
#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/runner.h"
#include "flipscope/campaign/store.h"
#include "flipscope/campaign/thread_count.h"
#include "flipscope/campaign/verify.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

CampaignRecord record_of(const Plan& plan, const CampaignOptions& options) {
  CampaignRecord record;
  record.identity = plan.identity();
  record.fields = plan.fields();
  record.targets = plan.space().targets();
  for (const FaultTarget& target : record.targets) {
    record.formats.push_back(to_string(target.encoding));
  }
  record.rows = plan.selection().size();
  record.chunk_rows = plan.chunk_rows();
  record.population = plan.selection().population();
  record.strata = plan.selection().strata();
  record.confidence = options.selection.precision.confidence;
  record.samples = plan.samples().count;
  record.seed = options.seed;
  record.trials = plan.fault_model().is_trial();
  record.has_masked = !plan.decides_only();
  record.has_critical = plan.has_decision() || plan.critical().has_value();
  const SampleOptions& samples = options.samples;
  record.info = {
      {"model", options.model},
      {"inputs", samples.inputs},
      {"labels", samples.labels},
      {"targets", samples.targets},
      {"scale", fmt::format("{}", samples.scale)},
      {"mean", fmt::format("{}", fmt::join(samples.mean, ","))},
      {"std", fmt::format("{}", fmt::join(samples.std, ","))},
      {"layout", !samples.layout                            ? ""
                 : *samples.layout == Layout::channel_first ? "nchw"
                                                            : "nhwc"},
      {"first", std::to_string(samples.first)},
      {"skip", std::to_string(samples.skip)},
      {"select", options.select},
      {"emd-cost", options.emd_cost},
      {"emd-cells", options.emd_cells},
      {"emd-empty", options.emd_empty},
      {"protect", options.protect},
      {"requantize", options.variant.requantize},
      {"prune", fmt::format("{}", options.variant.prune)},
  };
  return record;
}

std::uint64_t rows_of_chunk(const CampaignRecord& record, std::uint64_t chunk) {
  return std::min(record.chunk_rows, record.rows - chunk * record.chunk_rows);
}

/// The store's chunks are done by turns: chunk c belongs to shard c mod N + 1.
bool belongs(std::uint64_t chunk, const Shard& shard) {
  return chunk % static_cast<std::uint64_t>(shard.count) ==
         static_cast<std::uint64_t>(shard.index - 1);
}

/// What a selection that adapts learns of a row. A fault is critical by --critical of its own
/// score, where there is one, else if any sample is; so it is without a finite score.
Observation observe(const Plan& plan, const FaultRow& row, double golden_score) {
  const OutcomeCounts& outcomes = row.outcomes;
  const bool critical =
      plan.critical() ? !std::isfinite(row.score) || meets_condition(plan, row.score, golden_score)
                      : outcomes.critical + outcomes.due > 0;
  return {row.fault, critical,
          static_cast<double>(outcomes.critical) / static_cast<double>(plan.samples().count)};
}

/// Rows first … first + count − 1 that the chooser wants; nothing where the campaign was stopped.
std::optional<std::vector<FaultRow>> run_chosen(const Plan& plan, Runner& runner, Chooser& chooser,
                                                std::uint64_t first, std::uint64_t count,
                                                const std::function<void(std::uint64_t)>& tick) {
  std::vector<FaultRow> all;
  for (;;) {
    const std::vector<std::uint64_t> wanted = chooser.next(first, count);
    if (wanted.empty()) break;
    const std::uint64_t before = all.size();
    const auto rows = runner.run(wanted, [&](std::uint64_t done) { tick(before + done); });
    if (!rows) return {};
    for (const FaultRow& row : *rows) {
      chooser.observe(observe(plan, row, runner.golden_score()));
      all.push_back(row);
    }
  }
  std::erase_if(all, [&](const FaultRow& row) { return row.fault >= chooser.size(); });
  std::ranges::sort(all, {}, &FaultRow::fault);
  return all;
}

/// Tells a chooser what an earlier run has found.
void remember(const Plan& plan, const Store& store, Chooser& chooser) {
  const double golden_score = store.golden_score().value_or(0);
  store.for_each_row(
      [&](const FaultRow& row) { chooser.observe(observe(plan, row, golden_score)); });
  const CampaignRecord& record = store.record();
  for (const std::uint64_t chunk : store.done_chunks()) {
    chooser.next(chunk * record.chunk_rows, rows_of_chunk(record, chunk));
  }
}

}  // namespace

CampaignSummary run_plan(const Plan& plan, const CampaignOptions& options, const std::string& path,
                         const Progress& progress, const std::atomic<bool>& stop) {
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Store store = Store::open_or_create(path, record_of(plan, options));
  const CampaignRecord& record = store.record();
  const std::unique_ptr<Chooser> chooser = plan.selection().chooser();
  if (chooser) {
    remember(plan, store, *chooser);
    if (chooser->size() < record.rows) store.end_at(chooser->size());
  }

  const std::vector<std::uint64_t> held = store.done_chunks();
  const std::set<std::uint64_t> done(held.begin(), held.end());
  std::vector<std::uint64_t> missing;
  std::uint64_t wanted = 0, rows_done = 0, run_now = 0;
  for (std::uint64_t chunk = 0; chunk < record.chunks(); ++chunk) {
    if (!belongs(chunk, options.shard)) continue;
    wanted += rows_of_chunk(record, chunk);
    if (done.contains(chunk)) {
      rows_done += rows_of_chunk(record, chunk);
    } else {
      missing.push_back(chunk);
    }
  }
  const auto report = [&](std::uint64_t more) {
    if (progress) progress(rows_done + more, wanted, seconds());
  };

  bool interrupted = false;
  std::int64_t verified = 0;
  WorkCounts work;
  if (!missing.empty() || options.verify > 0 || !store.golden_score()) {
    Runner runner(plan, options.memory, options.threads, stop, plan.bottleneck());
    interrupted = stop;
    if (!interrupted && !store.golden_score()) store.set_golden_score(runner.golden_score());
    for (const std::uint64_t chunk : missing) {
      report(0);
      const std::uint64_t count = rows_of_chunk(record, chunk);
      std::optional<std::vector<FaultRow>> rows;
      try {
        const std::uint64_t first = chunk * record.chunk_rows;
        rows = chooser ? run_chosen(plan, runner, *chooser, first, count, report)
                       : runner.run(first, count, report);
      } catch (const Error&) {
        if (!stop) throw;  // A signal also reaches the programs that exec: has started.
      }
      interrupted = !rows;
      if (interrupted) break;
      store.write_chunk(chunk, *rows);
      rows_done += count;
      run_now += rows->size();
      if (!chooser) continue;
      if (chooser->size() < record.rows) store.end_at(wanted = chooser->size());
      if ((chunk + 1) * record.chunk_rows >= chooser->size()) break;
    }
    report(0);
    work = runner.work();
    if (!interrupted && options.verify > 0) {
      verified = verify_rows(plan, runner, store, options.verify, stop);
      interrupted = stop;
    }
  }

  if (run_now > 0) {
    const auto threads = static_cast<std::uint64_t>(thread_count(options.threads));
    store.add_session({FLIPSCOPE_VERSION, threads, run_now, seconds(), work});
  }
  CampaignSummary summary = summarize(store);
  summary.wanted = wanted;
  summary.run_now = run_now;
  summary.work = work;
  summary.seconds = seconds();
  summary.interrupted = interrupted;
  summary.verified = verified;
  std::vector<std::string> notes = plan.notes();
  if (chooser) std::ranges::copy(chooser->notes(), std::back_inserter(notes));
  summary.notes.insert(summary.notes.begin(), notes.begin(), notes.end());
  return summary;
}

CampaignSummary run_campaign(const CampaignOptions& options, const std::string& store,
                             const Progress& progress, const std::atomic<bool>& stop) {
  try {
    return run_plan(Plan(options, &stop), options, store, progress, stop);
  } catch (const Interrupted&) {
    return {.interrupted = true};
  }
}

Rate make_rate(double mean, std::uint64_t faults, std::uint64_t population, double confidence) {
  const auto n = static_cast<double>(faults);
  return {mean, wilson_interval(mean * n, n, confidence, population)};
}

namespace {

std::vector<OutcomeSums> sums_of_strata(const Store& store) {
  std::map<StratumKey, OutcomeSums> sums;
  store.for_each_row(
      [&](const FaultRow& row) { sums[stratum_of(store.record(), *row.site)].add(row, 0); });
  std::vector<OutcomeSums> strata;
  for (auto& [key, sum] : sums) {
    sum.population = population_of(store.record(), key);
    strata.push_back(sum);
  }
  return strata;
}

}  // namespace

CampaignSummary summarize(const Store& store) {
  const CampaignRecord& record = store.record();
  CampaignSummary summary;
  summary.identity = record.identity;
  const auto text = [](const auto& map, const char* name) {
    const auto found = map.find(name);
    return found == map.end() ? std::string() : found->second;
  };
  summary.model = text(record.info, "model");
  summary.seed = record.seed;
  summary.space = FaultSpace(record.targets).size();
  summary.rows = record.rows;
  summary.samples = record.samples;
  summary.score_name = text(record.fields, "score");
  summary.golden_score = store.golden_score();
  const Store::Totals totals = store.totals();
  summary.done = totals.rows;
  summary.wanted = record.rows;
  if (totals.rows == 0) return summary;
  const bool complete = store.is_complete();
  if (!complete) {
    summary.notes.push_back(
        fmt::format("{} of {} faults are done; rates are of these, and no random sample of all",
                    totals.rows, record.rows));
  }
  summary.confidence = record.confidence;
  summary.is_sample = record.is_sample();
  const std::vector<OutcomeSums> strata =
      complete && record.strata != Strata::none
          ? sums_of_strata(store)
          : std::vector{OutcomeSums{totals.rows, totals.masked, totals.non_critical,
                                    totals.critical, totals.due, 0,
                                    record.drawn_from(complete, totals.rows, record.population)}};
  const auto rate = [&](std::uint64_t OutcomeSums::*outcome) {
    return rate_of(strata, outcome, record.samples, summary.confidence);
  };
  if (record.has_masked) summary.masked = rate(&OutcomeSums::masked);
  summary.non_critical = rate(&OutcomeSums::non_critical);
  summary.due = rate(&OutcomeSums::due);
  if (record.has_critical) summary.critical = rate(&OutcomeSums::critical);
  return summary;
}

CampaignSummary summarize(const std::string& store) {
  return summarize(Store::open(store));
}

}  // namespace flipscope
