#include "flipscope/ops/run_products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace flipscope {
namespace {

struct Case {
  std::int64_t count;
  Walk<const double> a, b;
  Walk<double> to;
  int lanes;
};

double at(const Walk<const double>& walk, std::int64_t i, int lane) {
  return walk.at[i * walk.step + (walk.lanes ? lane : 0)];
}

/// The sum over terms `from` … `to` − 1 and all lanes, in the order that the header states.
double summed(const Case& c, std::int64_t from, std::int64_t to) {
  double total = 0;
  for (int first = 0; first < c.lanes; first += 16) {
    std::array<double, 16> lane_sums{};
    for (int l = first; l < std::min(first + 16, c.lanes); ++l) {
      std::array<double, 4> s{};
      for (std::int64_t i = from; i < to; ++i) s[(i - from) % 4] += at(c.a, i, l) * at(c.b, i, l);
      lane_sums[l - first] = (s[0] + s[1]) + (s[2] + s[3]);
    }
    for (int half = 8; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) lane_sums[j] += lane_sums[j + half];
    }
    total += lane_sums[0];
  }
  return total;
}

void plain(const Case& c) {
  if (c.to.lanes) {
    for (std::int64_t i = 0; i < c.count; ++i) {
      for (int l = 0; l < c.lanes; ++l) c.to.at[i * c.to.step + l] += at(c.a, i, l) * at(c.b, i, l);
    }
  } else if (c.to.step == 0) {
    *c.to.at += summed(c, 0, c.count);
  } else {
    for (std::int64_t i = 0; i < c.count; ++i) c.to.at[i * c.to.step] += summed(c, i, i + 1);
  }
}

TEST(RunProducts, HaveTheStatedBitsInEveryForm) {
  std::mt19937 random(3);
  const auto draw = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  for (int round = 0; round < 3000; ++round) {
    const int lanes = 1 + draw(39);
    const std::int64_t count = 1 + draw(12);
    std::vector<double> a(2048), b(2048), start(2048);
    for (auto* numbers : {&a, &b, &start}) {
      for (double& x : *numbers) x = std::normal_distribution<double>()(random);
    }
    const auto walk = [&](auto* data) {
      const bool own = draw(1) != 0;
      return Walk<std::remove_pointer_t<decltype(data)>>{data, draw(3) * (own ? lanes : 1), own};
    };
    std::vector<double> fast = start, slow = start;
    Case c{count, walk(std::as_const(a).data()), walk(std::as_const(b).data()), walk(fast.data()),
           lanes};
    add_products(c.count, c.a, c.b, c.to, c.lanes);
    c.to.at = slow.data();
    plain(c);
    ASSERT_EQ(fast, slow) << "round " << round;
  }
}

}  // namespace
}  // namespace flipscope
