// Philox4x32-10 and the distributions drawn from it.
#include "flipscope/numeric/random.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
#include <numbers>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

/// The first n distinct draws. Drawing ends with the n-th distinct number, and all numbers are
/// alike to it, so all sets are equally likely. Good where n ≤ population / 2.
std::vector<std::uint64_t> first_distinct(Random& random, std::uint64_t population,
                                          std::uint64_t n) {
  std::vector<std::uint64_t> chosen, merged;
  while (chosen.size() < n) {
    std::vector<std::uint64_t> batch(n - chosen.size());
    for (std::uint64_t& x : batch) x = random.below(population);
    std::ranges::sort(batch);
    batch.erase(std::unique(batch.begin(), batch.end()), batch.end());
    merged.clear();
    std::ranges::set_union(chosen, batch, std::back_inserter(merged));
    chosen.swap(merged);
  }
  return chosen;
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(second) ^ counter[1] ^ key[0], low(second), high(first) ^ counter[3] ^ key[1],
               low(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

std::uint64_t Random::next() {
  if (drawn_++ % 2 == 1) return second_;
  const std::uint64_t block = drawn_ / 2;
  const auto words =
      philox({low(block), high(block), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  second_ = std::uint64_t{words[3]} << 32 | words[2];
  return std::uint64_t{words[1]} << 32 | words[0];
}

std::uint64_t Random::below(std::uint64_t n) {
  assert(n > 0);
  const std::uint64_t surplus = (0 - n) % n;  // 2^64 mod n
  for (;;) {
    const std::uint64_t x = next();
    if (x >= surplus) return x % n;
  }
}

double Random::uniform() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2 * det::log(1 - uniform()));
  return radius * det::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::uint64_t> sample_without_replacement(std::uint64_t seed, std::uint64_t stream,
                                                      std::uint64_t population, std::uint64_t n) {
  if (n > population) {
    fail("sample", "{} of {} cannot be drawn without replacement; ask for at most {}", n,
         population, population);
  }
  Random random(seed, stream);
  if (n <= population / 2) return first_distinct(random, population, n);

  const std::vector<std::uint64_t> left_out = first_distinct(random, population, population - n);
  std::vector<std::uint64_t> chosen;
  chosen.reserve(n);
  auto skip = left_out.begin();
  for (std::uint64_t x = 0; x < population; ++x) {
    if (skip != left_out.end() && *skip == x) {
      ++skip;
    } else {
      chosen.push_back(x);
    }
  }
  return chosen;
}

}  // namespace flipscope
