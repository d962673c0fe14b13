// Campaigns of networks whose elements have formats of their own.
#include <algorithm>
#include <map>

#include "flipscope/campaign/database.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/campaign/store.h"
#include "flipscope/campaign/test_campaign.h"
#include "flipscope/fault/test_elements.h"

namespace flipscope {
namespace {

using namespace testing;

class ElementsTest : public InFolder {
 protected:
  ElementsTest() {
    Random random(5);
    narrow_elements(graph, random);
    options.space.layers = {"conv"};
  }

  CampaignSummary run_narrow(const std::string& store) {
    const std::atomic<bool> stop{false};
    const Plan plan(options, graph, make_samples(kSamples), "narrow");
    return run_plan(plan, options, file(store), {}, stop);
  }

  Graph graph = small_network(6);
  CampaignOptions options;
};

TEST_F(ElementsTest, TheReferenceAgrees) {
  options.verify = 10;
  for (const char* kind :
       {"bit-flip", "stuck-at-0", "stuck-at-1", "burst:2", "multi:7", "rate:0.05"}) {
    options.faults = kind;
    options.select = "random:40";
    EXPECT_EQ(run_narrow(std::string(kind) + ".db").verified, 10) << kind;
  }
  options.faults = "bit-flip";
  for (const char* how : {"statistical:unaware", "statistical:aware", "statistical:layer",
                          "binary-search", "until:0.05"}) {
    options.select = how;
    EXPECT_EQ(run_narrow(std::string(how) + ".db").verified, 10) << how;
  }
}

TEST_F(ElementsTest, StoresKnowWhatElementsStore) {
  const CampaignSummary summary = run_narrow("run.db");
  const Store store = Store::open(file("run.db"));
  const FaultTarget& target = store.record().targets.at(0);
  const StoredTensor& conv = *std::ranges::find(graph.stored, "conv.weight", &StoredTensor::name);
  EXPECT_EQ(target.encoding.elements, conv.encoding.elements);
  EXPECT_EQ(summary.rows, FaultSpace(graph, options.space).size());
  EXPECT_EQ(FaultSpace(store.record().targets).size(), summary.rows);
  const auto rows = table(csv(file("run.db")));
  ASSERT_EQ(rows.size(), summary.rows + 1);
  std::map<std::string, std::uint64_t> by_bit;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const int index = std::stoi(rows[r][3]), bit = std::stoi(rows[r][4]);
    const ElementBits& element = conv.encoding.elements[index];
    EXPECT_EQ(bit + std::stoi(rows[r][5]) + 1, element.count);
    const double moved = std::fabs(std::stod(rows[r][7]) - std::stod(rows[r][6]));
    EXPECT_EQ(moved, std::ldexp(conv.encoding.scale[0], element.lowest + bit));
    ++by_bit[rows[r][4]];
  }
  for (const RateRow& rate : rates(file("run.db"), Grouping::bit)) {
    EXPECT_EQ(rate.population, by_bit.at(std::to_string(*rate.bit)));
    EXPECT_EQ(rate.population, rate.faults);
  }
  for (const Grouping by : {Grouping::channel, Grouping::weight, Grouping::layer}) {
    for (const RateRow& rate : rates(file("run.db"), by)) {
      EXPECT_EQ(rate.population, rate.faults);
    }
  }
  EXPECT_EQ(run_narrow("run.db").run_now, 0u);
  const Oracle oracle = read_complete_oracle(file("run.db"), Sensitive::worse);
  for (std::size_t k = 0; k < oracle.size(); ++k) {
    const FaultSite site = oracle.site(k);
    const Word mask = conv.encoding.mask(site.index, site.bit);
    const bool is_sign = conv.encoding.elements[site.index].is_signed &&
                         site.bit == conv.encoding.width(site.index) - 1;
    EXPECT_EQ(oracle.lowers[k] != 0, ((conv.words[site.index] & mask) != 0) != is_sign);
  }
}

TEST_F(ElementsTest, ShardsMerge) {
  run_narrow("whole.db");
  std::vector<std::string> shards;
  for (int k = 1; k <= 2; ++k) {
    options.shard = {k, 2};
    shards.push_back(file("shard" + std::to_string(k) + ".db"));
    run_narrow("shard" + std::to_string(k) + ".db");
  }
  merge_stores(shards, file("merged.db"));
  EXPECT_EQ(csv(file("merged.db")), csv(file("whole.db")));
}

TEST_F(ElementsTest, OnlySuchStoresHaveTheTable) {
  run_narrow("run.db");
  run({}, file("plain.db"));
  const auto version = [&](const char* store) {
    return Database::open_to_read(file(store)).number("PRAGMA user_version");
  };
  EXPECT_EQ(version("run.db"), 2);
  EXPECT_EQ(version("plain.db"), 1);
  const char* const tables = "SELECT count(*) FROM sqlite_master WHERE name = 'element'";
  EXPECT_EQ(Database::open_to_read(file("plain.db")).number(tables), 0);
}

}  // namespace
}  // namespace flipscope
