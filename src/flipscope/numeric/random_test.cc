#include "flipscope/numeric/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/interval.h"
#include "flipscope/numeric/test_chi_square.h"

namespace flipscope {
namespace {

// kat_vectors of Random123 (Salmon et al.).
TEST(Random, PhiloxGivesThePublishedVectors) {
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DrawsAreThoseOfPhilox) {
  Random random(0, 0);
  EXPECT_EQ(random.next(), 0xe169c58d6627e8d5u);
  EXPECT_EQ(random.next(), 0x9b00dbd8bc57ac4cu);
  const auto second = philox({1, 0, 0, 0}, {0, 0});
  EXPECT_EQ(random.next(), std::uint64_t{second[1]} << 32 | second[0]);
  Random far(0x0123456789abcdef, 0xfedcba9876543210);
  const auto block = philox({0, 0, 0x76543210, 0xfedcba98}, {0x89abcdef, 0x01234567});
  EXPECT_EQ(far.next(), std::uint64_t{block[1]} << 32 | block[0]);
}

TEST(Random, StreamsAndSeedsDiffer) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    for (std::uint64_t stream = 0; stream < 30; ++stream) {
      Random random(seed, stream);
      for (int i = 0; i < 5; ++i) seen.insert(random.next());
    }
  }
  EXPECT_EQ(seen.size(), 30u * 30 * 5);
}

TEST(Random, BelowIsUniform) {
  for (const std::uint64_t n : {2, 3, 7, 100}) {
    Random random(n);
    std::vector<double> counts(n);
    constexpr int kDraws = 100000;
    for (int i = 0; i < kDraws; ++i) ++counts.at(random.below(n));
    EXPECT_LT(std::fabs(chi_square_deviate(
                  counts, std::vector<double>(n, kDraws / static_cast<double>(n)))),
              kSurprise);
  }
  Random random(1);
  EXPECT_EQ(random.below(1), 0u);
}

// Taking 2^64 modulo 3·2^62 would draw the lowest third twice as often.
TEST(Random, BelowIsUnbiasedForLargeBounds) {
  Random random(5);
  constexpr std::uint64_t kBound = std::uint64_t{3} << 62;
  std::vector<double> counts(3);
  for (int i = 0; i < 30000; ++i) ++counts.at(random.below(kBound) >> 62);
  EXPECT_LT(std::fabs(chi_square_deviate(counts, {10000, 10000, 10000})), kSurprise);
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  Random random(7);
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourth = 0, uniform_sum = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(0 <= u && u < 1);
    uniform_sum += u;
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  const double root = std::sqrt(kDraws);
  EXPECT_LT(std::fabs(uniform_sum / kDraws - 0.5) * root * std::sqrt(12.0), kSurprise);
  EXPECT_LT(std::fabs(sum / kDraws) * root, kSurprise);
  EXPECT_LT(std::fabs(squares / kDraws - 1) * root / std::sqrt(2.0), kSurprise);
  EXPECT_LT(std::fabs(fourth / kDraws - 3) * root / std::sqrt(96.0), kSurprise);
}

TEST(Random, NormalIsNormal) {
  Random random(8);
  constexpr int kDraws = 100000, kBins = 50;
  std::vector<double> edges, counts(kBins);
  for (int i = 1; i < kBins; ++i) {
    const double between = 2.0 * i / kBins - 1;  // Φ(edge) − Φ(−edge)
    edges.push_back(std::copysign(two_sided_z(std::fabs(between)), between));
  }
  for (int i = 0; i < kDraws; ++i) {
    ++counts[static_cast<std::size_t>(std::ranges::lower_bound(edges, random.normal()) -
                                      edges.begin())];
  }
  EXPECT_LT(std::fabs(chi_square_deviate(counts, std::vector<double>(kBins, kDraws / kBins))),
            kSurprise);
}

TEST(Sample, IsSortedDistinctAndDeterministic) {
  for (const std::uint64_t population : {1ull, 2ull, 10ull, 1000ull, 1'000'000'000'000ull}) {
    for (const std::uint64_t n : {0ull, 1ull, 2ull, 5ull, 9ull, 10ull, 501ull, 1000ull}) {
      if (n > population) {
        EXPECT_THROW(sample_without_replacement(3, 4, population, n), Error);
        continue;
      }
      const auto sample = sample_without_replacement(3, 4, population, n);
      ASSERT_EQ(sample.size(), n);
      EXPECT_EQ(std::ranges::adjacent_find(sample, std::greater_equal<>()), sample.end());
      EXPECT_TRUE(n == 0 || sample.back() < population);
      EXPECT_EQ(sample, sample_without_replacement(3, 4, population, n));
    }
  }
  EXPECT_NE(sample_without_replacement(3, 4, 1000, 10), sample_without_replacement(3, 5, 1000, 10));
  EXPECT_NE(sample_without_replacement(3, 4, 1000, 10), sample_without_replacement(4, 4, 1000, 10));
}

// All C(6, n) sets are equally likely, on both sides of population / 2.
TEST(Sample, EverySetIsEquallyLikely) {
  for (const std::uint64_t n : {1, 2, 3, 4, 5}) {
    std::map<std::vector<std::uint64_t>, double> counts;
    constexpr int kDraws = 20000;
    for (std::uint64_t stream = 0; stream < kDraws; ++stream) {
      ++counts[sample_without_replacement(11, stream, 6, n)];
    }
    const std::size_t sets = n == 3 ? 20 : n == 2 || n == 4 ? 15 : 6;
    ASSERT_EQ(counts.size(), sets);
    std::vector<double> observed;
    for (const auto& [set, count] : counts) observed.push_back(count);
    EXPECT_LT(std::fabs(chi_square_deviate(
                  observed, std::vector<double>(sets, kDraws / static_cast<double>(sets)))),
              kSurprise);
  }
}

TEST(Sample, CoversALargePopulationEvenly) {
  constexpr std::uint64_t kPopulation = 1'000'000'000'000, kDraws = 100000;
  std::vector<double> counts(100);
  for (const std::uint64_t x : sample_without_replacement(1, 0, kPopulation, kDraws)) {
    ++counts.at(x / (kPopulation / 100));
  }
  EXPECT_LT(std::fabs(chi_square_deviate(counts, std::vector<double>(100, kDraws / 100))),
            kSurprise);
}

}  // namespace
}  // namespace flipscope
