#include "flipscope/numeric/tensor.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>
#include <set>
#include <string>

#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

TEST(Tensor, ElementCount) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({7}), 7);
  EXPECT_EQ(element_count({1, 3, 32, 32}), 3072);
  EXPECT_EQ(element_count({5, 0, 3}), 0);
  EXPECT_EQ(element_count({kMostElements}), kMostElements);
  EXPECT_EQ(element_count({1 << 16, 1 << 15}), kMostElements);
}

TEST(Tensor, ElementCountRefusesWhatIsTooLargeOrNegative) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(element_count({kMostElements + 1}), Error);
  EXPECT_THROW(element_count({1 << 16, 1 << 16}), Error);
  // 2^32 · 2^32 wraps to 0, and 3 · (2^64 / 3 + 1) to a small number.
  EXPECT_THROW(element_count({std::int64_t{1} << 32, std::int64_t{1} << 32}), Error);
  EXPECT_THROW(element_count({3, 6148914691236517206}), Error);
  EXPECT_THROW(element_count({kMost, kMost, kMost}), Error);
  EXPECT_THROW(element_count({2, -1}), Error);
  EXPECT_THROW(element_count({0, -1}), Error);
  EXPECT_EQ(element_count({kMost, kMost, 0}), 0);
  EXPECT_EQ(message_of([] {
              element_count({2, -1});
            }),
            "[shape] [2,-1] has a negative dimension; dimensions must be 0 or more");
}

TEST(Tensor, ShapeToString) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{1, 3, 32, 32}), "[1,3,32,32]");
}

TEST(Tensor, Strides) {
  EXPECT_EQ(strides_of({}), Shape{});
  EXPECT_EQ(strides_of({4}), Shape{1});
  EXPECT_EQ(strides_of({2, 3, 4}), (Shape{12, 4, 1}));
}

TEST(Tensor, Broadcast) {
  EXPECT_EQ(broadcast({}, {}), Shape{});
  EXPECT_EQ(broadcast({}, {3}), Shape{3});
  EXPECT_EQ(broadcast({8, 1, 6, 1}, {7, 1, 5}), (Shape{8, 7, 6, 5}));
  EXPECT_EQ(broadcast({256, 256, 3}, {3}), (Shape{256, 256, 3}));
  EXPECT_EQ(broadcast({1}, {0}), Shape{0});
  EXPECT_THROW(broadcast({3}, {4}), Error);
  EXPECT_THROW(broadcast({2, 1}, {8, 4, 3}), Error);
  EXPECT_THROW(broadcast({0}, {2}), Error);
}

TEST(Tensor, BroadcastIsSymmetricAndIdempotent) {
  rc::check([] {
    const auto a = *rc::gen::container<Shape>(rc::gen::element<std::int64_t>(1, 1, 3));
    const auto b = *rc::gen::container<Shape>(rc::gen::element<std::int64_t>(1, 1, 3));
    const Shape result = broadcast(a, b);
    RC_ASSERT(result == broadcast(b, a));
    RC_ASSERT(result == broadcast(result, a));
  });
}

TEST(Tensor, ElementTypes) {
  std::set<std::string> names;
  int integers = 0;
  for (int i = 0; i <= static_cast<int>(ElementType::boolean); ++i) {
    const auto type = static_cast<ElementType>(i);
    const std::string name = to_string(type);
    names.insert(name);
    EXPECT_EQ(is_integer(type), name.find("int") != std::string::npos) << name;
    integers += is_integer(type);
  }
  EXPECT_EQ(names.size(), 15u);
  EXPECT_EQ(integers, 10);
  EXPECT_STREQ(to_string(ElementType::bfloat16), "bfloat16");
}

}  // namespace
}  // namespace flipscope
