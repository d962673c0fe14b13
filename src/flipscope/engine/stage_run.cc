#include "flipscope/engine/stage_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "flipscope/engine/stage_strike.h"

namespace flipscope {
namespace {

/// Rows of a stage at some output positions, from packed channels.
struct Sweep {
  const Stage& stage;
  std::vector<Band> bands;
  Positions positions{};  ///< none means all
  const std::uint8_t* input = nullptr;
  const std::int32_t* weights = nullptr;  ///< [band][row/4][group·kernel + tap][row%4]
  const std::int32_t* sums = nullptr;     ///< to start from, [row][position][lane], or null
  int lanes = 0;
  std::uint8_t* codes = nullptr;  ///< the output, packed; or
  std::int32_t* out_sums = nullptr;

  void operator()() const {
    const auto count = static_cast<std::int64_t>(positions.size());
    for (std::int64_t i = 0; i < count; ++i) at(positions[i]);
    for (std::int64_t p = 0; count == 0 && p < stage.plane; ++p) at(p);
  }

  void at(std::int64_t p) const {
    for (const Band& band : bands) at(p, band);
  }

  void at(std::int64_t p, const Band& band) const {
    const std::int64_t row_step = stage.plane * lanes;
    const std::int64_t from = band.group * stage.in.plane + stage.anchor[p];
    const std::int64_t to = band.row * row_step + p * lanes;
    const std::int64_t word = band.row / stage.out.in_word() * row_step + p * lanes;
    const TapPattern& pattern = stage.patterns[stage.pattern[p]];
    packed_dot(PackedDot{.in = stage.in.packing,
                         .out = stage.out.packing,
                         .x = input + from * lanes * kWord,
                         .place = pattern.place.data(),
                         .weights = weights + band.weights,
                         .weight = pattern.kernel.data(),
                         .weight_taps = band.groups * stage.kernel,
                         .taps = band.groups * pattern.taps,
                         .start = sums ? nullptr : pattern.start.data() + band.row,
                         .sums = sums ? sums + to : nullptr,
                         .sums_step = row_step,
                         .rows = band.rows,
                         .lanes = lanes,
                         .steps = codes ? stage.steps.data() + band.row : nullptr,
                         .codes = codes ? codes + word * kWord : nullptr,
                         .codes_step = row_step * kWord,
                         .out_sums = out_sums ? out_sums + to : nullptr,
                         .out_sums_step = row_step});
  }
};

/// New and old code of a changed channel share a word, of bytes with another channel's: met by a
/// weight and its negative.
struct ChangedPairs {
  AlignedVector<std::uint8_t> input;  ///< words, [pairs][place][lane]
  std::vector<std::int32_t> weights;  ///< [row/4][pairs·kernel + tap][row%4]
  std::int64_t count = 0;
};

int pairs_in_word(const Stage& stage) {
  return stage.in.in_word() / 2;
}

void pair_weights(const Stage& stage, const std::vector<std::int64_t>& channels,
                  ChangedPairs& pairs) {
  const std::int64_t tile = stage.kernel * kTile;
  const int in_word = pairs_in_word(stage);
  pairs.weights.assign(stage.rows * pairs.count * stage.kernel, 0);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const int shift = i % in_word == 0 ? 0 : 16;
    const std::int32_t* from = stage.opposed.data() + channels[i] * stage.rows * stage.kernel;
    std::int32_t* to = pairs.weights.data() + static_cast<std::int64_t>(i) / in_word * tile;
    for (std::int64_t row = 0; row < stage.rows; row += kTile) {
      for (std::int64_t k = 0; k < tile; ++k) {
        to[k] = static_cast<std::int32_t>(static_cast<std::uint32_t>(to[k]) |
                                          static_cast<std::uint32_t>(from[k]) << shift);
      }
      from += tile;
      to += pairs.count * tile;
    }
  }
}

const ChangedPairs& changed_pairs(const Stage& stage, const std::vector<std::int64_t>& channels,
                                  const Positions& positions, const std::uint8_t* now,
                                  const std::uint8_t* then, int lanes) {
  static thread_local ChangedPairs pairs;
  const int in_word = stage.in.in_word(), together = pairs_in_word(stage);
  const int bits = bits_in_word(stage.in.packing);
  const std::uint32_t own = (std::uint32_t{1} << bits) - 1;
  pairs.count = (static_cast<std::int64_t>(channels.size()) + together - 1) / together;
  const std::int64_t words = stage.in.plane * lanes;
  if (positions.empty()) {
    pairs.input.resize(pairs.count * words * kWord);
  } else {
    pairs.input.assign(pairs.count * words * kWord, 0);  // no change elsewhere
  }
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::int64_t c = channels[i];
    const int in_shift = static_cast<int>(bits * (c % in_word));
    const int out_shift = i % together == 0 ? 0 : 16;
    const auto* a = reinterpret_cast<const std::uint32_t*>(now) + c / in_word * words;
    const auto* b = reinterpret_cast<const std::uint32_t*>(then) + c / in_word * words;
    auto* to = reinterpret_cast<std::uint32_t*>(pairs.input.data()) +
               static_cast<std::int64_t>(i) / together * words;
    const std::uint32_t keep = i % together == 0 ? 0 : 0xFFFF;
    const auto set = [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t k = first; k < first + count; ++k) {
        const std::uint32_t both = (a[k] >> in_shift & own) | (b[k] >> in_shift & own) << bits;
        to[k] = (to[k] & keep) | both << out_shift;
      }
    };
    if (positions.empty()) set(0, words);
    for (std::int32_t p : positions) set(std::int64_t{p} * lanes, lanes);
  }
  if (channels.size() > 1) pair_weights(stage, channels, pairs);
  return pairs;
}

