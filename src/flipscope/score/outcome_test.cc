#include "flipscope/score/outcome.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "flipscope/score/test_special_values.h"

namespace flipscope {
namespace {

Outcome outcome_of(const std::vector<float>& golden, const std::vector<float>& faulty,
                   bool has_decision = true, const std::uint8_t* condition = nullptr) {
  Outcome outcome;
  classify_samples(golden.data(), faulty.data(), static_cast<int>(golden.size()), 1, 1,
                   OutcomeRules{has_decision, {}}, condition, &outcome);
  return outcome;
}

TEST(Outcome, TheFirstThatApplies) {
  EXPECT_EQ(outcome_of({1, 2}, {1, 2}), Outcome::masked);
  EXPECT_EQ(outcome_of({1, 2}, {1.5, 2}), Outcome::non_critical);
  EXPECT_EQ(outcome_of({1, 2}, {3, 2}), Outcome::critical);
  EXPECT_EQ(outcome_of({1, 2}, {2, 2}), Outcome::critical);  // the tie goes to 0
  EXPECT_EQ(outcome_of({1, 2}, {1, kInf}), Outcome::due);
  EXPECT_EQ(outcome_of({1, 2}, {kNan, 2}), Outcome::due);
  EXPECT_EQ(outcome_of({kNan, 2}, {kNan, 2}), Outcome::due);
  EXPECT_EQ(outcome_of({0.0f, 2}, {-0.0f, 2}), Outcome::non_critical);
}

TEST(Outcome, WithoutADecisionTheConditionSays) {
  const std::uint8_t yes = 1;
  EXPECT_EQ(outcome_of({1, 2}, {3, 2}, false), Outcome::non_critical);
  EXPECT_EQ(outcome_of({1, 2}, {3, 2}, false, &yes), Outcome::critical);
  EXPECT_EQ(outcome_of({1, 2}, {1, 2}, false, &yes), Outcome::masked);
  EXPECT_EQ(outcome_of({1, 2}, {kNan, 2}, false, &yes), Outcome::due);
}

TEST(Outcome, CellsThatAFaultEmptiesAreDetectable) {
  const std::vector<int> cells{0, 2};
  const auto outcome_of = [&](const std::vector<float>& golden, const std::vector<float>& faulty) {
    Outcome outcome;
    classify_samples(golden.data(), faulty.data(), 3, 1, 1, OutcomeRules{false, cells}, nullptr,
                     &outcome);
    return outcome;
  };
  EXPECT_EQ(outcome_of({1, 2, 0}, {0, 2, -1}), Outcome::due);
  EXPECT_EQ(outcome_of({1, 2, 0}, {0, 2, 1}), Outcome::non_critical);
  EXPECT_EQ(outcome_of({0, 2, -1}, {0, 3, -1}), Outcome::non_critical);
  EXPECT_EQ(outcome_of({0, 2, -1}, {0, 2, -1}), Outcome::masked);
}

TEST(Outcome, PaddingLanesDoNotCount) {
  // Two samples in four lanes; the padding is broken.
  const std::vector<float> golden{1, 1, 1, 1, 2, 2, 2, 2};
  const std::vector<float> faulty{1, 3, kNan, 9, 2, 2, 2, 2};
  EXPECT_EQ(classify_block(golden.data(), faulty.data(), 2, 2, 4, OutcomeRules{true, {}}),
            (OutcomeCounts{.masked = 1, .critical = 1}));
}

TEST(Outcome, EachPairHasExactlyOne) {
  rc::check([](const std::vector<std::pair<float, float>>& pairs) {
    const int lanes = static_cast<int>(std::min<std::size_t>(pairs.size() / 2, 64));
    if (lanes == 0) return;
    std::vector<float> golden;
    std::vector<float> faulty;
    for (int i = 0; i < 2 * lanes; ++i) {
      golden.push_back(pairs[i].first);
      faulty.push_back(i % 3 == 0 ? pairs[i].second : pairs[i].first);
    }
    RC_ASSERT(classify_block(golden.data(), faulty.data(), 2, lanes, lanes, OutcomeRules{true, {}})
                  .total() == static_cast<std::uint32_t>(lanes));
  });
}

TEST(Outcome, CountsAddUp) {
  OutcomeCounts counts{1, 2, 3, 4};
  counts += {10, 20, 30, 40};
  EXPECT_EQ(counts, (OutcomeCounts{11, 22, 33, 44}));
  EXPECT_EQ(counts.total(), 110u);
}

}  // namespace
}  // namespace flipscope
