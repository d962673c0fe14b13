#include "flipscope/report/slice_report.h"

#include <cmath>
#include <fstream>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, SliceScoresAreComparedWithTheCampaign) {
  const std::string store = exhaustive();
  const CampaignReport campaign = read_campaign(store);
  std::ofstream scores(file("scores.csv"));
  scores << "fault,layer,tensor,index,bit,slice,same,opposite\n";
  for (std::size_t r = 0; r < campaign.faults.size(); ++r) {
    const FaultSite& site = campaign.faults.site[r];
    const FaultTarget& target = campaign.record.targets[static_cast<std::size_t>(site.target)];
    const double change = std::fabs(campaign.faults.delta[r]);
    scores << r << ',' << target.layer << ',' << target.tensor << ',' << site.index << ','
           << site.bit << ",s," << change << ',' << -change << '\n';
  }
  scores << "9,x,unknown,0,0,s,1,1\n";
  scores.close();
  std::ofstream(file("scatter.csv"))
      << "slice,kind,fault,sample,class,x,y,variance_shown\n"
         "conv,expected,,0,1,0.5,-2,0.75\nconv,faulty,12,0,1,1,2,0.75\n";
  const Report report =
      make_report({.stores = {store}, .slices = {file("scores.csv"), file("scatter.csv")}});
  ASSERT_EQ(report.slices.scores.size(), 2u);
  EXPECT_NEAR(report.slices.scores[0].spearman, 1, 1e-12);
  EXPECT_NEAR(report.slices.scores[1].spearman, -1, 1e-12);
  EXPECT_EQ(report.slices.scores[0].faults, campaign.faults.size());
  EXPECT_EQ(report.slices.scores[0].score, report.slices.scores[0].change);
  ASSERT_EQ(report.slices.pictures.size(), 1u);
  EXPECT_EQ(report.slices.pictures[0].fault, (std::vector<std::int64_t>{-1, 12}));
  EXPECT_EQ(report.slices.pictures[0].y, (std::vector<double>{-2, 2}));
  EXPECT_TRUE(report.slices.pictures[0].names.at(12).ends_with(fmt::format(
      ", index {}, bit {}", campaign.faults.site[12].index, campaign.faults.site[12].bit)));
  std::ofstream(file("other.csv")) << "a,b\n1,2\n";
  EXPECT_NE(message_of([&] { read_slices({file("other.csv")}, campaign); }).find("other.csv"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
