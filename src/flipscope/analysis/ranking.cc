#include "flipscope/analysis/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "flipscope/model/csv_line.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/nan_sign.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kShuffleStream = 0x72616e6b;

double nan_first(double score) {
  return std::isnan(score) ? std::numeric_limits<double>::infinity() : score;
}

/// Distance from the most significant bit.
int from_msb(const FaultSpace& space, const FaultSite& site) {
  return space.targets()[site.target].from_msb(site.index, site.bit);
}

}  // namespace

Ranking rank_words(const FaultSpace& space, const std::vector<double>& score) {
  Ranking ranking;
  ranking.reserve(space.size());
  std::size_t first = 0;
  for (std::size_t t = 0; t < space.targets().size(); ++t) {
    const FaultTarget& target = space.targets()[t];
    for (std::int64_t i = 0; i < target.elements; ++i) {
      for (const int bit : target.bits_of(i)) {
        ranking.push_back({{static_cast<int>(t), i, bit}, nan_first(score[first + i])});
      }
    }
    first += target.elements;
  }
  std::stable_sort(ranking.begin(), ranking.end(), [&](const RankedBit& a, const RankedBit& b) {
    return std::pair(from_msb(space, a.site), -a.score) <
           std::pair(from_msb(space, b.site), -b.score);
  });
  return ranking;
}

Ranking rank_bits(const FaultSpace& space, const std::vector<double>& score,
                  const std::vector<double>& tie) {
  std::vector<std::uint64_t> order(space.size());
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::uint64_t a, std::uint64_t b) {
    const double x = nan_first(score[a]), y = nan_first(score[b]);
    if (x != y || tie.empty()) return x > y;
    return nan_first(tie[a]) > nan_first(tie[b]);
  });
  Ranking ranking;
  ranking.reserve(space.size());
  for (std::uint64_t k : order) ranking.push_back({space.site(k), nan_first(score[k])});
  return ranking;
}

Ranking random_ranking(const FaultSpace& space, std::uint64_t seed) {
  Ranking ranking;
  ranking.reserve(space.size());
  for (std::uint64_t k = 0; k < space.size(); ++k) ranking.push_back({space.site(k), 0});
  shuffle(ranking, Random(seed, kShuffleStream));
  return ranking;
}

void write_ranking(const FaultSpace& space, const Ranking& ranking, const std::string& out) {
  OutputFile file(out);
  file.write("rank,layer,tensor,index,bit,score\n");
  for (std::size_t k = 0; k < ranking.size(); ++k) {
    const auto& [site, score] = ranking[k];
    const FaultTarget& target = space.targets()[site.target];
    file.write(fmt::format("{},{},{},{},{},{}\n", k, csv_field(target.layer),
                           csv_field(target.tensor), site.index, site.bit,
                           without_nan_sign(score)));
  }
  file.finish();
}

}  // namespace flipscope
