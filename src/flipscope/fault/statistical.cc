// How many faults a sample needs, and which they are.
#include "flipscope/fault/statistical.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/interval.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// The share q of a sorted list, between its neighbours in proportion.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// The largest finite distance that is no outlier; −1: all are.
double largest_ordinary(const std::vector<double>& distances, const OutlierRule& rule) {
  std::vector<double> sorted;
  for (const double d : distances) {
    if (std::isfinite(d)) sorted.push_back(d);
  }
  std::ranges::sort(sorted);
  if (rule.kind == OutlierRule::Kind::largest) {
    const std::size_t infinite = distances.size() - sorted.size();
    const auto wanted = static_cast<std::size_t>(rule.factor);
    const std::size_t more = std::min(wanted > infinite ? wanted - infinite : 0, sorted.size());
    sorted.resize(sorted.size() - more);
  }
  if (sorted.empty()) return -1;
  if (rule.kind != OutlierRule::Kind::quartiles) return sorted.back();
  const double first = quantile(sorted, 0.25), third = quantile(sorted, 0.75);
  const double fence = third + rule.factor * (third - first);
  return *std::prev(std::ranges::upper_bound(sorted, fence));
}

/// The elements that have the bit of a stratum, where not all do; else none.
std::vector<std::int64_t> elements_of(const FaultSpace& space, const Stratum& stratum) {
  if (stratum.bit < 0) return {};
  const FaultTarget& target = space.targets()[stratum.target];
  std::vector<std::int64_t> elements;
  if (target.bits_of_width.empty()) return elements;
  for (std::int64_t i = 0; i < target.elements; ++i) {
    if (target.has(i, stratum.bit)) elements.push_back(i);
  }
  return elements;
}

}  // namespace

SamplingMethod parse_sampling_method(const std::string& text) {
  for (const auto method : {SamplingMethod::network, SamplingMethod::layer, SamplingMethod::unaware,
                            SamplingMethod::aware}) {
    if (text == to_string(method)) return method;
  }
  fail("faults", "'{}' is no method of sampling; there are network, layer, unaware, aware", text);
}

std::string to_string(SamplingMethod method) {
  switch (method) {
    case SamplingMethod::network:
      return "network";
    case SamplingMethod::layer:
      return "layer";
    case SamplingMethod::unaware:
      return "unaware";
    case SamplingMethod::aware:
      break;
  }
  return "aware";
}

double parse_open_share(const std::string& option, const std::string& text) {
  const double share = parse_number(text).value_or(0);
  if (!(share > 0 && share < 1)) {
    fail("usage", "--{} needs a number between 0 and 1, such as {}, not \"{}\"", option,
         option == "confidence" ? "0.95" : "0.01", text);
  }
  return share;
}

double t_value(double confidence) {
  constexpr double kDecimals = 1e4;
  return std::round(two_sided_z(confidence) * kDecimals) / kDecimals;
}

double sample_size(std::uint64_t population, double p, const SamplePrecision& precision) {
  const auto size = static_cast<double>(population);
  const double t = t_value(precision.confidence), e = precision.error;
  if (p * (1 - p) == 0 || t == 0) return 0;
  return size / (1 + e * e * (size - 1) / (t * t * p * (1 - p)));
}

OutlierRule parse_outlier_rule(const std::string& text) {
  using Kind = OutlierRule::Kind;
  if (text == "none") return {Kind::none, 0};
  const auto colon = std::min(text.find(':'), text.size());
  const std::string name = text.substr(0, colon);
  const std::string argument = text.substr(std::min(colon + 1, text.size()));
  const double factor = parse_number(argument).value_or(-1);
  if (name == "iqr" && factor >= 0 && std::isfinite(factor)) return {Kind::quartiles, factor};
  if (name == "largest" && factor >= 0 && factor <= 32 && factor == std::floor(factor)) {
    return {Kind::largest, factor};
  }
  fail("usage", "--outlier-rule \"{}\" is none of none, iqr:K (such as iqr:1.5), largest:N", text);
}

