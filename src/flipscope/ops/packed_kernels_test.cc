#include "flipscope/ops/packed_kernels.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

AlignedVector<std::uint8_t> random_bytes(std::size_t count, std::uint64_t stream) {
  Random random(3, stream);
  AlignedVector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
  return bytes;
}

std::vector<std::int32_t> random_words(std::size_t count, std::uint64_t stream) {
  Random random(5, stream);
  std::vector<std::int32_t> words(count);
  for (std::int32_t& word : words) {
    word =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32)));
  }
  return words;
}

/// Every instruction set that this machine has, one after the other.
class PackedKernels : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const std::int64_t all = hwy::SupportedTargets();
    std::int64_t left = all;
    for (int k = 0; k < GetParam(); ++k) left &= left - 1;  // the best one has the lowest bit
    if (left == 0) GTEST_SKIP() << "this machine has no more instruction sets";
    hwy::SetSupportedTargetsForTest(left);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  void TearDown() override {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

INSTANTIATE_TEST_SUITE_P(InstructionSets, PackedKernels, testing::Range(0, 4));

struct DotShape {
  int taps, rows, lanes;
};

std::vector<DotShape> shapes() {
  std::vector<DotShape> all;
  for (int taps : {0, 1, 7, 128, 300}) {
    for (int rows : {4, 16, 20}) {
      for (int lanes : {16, 48, 64, 80}) all.push_back({taps, rows, lanes});
    }
  }
  return all;
}

constexpr Packing kPackings[] = {Packing::bytes, Packing::halves};

std::vector<CodeStep> some_steps(std::int64_t rows, Packing out) {
  static const std::vector<std::int32_t> last = random_words(code_count(Packing::halves), 11);
  const auto most = static_cast<float>(code_count(out) - 1);
  std::vector<CodeStep> steps;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto k = static_cast<float>(r);
    steps.push_back({3 * k, (r % 2 == 0 ? 1.0f : -1.0f) * most / (128000 + k), most / 2.5f - k, k,
                     most - 1 - 2 * k, r % 3 == 0 ? last.data() : nullptr});
  }
  return steps;
}

/// Words of codes, lanes · channels of them, whose first place has the largest in every slot.
AlignedVector<std::uint8_t> some_codes(Packing packing, int places, int lanes, int stream) {
  AlignedVector<std::uint8_t> x =
      random_bytes(static_cast<std::size_t>(places) * lanes * kWord, stream);
  const std::uint8_t low = packing == Packing::bytes ? 255 : 0,
                     high = packing == Packing::bytes ? 255 : 128;
  for (int i = 0; i < lanes * kWord; ++i) x[i] = i % 2 == 0 ? low : high;
  return x;
}

// Taps in one stretch and in several, rows with and without their own copy of the taps, lanes in
// full groups and in parts; extreme codes would show a product that saturates.
TEST_P(PackedKernels, DotEqualsThePortableLoop) {
  constexpr int kPlaces = 40;
  for (const auto [taps, rows, lanes] : shapes()) {
    for (Packing in : kPackings) {
      const AlignedVector<std::uint8_t> x = some_codes(in, kPlaces, lanes, taps);
      std::vector<std::int32_t> weights = random_words(rows * (taps + 1), rows);
      std::fill(weights.begin(), weights.begin() + 4,
                static_cast<std::int32_t>(in == Packing::bytes ? 0x80808080u : 0x80008000u));
      std::vector<std::int32_t> place, weight;
      for (int t = 0; t < taps; ++t) {
        place.push_back(t * 7 % kPlaces);
        weight.push_back((t * 5) % (taps + 1));
      }
      const std::vector<std::int32_t> start = random_words(rows, 9);
      const std::vector<std::int32_t> sums(rows * lanes, 1000);
      for (bool from_sums : {false, true}) {
        PackedDot dot{.in = in,
                      .x = x.data(),
                      .place = place.data(),
                      .weights = weights.data(),
                      .weight = weight.data(),
                      .weight_taps = taps + 1,
                      .taps = taps,
                      .start = from_sums ? nullptr : start.data(),
                      .sums = from_sums ? sums.data() : nullptr,
                      .sums_step = lanes,
                      .rows = rows,
                      .lanes = lanes,
                      .codes_step = std::int64_t{lanes} * kWord};
        for (Packing out : kPackings) {
          const std::vector<CodeStep> steps = some_steps(rows, out);
          AlignedVector<std::uint8_t> fast(rows / codes_in_word(out) * lanes * kWord),
              plain(fast.size());
          dot.out = out;
          dot.steps = steps.data();
          dot.codes = fast.data();
          packed_dot(dot);
          dot.codes = plain.data();
          packed_dot_portable(dot);
          EXPECT_EQ(fast, plain) << taps << " taps, " << rows << " rows, " << lanes << " lanes, "
                                 << bits_in_word(in) << " to " << bits_in_word(out) << " bits";
        }
        std::vector<std::int32_t> fast_sums(rows * lanes), plain_sums(rows * lanes);
        dot.codes = nullptr;
        dot.out_sums_step = lanes;
        dot.out_sums = fast_sums.data();
        packed_dot(dot);
        dot.out_sums = plain_sums.data();
        packed_dot_portable(dot);
        EXPECT_EQ(fast_sums, plain_sums);
      }
    }
  }
}

