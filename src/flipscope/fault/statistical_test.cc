#include "flipscope/fault/statistical.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "flipscope/fault/selection.h"
#include "flipscope/fault/test_elements.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(SampleSize, TIsWhatTablesPrint) {
  EXPECT_EQ(t_value(0.95), 1.96);
  EXPECT_EQ(t_value(0.99), 2.5758);
  EXPECT_EQ(t_value(0.9), 1.6449);
}

TEST(SampleSize, IsTheFormula) {
  // N = 1000, e = 5%: 1000/(1 + 0.0025·999/(3.8416/4)) = 277.74…
  EXPECT_NEAR(sample_size(1000, 0.5, {0.05, 0.95}), 1000 / (1 + 0.0025 * 999 / 0.9604), 1e-12);
  EXPECT_EQ(sample_size(1, 0.5, {}), 1);
  EXPECT_EQ(sample_size(1000, 0, {}), 0);
  EXPECT_EQ(sample_size(1000, 1, {}), 0);
}

using Shares = std::vector<double>;

TEST(ExpectedShares, RunFromZeroToAHalf) {
  EXPECT_EQ(expected_shares({1, 2, 5}, {OutlierRule::Kind::none, 0}), (Shares{0, 0.125, 0.5}));
  EXPECT_EQ(expected_shares({3, 3}, {OutlierRule::Kind::none, 0}), (Shares{0.5, 0.5}));
  EXPECT_EQ(expected_shares({7}, {}), (Shares{0.5}));
}

TEST(ExpectedShares, OutliersAreSetAside) {
  // Quartiles 2 and 4 of 1 … 5, 100 without 100; with it 2.25 and 4.75: the fence is 8.5.
  EXPECT_EQ(expected_shares({1, 2, 3, 4, 5, 100}, {}), (Shares{0, 0.125, 0.25, 0.375, 0.5, 0.5}));
  EXPECT_EQ(expected_shares({1, 2, 3, 4, 5, 100}, {OutlierRule::Kind::none, 0})[4], 2.0 / 99);
  EXPECT_EQ(expected_shares({1, 9, 5, 100}, {OutlierRule::Kind::largest, 2}),
            (Shares{0, 0.5, 0.5, 0.5}));
  // What is infinite is an outlier by any rule, and one of the largest.
  for (const char* rule : {"none", "iqr:1.5", "largest:1"}) {
    EXPECT_EQ(expected_shares({1, kInfinite, 3, 5}, parse_outlier_rule(rule)),
              (Shares{0, 0.5, 0.25, 0.5}))
        << rule;
  }
  EXPECT_EQ(expected_shares({kInfinite, kInfinite}, {}), (Shares{0.5, 0.5}));
  EXPECT_EQ(expected_shares({1, 2}, {OutlierRule::Kind::largest, 5}), (Shares{0.5, 0.5}));
}

TEST(OutlierRule, ReadsItsSpelling) {
  for (const char* text : {"none", "iqr:1.5", "iqr:0", "largest:3"}) {
    EXPECT_EQ(to_string(parse_outlier_rule(text)), text);
  }
  for (const char* text : {"", "iqr", "iqr:-1", "iqr:nan", "largest:1.5", "largest:", "tukey:2"}) {
    EXPECT_THROW(parse_outlier_rule(text), Error) << text;
  }
}

class StrataTest : public ::testing::Test {
 protected:
  Graph graph = testing::small_network(6);
  FaultSpace space{graph, {}};
};

TEST_F(StrataTest, CoverTheSpace) {
  for (const auto method : {SamplingMethod::network, SamplingMethod::layer, SamplingMethod::unaware,
                            SamplingMethod::aware}) {
    std::uint64_t population = 0;
    const auto strata = make_strata(space, method, mean_distances(graph, space));
    for (const Stratum& stratum : strata) population += stratum.population;
    EXPECT_EQ(population, space.size()) << to_string(method);
  }
  EXPECT_EQ(make_strata(space, SamplingMethod::layer).size(), 3u);
  EXPECT_EQ(make_strata(space, SamplingMethod::unaware).size(), 6u + 32 + 32);
}

