#include "flipscope/ops/rearrange.h"

#include <rapidcheck.h>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using Numbers = std::vector<float>;

TEST(Rearrange, TransposesPadsAndRepeats) {
  const Rearrange op{{0, 3, 1, 4, 2, 5, -1, -1, 5, 5}, {2, 5}, 9};
  expect_same(run<float>(op, {{{2, 3}, {0, 1, 2, 3, 4, 5}}}, 1), {0, 3, 1, 4, 2, 5, 9, 9, 5, 5});
}

TEST(Rearrange, RunsStopAtTheEndOfAnInput) {
  const Rearrange op{{0, 1, 2, 3, 4, 5}, {6}};
  const Numbers a{0, 10, 1, 11}, c{5, 15, 6, 16, 7, 17};
  const std::vector<Operand<float>> operands{{{2}, a}, {{1}, {3}, true}, {{3}, c}};
  expect_same(run<float>(op, operands, 2), {0, 10, 1, 11, 3, 3, 5, 15, 6, 16, 7, 17});
}

TEST(Rearrange, EmptyInputsAndOutputs) {
  expect_same(run<float>(Rearrange{{0}, {1}}, {{{0}, {}}, {{1}, {4}}}, 1), {4});
  expect_same(run<float>(Rearrange{{}, {0, 3}}, {{{1}, {4}}}, 1), {});
}

TEST(Rearrange, EqualsTheTable) {
  rc::check([] {
    const int lanes = *rc::gen::inRange(1, 20);
    std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
    std::vector<Operand<float>> operands;
    Numbers all;  // the inputs end to end, [element][lane]
    for (int i = 0; i < 3; ++i) {
      const auto count = *rc::gen::inRange<std::int64_t>(1, 6);
      const bool constant = *rc::gen::arbitrary<bool>();
      operands.push_back(
          {{count}, awkward_numbers<float>(count * (constant ? 1 : lanes), random), constant});
      for (std::int64_t e = 0; e < count * lanes; ++e) {
        all.push_back(operands.back().data[constant ? e / lanes : e]);
      }
    }
    const auto available = static_cast<std::int32_t>(all.size() / lanes);
    Rearrange op;
    op.fill = 0.5;
    while (op.source.size() < 20) {  // stretches, so that there are runs
      std::int32_t at = *rc::gen::inRange(-1, available);
      for (int n = *rc::gen::inRange(1, 6); n > 0 && at < available; --n) op.source.push_back(at++);
    }
    op.shape = {static_cast<std::int64_t>(op.source.size())};
    const Numbers actual = run<float>(op, operands, lanes);
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const std::int32_t from = op.source[i / lanes];
      RC_ASSERT(same(actual[i], from < 0 ? 0.5f : all[from * lanes + i % lanes]));
    }
  });
}

TEST(SparseLinear, SumsInOrder) {
  const SparseLinear op{{0, 2, 2, 5}, {0, 1, 2, 0, 2}, {0.25f, 0.75f, 1, 1, 1}, {3}};
  expect_same(run<float>(op, {{{3}, {4, 8, 1e30f}}}, 1), {7, 0, 2e30f});
  expect_same(run<float>(op, {{{3}, {1e-30f, kNaN, 1}}}, 1), {kNaN, 0, 2});
}

TEST(SparseLinear, FusesEachTerm) {
  const float x = 1 + 0x1p-12f;  // x² needs 25 bits; the fused sum shows the last one
  const SparseLinear op{{0, 2}, {0, 1}, {1, x}, {1}};
  expect_same(run<float>(op, {{{2}, {-1, x}}}, 1), {0x1p-11f + 0x1p-24f});
}

TEST(Rearrange, Laws) {
  expect_lane_laws(Rearrange{{5, 0, 1, 2, -1, 7, 8, 4, 3}, {3, 3}, -1}, {{2, 2}, {5}});
  expect_lane_laws(SparseLinear{{0, 2, 2, 5}, {0, 1, 2, 0, 2}, {0.25f, 0.75f, 1, 1, 1}, {3}},
                   {{3}});
}

TEST(Rearrange, Misfits) {
  const std::vector<Shape> inputs{{2}};
  EXPECT_THROW(output_shape(Rearrange{{0, 2}, {2}}, inputs), Error);
  EXPECT_THROW(output_shape(Rearrange{{0, -2}, {2}}, inputs), Error);
  EXPECT_THROW(output_shape(Rearrange{{0, 1}, {3}}, inputs), Error);
  EXPECT_THROW(output_shape(SparseLinear{{0, 1}, {2}, {1}, {1}}, inputs), Error);
  EXPECT_THROW(output_shape(SparseLinear{{0, 2}, {1}, {1}, {1}}, inputs), Error);
  EXPECT_THROW(output_shape(SparseLinear{{}, {}, {}, {1}}, inputs), Error);
}

}  // namespace
}  // namespace flipscope
