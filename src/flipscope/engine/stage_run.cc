#include "flipscope/engine/stage_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

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
    const std::int64_t to = band.row * row_step + p * lanes;  // row_step a row; words hold kPack
    const TapPattern& pattern = stage.patterns[stage.pattern[p]];
    packed_dot(PackedDot{.x = input + from * lanes * kPack,
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
                         .codes = codes ? codes + band.row * row_step + p * lanes * kPack : nullptr,
                         .codes_step = row_step * kPack,
                         .out_sums = out_sums ? out_sums + to : nullptr,
                         .out_sums_step = row_step});
  }
};

/// One struck constant of a stage's head.
struct Strike {
  std::int64_t row = 0, channel = 0, tap = 0;
  int change = 0;
  bool is_bias = false;
};

/// By rows; nothing where the stage cannot serve.
std::optional<std::vector<Strike>> strikes_of(const Workspace& work, const Stage& stage,
                                              const std::vector<int>& struck) {
  if (!stage.writes_codes || struck.size() > kStageChanges) return {};
  const Node& head = work.graph().nodes[stage.head];
  std::vector<Strike> all;
  for (int k : struck) {
    const Workspace::Patch& patch = work.patches()[k];
    Strike strike;
    int uses = 0;
    for (int n : stage.nodes) {
      for (const Input& input : work.graph().nodes[n].inputs) {
        if (input.kind == Input::Kind::constant && input.id == patch.constant) ++uses;
      }
    }
    if (uses != 1) return {};
    if (head.inputs[1].id == patch.constant) {
      const Stage::Place place = stage.place_of(patch.element);
      strike = {place.row, place.channel, place.tap, 0, false};
    } else if (head.inputs.size() > 2 && head.inputs[2].kind == Input::Kind::constant &&
               head.inputs[2].id == patch.constant &&
               element_count(head.inputs[2].shape) == stage.channels) {
      strike.row = patch.element;
      strike.is_bias = true;
    } else {
      return {};
    }
    const double change = work.program().wide[patch.constant][patch.element] - patch.wide;
    if (change != std::nearbyint(change) || std::abs(change) > (strike.is_bias ? 1 << 24 : 255)) {
      return {};
    }
    strike.change = static_cast<int>(change);
    all.push_back(strike);
  }
  std::sort(all.begin(), all.end(), [](const Strike& a, const Strike& b) { return a.row < b.row; });
  return all;
}

/// Adds what struck weights and biases change to the golden sums of the rows that read them.
void strike_rows(Workspace& work, const Stage& stage, std::size_t index,
                 const std::vector<Strike>& strikes) {
  const int lanes = work.block().lanes;
  const std::uint8_t* input = work.golden_bytes(stage.input);
  const std::uint8_t* golden = work.golden_bytes(stage.output);
  const std::int32_t* sums = work.stage_sums(index);
  std::uint8_t* out = work.writable_bytes(stage.output);
  const std::int64_t in_group = stage.in.plane * lanes * kPack;
  const std::int64_t out_group = stage.plane * lanes * kPack;
  Ranges changed;
  std::int64_t written = -1;  // the last group
  std::vector<PackedPatch> patches;
  for (std::size_t i = 0; i < strikes.size();) {
    const std::int64_t row = strikes[i].row, group = row / kPack;
    patches.clear();
    std::int32_t add = 0;
    for (; i < strikes.size() && strikes[i].row == row; ++i) {
      const Strike& strike = strikes[i];
      if (strike.is_bias) {
        add += strike.change;
        continue;
      }
      for (int left = strike.change; left != 0;) {
        const int part = std::clamp(left, -128, 127);
        left -= part;
        const auto byte = static_cast<std::uint8_t>(part);
        patches.push_back({.x = input + strike.channel / kPack * in_group,
                           .place = stage.reads.data() + strike.tap * stage.plane,
                           .weight = static_cast<std::int32_t>(std::uint32_t{byte}
                                                               << (8 * (strike.channel % kPack))),
                           .add = -stage.in.byte_offset * part});
      }
    }
    const bool differs =
        packed_strike(PackedStrike{.patches = patches.data(),
                                   .patch_count = static_cast<int>(patches.size()),
                                   .add = add,
                                   .sums = sums + row * stage.plane * lanes,
                                   .positions = stage.plane,
                                   .lanes = lanes,
                                   .step = stage.steps[row],
                                   .byte = static_cast<int>(row % kPack),
                                   .golden = (group == written ? out : golden) + group * out_group,
                                   .out = out + group * out_group});
    written = group;
    if (differs) append(changed, {row * stage.plane, (row + 1) * stage.plane});
  }
  work.note_changed_bytes(stage.output, std::move(changed));
}

