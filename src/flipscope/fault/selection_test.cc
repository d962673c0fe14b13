#include "flipscope/fault/selection.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "flipscope/fault/protection.h"
#include "flipscope/fault/test_elements.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

using testing::small_network;

class SelectionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Selection> select(const FaultSpace& from, const std::string& model,
                                    const std::string& how, std::uint64_t seed = 0,
                                    std::vector<FaultSite> listed = {}) const {
    return select_faults(graph, from, parse_fault_model(model), parse_selection(how), {}, seed,
                         std::move(listed));
  }

  std::string write(const std::string& text) const {
    return temporary_file("fault_list.csv", text);
  }

  Graph graph = small_network();
  FaultSpace space{graph, {}};
  FaultSpace whole = whole_space(graph);
};

TEST_F(SelectionTest, ExhaustiveIsTheSpace) {
  const auto all = select(space, "stuck-at-1", "exhaustive");
  ASSERT_EQ(all->size(), space.size());
  for (std::uint64_t row = 0; row < all->size(); row += 77) {
    const Fault fault = all->fault(row);
    EXPECT_EQ(fault.effect, FaultEffect::stuck_at_1);
    EXPECT_EQ(fault.sites, std::vector<FaultSite>{space.site(row)});
  }
}

TEST_F(SelectionTest, RankingTakesTheFirstOfItsList) {
  const std::vector<FaultSite> listed{space.site(9), space.site(2), space.site(5)};
  EXPECT_EQ(select(space, "bit-flip", "ranking:r.csv", 0, listed)->size(), 3u);
  const auto two = select(space, "bit-flip", "ranking:r.csv:2", 0, listed);
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ(two->fault(1).sites, std::vector<FaultSite>{space.site(2)});
  EXPECT_EQ(message_of([&] { select(space, "bit-flip", "ranking:r.csv:4", 0, listed); }),
            "[faults] --select ranking:r.csv:4 asks for more than the 3 faults that it lists");
}

TEST_F(SelectionTest, RandomDrawsDistinctFaultsInOrder) {
  rc::check([&] {
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 400);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto drawn = select(space, "bit-flip", "random:" + std::to_string(count), seed);
    RC_ASSERT(drawn->size() == count);
    RC_ASSERT(drawn->population() == space.size());
    for (std::uint64_t row = 1; row < count; ++row) {
      RC_ASSERT(drawn->fault(row - 1).sites < drawn->fault(row).sites);
    }
  });
  const auto all = select(space, "bit-flip", "random:" + std::to_string(space.size()));
  EXPECT_EQ(all->fault(5).sites.front(), space.site(5));
  EXPECT_THROW(select(space, "bit-flip", "random:" + std::to_string(space.size() + 1)), Error);
}

TEST_F(SelectionTest, SamplesOfStrataSayWhatTheyAreOf) {
  const std::pair<const char*, Strata> methods[] = {{"statistical:layer", Strata::tensors},
                                                    {"statistical:unaware", Strata::bits},
                                                    {"statistical:aware", Strata::bits}};
  for (const auto& [how, strata] : methods) {
    const auto sample = select(space, "stuck-at-0", how);
    EXPECT_EQ(sample->strata(), strata);
    EXPECT_EQ(sample->population(), space.size());
    EXPECT_LE(sample->size(), space.size());
    EXPECT_EQ(sample->fault(0).effect, FaultEffect::stuck_at_0);
    EXPECT_THROW(select(space, "burst:2", how), Error);
  }
  EXPECT_THROW(select(space, "stuck-at-0", "binary-search"), Error);
  EXPECT_THROW(select(space, "multi:3", "binary-search"), Error);
}

TEST_F(SelectionTest, BurstsStayInsideAWord) {
  const FaultSpace low(graph, {.parts = {Part::weights}, .layers = {"fc2"}, .bits = "0-3,6-7"});
  const auto bursts = select(low, "burst:2", "exhaustive");
  EXPECT_EQ(bursts->size(), 6u * 3 * 4);  // 0-1, 1-2, 2-3, 6-7
  for (std::uint64_t row = 0; row < bursts->size(); ++row) {
    const std::vector<FaultSite> sites = bursts->fault(row).sites;
    ASSERT_EQ(sites.size(), 2u);
    EXPECT_EQ(sites[0].index, sites[1].index);
    EXPECT_EQ(sites[0].bit + 1, sites[1].bit);
    EXPECT_NE(sites[0].bit, 3);
  }
  EXPECT_THROW(select(low, "burst:5", "exhaustive"), Error);
}

