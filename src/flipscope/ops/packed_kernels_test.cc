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

std::vector<CodeStep> some_steps(std::int64_t rows) {
  static const std::vector<std::int32_t> last = random_words(kCodes, 11);
  std::vector<CodeStep> steps;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto k = static_cast<float>(r);
    steps.push_back({3 * k, (r % 2 == 0 ? 1.0f : -1.0f) / (500 + k), 100 - k, k, 255 - 2 * k,
                     r % 3 == 0 ? last.data() : nullptr});
  }
  return steps;
}

// Taps in one stretch and in several, rows with and without their own copy of the taps, lanes in
// full groups and in parts; extreme bytes would show a product that saturates.
TEST_P(PackedKernels, DotEqualsThePortableLoop) {
  constexpr int kPlaces = 40;
  for (int taps : {0, 1, 7, 128, 300}) {
    for (int rows : {4, 16, 20}) {
      for (int lanes : {16, 48, 64, 80}) {
        AlignedVector<std::uint8_t> x = random_bytes(kPlaces * lanes * kPack, taps);
        std::vector<std::int32_t> weights = random_words(rows * (taps + 1), rows);
        std::fill(x.begin(), x.begin() + lanes * kPack, std::uint8_t{255});
        std::fill(weights.begin(), weights.begin() + 4, static_cast<std::int32_t>(0x80808080u));
        std::vector<std::int32_t> place, weight;
        for (int t = 0; t < taps; ++t) {
          place.push_back(t * 7 % kPlaces);
          weight.push_back((t * 5) % (taps + 1));
        }
        const std::vector<std::int32_t> start = random_words(rows, 9);
        const std::vector<CodeStep> steps = some_steps(rows);
        const std::vector<std::int32_t> sums(rows * lanes, 1000);
        for (bool from_sums : {false, true}) {
          AlignedVector<std::uint8_t> fast(rows * lanes), plain(rows * lanes);
          std::vector<std::int32_t> fast_sums(rows * lanes), plain_sums(rows * lanes);
          PackedDot dot{.x = x.data(),
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
                        .steps = steps.data(),
                        .codes = fast.data(),
                        .codes_step = std::int64_t{lanes} * kPack};
          packed_dot(dot);
          dot.codes = plain.data();
          packed_dot_portable(dot);
          EXPECT_EQ(fast, plain) << taps << " taps, " << rows << " rows, " << lanes << " lanes";
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
}

TEST_P(PackedKernels, StrikeEqualsThePortableLoop) {
  constexpr int kPositions = 9, kLanes = 48;
  const AlignedVector<std::uint8_t> x = random_bytes(kPositions * kLanes * kPack, 1),
                                    golden = random_bytes(x.size(), 2);
  std::vector<std::int32_t> place;
  for (int p = 0; p < kPositions; ++p) place.push_back(p % 4 == 0 ? -1 : kPositions - 1 - p);
  const std::vector<PackedPatch> patches{
      {.x = x.data(), .place = place.data(), .weight = -128 * 256, .add = 17},
      {.x = x.data(), .place = place.data() + 1, .weight = 0x7F, .add = -3}};
  place.push_back(0);
  std::vector<std::int32_t> sums(kPositions * kLanes);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<std::int32_t>(i * 31) - 5000;
  for (int count = 0; count <= 2; ++count) {
    for (int byte = 0; byte < kPack; ++byte) {
      AlignedVector<std::uint8_t> fast(golden.size()), plain(golden.size());
      PackedStrike strike{.patches = patches.data(),
                          .patch_count = count,
                          .add = 40,
                          .sums = sums.data(),
                          .positions = kPositions,
                          .lanes = kLanes,
                          .step = {10, 0.02f, 90, 3, 250},
                          .byte = byte,
                          .golden = golden.data(),
                          .out = fast.data()};
      EXPECT_TRUE(packed_strike(strike));
      strike.out = plain.data();
      EXPECT_TRUE(packed_strike_portable(strike));
      EXPECT_EQ(fast, plain);
      strike.golden = plain.data();
      EXPECT_FALSE(packed_strike(strike)) << "the same bytes again";
    }
  }
}

}  // namespace
}  // namespace flipscope