/// The bands that read a changed channel.
std::vector<Band> affected_bands(const Stage& stage, const std::vector<std::int64_t>& channels) {
  std::vector<Band> bands;
  const int in_word = stage.in.in_word();
  for (const Band& band : stage.bands) {
    const auto first = std::ranges::lower_bound(channels, band.group * in_word);
    if (first != channels.end() && *first < (band.group + band.groups) * in_word) {
      bands.push_back(band);
    }
  }
  return bands;
}

/// The sums of a changed input: the golden sums plus the change where that is less work, counted in
/// words multiplied by words. (One more to load the golden sum.)
Sweep sweep_of_change(Workspace& work, const Stage& stage, std::size_t index, int lanes) {
  const std::vector<std::int64_t> channels = blocks_met(work.changed(stage.input), stage.in.plane);
  const std::uint8_t* now = work.bytes(stage.input);
  const Positions& places = work.positions(stage.input);
  const int together = pairs_in_word(stage);
  const std::int64_t pairs = (static_cast<std::int64_t>(channels.size()) + together - 1) / together;
  const bool adds =
      !stage.opposed.empty() && pairs * stage.kernel + 1 < stage.in.groups() * stage.kernel;
  if (!adds) {
    return Sweep{.stage = stage,
                 .bands = affected_bands(stage, channels),
                 .positions = stage.affected(places),
                 .input = now,
                 .weights = stage.weights.data(),
                 .lanes = lanes};
  }
  const ChangedPairs& change =
      changed_pairs(stage, channels, places, now, work.golden_bytes(stage.input), lanes);
  return Sweep{.stage = stage,
               .bands = {{.rows = stage.rows, .groups = change.count}},
               .positions = stage.affected(places),
               .input = change.input.data(),
               .weights = channels.size() > 1
                              ? change.weights.data()
                              : stage.opposed.data() + channels[0] * stage.rows * stage.kernel,
               .sums = work.stage_sums(index),
               .lanes = lanes};
}

/// Calls f(group) for the channel groups that a sweep writes.
template <typename F>
void each_group(const Sweep& sweep, F f) {
  const int in_word = sweep.stage.out.in_word();
  for (const Band& band : sweep.bands) {
    const std::int64_t last = std::min(band.row + band.rows, sweep.stage.channels);
    for (std::int64_t row = band.row; row < last; row += in_word) f(row / in_word);
  }
}

