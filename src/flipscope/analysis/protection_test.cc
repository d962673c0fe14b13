#include "flipscope/analysis/protection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

const std::vector<double> kHarm{0, 4, 1, 0, 3, 2};

TEST(Protection, WorstBitsGoFirst) {
  EXPECT_EQ(order_by_harm(kHarm), (std::vector<std::uint64_t>{1, 4, 5, 2, 0, 3}));
  EXPECT_EQ(harm_left(kHarm, order_by_harm(kHarm)),
            (std::vector<double>{1, 0.6, 0.3, 0.1, 0, 0, 0}));
  // Bits that the order does not name keep their harm.
  EXPECT_EQ(harm_left(kHarm, {4, 0}), (std::vector<double>{1, 0.7, 0.7}));
  EXPECT_EQ(harm_left({0, 0}, {1}), (std::vector<double>{0, 0}));
}

TEST(Protection, BudgetsBecomeBits) {
  const auto left = harm_left(kHarm, order_by_harm(kHarm));
  const auto bits = [&](const char* text) {
    return bits_within(parse_budget(text), {.registers = 2, .voter = 0.5}, 6, 6, left);
  };
  EXPECT_EQ(bits("4"), 4u);
  EXPECT_EQ(bits("bits:50%"), 3u);
  EXPECT_EQ(bits("bits:0.49"), 2u);
  EXPECT_EQ(bits("area:100%"), 2u);  // 6 registers' worth buys two triplications at 2.5
  EXPECT_EQ(bits("area:9"), 6u);
  EXPECT_EQ(bits("residual:30%"), 2u);
  EXPECT_EQ(bits("residual:0.29"), 3u);
  EXPECT_EQ(bits("residual:0"), 4u);
  EXPECT_EQ(bits("residual:1"), 0u);
}

TEST(Protection, SharesOfWholeNumbersAreNotLostToRounding) {
  for (const double percent : {3.0, 7.0, 29.0, 57.0, 58.0}) {
    const Budget budget = parse_budget("bits:" + std::to_string(percent) + "%");
    EXPECT_EQ(bits_within(budget, {}, 12700, 12700, {}), static_cast<std::uint64_t>(percent * 127));
  }
}

TEST(Protection, BadWordsAreNamed) {
  for (const std::string text : {"", "x", "3%", "1.5", "-1", "bits:", "bits:101%", "bits:-3%",
                                 "area:x", "residual:2", "power:3%", "nan", "inf", "bits:nan"}) {
    const std::string message = message_of([&] { parse_budget(text); });
    EXPECT_TRUE(message.starts_with("[protect] --budget '" + text + "'")) << text;
  }
  EXPECT_NE(message_of([] { parse_budget("bits:101%"); }).find("more than 100%"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_budget("residual:200%"); }).find("more than 100%"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_budget("bits:3"); }).find("percent sign"), std::string::npos);
  for (const std::string text : {"", "2", "2,", "2,x", "-1,0", "0,0", "inf,1"}) {
    const std::string message = message_of([&] { parse_protection_cost(text); });
    EXPECT_TRUE(message.starts_with("[protect] --cost '" + text + "'")) << text;
  }
  EXPECT_EQ(parse_protection_cost("2,0.5").per_bit(), 2.5);
  const auto mistake = [](const char* budget, std::uint64_t ranked,
                          const std::vector<double>& left) {
    return message_of([&] { bits_within(parse_budget(budget), {}, 6, ranked, left); });
  };
  EXPECT_TRUE(mistake("7", 6, {}).starts_with("[protect] --budget 7 is 7 bits"));
  EXPECT_NE(mistake("residual:0.1", 6, {}).find("needs the harm"), std::string::npos);
  EXPECT_NE(mistake("residual:0.1", 2, {1, 0.7, 0.7}).find("0.7"), std::string::npos);
}

TEST(Protection, TrialsAreForeseenFromTheUnprotected) {
  // With D = 2 an unprotected λ of 3 changes the score by 2(1 − e^−1.5).
  const double measured = 2 * (1 - std::exp(-1.5));
  EXPECT_NEAR(predict_trial(3, measured, 3), measured, 1e-12);
  EXPECT_NEAR(predict_trial(3, measured, 1), 2 * (1 - std::exp(-0.5)), 1e-12);
  EXPECT_EQ(predict_trial(3, measured, 0), 0);
  EXPECT_DOUBLE_EQ(predict_trial(3, 6, 1), 2);  // worse together: in proportion
  EXPECT_EQ(predict_trial(0, 1, 0), 0);
}

}  // namespace
}  // namespace flipscope
