#include "flipscope/report/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "flipscope/report/test_report.h"
#include "flipscope/report/words.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, GroupsAreThoseOfTheExport) {
  const CampaignReport report = read_campaign(exhaustive());
  EXPECT_TRUE(report.is_exhaustive());

  const auto rows = rates(file("run.db"), Grouping::layer);
  ASSERT_EQ(report.layers.size(), rows.size());
  double share = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(report.layers[i].layer, rows[i].layer);
    EXPECT_EQ(report.layers[i].faults, rows[i].faults);
    EXPECT_EQ(report.layers[i].population, rows[i].population);
    EXPECT_DOUBLE_EQ(report.layers[i].critical->mean, rows[i].critical->mean);
    EXPECT_DOUBLE_EQ(report.layers[i].masked->mean, rows[i].masked->mean);
    EXPECT_DOUBLE_EQ(report.layers[i].non_critical.mean, rows[i].non_critical->mean);
    EXPECT_NEAR(report.layers[i].harm.mean, rows[i].critical->mean + rows[i].due->mean, 1e-12);
    EXPECT_NEAR(report.layers[i].mean_delta, *rows[i].mean_delta, 1e-12);
    share += report.layers[i].harm_share;
  }
  EXPECT_NEAR(share, 1, 1e-12);
  for (const auto* groups : {&report.layers, &report.positions, &report.cells}) {
    std::uint64_t faults = 0;
    for (const FaultGroup& group : *groups) faults += group.faults;
    EXPECT_EQ(faults, report.faults.size());
  }
  EXPECT_EQ(report.positions.front().from_msb, 0);
}

TEST_F(ReportTest, SharesOfHarmAddUpAlsoWhereGroupsArePartsOfStrata) {
  for (const char* select : {"statistical:layer", "statistical:aware"}) {
    CampaignOptions options;
    options.select = select;
    options.selection.precision.error = 0.1;
    const std::string store = file(std::string(select) + ".db");
    run(options, store, false, {}, 4);
    const CampaignReport report = read_campaign(store);
    for (const auto* groups : {&report.layers, &report.positions, &report.cells}) {
      double share = 0;
      for (const FaultGroup& group : *groups) share += group.harm_share;
      EXPECT_NEAR(share, 1, 1e-12) << select;
    }
  }
}

TEST_F(ReportTest, HarmfulBitsAreCounted) {
  const CampaignReport report = read_campaign(exhaustive());
  const auto rows = table(csv(file("run.db")));
  std::uint64_t harmful = 0;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto n = rows[r].size();
    harmful += rows[r][n - 4] != "0" || rows[r][n - 3] != "0" ? 1 : 0;  // critical, due
  }
  EXPECT_GT(harmful, 0u);
  EXPECT_EQ(report.worst.size(), harmful);
  EXPECT_DOUBLE_EQ(report.all.harmful.mean,
                   static_cast<double>(harmful) / static_cast<double>(rows.size() - 1));
  // Every fault was run: no interval.
  EXPECT_DOUBLE_EQ(report.all.harmful.interval.lower, report.all.harmful.mean);
}

TEST_F(ReportTest, WhatIsLeftIsWhatIsNotProtected) {
  const CampaignReport report = read_campaign(exhaustive());
  std::vector<double> harm = report.faults.harm;
  std::ranges::sort(harm, std::greater<>());
  const double all = std::accumulate(harm.begin(), harm.end(), 0.0);
  ASSERT_GE(report.residuals.size(), 3u);
  for (const Residual& residual : report.residuals) {
    const double left =
        std::accumulate(harm.begin() + static_cast<std::ptrdiff_t>(residual.bits), harm.end(), 0.0);
    EXPECT_NEAR(residual.left, left / all, 1e-9);
  }
  const auto half = bits_to_leave(report, 0.5);
  ASSERT_TRUE(half.has_value());
  const auto left_after = [&](std::uint64_t bits) {
    return std::accumulate(harm.begin() + static_cast<std::ptrdiff_t>(bits), harm.end(), 0.0);
  };
  EXPECT_LE(left_after(*half), 0.5 * all + 1e-9);
  EXPECT_GT(left_after(*half - 1), 0.5 * all);
}

