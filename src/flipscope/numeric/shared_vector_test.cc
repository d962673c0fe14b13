#include "flipscope/numeric/shared_vector.h"

#include <gtest/gtest.h>

namespace flipscope {
namespace {

TEST(SharedVector, CopiesShareUntilOneIsEdited) {
  SharedVector<double> a(std::vector<double>{1, 2, 3});
  SharedVector<double> b = a;
  EXPECT_EQ(a->data(), b->data());
  b.edit()[1] = 5;
  EXPECT_EQ(*a, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(*b, (std::vector<double>{1, 5, 3}));
  EXPECT_FALSE(a == b);
  const double* own = b->data();
  b.edit()[1] = 2;
  EXPECT_EQ(b->data(), own);
  EXPECT_TRUE(a == b);
}

TEST(SharedVector, OfNothingIsEmptyAndCanBeEdited) {
  SharedVector<int> a;
  const SharedVector<int> b = a;
  EXPECT_TRUE(a->empty());
  EXPECT_TRUE(a == SharedVector<int>(std::vector<int>{}));
  a.edit().push_back(4);
  EXPECT_EQ(a[0], 4);
  EXPECT_TRUE(b->empty());
}

}  // namespace
}  // namespace flipscope
