#include "flipscope/ops/outer_products.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace flipscope {
namespace {

TEST(OuterProducts, EqualThePortableLoopBitForBit) {
  std::mt19937 random(5);
  const auto draw = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  for (int round = 0; round < 300; ++round) {
    const int lanes = 16 * (1 + draw(2));
    const std::int64_t row_count = 1 + draw(9), column_count = 1 + draw(9), step = 12;
    std::vector<double> a(step * 10 * lanes), b(a.size()), fast(256);
    for (auto* numbers : {&a, &b, &fast}) {
      for (double& x : *numbers) x = std::normal_distribution<double>()(random);
    }
    std::vector<std::int64_t> a_at(draw(20)), b_at;
    for (std::int64_t& at : a_at) {
      at = draw(static_cast<int>(step) - 1);
      b_at.push_back(draw(static_cast<int>(step) - 1));
    }
    std::vector<double> plain = fast;
    OuterProducts products{.rows = {a.data(), a_at, step, row_count},
                           .columns = {b.data(), b_at, step, column_count},
                           .lanes = lanes,
                           .to = fast.data(),
                           .row_step = draw(1) != 0 ? 11 : 1,
                           .column_step = 13};
    add_outer_products(products);
    products.to = plain.data();
    add_outer_products_portable(products);
    ASSERT_EQ(fast, plain) << "round " << round;
  }
}

}  // namespace
}  // namespace flipscope
