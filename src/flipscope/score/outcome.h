// What a fault does to a sample: masked, non-critical, critical, or a detectable error.
//
// Each (fault, sample) pair has exactly one outcome, the first that applies:
//   due           the faulty output holds NaN or Inf, or lost all that it is to distribute
//   masked        all output bits equal the golden ones (so +0 and −0 differ)
//   critical      the decision changed against the golden run (SDC-1); without a decision: the
//                 caller's condition on the score holds
//   non-critical  anything else
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace flipscope {

enum class Outcome : std::uint8_t { masked, non_critical, critical, due };

const char* to_string(Outcome outcome);

struct OutcomeCounts {
  std::uint32_t masked = 0;
  std::uint32_t non_critical = 0;
  std::uint32_t critical = 0;
  std::uint32_t due = 0;

  OutcomeCounts& operator+=(const OutcomeCounts& more);
  /// Counts masked samples as non-critical.
  void forget_masked() { non_critical += std::exchange(masked, 0); }
  std::uint32_t total() const { return masked + non_critical + critical + due; }
  bool operator==(const OutcomeCounts&) const = default;
};

/// What makes an outcome, besides NaN, Inf and changed bits.
struct OutcomeRules {
  bool has_decision = false;  ///< critical means a changed decision, else a met condition
  /// Output values of which some must be above 0 where some of the golden ones are; empty: none.
  std::span<const int> cells{};
};

/// The outcome of each of the first `samples` lanes of one block of at most 64 lanes. Outputs are
/// [value][lane]. A condition is met where `meets_condition[lane]` is not 0, and nowhere if that is
/// null.
void classify_samples(const float* golden, const float* faulty, int values, int samples, int lanes,
                      const OutcomeRules& rules, const std::uint8_t* meets_condition,
                      Outcome* outcome);

/// The same, counted.
OutcomeCounts classify_block(const float* golden, const float* faulty, int values, int samples,
                             int lanes, const OutcomeRules& rules,
                             const std::uint8_t* meets_condition = nullptr);

}  // namespace flipscope