TEST_F(ReportTest, AScoreWithoutDecisionsHasHarm) {
  CampaignOptions options;
  options.score = "mse";
  options.select = "random:500";
  Samples samples = make_samples(kSamples);
  samples.targets = std::vector<float>(static_cast<std::size_t>(kSamples * 3), 0.25f);
  samples.target_size = 3;
  const Plan plan(options, small_network(), std::move(samples), "regression");
  run_plan(plan, options, file("run.db"), {}, std::atomic<bool>{false});
  const CampaignReport report = read_campaign(file("run.db"));
  EXPECT_FALSE(report.by_decision());
  EXPECT_FALSE(report.is_exhaustive());
  double sum = 0;
  for (std::size_t r = 0; r < report.faults.size(); ++r) {
    const double delta = report.faults.delta[r];
    if (std::isfinite(delta)) {
      EXPECT_EQ(report.faults.harm[r], std::max(delta, 0.0));
    }
    EXPECT_TRUE(std::isfinite(report.faults.harm[r]));
    sum += report.faults.harm[r];
  }
  EXPECT_NEAR(report.all.harm.mean, sum / 500, 1e-9 * sum);
  EXPECT_LT(report.all.harm.interval.lower, report.all.harm.mean);
  EXPECT_GT(report.all.harm.interval.upper, report.all.harm.mean);
  EXPECT_NE(answer(report).front().find("worsens the mse"), std::string::npos);
  // A sample says nothing of which other bits to protect.
  const std::string rest =
      fmt::format("{} bits that were not run", grouped(plan.space().size() - 500));
  EXPECT_NE(answer(report).back().find(rest), std::string::npos);
}

TEST_F(ReportTest, RankingsAreJudgedAndCurvesRead) {
  const std::string store = exhaustive();
  std::string list = "layer,tensor,index,bit\nconv,conv.weight,0,3\nconv,conv.weight,1,3\n";
  std::ofstream(file("list.csv")) << list;
  std::ofstream(file("curves.csv"))
      << "ranking,flips,found\nbinfi,0,0\nbinfi,10,0.5\n\"a,b\",0,0\n(best possible),0,0\n";
  std::ofstream(file("tops.csv")) << "ranking,percent,bits,flips\nbinfi,1,3,\nbinfi,2,6,40\n";
  const Report report = make_report(
      {.stores = {store}, .rankings = {file("list.csv"), file("curves.csv"), file("tops.csv")}});
  const auto& rankings = report.campaigns.front().rankings;
  ASSERT_EQ(rankings.size(), 4u);
  EXPECT_EQ(rankings[0].name, "list");
  EXPECT_EQ(rankings[0].evaluation->ranked, 2u);
  EXPECT_EQ(rankings[1].name, "binfi");
  EXPECT_EQ(rankings[1].curve.at(1).flips, 10u);
  EXPECT_EQ(rankings[1].curve.at(1).found, 0.5);
  EXPECT_FALSE(rankings[1].evaluation.has_value());
  ASSERT_EQ(rankings[1].top.size(), 2u);
  EXPECT_FALSE(rankings[1].top[0].flips.has_value());
  EXPECT_EQ(rankings[1].top[1].flips, 40u);
  ASSERT_EQ(rankings[3].top.size(), 100u);
  EXPECT_EQ(rankings[2].name, "a,b");
  EXPECT_EQ(rankings[3].curve.back().found, 1);
  EXPECT_GT(rankings[3].evaluation->area, rankings[0].evaluation->area);
  std::ofstream(file("bad.csv")) << "ranking,flips,found\nbinfi,x,0\n";
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store}, .rankings = {file("bad.csv")}});
            }).find("bad.csv:2"),
            std::string::npos);
}