// What the portable loop says in words: codes one by one.
TEST_P(PackedKernels, AWordIsTheSumOfItsProducts) {
  for (Packing in : kPackings) {
    constexpr int kLanes = 16;
    const AlignedVector<std::uint8_t> x = random_bytes(kLanes * kWord, 3);
    const std::vector<std::int32_t> weights = random_words(kTile, 4);
    const std::int32_t zero = 0;
    std::vector<std::int32_t> sums(kTile * kLanes), start(kTile, 7);
    packed_dot({.in = in,
                .x = x.data(),
                .place = &zero,
                .weights = weights.data(),
                .weight = &zero,
                .weight_taps = 1,
                .taps = 1,
                .start = start.data(),
                .rows = kTile,
                .lanes = kLanes,
                .out_sums = sums.data(),
                .out_sums_step = kLanes});
    for (int row = 0; row < kTile; ++row) {
      for (int lane = 0; lane < kLanes; ++lane) {
        std::int64_t sum = 7;
        for (int b = 0; b < codes_in_word(in); ++b) {
          const std::int32_t w = weights[row] >> (b * bits_in_word(in));
          const std::uint8_t* code = x.data() + lane * kWord + b * bits_in_word(in) / 8;
          sum += in == Packing::bytes ? std::int64_t{static_cast<std::int8_t>(w)} * code[0]
                                      : std::int64_t{static_cast<std::int16_t>(w)} *
                                            static_cast<std::int16_t>(code[0] | code[1] << 8);
        }
        EXPECT_EQ(sums[row * kLanes + lane], static_cast<std::int32_t>(sum));
      }
    }
  }
}

TEST_P(PackedKernels, StrikeEqualsThePortableLoop) {
  constexpr int kPositions = 9, kLanes = 48;
  const AlignedVector<std::uint8_t> x = random_bytes(kPositions * kLanes * kWord, 1),
                                    golden = random_bytes(x.size(), 2);
  std::vector<std::int32_t> place;
  for (int p = 0; p < kPositions; ++p) place.push_back(p % 4 == 0 ? -1 : kPositions - 1 - p);
  place.push_back(0);
  std::vector<std::int32_t> sums(kPositions * kLanes);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<std::int32_t>(i * 31) - 5000;
  for (Packing in : kPackings) {
    const bool is_byte = in == Packing::bytes;
    const std::vector<PackedPatch> patches{
        {.x = x.data(),
         .place = place.data(),
         .weight = is_byte ? -128 * 256 : -128 * 65536,
         .add = 17},
        {.x = x.data(), .place = place.data() + 1, .weight = is_byte ? 0x7F : 0x7FF, .add = -3}};
    for (Packing out : kPackings) {
      const float codes = out == Packing::bytes ? 1 : 200;
      for (int count = 0; count <= 2; ++count) {
        for (int slot = 0; slot < codes_in_word(out); ++slot) {
          AlignedVector<std::uint8_t> fast(golden.size()), plain(golden.size());
          PackedStrike strike{.in = in,
                              .out = out,
                              .patches = patches.data(),
                              .patch_count = count,
                              .add = 40,
                              .sums = sums.data(),
                              .positions = kPositions,
                              .lanes = kLanes,
                              .step = {10, 0.02f * codes, 90 * codes, 3 * codes, 250 * codes},
                              .slot = slot,
                              .golden = golden.data(),
                              .out_words = fast.data()};
          EXPECT_TRUE(packed_strike(strike));
          strike.out_words = plain.data();
          EXPECT_TRUE(packed_strike_portable(strike));
          EXPECT_EQ(fast, plain);
          strike.golden = plain.data();
          EXPECT_FALSE(packed_strike(strike)) << "the same codes again";
          EXPECT_FALSE(packed_strike_portable(strike));
          strike.step = {10, 0.01f * codes, 50 * codes, 3 * codes, 250 * codes};
          strike.golden = strike.out_words = fast.data();
          EXPECT_TRUE(packed_strike(strike)) << "other codes, in place";
          strike.golden = strike.out_words = plain.data();
          EXPECT_TRUE(packed_strike_portable(strike));
          EXPECT_EQ(fast, plain);
        }
      }
    }
  }
}

}  // namespace
}  // namespace flipscope
