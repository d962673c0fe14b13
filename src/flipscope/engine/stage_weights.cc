#include "flipscope/engine/stage_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

#include "flipscope/engine/program.h"
#include "flipscope/engine/stage.h"

namespace flipscope {
namespace {

constexpr double kLargestSum = 2147483647;
/// Weights whose largest change the bound of a stage's sums allows for, if it can.
constexpr double kStruck = 64;

/// Four rows at a time, joined to the ones before where they read the same words.
void lay_out_bands(Stage& stage) {
  stage.rows = (stage.channels + kTile - 1) / kTile * kTile;
  const int in_word = stage.in.in_word();
  const std::int64_t in = stage.in.channels / stage.parts, out = stage.channels / stage.parts;
  std::int64_t weights = 0;
  for (std::int64_t row = 0; row < stage.rows; row += kTile) {
    const std::int64_t last_row = std::min(row + kTile, stage.channels) - 1;
    const std::int64_t first = row / out * in / in_word;
    const std::int64_t last = ((last_row / out + 1) * in - 1) / in_word;
    Band band{.row = row, .rows = kTile, .group = first, .groups = last + 1 - first};
    band.weights = weights;
    weights += kTile * band.groups * stage.kernel;
    Band* before = stage.bands.empty() ? nullptr : &stage.bands.back();
    if (before && before->group == band.group && before->groups == band.groups) {
      before->rows += kTile;
    } else {
      stage.bands.push_back(band);
    }
  }
  stage.weights.assign(weights, 0);
}

TapPattern spread(const Stage& stage, const std::vector<std::int32_t>& places,
                  const std::vector<std::int32_t>& taps) {
  TapPattern pattern{.taps = static_cast<std::int64_t>(taps.size())};
  std::int64_t groups = 0;
  for (const Band& band : stage.bands) groups = std::max(groups, band.groups);
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::size_t t = 0; t < taps.size(); ++t) {
      pattern.place.push_back(static_cast<std::int32_t>(g * stage.in.plane + places[t]));
      pattern.kernel.push_back(static_cast<std::int32_t>(g * stage.kernel + taps[t]));
    }
  }
  return pattern;
}

void find_patterns(Stage& stage) {
  std::map<std::vector<std::int32_t>, std::int32_t> known;
  for (std::int64_t p = 0; p < stage.plane; ++p) {
    std::vector<std::int32_t> places, taps;
    for (std::int64_t k = 0; k < stage.kernel; ++k) {
      const std::int32_t place = stage.reads[k * stage.plane + p];
      if (place < 0) continue;
      places.push_back(place);
      taps.push_back(static_cast<std::int32_t>(k));
    }
    const std::int32_t anchor = places.empty() ? 0 : places.front();
    std::vector<std::int32_t> key = taps;
    for (std::int32_t& place : places) key.push_back(place -= anchor);
    const auto [entry, is_new] =
        known.try_emplace(key, static_cast<std::int32_t>(stage.patterns.size()));
    if (is_new) stage.patterns.push_back(spread(stage, places, taps));
    stage.pattern.push_back(entry->second);
    stage.anchor.push_back(anchor);
  }
}

void invert_reads(Stage& stage) {
  std::vector<std::vector<std::int32_t>> readers(stage.in.plane);
  for (std::size_t i = 0; i < stage.reads.size(); ++i) {
    const auto position = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % stage.plane);
    if (stage.reads[i] >= 0) readers[stage.reads[i]].push_back(position);
  }
  for (const std::vector<std::int32_t>& own : readers) {
    stage.read_from.push_back(static_cast<std::int32_t>(stage.read_by.size()));
    stage.read_by.insert(stage.read_by.end(), own.begin(), own.end());
  }
  stage.read_from.push_back(static_cast<std::int32_t>(stage.read_by.size()));
}

/// Σ f(code) over the signed codes of a word of weights.
template <typename F>
std::int64_t sum_of_codes(Packing packing, std::int32_t word, F f) {
  std::int64_t sum = 0;
  for (int shift = 0; shift < 32; shift += bits_in_word(packing)) {
    const std::int32_t code = word >> shift;
    sum += f(std::int64_t{packing == Packing::bytes ? static_cast<std::int8_t>(code)
                                                    : static_cast<std::int16_t>(code)});
  }
  return sum;
}