TEST_F(SelectionTest, BurstsStayInsideWhatAnElementStores) {
  Graph narrow = small_network(6);
  Random random(3);
  testing::narrow_elements(narrow, random);
  const FaultSpace conv(narrow, {.parts = {Part::weights}, .layers = {"conv"}, .bits = {}});
  std::uint64_t expected = 0;
  for (const ElementBits& element : conv.targets()[0].encoding.elements) {
    expected += std::max(element.count - 2, 0);
  }
  const auto bursts = select_faults(narrow, conv, parse_fault_model("burst:3"),
                                    parse_selection("exhaustive"), {}, 0, {});
  ASSERT_EQ(bursts->size(), expected);
  for (std::uint64_t row = 0; row < bursts->size(); ++row) {
    const std::vector<FaultSite> sites = bursts->fault(row).sites;
    EXPECT_LT(sites.back().bit, conv.targets()[0].encoding.width(sites.back().index));
    EXPECT_EQ(sites.back().bit, sites.front().bit + 2);
  }
}

TEST_F(SelectionTest, MultiStrikesDistinctBits) {
  const auto trials = select(space, "multi:960", "random:20", 5);
  const auto again = select(space, "multi:960", "random:3", 5);
  for (std::uint64_t row = 0; row < trials->size(); ++row) {
    const Fault fault = trials->fault(row);
    EXPECT_EQ(std::set(fault.sites.begin(), fault.sites.end()).size(), 960u);
    EXPECT_TRUE(std::ranges::is_sorted(fault.sites));
  }
  EXPECT_EQ(trials->fault(2).sites, again->fault(2).sites);  // of (seed, row) alone
  EXPECT_NE(trials->fault(0).sites, trials->fault(1).sites);
  EXPECT_THROW(select(space, "multi:960", "exhaustive"), Error);
  EXPECT_THROW(select(space, "multi:99999999", "random:1"), Error);
}

TEST_F(SelectionTest, RateStrikesAShareOfTheBits) {
  constexpr double kRate = 0.01;
  constexpr int kTrials = 2000;
  const auto trials = select(space, "rate:0.01", "random:2000", 1);
  double struck = 0;
  for (int row = 0; row < kTrials; ++row) {
    struck += static_cast<double>(trials->fault(row).sites.size());
  }
  const double bits = static_cast<double>(space.size()) * kTrials;
  const double deviation = std::sqrt(kRate * (1 - kRate) / bits);
  EXPECT_NEAR(struck / bits, kRate, 5 * deviation);
  EXPECT_EQ(select(space, "rate:1", "random:1")->fault(0).sites.size(), space.size());
}

TEST_F(SelectionTest, ReadsTheSharedListAndOurs) {
  const std::string shared = write(
      "Injection,Layer,TensorIndex,Bit,n_injections,masked,non_critical,critical\n"
      "0,conv,\"(3, 1, 2, 1)\",15,10,1,2,7\n1,conv.weight,\"(0, 0, 0, 0)\",31,,,,\r\n\n"
      "2,fc2,\"(5, 2)\",0,,,,\n");
  const auto entries = read_fault_list(shared, whole, {Part::weights});
  ASSERT_EQ(entries.size(), 3u);
  const auto sites = sites_within(space, whole, entries, shared);
  EXPECT_EQ(sites, (std::vector<FaultSite>{{0, 47, 15}, {0, 0, 31}, {2, 17, 0}}));
  EXPECT_EQ(entries[2].line, 5u);
  const auto listed = select(space, "stuck-at-0", "list:" + shared, 0, sites);
  EXPECT_EQ(listed->fault(2).sites, std::vector<FaultSite>{sites[2]});

  const std::string ours =
      write("rank,bit,index,layer,tensor\n1,3,7,fc1,fc1.weight\n2,4,5,fc1,fc1.bias\n");
  const auto named = read_fault_list(ours, whole, {Part::weights});
  EXPECT_EQ(whole.targets()[named[1].site.target].part, Part::biases);
  EXPECT_THROW(sites_within(space, whole, named, ours), Error);  // biases are not in the space
}

