#include "flipscope/model/text.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace flipscope {
namespace {

TEST(Text, NumbersAreWholeTexts) {
  EXPECT_EQ(parse_whole<int>("-12"), -12);
  EXPECT_EQ(parse_whole<std::uint64_t>("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(parse_whole<double>("0.5"), 0.5);
  for (const char* text : {"", " 1", "1 ", "1x", "+1", "2147483648"}) {
    EXPECT_FALSE(parse_whole<int>(text)) << text;
  }
  EXPECT_FALSE(parse_whole<std::uint64_t>("-1"));
}

TEST(Text, ListsHaveOnePieceMoreThanSeparators) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(split_text("a,b c"), (Pieces{"a", "b c"}));
  EXPECT_EQ(split_text(",a,"), (Pieces{"", "a", ""}));
  EXPECT_EQ(split_text(""), Pieces{""});
  EXPECT_EQ(split_text("a+b", '+'), (Pieces{"a", "b"}));
}

TEST(Text, PatternsCoverWholeNames) {
  EXPECT_TRUE(matches_glob("conv1/a", "conv*"));
  EXPECT_FALSE(matches_glob("conv1", "conv"));
  EXPECT_TRUE(matches_any("dense", {}));
  EXPECT_TRUE(matches_any("dense", {"conv*", "d?nse"}));
  EXPECT_FALSE(matches_any("dense", {"conv*"}));
}

}  // namespace
}  // namespace flipscope