/// The elements of a group of output channels.
Range elements_of(const Stage& stage, std::int64_t group) {
  const int in_word = stage.out.in_word();
  const std::int64_t end = std::min((group + 1) * in_word, stage.channels);
  return {group * in_word * stage.plane, end * stage.plane};
}

/// Writes the codes of a sweep and notes those that differ.
void write_codes(Workspace& work, const Stage& stage, Sweep& sweep) {
  const std::uint8_t* golden = work.golden_bytes(stage.output);
  const std::int64_t place = std::int64_t{sweep.lanes} * kWord;
  Ranges changed;
  if (sweep.positions.empty()) {
    const bool writes_all = sweep.bands.size() == stage.bands.size();
    sweep.codes =
        writes_all ? work.overwritable_bytes(stage.output) : work.writable_bytes(stage.output);
    sweep();
    each_group(sweep, [&](std::int64_t group) {
      const std::int64_t at = group * stage.plane * place;
      if (std::memcmp(sweep.codes + at, golden + at, stage.plane * place) == 0) return;
      append(changed, elements_of(stage, group));
    });
    work.note_changed_bytes(stage.output, std::move(changed));
    return;
  }
  sweep.codes = work.writable_bytes(stage.output);
  sweep();
  std::vector<bool> differs(sweep.positions.size(), false);
  each_group(sweep, [&](std::int64_t group) {
    bool any = false;
    for (std::size_t i = 0; i < differs.size(); ++i) {
      const std::int64_t at = (group * stage.plane + sweep.positions[i]) * place;
      if (std::memcmp(sweep.codes + at, golden + at, place) == 0) continue;
      any = differs[i] = true;
    }
    if (any) append(changed, elements_of(stage, group));
  });
  Positions positions;
  for (std::size_t i = 0; i < differs.size(); ++i) {
    if (differs[i]) positions.push_back(sweep.positions[i]);
  }
  work.note_changed_bytes(stage.output, std::move(changed), std::move(positions));
}

/// Writes the numbers of a sweep's sums.
void write_numbers(Workspace& work, const Stage& stage, Sweep& sweep) {
  static thread_local AlignedVector<std::int32_t> sums;
  const std::int64_t row_step = stage.plane * sweep.lanes;
  sums.resize(stage.rows * row_step);
  sweep.out_sums = sums.data();
  sweep();
  float* out = work.writable(stage.output);
  Ranges written;
  const auto write = [&](std::int64_t row, const Range& places) {
    stage.write_numbers(row, places, sums.data() + row * row_step, sweep.lanes, out);
    append(written, {row * stage.plane + places.first, row * stage.plane + places.last});
  };
  for (const Band& band : sweep.bands) {
    const std::int64_t last = std::min(band.row + band.rows, stage.channels);
    for (std::int64_t row = band.row; row < last; ++row) {
      if (sweep.positions.empty()) write(row, {0, stage.plane});
      for (std::int32_t p : sweep.positions) write(row, {p, p + 1});
    }
  }
  work.note_changes(stage.output, written);
}

void change_input(Workspace& work, const Stage& stage, std::size_t index) {
  Sweep sweep = sweep_of_change(work, stage, index, work.block().lanes);
  (stage.writes_codes ? write_codes : write_numbers)(work, stage, sweep);
}

}  // namespace

bool pass_stage(Workspace& work, std::size_t index, const std::vector<int>& struck) {
  const Stage& stage = (*work.program().stages)[index];
  if (work.golden_bytes(stage.input) == nullptr) return false;
  if (stage.writes_codes && work.golden_bytes(stage.output) == nullptr) return false;
  const bool input_changed = !work.changed(stage.input).empty();
  if (!struck.empty()) {
    if (input_changed) return false;
    return strike_stage(work, index, struck);
  }
  if (!input_changed) return true;
  if (work.bytes(stage.input) == nullptr) return false;
  change_input(work, stage, index);
  return true;
}

void sum_stage(const Stage& stage, const std::uint8_t* input, int lanes, std::int32_t* sums) {
  Sweep{.stage = stage,
        .bands = stage.bands,
        .input = input,
        .weights = stage.weights.data(),
        .lanes = lanes,
        .out_sums = sums}();
}

}  // namespace flipscope