TEST_F(SelectionTest, ListErrorsNameTheLine) {
  const std::string header = "Injection,Layer,TensorIndex,Bit\n0,conv,\"(0, 0, 0, 0)\",0\n";
  const std::pair<const char*, const char*> wrong[] = {
      {"1,conv9,\"(0, 0, 0, 0)\",0\n", ":3: there is no layer 'conv9'; layers are conv, fc1, fc2"},
      {"1,conv,\"(4, 0, 0, 0)\",0\n", ":3: index (4, 0, 0, 0) is outside 'conv.weight'"},
      {"1,conv,\"(0, 0, 0)\",0\n", ":3: index (0, 0, 0) is outside"},
      {"1,conv,\"(0, x, 0, 0)\",0\n", ":3: '(0, x, 0, 0)' is not a tuple"},
      {"1,conv,\"(0, 0, 0, 0)\",32\n", ":3: bit '32' is outside"},
      {"1,conv\n", ":3: the line has 2 fields"},
  };
  for (const auto& [line, message] : wrong) {
    const std::string refused =
        message_of([&] { read_fault_list(write(header + line), whole, {Part::weights}); });
    EXPECT_NE(refused.find(message), std::string::npos) << line << ": " << refused;
  }
  EXPECT_THROW(read_fault_list(write("a,b\n"), whole, {Part::weights}), Error);
  EXPECT_THROW(read_fault_list(write(""), whole, {Part::weights}), Error);
}

TEST_F(SelectionTest, ProtectedBitsAreStripped) {
  const std::string list =
      write("layer,tensor,index,bit\nconv,conv.weight,1,2\nfc1,fc1.bias,0,0\n");
  const ProtectedBits bits(space, whole, read_fault_list(list, whole, {Part::weights}));
  EXPECT_EQ(bits.size(), 1u);  // The bias is in no fault of this space.
  const Fault fault{FaultEffect::flip, {{0, 1, 2}, {0, 1, 3}}};
  EXPECT_EQ(bits.strip(fault).sites, (std::vector<FaultSite>{{0, 1, 3}}));
}

TEST(FaultModel, ReadsItsSpelling) {
  EXPECT_EQ(parse_fault_model("burst:3").count, 3);
  EXPECT_EQ(parse_fault_model("rate:1e-6").probability, 1e-6);
  for (const char* text :
       {"", "flip", "burst", "burst:0", "multi:x", "rate:0", "rate:1.5", "rate:nan"}) {
    EXPECT_THROW(parse_fault_model(text), Error) << text;
  }
}

TEST(SelectionMethod, ReadsItsSpelling) {
  EXPECT_EQ(parse_selection("random:12").count, 12u);
  EXPECT_EQ(parse_selection("ranking:a:b.csv:5").file, "a:b.csv");
  EXPECT_EQ(parse_selection("ranking:a.csv").count, 0u);
  EXPECT_EQ(parse_selection("until:0.01").margin, 0.01);
  EXPECT_EQ(parse_selection("statistical:aware").sampling, SamplingMethod::aware);
  for (const char* text :
       {"", "random", "random:0", "random:-1", "list:", "all", "until", "until:0", "until:0.5",
        "until:nan", "statistical", "statistical:network", "binary-search:3"}) {
    EXPECT_THROW(parse_selection(text), Error) << text;
  }
}

TEST(TensorIndex, IsAPythonTuple) {
  EXPECT_EQ(tensor_index({4, 2, 3, 2}, 47), "(3, 1, 2, 1)");
  EXPECT_EQ(tensor_index({5}, 4), "(4,)");
  EXPECT_EQ(tensor_index({}, 0), "()");
}

}  // namespace
}  // namespace flipscope
