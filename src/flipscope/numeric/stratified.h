// The share of a population that is divided into strata, each sampled on its own.
#pragma once

#include <cstdint>
#include <span>

#include "flipscope/numeric/interval.h"

namespace flipscope {

/// n of `population` drawn without replacement; `successes` as of wilson_interval().
struct StratumSample {
  double successes = 0;
  double n = 0;
  std::uint64_t population = 0;
};

struct StratifiedShare {
  double mean = 0;
  Interval interval;
};

/// The mean of the strata's shares, weighted by their populations W_h. Its interval puts together
/// the Wilson intervals [l_h, u_h] of the shares p_h by the method of variance estimates recovery
/// (Zou and Donner, Statistics in Medicine 27, 2008; Yan and Su, Stat. Biopharm. Res. 2, 2010):
///   lower = Σ W_h·p_h − √Σ (W_h·(p_h − l_h))², upper = Σ W_h·p_h + √Σ (W_h·(u_h − p_h))².
/// So strata without a success still leave doubt, and strata that were run whole leave none. There
/// must be strata, none of them empty or without a sample.
StratifiedShare stratified_share(std::span<const StratumSample> strata, double confidence = 0.95);

}  // namespace flipscope
