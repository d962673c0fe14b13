// A stage: an affine layer on codes of one byte or of 16 bits, with all that follows it up to the
// next codes.
//
// Between stages values lie packed (ops/packed_kernels.h); what a stage computes inside, sums and
// normalized numbers, is never written to memory. Other nodes see the same values as numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/engine/packed.h"

namespace flipscope {

struct Program;

/// Output channels that read the same words of input channels: all of them, or those of some of the
/// parts that a grouped convolution falls into.
struct Band {
  std::int64_t row = 0;  ///< the first; rows are a multiple of kTile
  std::int64_t rows = 0;
  std::int64_t group = 0;  ///< the first word of input channels
  std::int64_t groups = 0;
  std::int64_t weights = 0;  ///< where its own begin
};

/// The taps that exist at some output positions (others fall on padding).
struct TapPattern {
  std::int64_t taps = 0;             ///< of one group of input channels
  std::vector<std::int32_t> place;   ///< [group][tap] in the packed input, from a band's first
  std::vector<std::int32_t> kernel;  ///< [group][tap] word of a band's weights
  std::vector<std::int32_t> start;   ///< [row] bias, less what the offset of the input adds
};

struct Stage {
  std::vector<int> nodes;  ///< in order: perhaps a Rearrange, the affine head, and the rest
  int head = -1;
  int input = -1;   ///< value that the stage reads
  int output = -1;  ///< value that it writes
  PackedShape in;
  PackedShape out;                      ///< where it writes codes
  bool writes_codes = false;            ///< else float32 numbers: sums times `rescale`
  std::int64_t rows = 0;                ///< output channels, a multiple of kTile
  std::int64_t channels = 0;            ///< the real ones
  std::int64_t plane = 1;               ///< output positions
  std::int64_t kernel = 1;              ///< taps of one channel
  std::int64_t parts = 1;               ///< that the channels of a grouped convolution fall into
  std::vector<Band> bands;              ///< by rows
  std::vector<std::int32_t> reads;      ///< [tap][position] place in the input's plane, or −1
  std::vector<std::int32_t> read_by;    ///< output positions that read each place, place by place
  std::vector<std::int32_t> read_from;  ///< [place] where its positions begin, and the total
  std::vector<TapPattern> patterns;
  std::vector<std::int32_t> pattern;  ///< [position]
  std::vector<std::int32_t> anchor;   ///< [position] place of the first tap
  std::vector<std::int32_t> weights;  ///< words, [band][row/4][group·kernel + tap][row%4]
  /// Each weight and its negative, for a changed input channel: [channel][row/4][tap][row%4], in
  /// the low codes of a word. Empty if one has no negative, and where there are parts.
  std::vector<std::int32_t> opposed;
  std::vector<std::int32_t> source;  ///< of a matrix product: [row of w] element of `input`
  std::vector<std::vector<std::int32_t>> last;  ///< the steps' tables
  std::vector<CodeStep> steps;                  ///< [row]
  std::vector<double> rescale;
  std::int64_t bound = 0;  ///< of |sum|, struck constants included
  std::int64_t room = 0;   ///< what struck constants may add to a |sum|

  /// Where element i of the head's weights acts.
  struct Place {
    std::int64_t row, channel, tap;
  };
  Place place_of(std::int64_t element) const;

  const Band& band_of(std::int64_t row) const;

  /// The place in `weights` of word group·kernel + tap of a row, groups counted from the band's.
  std::int64_t word_of(const Band& band, std::int64_t row, std::int64_t word) const {
    return band.weights + ((row - band.row) / kTile * band.groups * kernel + word) * kTile +
           row % kTile;
  }

  /// The numbers of one row at some positions, [row][position][lane], from its sums,
  /// [position][lane].
  void write_numbers(std::int64_t row, const Range& positions, const std::int32_t* sums, int lanes,
                     float* numbers) const;

  /// Output positions that read any of these places of the input's plane.
  Positions affected(const Positions& places) const;
};

/// All stages of a program, in order of their first nodes.
std::vector<Stage> find_stages(const Program& program);

/// [value] how its stages read or write it; nothing where none does.
std::vector<std::optional<PackedShape>> packed_values(const Graph& graph,
                                                      const std::vector<Stage>& stages);

}  // namespace flipscope
