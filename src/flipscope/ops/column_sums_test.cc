#include "flipscope/ops/column_sums.h"

#include <gtest/gtest.h>

#include <vector>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

TEST(ColumnSums, AreThoseOfALoop) {
  Random random(1);
  for (const std::int64_t rows : {0, 1, 7, 48}) {
    for (const std::int64_t columns : {kColumnGroup, 3 * kColumnGroup}) {
      std::vector<float> matrix, weight;
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        matrix.push_back(static_cast<float>(random.below(200)) - 100);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        weight.push_back(static_cast<float>(random.below(20)) - 10);
      }
      std::vector<float> sums(static_cast<std::size_t>(columns), 99.0f);
      column_sums(matrix.data(), rows, columns, weight.data(), sums.data());
      for (std::int64_t c = 0; c < columns; ++c) {
        float expected = 0;  // of small whole numbers: exact in any order
        for (std::int64_t r = 0; r < rows; ++r) expected += weight[r] * matrix[r * columns + c];
        EXPECT_EQ(sums[c], expected) << rows << " rows, column " << c;
      }
    }
  }
}

}  // namespace
}  // namespace flipscope
