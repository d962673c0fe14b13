// The binomial distribution, for any number of trials: its probabilities and its variates.
#pragma once

#include <cstdint>

#include "flipscope/numeric/random.h"

namespace flipscope {

/// log of Γ(n+1) / (Γ(k+1)·Γ(n−k+1)) · p^k · (1−p)^(n−k), for real 0 ≤ k ≤ n and 0 < p < 1.
/// The saddle-point form of Loader, "Fast and accurate computation of binomial probabilities",
/// 2000, in which no large terms cancel.
double log_binomial_probability(double k, double n, double p);

/// The number of successes in n independent trials of probability p, 0 ≤ p ≤ 1, n ≤ 2^53, in time
/// that does not grow with n. Hörmann, "The generation of binomial random variates", J. Stat.
/// Comput. Simul. 46, 1993 (BTRS); inversion where n·min(p, 1 − p) < 10.
std::uint64_t binomial(Random& random, std::uint64_t n, double p);

}  // namespace flipscope
