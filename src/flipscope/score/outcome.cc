// What a fault does to a sample.
#include "flipscope/score/outcome.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

/// differ[l] = 1 where any output bit differs.
void find_changed(const float* golden, const float* faulty, int values, int lanes,
                  std::uint8_t* differ) {
  std::array<std::uint32_t, kDecisionLanes> bits{};
  for (int v = 0; v < values; ++v) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(v) * lanes;
    for (int l = 0; l < lanes; ++l) {
      bits[l] |= std::bit_cast<std::uint32_t>(golden[row + l]) ^
                 std::bit_cast<std::uint32_t>(faulty[row + l]);
    }
  }
  for (int l = 0; l < lanes; ++l) differ[l] = bits[l] != 0 ? 1 : 0;
}

/// broken[l] = 1 where no cell is above 0, while some are in the golden output.
void find_emptied(const float* golden, const float* faulty, std::span<const int> cells, int lanes,
                  std::uint8_t* broken) {
  std::array<float, kDecisionLanes> before{}, after{};
  for (const int cell : cells) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(cell) * lanes;
    for (int l = 0; l < lanes; ++l) {
      before[l] = std::max(before[l], golden[row + l]);
      after[l] = std::max(after[l], faulty[row + l]);
    }
  }
  for (int l = 0; l < lanes; ++l) {
    if (before[l] > 0 && !(after[l] > 0)) broken[l] = 1;
  }
}

}  // namespace

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::masked:
      return "masked";
    case Outcome::non_critical:
      return "non_critical";
    case Outcome::critical:
      return "critical";
    case Outcome::due:
      return "due";
  }
  assert(false);
  return "";
}

OutcomeCounts& OutcomeCounts::operator+=(const OutcomeCounts& more) {
  masked += more.masked;
  non_critical += more.non_critical;
  critical += more.critical;
  due += more.due;
  return *this;
}

void classify_samples(const float* golden, const float* faulty, int values, int samples, int lanes,
                      const OutcomeRules& rules, const std::uint8_t* meets_condition,
                      Outcome* outcome) {
  assert(samples <= lanes && lanes <= kDecisionLanes);
  std::array<std::uint8_t, kDecisionLanes> broken;
  std::array<std::uint8_t, kDecisionLanes> differ;
  find_non_finite(faulty, values, lanes, broken.data());
  find_emptied(golden, faulty, rules.cells, lanes, broken.data());
  find_changed(golden, faulty, values, lanes, differ.data());
  std::array<std::uint8_t, kDecisionLanes> critical{};
  if (rules.has_decision) {
    std::array<std::int32_t, kDecisionLanes> before;
    std::array<std::int32_t, kDecisionLanes> after;
    decide(golden, values, lanes, before.data());
    decide(faulty, values, lanes, after.data());
    for (int l = 0; l < lanes; ++l) critical[l] = before[l] != after[l] ? 1 : 0;
  } else if (meets_condition != nullptr) {
    std::copy_n(meets_condition, samples, critical.begin());
  }
  for (int l = 0; l < samples; ++l) {
    outcome[l] = broken[l]     ? Outcome::due
                 : !differ[l]  ? Outcome::masked
                 : critical[l] ? Outcome::critical
                               : Outcome::non_critical;
  }
}

OutcomeCounts classify_block(const float* golden, const float* faulty, int values, int samples,
                             int lanes, const OutcomeRules& rules,
                             const std::uint8_t* meets_condition) {
  std::array<Outcome, kDecisionLanes> outcomes;
  classify_samples(golden, faulty, values, samples, lanes, rules, meets_condition, outcomes.data());
  OutcomeCounts counts;
  for (int l = 0; l < samples; ++l) {
    switch (outcomes[l]) {
      case Outcome::masked:
        ++counts.masked;
        break;
      case Outcome::non_critical:
        ++counts.non_critical;
        break;
      case Outcome::critical:
        ++counts.critical;
        break;
      case Outcome::due:
        ++counts.due;
        break;
    }
  }
  return counts;
}

}  // namespace flipscope