/// The largest |sum|.
double largest_sum(const Stage& stage, const std::vector<double>& bias) {
  double most = 0;
  for (std::int64_t row = 0; row < stage.rows; ++row) {
    const Band& band = stage.band_of(row);
    std::int64_t weights = 0;
    for (std::int64_t k = 0; k < band.groups * stage.kernel; ++k) {
      const std::int32_t word = stage.weights[stage.word_of(band, row, k)];
      weights +=
          sum_of_codes(stage.in.packing, word, [](std::int64_t code) { return std::abs(code); });
    }
    most = std::max(most, std::abs(bias[row]) + static_cast<double>(weights) * stage.in.largest);
  }
  return most;
}

/// A code in one slot of a word.
std::int32_t at_slot(Packing packing, double code, std::int64_t slot) {
  const int bits = bits_in_word(packing);
  const auto word = static_cast<std::uint32_t>(static_cast<std::int32_t>(code));
  return static_cast<std::int32_t>((word & ((std::uint32_t{1} << bits) - 1)) << (bits * slot));
}

/// False where a weight is no whole number or has no place in a word.
bool pack_words(Stage& stage, const std::vector<double>& w) {
  const Packing packing = stage.in.packing;
  const int in_word = stage.in.in_word();
  const double low = lowest_weight(packing);
  bool negatable = stage.parts == 1;
  if (negatable) stage.opposed.assign(stage.rows * stage.in.channels * stage.kernel, 0);
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (w[i] != std::nearbyint(w[i]) || w[i] < low || w[i] >= -low) return false;
    const Stage::Place at = stage.place_of(static_cast<std::int64_t>(i));
    const Band& band = stage.band_of(at.row);
    const std::int64_t group = at.channel / in_word - band.group;
    stage.weights[stage.word_of(band, at.row, group * stage.kernel + at.tap)] |=
        at_slot(packing, w[i], at.channel % in_word);
    negatable = negatable && w[i] > low;
    if (!negatable) continue;
    stage.opposed[((at.channel * stage.rows / kTile + at.row / kTile) * stage.kernel + at.tap) *
                      kTile +
                  at.row % kTile] = at_slot(packing, w[i], 0) | at_slot(packing, -w[i], 1);
  }
  if (!negatable) std::vector<std::int32_t>().swap(stage.opposed);
  return true;
}

/// [row] of the head; nothing where one is no whole number.
std::optional<std::vector<double>> biases_of(const Program& program, const Stage& stage) {
  std::vector<double> bias(stage.rows, 0.0);
  const Node& node = program.graph->nodes[stage.head];
  if (node.inputs.size() < 3 || node.inputs[2].kind != Input::Kind::constant) return bias;
  const std::vector<double>& b = program.wide[node.inputs[2].id];
  for (std::int64_t r = 0; r < stage.channels; ++r) {
    bias[r] = b[b.size() == 1 ? 0 : r];
    if (bias[r] != std::nearbyint(bias[r])) return {};
  }
  return bias;
}

/// What the sums of each pattern of taps begin with.
void find_starts(Stage& stage, const std::vector<double>& bias) {
  for (TapPattern& pattern : stage.patterns) {
    for (std::int64_t row = 0; row < stage.rows; ++row) {
      const Band& band = stage.band_of(row);
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < band.groups * pattern.taps; ++k) {
        const std::int32_t word = stage.weights[stage.word_of(band, row, pattern.kernel[k])];
        sum += sum_of_codes(stage.in.packing, word, [](std::int64_t code) { return code; });
      }
      pattern.start.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(bias[row]) -
                                                        stage.in.offset() * sum));
    }
  }
}

}  // namespace

double lowest_weight(Packing packing) {
  return -code_count(packing) / 2.0;
}

bool pack_weights(const Program& program, Stage& stage) {
  lay_out_bands(stage);
  const Node& node = program.graph->nodes[stage.head];
  if (!pack_words(stage, program.wide[node.inputs[1].id])) return false;
  const auto bias = biases_of(program, stage);
  if (!bias) return false;
  const double most = largest_sum(stage, *bias);
  if (most > kLargestSum) return false;
  const double struck = kStruck * stage.in.largest * code_count(stage.in.packing);
  const double bound = std::min(2 * most + struck, kLargestSum);
  stage.bound = static_cast<std::int64_t>(bound);
  stage.room = static_cast<std::int64_t>(bound - most);
  find_patterns(stage);
  invert_reads(stage);
  find_starts(stage, *bias);
  return true;
}

}  // namespace flipscope
