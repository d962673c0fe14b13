#include "flipscope/analysis/error_map.h"

namespace flipscope {
namespace {

constexpr int kShift = 1024;  // Doubles have binades −1023 … 1023.

void each_set(const std::vector<Word>& bits, int flips, std::size_t from, Word mask,
              std::vector<Word>& masks) {
  if (flips == 0) {
    masks.push_back(mask);
    return;
  }
  for (std::size_t i = from; i < bits.size(); ++i) {
    each_set(bits, flips - 1, i + 1, mask ^ bits[i], masks);
  }
}

}  // namespace

float ErrorMap::large_value(int side) const {
  const std::int64_t faults = counts[side][kLarge];
  const std::int64_t mean = faults > 0 ? large_binades[side] / faults : kMostExponent;
  const double value = std::ldexp(1.0, static_cast<int>(std::min<std::int64_t>(mean, 127)));
  return static_cast<float>(side == 0 ? value : -value);
}

ErrorMap& ErrorMap::operator+=(const ErrorMap& more) {
  for (int side = 0; side < 2; ++side) {
    for (int k = 0; k < kCandidates; ++k) counts[side][k] += more.counts[side][k];
    large_binades[side] += more.large_binades[side];
  }
  undefined += more.undefined;
  total += more.total;
  return *this;
}

std::vector<Word> flip_masks(const std::vector<Word>& bits, int flips) {
  std::vector<Word> masks;
  each_set(bits, flips, 0, 0, masks);
  return masks;
}

Changes::Changes(const std::vector<double>& all) : total(std::ssize(all)) {
  for (const double change : all) {
    int exponent = 0;
    if (change == 0) continue;
    if (std::isfinite(change) && std::fabs(std::frexp(change, &exponent)) == 0.5) {
      powers.push_back({change < 0 ? 1 : 0, exponent - 1});
    } else {
      plain.push_back(change);
    }
  }
}

void ProductCounter::count(double x) {
  ++seen_;
  for (const double change : changes_->plain) direct_.add(change * x);
  if (x == 0) return;
  if (!std::isfinite(x)) {
    for (const Changes::Power& power : changes_->powers) direct_.add(power.side == 0 ? x : -x);
    return;
  }
  const int sign = x < 0 ? 1 : 0;
  const int at = binade_of(x) + kShift;
  std::vector<std::int64_t>& binades = binades_[sign];
  if (binades.empty()) binades.assign(2 * kShift, 0);
  if (binades[at]++ == 0) met_.emplace_back(sign, at);
}

void ProductCounter::finish(ErrorMap& map) {
  for (const auto& [sign, at] : met_) {
    const std::int64_t values = std::exchange(binades_[sign][at], 0);
    for (const Changes::Power& power : changes_->powers) {
      direct_.add_binade(power.side ^ sign, at - kShift + power.binade, values);
    }
  }
  met_.clear();
  direct_.total = changes_->total * seen_;
  seen_ = 0;
  map += std::exchange(direct_, {});
}

}  // namespace flipscope