TEST_F(StrataTest, ElementsBelongToThePositionsThatTheyStore) {
  Random random(8);
  testing::narrow_elements(graph, random);
  const FaultSpace narrow(graph, {});
  const BitDistances distances = mean_distances(graph, narrow);
  for (const auto method :
       {SamplingMethod::layer, SamplingMethod::unaware, SamplingMethod::aware}) {
    const auto strata = make_strata(narrow, method, distances);
    std::uint64_t population = 0;
    for (const Stratum& stratum : strata) population += stratum.population;
    EXPECT_EQ(population, narrow.size());
    // All of every stratum is the whole space, each fault once.
    const auto all = draw_strata(narrow, strata, {1e-9, 0.95}, 1);
    if (method != SamplingMethod::aware) {
      EXPECT_EQ(all.size(), narrow.size());
    }
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
  }
  EXPECT_FALSE(std::isnan(distances[0].back()));
}

TEST_F(StrataTest, DistancesAreThoseOfTheWords) {
  const BitDistances distances = mean_distances(graph, space);
  // Six-bit codes with steps of 2^-5, whatever the words are.
  const std::vector<double> steps{1 / 32.0, 1 / 16.0, 1 / 8.0, 1 / 4.0, 1 / 2.0, 1};
  EXPECT_EQ(distances[0], steps);
  double sum = 0;
  const StoredTensor& fc1 = graph.stored[space.targets()[1].id];
  for (const Word word : fc1.words) sum += 2 * std::fabs(decode(fc1.encoding.format, word));
  EXPECT_NEAR(distances[1][31], sum / static_cast<double>(fc1.words.size()), 1e-15);
  EXPECT_GT(distances[1][30], 1e30);
}

TEST_F(StrataTest, AreDrawnEachOnItsOwn) {
  const SamplePrecision precision{0.1, 0.95};
  const auto strata = make_strata(space, SamplingMethod::unaware);
  const auto faults = draw_strata(space, strata, precision, 3);
  EXPECT_TRUE(std::ranges::is_sorted(faults));
  EXPECT_EQ(std::set(faults.begin(), faults.end()).size(), faults.size());
  std::map<std::pair<int, int>, std::uint64_t> drawn;
  for (const std::uint64_t fault : faults) {
    const FaultSite site = space.site(fault);
    ++drawn[{site.target, site.bit}];
  }
  for (const Stratum& stratum : strata) {
    EXPECT_EQ((drawn[{stratum.target, stratum.bit}]),
              std::ceil(sample_size(stratum.population, 0.5, precision)));
  }
  EXPECT_NE(draw_strata(space, strata, precision, 4), faults);
  // A stratum from which nothing is expected still gives one fault.
  const auto aware = make_strata(space, SamplingMethod::aware, mean_distances(graph, space));
  EXPECT_EQ(aware[0].p, 0);
  const auto least = draw_strata(space, {aware[0]}, precision, 3);
  EXPECT_EQ(least.size(), 1u);
  EXPECT_EQ(space.site(least[0]).bit, 0);
}

/// Every word of a stratum is drawn about equally often.
TEST_F(StrataTest, DrawFairly) {
  constexpr int kSeeds = 400;
  const auto strata = make_strata(space, SamplingMethod::layer);
  std::vector<int> times(space.size(), 0);
  double share = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto faults = draw_strata(space, {strata[0]}, {0.1, 0.95}, seed);
    for (const std::uint64_t fault : faults) ++times[fault];
    share = static_cast<double>(faults.size()) / static_cast<double>(strata[0].population);
  }
  const double deviation = std::sqrt(kSeeds * share * (1 - share));
  for (std::uint64_t k = 0; k < strata[0].population; ++k) {
    EXPECT_NEAR(times[k], kSeeds * share, 5 * deviation) << k;
  }
}

TEST_F(StrataTest, DataAwareNeedsWords) {
  const FaultSpace activations(graph, {.parts = {Part::activations}, .layers = {}, .bits = {}});
  EXPECT_NE(message_of([&] { mean_distances(graph, activations); }).find("activations"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
