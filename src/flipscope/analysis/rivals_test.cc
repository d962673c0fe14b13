#include "flipscope/analysis/rivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

using Numbers = std::vector<std::uint64_t>;

/// Words of `width` bits, sensitive where `sensitive` has a 1; faults count up from bit 0 of word
/// 0.
Oracle words_of(int width, const std::vector<char>& sensitive, std::vector<char> lowers = {}) {
  FaultTarget target;
  target.elements = std::ssize(sensitive) / width;
  target.shape = {target.elements};
  target.encoding.format = integer_format(width);
  for (int bit = 0; bit < width; ++bit) target.bits.push_back(bit);
  const FaultSpace space({target});
  Oracle oracle{space, all_numbers(space), {}, sensitive, {}, std::move(lowers)};
  for (const char s : sensitive) oracle.magnitude.push_back(s);
  for (std::size_t k = 0; k < oracle.lowers.size(); ++k) {
    oracle.distance.push_back(std::pow(2.0, k % static_cast<std::size_t>(width)));
  }
  return oracle;
}

TEST(ReplayBinarySearch, WorkedOutByHand) {
  // Word 0: bits 7 … 4 sensitive. Of 7 … 0 it asks for 4 (yes), 2 (no), 3 (no).
  // Word 1: all but 6: asks for 4, 2, 1, 0 (all yes), so 6 is implied in error; nothing is missed.
  // Word 2: only 6: asks for 4 (no), 6 (yes), which implies 7 in error, and 5 (no).
  const Oracle oracle = words_of(8, {0, 0, 0, 0, 1, 1, 1, 1,  //
                                     1, 1, 1, 1, 1, 1, 0, 1,  //
                                     0, 0, 0, 0, 0, 0, 1, 0});
  const Trace actual = replay_binary_search(oracle, SearchKind::joint, false);
  EXPECT_EQ(actual.order, (Numbers{4, 2, 3, 12, 10, 9, 8, 20, 22, 21}));
  EXPECT_EQ(actual.flips, (Numbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(evaluate(oracle, actual, {}).missed, 12u - 6);
  const Trace implied = replay_binary_search(oracle, SearchKind::joint, true);
  EXPECT_EQ(implied.order,
            (Numbers{4, 2, 3, 7, 6, 5, 12, 10, 9, 8, 15, 14, 13, 11, 20, 22, 21, 23}));
  EXPECT_EQ(implied.flips, (Numbers{1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 7, 7, 7, 7, 8, 9, 10, 10}));
  EXPECT_EQ(evaluate(oracle, implied, {}).missed, 0u);
  EXPECT_EQ(wrongly_implied(oracle, implied), 2u);
}

TEST(ReplayBinarySearch, SearchesBothDirectionsApart) {
  // 7 5 3 1 raise the word, sensitive down to 3; 6 4 2 0 lower it, none sensitive.
  const Oracle oracle = words_of(8, {0, 0, 0, 1, 0, 1, 0, 1}, {1, 0, 1, 0, 1, 0, 1, 0});
  const Trace implied = replay_binary_search(oracle, SearchKind::separate, true);
  EXPECT_EQ(implied.order, (Numbers{5, 3, 1, 7, 4, 6}));
  EXPECT_EQ(evaluate(oracle, implied, {}).missed, 0u);
  EXPECT_EQ(wrongly_implied(oracle, implied), 0u);
  // One boundary cannot say this.
  EXPECT_EQ(evaluate(oracle, replay_binary_search(oracle, SearchKind::joint, true), {}).missed, 2u);
}

TEST(ReplaySample, GoesFromTheMostSignificantBit) {
  std::vector<char> sensitive(4000, 0), lowers(4000, 0);
  const Oracle oracle = words_of(4, sensitive, lowers);
  const SelectionOptions options{{0.05, 0.95}, {}, SearchKind::joint};
  for (const auto method :
       {SamplingMethod::layer, SamplingMethod::unaware, SamplingMethod::aware}) {
    const Trace trace = replay_sample(oracle, method, options, 1);
    for (std::size_t k = 1; k < trace.order.size(); ++k) {
      const std::uint64_t a = trace.order[k - 1], b = trace.order[k];
      EXPECT_TRUE(a % 4 > b % 4 || (a % 4 == b % 4 && a < b));
    }
    auto drawn = trace.order;
    std::ranges::sort(drawn);
    const auto strata = make_strata(oracle.space, method, {{1, 2, 4, 8}}, options.outliers);
    EXPECT_EQ(drawn, draw_strata(oracle.space, strata, options.precision, 1));
  }
}

TEST(Rivals, NeedStoredWords) {
  const Oracle oracle = words_of(2, {0, 1, 0, 1});
  EXPECT_NE(message_of([&] {
              replay_binary_search(oracle, SearchKind::separate, false);
            }).find("separate"),
            std::string::npos);
  EXPECT_THROW(replay_sample(oracle, SamplingMethod::aware, {}, 0), Error);
  EXPECT_FALSE(replay_sample(oracle, SamplingMethod::unaware, {}, 0).order.empty());
}

}  // namespace
}  // namespace flipscope
