// Which bits to protect under a budget, what that costs, and what error is left.
//
// Triple modular redundancy keeps two more registers for a protected bit, and a voter; a flip there
// does nothing. Of single flips, every bit equally likely, the error left is exact: the share of
// Σ harm that lies on bits without protection. What many flips at once do does not add up; see
// predict_trial().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

/// What one protected bit adds, in areas of one register.
struct ProtectionCost {
  double registers = 2;
  double voter = 0.6;  ///< a majority gate

  double per_bit() const { return registers + voter; }
  bool operator==(const ProtectionCost&) const = default;
};

/// "2,0.6": more registers and the voter's area. Throws Error where it is anything else.
ProtectionCost parse_protection_cost(const std::string& text);

struct Budget {
  enum class Kind {
    bits,      ///< so many
    share,     ///< of all bits
    area,      ///< added, as a share of that of all registers without protection
    residual,  ///< at most this share of the error is left
  };
  Kind kind = Kind::bits;
  double value = 0;
  std::string text;  ///< as it was asked for
};

/// "200", "bits:3%", "area:6%", "residual:0.1" or "residual:10%". Throws Error where it is none.
Budget parse_budget(const std::string& text);

/// harm[f]: what the flip of bit f adds to the score, in the direction of worse; 0 where it adds
/// nothing or is better. [n]: the share of all harm that is left when the first n bits of the order
/// are protected, from n = 0 on; 0 where there is none.
std::vector<double> harm_left(const std::vector<double>& harm,
                              const std::vector<std::uint64_t>& order);

/// The most harmful bits first, ties by number.
std::vector<std::uint64_t> order_by_harm(const std::vector<double>& harm);

/// How many bits of an order to protect: the most that fit, or the fewest that leave so little.
/// `left` as harm_left() gives it, needed by a residual alone. Throws Error where the order has
/// fewer bits than the budget asks for, or `left` is needed and empty.
std::uint64_t bits_within(const Budget& budget, const ProtectionCost& cost, std::uint64_t space,
                          std::uint64_t ranked, const std::vector<double>& left);

/// The mean change of the score in trials of many flips, foreseen from that without protection:
/// d(λ) = D·(1 − exp(−λ/D)), where λ is the mean Σ harm of a trial's unprotected flips, and D, at
/// which more flips make it no worse, such that d of the unprotected λ is what was measured. Where
/// flips make each other worse there is no such D, and d goes in proportion.
double predict_trial(double unprotected, double unprotected_measured, double lambda);

}  // namespace flipscope
