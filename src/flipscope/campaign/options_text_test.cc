// What the options of a campaign say: sizes, shards, bars.
#include <gtest/gtest.h>

#include "flipscope/campaign/campaign.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

TEST(CampaignOptionsText, ReadsSizesAndShards) {
  EXPECT_EQ(parse_memory("2K"), 2048u);
  EXPECT_EQ(parse_memory("1.5GiB"), 1610612736u);
  EXPECT_EQ(parse_memory("3MB"), 3000000u);
  EXPECT_EQ(parse_memory("1e3"), 1000u);
  for (const char* text : {"", "x", "-1", "0", "1X", "nan", "1e30"}) {
    EXPECT_THROW(parse_memory(text), Error) << text;
  }
  EXPECT_EQ(parse_shard("2/8").count, 8);
  for (const char* text : {"", "0/2", "3/2", "1", "1/", "a/b", "1/2x"}) {
    EXPECT_THROW(parse_shard(text), Error) << text;
  }
}

TEST(CampaignOptionsText, BarsAreBrokenFromAbove) {
  const Bar bar = parse_bar("due >= 1/100");
  EXPECT_EQ(bar.name, "due");
  EXPECT_EQ(bar.bound, 0.01);
  EXPECT_EQ(parse_bar("critical>1%").name, "sdc");
  EXPECT_EQ(parse_bar("critical>1%").bound, 0.01);
  for (const char* text : {"", "sdc", "sdc<0.1", "sdc==0.1", "luck>0.1", "sdc>x"}) {
    EXPECT_THROW(parse_bar(text), Error) << text;
  }
}

}  // namespace
}  // namespace flipscope
