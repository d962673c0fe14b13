#include "flipscope/analysis/hybrid.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kAuditStream = 0x6175646974, kOrderStream = 0x6f72646572;

}  // namespace

double choose_bar(const std::vector<Audited>& calibration) {
  double left = 0;
  for (const Audited& fault : calibration) left += fault.share;
  if (left == 0) return std::numeric_limits<double>::infinity();
  const double allowed = HybridRules::kLeft * left;
  std::vector<Audited> ordered = calibration;
  std::ranges::stable_sort(ordered, std::greater(), &Audited::priority);
  double bar = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < ordered.size() && left > allowed; ++k) {
    bar = ordered[k].priority;
    left -= ordered[k].share;
  }
  return bar;
}

HybridError left_error(const std::vector<double>& below, std::uint64_t candidates,
                       std::uint64_t space) {
  HybridError error;
  error.left_out = candidates - below.size();
  if (error.left_out == 0) return {0, 0, {0, 0}};
  double seen = 0;
  for (const double x : below) seen += x;
  const Interval mean = wilson_interval(seen, static_cast<double>(below.size()),
                                        HybridRules::kConfidence, candidates);
  const auto all = static_cast<double>(candidates), unit = static_cast<double>(space);
  // Of the candidates' sum the audited part is known, and has been run.
  const auto rest = [&](double share) {
    return std::clamp(share * all - seen, 0.0, static_cast<double>(error.left_out)) / unit;
  };
  error.stated = below.empty() ? 0 : rest(seen / static_cast<double>(below.size()));
  error.interval = {rest(mean.lower), rest(mean.upper)};
  return error;
}

std::vector<std::uint64_t> draw_audit(std::uint64_t population, std::uint64_t count,
                                      std::uint64_t seed) {
  std::vector<std::uint64_t> drawn =
      sample_without_replacement(seed, kAuditStream, population, std::min(count, population));
  shuffle(drawn, Random(seed, kOrderStream));
  return drawn;
}

std::vector<double> exact_work(const Graph& graph, const Slicing& slicing) {
  std::vector<double> work;
  for (const Slice& slice : slicing.slices) {
    double sum = 1;
    for (std::size_t n = slice.first; n < graph.nodes.size(); ++n) {
      sum += multiply_adds(graph, static_cast<int>(n));
    }
    work.push_back(sum);
  }
  return work;
}

HybridReplay replay_hybrid(const std::vector<double>& priority, const std::vector<double>& share,
                           std::uint64_t audit, std::uint64_t seed) {
  const std::vector<std::uint64_t> drawn = draw_audit(priority.size(), audit, seed);
  const std::size_t half = drawn.size() / 2;
  std::vector<Audited> calibration;
  for (std::size_t k = 0; k < half; ++k) {
    calibration.push_back({priority[drawn[k]], share[drawn[k]]});
  }
  const double bar = choose_bar(calibration);
  HybridReplay replay;
  replay.ran.assign(priority.size(), 0);
  std::vector<double> below;
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    replay.ran[drawn[k]] = 1;
    if (k >= half && priority[drawn[k]] < bar) below.push_back(share[drawn[k]]);
  }
  std::uint64_t candidates = below.size();
  double left = 0;
  for (std::size_t f = 0; f < priority.size(); ++f) {
    if (replay.ran[f] != 0) continue;
    if (priority[f] >= bar) {
      replay.ran[f] = 1;
    } else {
      ++candidates;
      left += share[f];
    }
  }
  replay.error = left_error(below, candidates, priority.size());
  replay.actual = left / static_cast<double>(priority.size());
  constexpr double kRounding = 1e-12;
  replay.covered = replay.actual >= replay.error.interval.lower - kRounding &&
                   replay.actual <= replay.error.interval.upper + kRounding;
  return replay;
}

}  // namespace flipscope
