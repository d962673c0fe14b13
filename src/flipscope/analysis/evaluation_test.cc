#include "flipscope/analysis/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace flipscope {
namespace {

using Order = std::vector<std::uint64_t>;

/// Three words of two bits; faults 0 … 5.
Oracle six_bits(std::vector<double> magnitude) {
  FaultTarget target;
  target.elements = 3;
  target.shape = {3};
  target.encoding.format = integer_format(2);
  target.bits = {0, 1};
  std::vector<char> sensitive;
  for (const double m : magnitude) sensitive.push_back(m > 0 ? 1 : 0);
  const FaultSpace space({target});
  return {space, all_numbers(space), std::move(magnitude), std::move(sensitive), {}, {}};
}

TEST(Evaluation, WorkedOutByHand) {
  const Oracle oracle = six_bits({0, 4, 1, 2, 0, 3});
  const Evaluation result = evaluate(oracle, flip_each({1, 3, 5, 2, 0, 4}), {1, 34, 100});
  EXPECT_EQ(result.ranked, 6u);
  // Shares after 1 … 6 flips: .4 .6 .9 1 1 1.
  EXPECT_NEAR(result.area, 4.9 / 6, 1e-12);
  ASSERT_EQ(result.reach.size(), 3u);
  EXPECT_EQ(result.reach[0].bits, 1u);
  EXPECT_EQ(result.reach[0].flips, 1u);
  EXPECT_EQ(result.reach[1].bits, 3u);  // the three largest of ⌈2.04⌉ = 3
  EXPECT_EQ(result.reach[1].flips, 3u);
  EXPECT_EQ(result.reach[2].bits, 4u);  // zero is no top
  EXPECT_EQ(result.reach[2].flips, 4u);
  EXPECT_EQ(result.flips_to_sensitive, 4u);
  // Top bits: order 4 2 3 against 3 2 1 of merit; low bits: 1 0 0.
  EXPECT_NEAR(result.spearman_at[0], 0.5, 1e-12);
  EXPECT_NEAR(result.spearman_at[1], 1.5 / std::sqrt(3.0), 1e-12);
}

TEST(Evaluation, TheBestOrderIsTheBest) {
  const Oracle oracle = six_bits({0, 4, 1, 2, 0, 3});
  const Order best = best_order(oracle);
  EXPECT_EQ(best, (Order{1, 5, 3, 2, 0, 4}));
  const Evaluation result = evaluate(oracle, flip_each(best), {20});
  EXPECT_NEAR(result.area, (0.4 + 0.7 + 0.9 + 3) / 6, 1e-12);
  EXPECT_EQ(result.reach[0].flips, 2u);
}

TEST(Evaluation, WhatIsNotRankedIsNeverFound) {
  const Oracle oracle = six_bits({0, 4, 1, 2, 0, 3});
  const Evaluation result = evaluate(oracle, flip_each({1, 2}), {1, 50});
  EXPECT_EQ(result.ranked, 2u);
  EXPECT_EQ(result.reach[0].flips, 1u);
  EXPECT_EQ(result.reach[1].flips, std::nullopt);
  EXPECT_EQ(result.flips_to_sensitive, std::nullopt);
  EXPECT_NEAR(result.area, (0.4 + 5 * 0.5) / 6, 1e-12);
}

TEST(Evaluation, ImpliedBitsAreKnownWithTheFlipBeforeThem) {
  const Oracle oracle = six_bits({0, 4, 1, 2, 0, 3});
  // One flip finds fault 1 and implies 2; the second finds 5 and implies 3.
  const Trace trace{{1, 2, 5, 3}, {1, 1, 2, 2}};
  EXPECT_EQ(cumulative_share(oracle, trace), (std::vector<double>{0, 0.5, 1}));
  const Evaluation result = evaluate(oracle, trace, {34, 100});
  EXPECT_EQ(result.ranked, 4u);
  EXPECT_EQ(result.flips, 2u);
  EXPECT_EQ(result.missed, 0u);
  EXPECT_EQ(result.reach[0].flips, 2u);
  EXPECT_EQ(result.reach[1].flips, 2u);
  EXPECT_EQ(result.flips_to_sensitive, 2u);
  EXPECT_NEAR(result.area, (0.5 + 5) / 6, 1e-12);
  EXPECT_EQ(evaluate(oracle, flip_each({1, 3}), {}).missed, 2u);
}

/// All orders of six bits, four of them sensitive: the mean rank of the fourth sensitive one.
TEST(Evaluation, RandomFlipsAreTheMeanOverAllOrders) {
  const Oracle oracle = six_bits({0, 4, 1, 2, 0, 3});
  Order order{0, 1, 2, 3, 4, 5};
  double sum = 0, orders = 0;
  do {
    sum += static_cast<double>(*evaluate(oracle, flip_each(order), {}).flips_to_sensitive);
    ++orders;
  } while (std::ranges::next_permutation(order).found);
  EXPECT_NEAR(random_flips_to_sensitive(oracle).value(), sum / orders, 1e-12);
  EXPECT_FALSE(random_flips_to_sensitive(six_bits({0, 0, 0, 0, 0, 0})));
}

/// Two orders that share their second half: the better first half gains in every draw.
TEST(Evaluation, GainHasAnInterval) {
  FaultTarget target;
  target.elements = 200;
  target.shape = {200};
  target.encoding.format = integer_format(2);
  target.bits = {0, 1};
  const FaultSpace space({target});
  Oracle oracle{space, all_numbers(space), {}, std::vector<char>(400, 1), {}, {}};
  for (int k = 0; k < 400; ++k) oracle.magnitude.push_back(1.0 / (1 + k % 37));
  const Order order = best_order(oracle);
  const Trace best = flip_each(order), worst = flip_each({order.rbegin(), order.rend()});
  const double gain = evaluate(oracle, best, {}).area - evaluate(oracle, worst, {}).area;
  const Interval interval = bootstrap_gain(oracle, best, worst, 0);
  EXPECT_LT(interval.lower, gain);
  EXPECT_GT(interval.upper, gain);
  EXPECT_GT(interval.lower, 0.8 * gain);
  EXPECT_LT(interval.upper, 1.2 * gain);
  const Interval none = bootstrap_gain(oracle, best, best, 0);
  EXPECT_EQ(none.lower, 0);
  EXPECT_EQ(none.upper, 0);
}

}  // namespace
}  // namespace flipscope
