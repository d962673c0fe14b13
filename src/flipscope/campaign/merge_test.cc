// Merging shards: what belongs together, and what is refused.
#include <gtest/gtest.h>

#include "flipscope/campaign/test_campaign.h"

namespace flipscope {
namespace {

using namespace testing;

class MergeTest : public InFolder {};

TEST_F(MergeTest, MergeRefusesWhatDoesNotBelong) {
  CampaignOptions options;
  options.shard = {1, 2};
  run(options, file("a.db"));
  options.seed = 1;
  run(options, file("b.db"));
  EXPECT_NE(message_of([&] {
              merge_stores({file("a.db"), file("b.db")}, file("m.db"));
            }).find("different campaigns"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file("m.db")));
  // Twice the same shard is half a campaign, and the note says so.
  const CampaignSummary half = merge_stores({file("a.db"), file("a.db")}, file("m.db"));
  EXPECT_LT(half.done, half.rows);
  EXPECT_EQ(half.notes.size(), 2u);
  options.seed = 0;
  options.shard = {};
  EXPECT_EQ(run(options, file("m.db")).done, half.rows);  // and the merged store resumes
  EXPECT_NE(message_of([&] { merge_stores({file("a.db")}, file("m.db")); }).find("exists already"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