/// Two changed channels share a word: new and old byte of each, met by a weight and its negative.
struct ChangedPairs {
  AlignedVector<std::uint8_t> input;  ///< [pair][place][lane][4]
  std::vector<std::int32_t> weights;  ///< [row/4][pair·kernel + tap][row%4]
  std::int64_t count = 0;
};

void pair_weights(const Stage& stage, const std::vector<std::int64_t>& channels,
                  ChangedPairs& pairs) {
  const std::int64_t tile = stage.kernel * kPack;
  pairs.weights.assign(stage.rows * pairs.count * stage.kernel, 0);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const int shift = i % 2 == 0 ? 0 : 16;
    const std::int32_t* from = stage.opposed.data() + channels[i] * stage.rows * stage.kernel;
    std::int32_t* to = pairs.weights.data() + static_cast<std::int64_t>(i) / 2 * tile;
    for (std::int64_t row = 0; row < stage.rows; row += kPack) {
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
  pairs.count = (static_cast<std::int64_t>(channels.size()) + 1) / 2;
  const std::int64_t words = stage.in.plane * lanes;
  if (positions.empty()) {
    pairs.input.resize(pairs.count * words * kPack);
  } else {
    pairs.input.assign(pairs.count * words * kPack, 0);  // no change elsewhere
  }
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::int64_t c = channels[i];
    const int in_shift = static_cast<int>(8 * (c % kPack)), out_shift = i % 2 == 0 ? 0 : 16;
    const auto* a = reinterpret_cast<const std::uint32_t*>(now) + c / kPack * words;
    const auto* b = reinterpret_cast<const std::uint32_t*>(then) + c / kPack * words;
    auto* to = reinterpret_cast<std::uint32_t*>(pairs.input.data()) +
               static_cast<std::int64_t>(i) / 2 * words;
    const std::uint32_t keep = i % 2 == 0 ? 0 : 0xFFFF;
    const auto set = [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t k = first; k < first + count; ++k) {
        const std::uint32_t both = (a[k] >> in_shift & 0xFF) | (b[k] >> in_shift & 0xFF) << 8;
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
  for (const Band& band : stage.bands) {
    const auto first = std::ranges::lower_bound(channels, band.group * kPack);
    if (first != channels.end() && *first < (band.group + band.groups) * kPack) {
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
  const std::int64_t pairs = (static_cast<std::int64_t>(channels.size()) + 1) / 2;
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
  for (const Band& band : sweep.bands) {
    for (std::int64_t row = band.row; row < band.row + band.rows; row += kPack) f(row / kPack);
  }
}

/// The elements of a group of output channels.
Range elements_of(const Stage& stage, std::int64_t group) {
  const std::int64_t end = std::min((group + 1) * kPack, stage.channels);
  return {group * kPack * stage.plane, end * stage.plane};
}

/// Writes the codes of a sweep and notes those that differ.
void write_codes(Workspace& work, const Stage& stage, Sweep& sweep) {
  const std::uint8_t* golden = work.golden_bytes(stage.output);
  const std::int64_t place = std::int64_t{sweep.lanes} * kPack;
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

void change_input(Workspace& work, const Stage& stage, std::size_t index) {
  const int lanes = work.block().lanes;
  Sweep sweep = sweep_of_change(work, stage, index, lanes);
  if (stage.writes_codes) return write_codes(work, stage, sweep);
  static thread_local AlignedVector<std::int32_t> sums;
  sums.resize(stage.rows * stage.plane * lanes);
  sweep.out_sums = sums.data();
  if (sweep.bands.size() < stage.bands.size()) sweep.bands = stage.bands;
  sweep.positions.clear();
  sweep();
  float* out = work.overwritable(stage.output);
  const std::int64_t numbers = stage.plane * lanes;
  for (std::int64_t c = 0; c < stage.channels; ++c) {
    const double scale = stage.rescale[stage.rescale.size() == 1 ? 0 : c];
    for (std::int64_t i = c * numbers; i < (c + 1) * numbers; ++i) {
      out[i] = static_cast<float>(static_cast<double>(sums[i]) * scale);
    }
  }
  work.note_changes(stage.output, {{0, stage.channels * stage.plane}});
}

}  // namespace

bool pass_stage(Workspace& work, std::size_t index, const std::vector<int>& struck) {
  const Stage& stage = (*work.program().stages)[index];
  if (work.golden_bytes(stage.input) == nullptr) return false;
  if (stage.writes_codes && work.golden_bytes(stage.output) == nullptr) return false;
  const bool input_changed = !work.changed(stage.input).empty();
  if (!struck.empty()) {
    if (input_changed) return false;
    const auto strikes = strikes_of(work, stage, struck);
    if (!strikes) return false;
    strike_rows(work, stage, index, *strikes);
    return true;
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