std::string to_string(const OutlierRule& rule) {
  switch (rule.kind) {
    case OutlierRule::Kind::quartiles:
      return fmt::format("iqr:{}", rule.factor);
    case OutlierRule::Kind::largest:
      return fmt::format("largest:{}", rule.factor);
    case OutlierRule::Kind::none:
      break;
  }
  return "none";
}

BitDistances mean_distances(const Graph& graph, const FaultSpace& space) {
  BitDistances distances;
  for (const FaultTarget& target : space.targets()) {
    if (!is_stored(target.part)) {
      fail(
          "faults",
          "data-aware sampling reads stored words, and {} have none: take unaware, or --in weights",
          to_string(target.part));
    }
    const StoredTensor& stored = graph.stored[target.id];
    std::vector<double>& mean = distances.emplace_back();
    for (const int bit : target.bits) {
      double sum = 0;
      for (std::int64_t i = 0; i < target.elements; ++i) {
        if (!target.has(i, bit)) continue;
        const Word word = stored.words[i];
        const Word struck = word ^ stored.encoding.mask(i, bit);
        const double moved = std::fabs(real_value(stored, i, struck) - real_value(stored, i, word));
        sum += std::isnan(moved) ? kInfinite : moved;
      }
      mean.push_back(sum / static_cast<double>(target.size_at(bit)));
    }
  }
  return distances;
}

std::vector<double> expected_shares(const std::vector<double>& distances, const OutlierRule& rule) {
  const double most = largest_ordinary(distances, rule);
  const double least = distances.empty() ? 0 : *std::ranges::min_element(distances);
  std::vector<double> shares;
  for (const double d : distances) {
    shares.push_back(d > most || most <= least ? 0.5 : 0.5 * (d - least) / (most - least));
  }
  return shares;
}

std::vector<Stratum> make_strata(const FaultSpace& space, SamplingMethod method,
                                 const BitDistances& distances, const OutlierRule& rule) {
  std::vector<Stratum> strata;
  if (method == SamplingMethod::network) return {{-1, -1, space.size(), 0.5}};
  for (std::size_t t = 0; t < space.targets().size(); ++t) {
    const FaultTarget& target = space.targets()[t];
    if (method == SamplingMethod::layer) {
      strata.push_back({static_cast<int>(t), -1, target.size(), 0.5});
      continue;
    }
    std::vector<double> p(target.bits.size(), 0.5);
    if (method == SamplingMethod::aware) p = expected_shares(distances[t], rule);
    for (std::size_t b = 0; b < target.bits.size(); ++b) {
      strata.push_back({static_cast<int>(t), target.bits[b], target.size_at(target.bits[b]), p[b]});
    }
  }
  return strata;
}

std::vector<std::uint64_t> draw_strata(const FaultSpace& space, const std::vector<Stratum>& strata,
                                       const SamplePrecision& precision, std::uint64_t seed) {
  std::vector<std::uint64_t> faults;
  for (std::size_t h = 0; h < strata.size(); ++h) {
    const Stratum& stratum = strata[h];
    const auto wanted = static_cast<std::uint64_t>(
        std::ceil(sample_size(stratum.population, stratum.p, precision)));
    const std::uint64_t count = std::clamp<std::uint64_t>(wanted, 1, stratum.population);
    const std::uint64_t first = stratum.target < 0 ? 0 : space.first(stratum.target);
    const std::vector<std::int64_t> elements = elements_of(space, stratum);
    for (const std::uint64_t k : sample_without_replacement(seed, h, stratum.population, count)) {
      const std::int64_t index = elements.empty() ? static_cast<std::int64_t>(k) : elements[k];
      faults.push_back(stratum.bit < 0 ? first + k
                                       : space.number({stratum.target, index, stratum.bit}));
    }
  }
  std::ranges::sort(faults);
  return faults;
}

}  // namespace flipscope
