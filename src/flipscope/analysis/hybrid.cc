#include "flipscope/analysis/hybrid.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kDrawStream = 0x6175646974, kOrderStream = 0x6f72646572;

}  // namespace

double choose_bar(const std::vector<Audited>& calibration) {
  double left = 0;
  for (const Audited& fault : calibration) left += fault.share;
  if (left == 0) return std::numeric_limits<double>::infinity();
  const double allowed = HybridRules::kLeft * left;
  std::vector<Audited> ordered = calibration;
  std::ranges::stable_sort(ordered, std::greater(), &Audited::score);
  double bar = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < ordered.size() && left > allowed; ++k) {
    bar = ordered[k].score;
    left -= ordered[k].share;
  }
  return bar;
}

Interval mean_interval(const std::vector<double>& shares, std::uint64_t population,
                       double confidence) {
  const auto n = static_cast<double>(shares.size());
  if (shares.empty()) return {0, population > 0 ? 1.0 : 0.0};
  if (shares.size() >= population) {
    double sum = 0;
    for (const double x : shares) sum += x;
    return {sum / n, sum / n};
  }
  double sum = 0, squares = 0;
  for (const double x : shares) sum += x;
  const double mean = sum / n;
  for (const double x : shares) squares += (x - mean) * (x - mean);
  const double part = n / static_cast<double>(population);
  const double variance = n > 1 ? squares / (n - 1) / n * (1 - part) : 0;
  // With variance 0 (no critical fault seen) nothing is known but the number of faults.
  const double effective = variance > 0 ? mean * (1 - mean) / variance : n;
  return clopper_pearson_interval(mean * effective, effective, confidence);
}

HybridError left_error(const std::vector<double>& below, std::uint64_t candidates,
                       std::uint64_t space) {
  HybridError error;
  error.left_out = candidates - below.size();
  if (error.left_out == 0) return {0, 0, {0, 0}};
  double seen = 0;
  for (const double x : below) seen += x;
  const Interval mean = mean_interval(below, candidates, HybridRules::kConfidence);
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
      sample_without_replacement(seed, kDrawStream, population, std::min(count, population));
  Random random(seed, kOrderStream);
  for (std::size_t i = drawn.size(); i > 1; --i) std::swap(drawn[i - 1], drawn[random.below(i)]);
  return drawn;
}

HybridReplay replay_hybrid(const std::vector<double>& score, const std::vector<double>& share,
                           std::uint64_t audit, std::uint64_t seed) {
  const std::vector<std::uint64_t> drawn = draw_audit(score.size(), audit, seed);
  const std::size_t half = drawn.size() / 2;
  std::vector<Audited> calibration;
  for (std::size_t k = 0; k < half; ++k) calibration.push_back({score[drawn[k]], share[drawn[k]]});
  const double bar = choose_bar(calibration);
  std::vector<char> ran(score.size(), 0);
  std::vector<double> below;
  std::uint64_t candidates = 0;
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    ran[drawn[k]] = 1;
    const bool is_below = score[drawn[k]] < bar;
    if (k >= half && is_below) below.push_back(share[drawn[k]]);
    candidates += k >= half && is_below ? 1 : 0;
  }
  HybridReplay replay;
  double left = 0;
  for (std::size_t f = 0; f < score.size(); ++f) {
    if (ran[f] != 0) {
      ++replay.run;
    } else if (score[f] >= bar) {
      ++replay.run;
    } else {
      ++candidates;
      left += share[f];
    }
  }
  replay.error = left_error(below, candidates, score.size());
  replay.actual = left / static_cast<double>(score.size());
  constexpr double kRounding = 1e-12;
  replay.covered = replay.actual >= replay.error.interval.lower - kRounding &&
                   replay.actual <= replay.error.interval.upper + kRounding;
  return replay;
}

}  // namespace flipscope
