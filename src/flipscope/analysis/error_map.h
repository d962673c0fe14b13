// Error distribution maps: how far faults move a value, counted in binades
// (DeepVigor+: Ahmadilivani et al., 2024).
//
// A fault adds some δ to its target. A map counts the faults of one target and one sample by sign
// and by the candidate value ±2^ρ that δ reaches, ρ = −10 … 10: |δ| < 2^−10 counts as nothing,
// and the last candidate stands for everything from 2^10 on, infinities included.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "flipscope/numeric/number_format.h"

namespace flipscope {

inline constexpr int kLeastExponent = -10;
inline constexpr int kMostExponent = 10;
inline constexpr int kCandidates = kMostExponent - kLeastExponent + 1;
inline constexpr int kLarge = kCandidates - 1;  ///< the candidate of everything from 2^10 on

/// 2^ρ of candidate k.
inline double candidate_value(int k) {
  return std::ldexp(1.0, k + kLeastExponent);
}

/// ρ with 2^ρ ≤ |δ| < 2^(ρ+1): −1023 for 0 and denormals, 1024 for infinities. Not for NaN.
inline int binade_of(double delta) {
  return static_cast<int>(std::bit_cast<std::uint64_t>(delta) >> 52 & 0x7ff) - 1023;
}

struct ErrorMap {
  /// [side: 0 up, 1 down][candidate]
  std::array<std::array<std::int64_t, kCandidates>, 2> counts{};
  std::int64_t undefined = 0;                   ///< δ is NaN
  std::int64_t total = 0;                       ///< all faults, also those that add next to nothing
  std::array<std::int64_t, 2> large_binades{};  ///< [side] sum of ρ over the large ones

  void add(double delta) {
    ++total;
    if (std::isnan(delta)) {
      ++undefined;
    } else {
      add_binade(delta < 0 ? 1 : 0, binade_of(delta), 1);
    }
  }

  /// `faults` more on one side with this ρ; they are not counted in `total`.
  void add_binade(int side, int binade, std::int64_t faults) {
    if (binade < kLeastExponent) return;
    const int k = binade >= kMostExponent ? kLarge : binade - kLeastExponent;
    counts[side][k] += faults;
    if (k == kLarge) large_binades[side] += faults * std::min(binade, 128);
  }

  /// The δ that stands for the large faults of a side: 2^ρ with their mean ρ, rounded down.
  float large_value(int side) const;

  ErrorMap& operator+=(const ErrorMap& more);
  bool operator==(const ErrorMap&) const = default;
};

/// What is flipped in a word: `flips` distinct bits among those allowed (the mask of each), every
/// such set once.
std::vector<Word> flip_masks(const std::vector<Word>& bits, int flips);

/// What flips change one factor of a product by.
struct Changes {
  explicit Changes(const std::vector<double>& all);

  struct Power {
    int side, binade;  ///< ±2^binade
  };
  std::vector<Power> powers;  ///< changes by a power of two: they move the other factor's binade
  std::vector<double> plain;  ///< all others but 0
  std::int64_t total = 0;     ///< with those that are 0
};

/// Counts δ = change·x for all changes of one factor and many values x of the other; x is looked
/// at once for all powers of two.
class ProductCounter {
 public:
  void begin(const Changes& changes) { changes_ = &changes; }
  void count(double x);
  /// Adds what was counted since begin().
  void finish(ErrorMap& map);

 private:
  const Changes* changes_ = nullptr;
  std::int64_t seen_ = 0;
  ErrorMap direct_;
  std::array<std::vector<std::int64_t>, 2> binades_;  ///< [sign][ρ], shifted to begin at 0
  std::vector<std::pair<int, int>> met_;              ///< (sign, shifted ρ) that are not 0
};

}  // namespace flipscope
