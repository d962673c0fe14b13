// Starts or resumes a campaign.
#include "flipscope/campaign/campaign.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>

#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/runner.h"
#include "flipscope/campaign/store.h"
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
  record.samples = plan.samples().count;
  record.seed = options.seed;
  record.trials = plan.fault_model().is_trial();
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

}  // namespace

CampaignSummary run_plan(const Plan& plan, const CampaignOptions& options, const std::string& path,
                         const Progress& progress, const std::atomic<bool>& stop) {
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const CampaignRecord record = record_of(plan, options);
  Store store = Store::open_or_create(path, record);

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
        rows = runner.run(chunk * record.chunk_rows, count, report);
      } catch (const Error&) {
        if (!stop) throw;  // A signal also reaches the programs that exec: has started.
      }
      interrupted = !rows;
      if (interrupted) break;
      store.write_chunk(chunk, *rows);
      rows_done += count;
      run_now += count;
    }
    report(0);
    work = runner.work();
    if (!interrupted && options.verify > 0) {
      verified = verify_rows(plan, runner, store, options.verify, stop);
      interrupted = stop;
    }
  }

  CampaignSummary summary = summarize(store);
  summary.wanted = wanted;
  summary.run_now = run_now;
  summary.work = work;
  summary.seconds = seconds();
  summary.interrupted = interrupted;
  summary.verified = verified;
  summary.notes.insert(summary.notes.begin(), plan.notes().begin(), plan.notes().end());
  return summary;
}

CampaignSummary run_campaign(const CampaignOptions& options, const std::string& store,
                             const Progress& progress, const std::atomic<bool>& stop) {
  return run_plan(Plan(options), options, store, progress, stop);
}

Rate make_rate(double mean, std::uint64_t faults, std::uint64_t population, double confidence) {
  const auto n = static_cast<double>(faults);
  return {mean, wilson_interval(mean * n, n, confidence, population)};
}

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
  const double pairs = static_cast<double>(totals.rows) * static_cast<double>(record.samples);
  const bool complete = totals.rows == record.rows;
  if (!complete) {
    summary.notes.push_back(
        fmt::format("{} of {} faults are done; rates are of these, and no random sample of all",
                    totals.rows, record.rows));
  }
  const auto rate = [&](std::uint64_t count) {
    return make_rate(static_cast<double>(count) / pairs, totals.rows,
                     complete ? record.population : 0, summary.confidence);
  };
  summary.masked = rate(totals.masked);
  summary.non_critical = rate(totals.non_critical);
  summary.due = rate(totals.due);
  if (record.has_critical) summary.critical = rate(totals.critical);
  return summary;
}

CampaignSummary summarize(const std::string& store) {
  return summarize(Store::open(store));
}

}  // namespace flipscope
