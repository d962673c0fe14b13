#include "flipscope/report/report.h"

#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

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
  EXPECT_NE(message_of([&] { make_report({.stores = {file("empty.db")}}); }).find("no faults"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
