#include "flipscope/engine/stage_strike.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace flipscope {
namespace {

/// One struck constant of a stage's head.
struct Strike {
  std::int64_t row = 0, channel = 0, tap = 0;
  std::int64_t change = 0;
  std::int64_t most = 0;  ///< that it adds to a |sum|
  bool is_bias = false;
};

/// By rows; nothing where the stage cannot serve.
std::optional<std::vector<Strike>> strikes_of(const Workspace& work, const Stage& stage,
                                              const std::vector<int>& struck) {
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
      strike = {place.row, place.channel, place.tap};
    } else if (head.inputs.size() > 2 && head.inputs[2].kind == Input::Kind::constant &&
               head.inputs[2].id == patch.constant &&
               element_count(head.inputs[2].shape) == stage.channels) {
      strike.row = patch.element;
      strike.is_bias = true;
    } else {
      return {};
    }
    const double change = work.program().wide[patch.constant][patch.element] - patch.wide;
    const double largest = strike.is_bias ? 1 : stage.in.largest;
    if (change != std::nearbyint(change) ||
        std::abs(change) * largest > static_cast<double>(stage.room) ||
        (!strike.is_bias && std::abs(change) >= code_count(stage.in.packing))) {
      return {};
    }
    strike.change = static_cast<std::int64_t>(change);
    strike.most = std::abs(strike.change) * static_cast<std::int64_t>(largest);
    all.push_back(strike);
  }
  std::sort(all.begin(), all.end(), [](const Strike& a, const Strike& b) { return a.row < b.row; });
  std::int64_t most = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    most = all[i].most + (i > 0 && all[i - 1].row == all[i].row ? most : 0);
    if (most > stage.room) return {};
  }
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
  const std::int64_t in_group = stage.in.plane * lanes * kWord;
  const std::int64_t out_group = stage.plane * lanes * kWord;
  const int in_word = stage.in.in_word(), out_word = stage.out.in_word();
  const int bits = bits_in_word(stage.in.packing);
  const std::int64_t largest = code_count(stage.in.packing) / 2 - 1;  // of a signed code
  Ranges changed;
  std::int64_t written = -1;  // the last group
  std::vector<PackedPatch> patches;
  for (std::size_t i = 0; i < strikes.size();) {
    const std::int64_t row = strikes[i].row, group = row / out_word;
    patches.clear();
    std::int32_t add = 0;
    for (; i < strikes.size() && strikes[i].row == row; ++i) {
      const Strike& strike = strikes[i];
      if (strike.is_bias) {
        add += static_cast<std::int32_t>(strike.change);
        continue;
      }
      for (std::int64_t left = strike.change; left != 0;) {
        const std::int64_t part = std::clamp(left, -largest - 1, largest);
        left -= part;
        const auto own = static_cast<std::uint32_t>(part) & ((std::uint32_t{1} << bits) - 1);
        patches.push_back(
            {.x = input + strike.channel / in_word * in_group,
             .place = stage.reads.data() + strike.tap * stage.plane,
             .weight = static_cast<std::int32_t>(own << (bits * (strike.channel % in_word))),
             .add = static_cast<std::int32_t>(-stage.in.offset() * part)});
      }
    }
    const bool differs =
        packed_strike(PackedStrike{.in = stage.in.packing,
                                   .out = stage.out.packing,
                                   .patches = patches.data(),
                                   .patch_count = static_cast<int>(patches.size()),
                                   .add = add,
                                   .sums = sums + row * stage.plane * lanes,
                                   .positions = stage.plane,
                                   .lanes = lanes,
                                   .step = stage.steps[row],
                                   .slot = static_cast<int>(row % out_word),
                                   .golden = (group == written ? out : golden) + group * out_group,
                                   .out_words = out + group * out_group});
    written = group;
    if (differs) append(changed, {row * stage.plane, (row + 1) * stage.plane});
  }
  work.note_changed_bytes(stage.output, std::move(changed));
}

/// Adds what a struck weight or bias changes to the sums of its row, [position][lane].
void add_strike(const Stage& stage, const Strike& strike, const std::uint8_t* input, int lanes,
                std::int32_t* sums) {
  const int bits = bits_in_word(stage.in.packing), offset = stage.in.offset();
  const int left = 32 - bits - bits * static_cast<int>(strike.channel % stage.in.in_word());
  const bool is_signed = stage.in.packing == Packing::halves;
  const auto change = static_cast<std::int32_t>(strike.change);
  const auto* words = reinterpret_cast<const std::uint32_t*>(input) +
                      strike.channel / stage.in.in_word() * stage.in.plane * lanes;
  for (std::int64_t p = 0; p < stage.plane; ++p, sums += lanes) {
    const std::int32_t place = strike.is_bias ? 0 : stage.reads[strike.tap * stage.plane + p];
    if (place < 0) continue;
    const std::uint32_t* from = words + std::int64_t{place} * lanes;
    for (int lane = 0; lane < lanes; ++lane) {
      const std::uint32_t top = from[lane] << left;
      const auto code = is_signed ? static_cast<std::int32_t>(top) >> (32 - bits)
                                  : static_cast<std::int32_t>(top >> (32 - bits));
      sums[lane] += strike.is_bias ? change : change * (code - offset);
    }
  }
}

/// The same as strike_rows, of a stage that writes numbers.
void strike_numbers(Workspace& work, const Stage& stage, std::size_t index,
                    const std::vector<Strike>& strikes) {
  const int lanes = work.block().lanes;
  const std::int64_t count = stage.plane * lanes;
  const std::int32_t* golden = work.stage_sums(index);
  float* out = work.writable(stage.output);
  static thread_local AlignedVector<std::int32_t> sums;
  Ranges written;
  for (std::size_t i = 0; i < strikes.size();) {
    const std::int64_t row = strikes[i].row;
    sums.assign(golden + row * count, golden + (row + 1) * count);
    for (; i < strikes.size() && strikes[i].row == row; ++i) {
      add_strike(stage, strikes[i], work.golden_bytes(stage.input), lanes, sums.data());
    }
    stage.write_numbers(row, {0, stage.plane}, sums.data(), lanes, out);
    append(written, {row * stage.plane, (row + 1) * stage.plane});
  }
  work.note_changes(stage.output, written);
}

}  // namespace

bool strike_stage(Workspace& work, std::size_t index, const std::vector<int>& struck) {
  const Stage& stage = (*work.program().stages)[index];
  const auto strikes = strikes_of(work, stage, struck);
  if (!strikes) return false;
  (stage.writes_codes ? strike_rows : strike_numbers)(work, stage, index, *strikes);
  return true;
}

}  // namespace flipscope
