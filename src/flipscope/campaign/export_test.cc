#include "flipscope/campaign/export.h"

#include "flipscope/campaign/test_campaign.h"

namespace flipscope {
namespace {

using namespace testing;

class ExportTest : public InFolder {};

TEST_F(ExportTest, TrialsHaveSitesApart) {
  CampaignOptions options;
  options.faults = "multi:5";
  options.select = "random:30";
  run(options, file("run.db"));
  EXPECT_EQ(csv(file("run.db")).substr(0, 200).find("\n0,,,,,,,,150,") != std::string::npos, true);
  export_sites(file("run.db"), file("sites.csv"));
  EXPECT_EQ(table(read(file("sites.csv"))).size(), 1u + 30 * 5);
  EXPECT_EQ(rates(file("run.db"), Grouping::model).front().faults, 30u);
  EXPECT_THROW(rates(file("run.db"), Grouping::bit), Error);
  EXPECT_THROW(export_fault_list(file("run.db"), file("list.csv")), Error);
  EXPECT_FALSE(std::filesystem::exists(file("list.csv")));
}

TEST_F(ExportTest, AListOfItsOwnExportGivesTheSameRows) {
  CampaignOptions options;
  options.select = "random:300";
  run(options, file("run.db"));
  export_fault_list(file("run.db"), file("list.csv"));
  options.select = "list:" + file("list.csv");
  run(options, file("listed.db"));
  EXPECT_EQ(csv(file("run.db")), csv(file("listed.db")));
  // Rows of a list were not drawn: their rates are their own.
  const Interval drawn = summarize(file("run.db")).masked->interval;
  const Interval listed = summarize(file("listed.db")).masked->interval;
  EXPECT_LT(drawn.lower, listed.lower);
  EXPECT_EQ(listed.lower, listed.upper);
  EXPECT_LT(listed.upper, drawn.upper);
  EXPECT_FALSE(summarize(file("listed.db")).is_sample);
}

TEST_F(ExportTest, GroupsAddUp) {
  CampaignOptions options;
  options.select = "random:3000";
  run(options, file("run.db"));
  const double total = summarize(file("run.db")).critical->mean * 3000;
  for (const Grouping by :
       {Grouping::bit, Grouping::weight, Grouping::channel, Grouping::layer, Grouping::model}) {
    double sum = 0;
    std::uint64_t faults = 0;
    for (const RateRow& row : rates(file("run.db"), by)) {
      sum += row.critical->mean * static_cast<double>(row.faults);
      faults += row.faults;
      EXPECT_LE(row.faults, row.population);
      EXPECT_LE(row.critical->interval.lower, row.critical->mean + 1e-12);
      EXPECT_GE(row.critical->interval.upper, row.critical->mean - 1e-12);
    }
    EXPECT_EQ(faults, 3000u);
    EXPECT_NEAR(sum, total, 1e-9);
  }
  const auto channels = rates(file("run.db"), Grouping::channel);
  EXPECT_EQ(channels.size(), 4u + 6 + 3);
  EXPECT_EQ(channels.front().population, 32u * 2 * 3 * 2);
}

TEST_F(ExportTest, NpzHoldsTheColumns) {
  CampaignOptions options;
  options.select = "random:5";
  run(options, file("run.db"));
  export_npz(file("run.db"), file("a.npz"));
  const std::string bytes = read(file("a.npz"));
  EXPECT_EQ(bytes.substr(0, 2), "PK");
  EXPECT_NE(bytes.find("non_critical.npy"), std::string::npos);
  export_npz(file("run.db"), file("b.npz"));
  EXPECT_EQ(read(file("b.npz")), bytes);
  EXPECT_THROW(export_npz(file("run.db"), ""), Error);
  EXPECT_NE(message_of([&] { export_csv(file("run.db"), file("no/rows.csv")); }).find("cannot be"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