TEST_F(ReportTest, PageHoldsTheDataAndNothingElseIsNeeded) {
  const Report report = make_report({.stores = {exhaustive()}});
  const std::string page = html(report);
  const std::string begin = R"(<script type="application/json" id="report">)";
  const std::size_t from = page.find(begin) + begin.size();
  const std::size_t to = page.find("</script>", from);
  EXPECT_EQ(nlohmann::json::parse(page.substr(from, to - from)),
            nlohmann::json::parse(json(report)));
  EXPECT_NE(page.find("<title>run · Flipscope report</title>"), std::string::npos);
  EXPECT_NE(page.find(answer(report.campaigns.front()).front()), std::string::npos);
  EXPECT_EQ(page.find("<!--flipscope:"), std::string::npos);
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(http"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
}

TEST_F(ReportTest, NamesCannotBreakThePage) {
  Report report = make_report({.stores = {exhaustive()}});
  report.campaigns.front().name = "</script><b>\"&";
  report.campaigns.front().record.targets.front().layer = "<!--|";
  const std::string page = html(report);
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  EXPECT_EQ(page.find("<!--|"), std::string::npos);
  EXPECT_NE(page.find("&lt;/script>&lt;b>&quot;&amp;"), std::string::npos);
  report.campaigns.front().layers.front().layer = "<!--|";
  EXPECT_EQ(markdown(report).find("<!--"), std::string::npos);
  EXPECT_NE(markdown(report).find("| &lt;!--\\| |"), std::string::npos);
  report.campaigns.front().layers.front().layer = "a\nb";
  EXPECT_NE(markdown(report).find("| a b |"), std::string::npos);
}

TEST_F(ReportTest, NamesInAnyLanguageStayAsTheyAre) {
  Report report = make_report({.stores = {exhaustive()}});
  const std::string name = "слой 层\u2028\"'\\ \xff";
  report.campaigns.front().record.targets.front().layer = name;
  const auto read = nlohmann::json::parse(json(report));
  EXPECT_EQ(read["campaigns"][0]["targets"][0]["layer"].get<std::string>(),
            "слой 层\u2028\"'\\ \xEF\xBF\xBD");  // what is no UTF-8 becomes U+FFFD
  EXPECT_EQ(html(report).find('\xff'), std::string::npos);
}

TEST_F(ReportTest, ScoresThatAreNoNumberAreTold) {
  Report report = make_report({.stores = {exhaustive()}});
  CampaignReport& campaign = report.campaigns.front();
  campaign.summary.golden_score = NAN;
  campaign.all.mean_delta = NAN;
  campaign.faults.delta.front() = NAN;
  campaign.faults.delta.back() = INFINITY;
  const auto read = nlohmann::json::parse(json(report));
  EXPECT_TRUE(read["campaigns"][0]["golden_score"].is_null());
  EXPECT_TRUE(read["campaigns"][0]["all"]["mean_delta"].is_null());
  for (const auto& row : table(flipscope::csv(report))) EXPECT_EQ(row.size(), 11u);
}

TEST_F(ReportTest, TablesHaveTheirColumns) {
  const Report report = make_report({.stores = {exhaustive()}});
  const auto rows = table(flipscope::csv(report));
  for (const auto& row : rows) EXPECT_EQ(row.size(), 11u);
  const auto harm = std::ranges::find_if(
      rows, [](const auto& row) { return row[1] == "all" && row[7] == "harm"; });
  ASSERT_NE(harm, rows.end());
  EXPECT_EQ(std::stod((*harm)[8]), report.campaigns.front().all.harm.mean);
  const std::string text = markdown(report);
  for (const char* heading : {"### By layer", "### By bit position", "### Most critical bits",
                              "### What protection leaves", "### What was run"}) {
    EXPECT_NE(text.find(heading), std::string::npos) << heading;
  }
}

TEST_F(ReportTest, TrialsHaveNoPlaces) {
  CampaignOptions options;
  options.faults = "multi:5";
  options.select = "random:30";
  run(options, file("run.db"));
  const Report report = make_report({.stores = {file("run.db")}});
  const CampaignReport& campaign = report.campaigns.front();
  EXPECT_EQ(campaign.all.faults, 30u);
  EXPECT_TRUE(campaign.layers.empty());
  EXPECT_TRUE(campaign.worst.empty());
  EXPECT_EQ(html(report).find("id=\"faults-0\""), std::string::npos);
  EXPECT_EQ(markdown(report).find("### By layer"), std::string::npos);
}

TEST_F(ReportTest, SessionsSayHowTheWorkWasSaved) {
  const CampaignReport report = read_campaign(exhaustive());
  ASSERT_EQ(report.sessions.size(), 1u);
  EXPECT_EQ(report.sessions.front().faults, report.faults.size());
  EXPECT_EQ(report.sessions.front().work.pairs(), report.faults.size() * kSamples);
  const auto what = facts(report);
  EXPECT_TRUE(std::ranges::any_of(what, [](const auto& fact) { return fact.first == "Time"; }));
}

TEST_F(ReportTest, VulnerabilityTablesAreRead) {
  std::filesystem::create_directory(file("v"));
  std::ofstream(file("v/layers.csv"))
      << "kind,layer,draw,channels,drawn,lvf,lower,upper,channels_needed,faults\n"
         "filters,conv,0,4,2,0.2,0.17,0.23,4,9\nfilters,fc1,0,6,6,0.4,0.36,0.44,1,9\n"
         "filters,conv,1,4,2,0.9,0.8,1,4,9\n";
  std::ofstream(file("v/channels.csv"))
      << "kind,layer,draw,channel,targets,cvf\nfilters,conv,0,3,1,0.25\nfilters,conv,1,2,1,0.5\n";
  std::ofstream(file("v/error_maps.csv"))
      << "kind,layer,channel,element,vf,faults,undefined,+2^-1,+2^0,-2^-1,-2^0\n"
         "filters,conv,3,,0.1,20,0,1,2,3,4\nfilters,conv,3,7,0.3,20,0,5,6,7,8\n";
  std::ofstream(file("v/ranges.csv"))
      << "kind,layer,channel,element,sample,up,down,large_up,large_down,undefined\n"
         "filters,conv,3,7,0,0.5,,0,0,0\nfilters,conv,3,7,1,1,-0.5,0,0,0\n"
         "filters,conv,3,,0,,,0,0,0\n";
  const Report report = make_report({.stores = {exhaustive()}, .vulnerability = file("v")});
  const VulnerabilityReport& found = *report.vulnerability;
  ASSERT_EQ(found.layers.size(), 2u);
  ASSERT_EQ(found.networks.size(), 1u);
  EXPECT_NEAR(found.networks[0].factor.mean, 0.3, 1e-12);
  EXPECT_NEAR(found.networks[0].factor.interval.lower, 0.3 - 0.05 / 2, 1e-12);  // √(3² + 4²) = 5
  ASSERT_EQ(found.channels.size(), 1u);
  ASSERT_EQ(found.targets.size(), 2u);
  EXPECT_EQ(found.targets[0].element, 7);
  EXPECT_EQ(found.targets[0].counts, (std::vector<std::int64_t>{5, 6, 7, 8}));
  EXPECT_EQ(found.targets[0].vulnerable, (std::vector<double>{0.5, 1, 0.5, 0.5}));
  EXPECT_EQ(found.targets[1].vulnerable, (std::vector<double>{0, 0, 0, 0}));
  EXPECT_NE(markdown(report).find("| filters | fc1 | 6 of 6 | 40.0% (36.0% to 44.0%) |"),
            std::string::npos);
  std::ofstream(file("v/channels.csv")) << "kind,layer,draw,channel,targets,cvf\nfilters,conv,0\n";
  EXPECT_NE(message_of([&] { read_vulnerability(file("v")); }).find("channels.csv:2"),
            std::string::npos);
  EXPECT_NE(message_of([&] { read_vulnerability(file("run.db")); }).find("no folder"),
            std::string::npos);
}

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
  EXPECT_NE(markdown(report).find("| plan | 13 |"), std::string::npos);
  for (const char* wrong : {"{", "{}", R"({"protected":3})", R"({"protected":[{"layer":"conv"}]})",
                            R"({"points":[{}]})"}) {
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

TEST_F(ReportTest, NetworksAlikeAreCompared) {
  const std::string store = exhaustive();
  CampaignOptions options;
  options.select = "random:40";
  run(options, file("part.db"));
  std::ofstream(file("costs.csv")) << "store,latency,note\npart,2.5,a b\nrun,3,c\n";
  const Report report =
      make_report({.stores = {store, file("part.db")}, .costs = file("costs.csv")});
  ASSERT_TRUE(report.space.has_value());
  const DesignSpace& space = *report.space;
  EXPECT_EQ(space.columns, (std::vector<std::string>{"latency", "note"}));
  EXPECT_EQ(space.designs[0].costs, (std::vector<std::string>{"3", "c"}));
  EXPECT_EQ(space.designs[1].costs, (std::vector<std::string>{"2.5", "a b"}));
  EXPECT_EQ(space.score, "mispredict");
  EXPECT_TRUE(space.designs[0].to_guard.has_value());
  EXPECT_FALSE(space.designs[1].to_guard.has_value());  // not every fault was run
  EXPECT_NE(markdown(report).find("| latency | note |"), std::string::npos);
  for (const auto& row : table(flipscope::csv(report))) EXPECT_EQ(row.size(), 11u);
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store}, .costs = file("costs.csv")});
            }).find("two stores"),
            std::string::npos);
  std::ofstream(file("costs.csv")) << "store,latency\nother,2\n";
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store, file("part.db")}, .costs = file("costs.csv")});
            }).find("no row is called 'run'"),
            std::string::npos);
}

TEST_F(ReportTest, RefusesWhatSaysNothing) {
  EXPECT_NE(message_of([&] { make_report({.stores = {file("none.db")}}); }).find("none.db"),
            std::string::npos);
  const std::string store = exhaustive();
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store, store}});
            }).find("twice"),
            std::string::npos);
  CampaignOptions options;
  options.select = "random:10";
  run(options, file("empty.db"), true);
  EXPECT_NE(message_of([&] { make_report({.stores = {file("empty.db")}}); }).find("no fault yet"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
