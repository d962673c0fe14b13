// How well scores of faults agree with what the faults did.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace flipscope {

/// The faults that matter most, against as many that score highest.
struct TopShare {
  double percent = 0;
  /// Of the faults that score highest (this percentage of all), the share that is in the top by
  /// magnitude; and of the top by magnitude (ties count, faults of magnitude 0 do not) the share
  /// found. NaN where there is none.
  double precision = 0, recall = 0;
};

struct Judgement {
  std::uint64_t faults = 0;
  double spearman = 0;  ///< of score and magnitude; NaN where either is constant
  double area = 0;  ///< mean over flips, the highest score first, of the share of Σ magnitude found
  std::vector<TopShare> top;
  std::vector<double> found;  ///< share of Σ magnitude after 0%, 1%, … 100% of the flips
};

/// `score` and `magnitude` are of the same faults; equal scores keep the faults' order.
Judgement judge(std::span<const double> score, std::span<const double> magnitude,
                std::span<const double> percents);

}  // namespace flipscope
