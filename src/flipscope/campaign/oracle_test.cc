#include "flipscope/campaign/oracle.h"

#include <cmath>
#include <numeric>

#include "flipscope/campaign/test_campaign.h"

namespace flipscope {
namespace {

using namespace testing;

class OracleTest : public InFolder {};

TEST_F(OracleTest, IsWhatTheExportSays) {
  CampaignOptions options;
  options.space.layers = {"fc2"};
  run(options, file("run.db"));
  const Oracle worse = read_oracle(file("run.db"), Sensitive::worse);
  const Oracle different = read_oracle(file("run.db"), Sensitive::different);
  const auto rows = table(csv(file("run.db")));
  ASSERT_EQ(rows.size(), worse.magnitude.size() + 1);
  for (std::size_t k = 0; k < worse.magnitude.size(); ++k) {
    const double delta = std::stod(rows[k + 1][14]);
    EXPECT_DOUBLE_EQ(worse.magnitude[k], std::fabs(delta));
    EXPECT_EQ(worse.sensitive[k], delta > 0 ? 1 : 0);
    EXPECT_EQ(different.sensitive[k], delta != 0 ? 1 : 0);
  }
}

TEST_F(OracleTest, ARankingIsReadInItsOrder) {
  CampaignOptions options;
  options.space.layers = {"fc2"};
  options.space.bits = "29-31";
  run(options, file("run.db"));
  const Oracle oracle = read_oracle(file("run.db"), Sensitive::worse);
  const auto order_of = [&](const std::string& lines) {
    std::ofstream(file("r.csv")) << "rank,layer,tensor,index,bit,score\n" << lines;
    return read_order(file("r.csv"), oracle);
  };
  EXPECT_EQ(order_of("0,fc2,fc2.weight,1,31,5\n1,fc2,fc2.weight,0,29,4\n"),
            (std::vector<std::uint64_t>{5, 0}));
  EXPECT_NE(message_of([&] { order_of("0,fc2,fc2.weight,1,3,5\n"); }).find("not in the oracle"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              order_of("0,fc2,fc2.weight,1,31,5\n1,fc2,fc2.weight,1,31,5\n");
            }).find("r.csv:3"),
            std::string::npos);
}

/// The bits of a sample have the order and the changes that they have in the whole campaign.
TEST_F(OracleTest, MayBeARandomSample) {
  CampaignOptions options;
  options.space.layers = {"fc2"};
  run(options, file("all.db"));
  options.select = "random:40";
  run(options, file("some.db"));
  const Oracle all = read_oracle(file("all.db"), Sensitive::worse);
  const Oracle some = read_oracle(file("some.db"), Sensitive::worse);
  ASSERT_EQ(some.size(), 40u);
  EXPECT_FALSE(some.is_complete());
  for (std::uint64_t k = 0; k < some.size(); ++k) {
    EXPECT_EQ(some.magnitude[k], all.magnitude[some.numbers[k]]);
    EXPECT_EQ(some.site(k), all.site(some.numbers[k]));
  }
  // A ranking of all bits, last one first, is the same order of the sample's.
  std::ofstream ranking(file("r.csv"));
  ranking << "layer,tensor,index,bit\n";
  for (std::uint64_t k = all.size(); k-- > 0;) {
    ranking << fmt::format("fc2,fc2.weight,{},{}\n", all.site(k).index, all.site(k).bit);
  }
  ranking.close();
  std::vector<std::uint64_t> backwards(some.size());
  std::iota(backwards.rbegin(), backwards.rend(), std::uint64_t{0});
  EXPECT_EQ(read_order(file("r.csv"), some), backwards);
  options.select = "list:" + file("r.csv");
  run(options, file("list.db"));
  EXPECT_NE(message_of([&] { read_oracle(file("list.db"), Sensitive::worse); }).find("random:N"),
            std::string::npos);
}

TEST_F(OracleTest, NeedsEveryFault) {
  CampaignOptions options;
  options.select = "random:10";
  run(options, file("some.db"));
  const std::string message =
      message_of([&] { read_complete_oracle(file("some.db"), Sensitive::worse); });
  EXPECT_NE(message.find("holds 10 faults of --select random:10, and its space has"),
            std::string::npos);
  EXPECT_TRUE(message_of([&] {
                read_complete_oracle(file("some.db"), Sensitive::worse, "protect");
              }).starts_with("[protect] "));
  options.faults = "multi:5";
  run(options, file("trials.db"));
  EXPECT_NE(message_of([&] { read_oracle(file("trials.db"), Sensitive::worse); }).find("trials"),
            std::string::npos);
  EXPECT_NE(message_of([] { parse_sensitive("bad"); }).find("worse or different"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
