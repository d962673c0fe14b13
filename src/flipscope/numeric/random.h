// Counter-based random numbers: draw k of stream s depends on the seed, s and k alone, never on who
// draws it or when.
// Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC'11.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace flipscope {

/// The Philox4x32-10 bijection of a counter under a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// One stream of random numbers: the seed is Philox's key, (block, stream) its counter.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// Uniform over all 64-bit words.
  std::uint64_t next();

  /// Uniform over 0 … n − 1, without bias; n > 0.
  std::uint64_t below(std::uint64_t n);

  /// Uniform over the multiples of 2^-53 in [0, 1).
  double uniform();

  /// Standard normal (Box and Muller), the same bits everywhere.
  double normal();

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t drawn_ = 0;
  std::uint64_t second_ = 0;  ///< the other half of the last block
};

/// n distinct numbers of 0 … population − 1, ascending; every set of n is equally likely. O(n)
/// memory. Throws Error where n exceeds the population.
std::vector<std::uint64_t> sample_without_replacement(std::uint64_t seed, std::uint64_t stream,
                                                      std::uint64_t population, std::uint64_t n);

/// Every order is equally likely (Fisher and Yates).
template <typename T>
void shuffle(std::vector<T>& items, Random random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace flipscope
