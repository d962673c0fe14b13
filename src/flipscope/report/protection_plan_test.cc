#include "flipscope/report/protection_plan.h"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, PlansAreJudgedByTheCampaign) {
  const std::string store = exhaustive();
  const CampaignReport campaign = read_campaign(store);
  std::string list = "layer,tensor,index,bit\n", json_list;
  double taken = 0, all = 0;
  std::map<std::string, double> by_layer;
  for (std::size_t k = 0; k < campaign.worst.size(); ++k) {
    const std::uint32_t row = campaign.worst[k];
    all += campaign.faults.harm[row];
    if (k >= 12) continue;
    const FaultSite& site = campaign.faults.site[row];
    const FaultTarget& target = campaign.record.targets[static_cast<std::size_t>(site.target)];
    list += fmt::format("{},{},{},{}\n", target.layer, target.tensor, site.index, site.bit);
    json_list += fmt::format(R"({}{{"layer":"{}","tensor":"{}","index":{},"bit":{}}})",
                             k > 0 ? "," : "", target.layer, target.tensor, site.index, site.bit);
    taken += campaign.faults.harm[row];
    by_layer[target.layer] += campaign.faults.harm[row];
  }
  const FaultTarget& first = campaign.record.targets.front();
  list += fmt::format("{},{},0,0\n", first.layer, first.tensor);  // not struck: msb:3
  std::ofstream(file("plan.csv")) << list;
  std::ofstream(file("plan.json")) << R"({"protected":[)" << json_list << "]}";
  std::ofstream(file("printed.json")) << R"({"trial":"multi:9","points":[
      {"bits":0,"area":0,"budget":"","error_left":1,"predicted_change":2.5,"measured":
       {"trials":40,"worse":39,"golden":1,"mean":3,"interval":[2.5,3.5]}},
      {"bits":5,"area":0.1,"budget":"","error_left":0.9,"predicted_change":null},
      {"bits":9,"area":0.2,"budget":"area:20%","error_left":0.5,"predicted_change":1}]})";
  const Report report = make_report(
      {.stores = {store}, .plans = {file("plan.csv"), file("plan.json"), file("printed.json")}});
  ASSERT_EQ(report.plans.size(), 4u);
  const ProtectionPlan& plan = report.plans[0];
  EXPECT_EQ(plan.name, "plan");
  EXPECT_EQ(plan.bits, 13u);
  EXPECT_EQ(plan.run, 12u);
  EXPECT_NEAR(*plan.left, 1 - taken / all, 1e-12);
  EXPECT_NEAR(plan.area, 13 * 2.6 / static_cast<double>(campaign.summary.space), 1e-12);
  std::uint64_t bits = 0;
  for (const auto& layer : plan.layers) {
    bits += layer.bits;
    EXPECT_NEAR(layer.harm_share, by_layer[layer.layer] / all, 1e-12);
  }
  EXPECT_EQ(bits, 13u);
  EXPECT_EQ(report.plans[1].bits, 12u);
  EXPECT_NEAR(*report.plans[1].left, *plan.left, 1e-12);
  EXPECT_EQ(report.plans[2].name, "printed: no protection");
  EXPECT_EQ(report.plans[2].measured->change.mean, 2);
  EXPECT_EQ(report.plans[2].measured->change.interval.upper, 2.5);
  EXPECT_EQ(report.plans[3].bits, 9u);
  EXPECT_EQ(report.plans[3].error_left, 0.5);
  EXPECT_FALSE(report.plans[3].left.has_value());  // harm is of decisions here
  EXPECT_FALSE(report.plans[3].measured.has_value());
  EXPECT_EQ(nlohmann::json::parse(json(report))["plans"][0]["run"], 12);
  // Costs of their own.
  std::ofstream(file("dear.csv")) << fmt::format("layer,tensor,index,bit,area\n{},{},0,0,3.5\n",
                                                 first.layer, first.tensor);
  std::ofstream(file("dear.json"))
      << R"({"protected":[)" << json_list << R"(],"registers_per_bit":2,"voter_per_bit":1.5})";
  const auto dear = read_plans({file("dear.csv"), file("dear.json")}, campaign);
  EXPECT_NEAR(dear[0].area, 3.5 / static_cast<double>(campaign.summary.space), 1e-12);
  EXPECT_NEAR(dear[1].area, 12 * 3.5 / static_cast<double>(campaign.summary.space), 1e-12);
  EXPECT_NE(markdown(report).find("| plan | 13 |"), std::string::npos);
  for (const char* wrong : {"{", "{}", R"({"protected":3})", R"({"protected":[{"layer":"conv"}]})",
                            R"({"points":[{}]})", R"({"protected":[],"voter_per_bit":"x"})"}) {
    std::ofstream(file("wrong.json")) << wrong;
    EXPECT_NE(message_of([&] { read_plans({file("wrong.json")}, campaign); }).find("no plan"),
              std::string::npos)
        << wrong;
  }
  std::ofstream(file("wrong.json"))
      << R"({"protected":[{"layer":"conv","tensor":"conv.weight","index":-1,"bit":3}]})";
  EXPECT_NE(message_of([&] { read_plans({file("wrong.json")}, campaign); }).find("has no layer"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
