#include "flipscope/score/condition.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

constexpr std::array<std::string_view, 2> kNames{"delta", "score"};

Condition parse(const std::string& text) {
  return parse_condition("--critical", text, kNames);
}

TEST(Condition, Comparisons) {
  EXPECT_TRUE(parse("delta>0")(0.1));
  EXPECT_FALSE(parse("delta>0")(0));
  EXPECT_TRUE(parse("delta>=0")(0));
  EXPECT_TRUE(parse("delta<0")(-1));
  EXPECT_FALSE(parse("delta<=0")(1));
  EXPECT_TRUE(parse("delta==0")(-0.0));
  EXPECT_TRUE(parse("delta!=0")(2));
  EXPECT_EQ(parse(" score >= 1/4 ").name, "score");
  EXPECT_EQ(parse(" score >= 1/4 ").bound, 0.25);
  EXPECT_EQ(parse("delta>-1e-3").bound, -1e-3);
}

TEST(Condition, NanMeetsOnlyUnequal) {
  for (const char* text : {"delta<0", "delta<=0", "delta>0", "delta>=0", "delta==0"}) {
    EXPECT_FALSE(parse(text)(NAN));
  }
  EXPECT_TRUE(parse("delta!=0")(NAN));
}

TEST(Condition, AnythingElseIsRefused) {
  for (const char* text : {"", "delta", ">0", "delta>", "delta=0", "delta!0", "Delta>0", "delta>x",
                           "delta>0>1", "delta><0", "delta>nan", "del ta>0"}) {
    EXPECT_THROW(parse(text), Error) << text;
  }
  EXPECT_NE(message_of([] { parse("loss>0"); }).find("one of: delta, score"), std::string::npos);
}

}  // namespace
}  // namespace flipscope
