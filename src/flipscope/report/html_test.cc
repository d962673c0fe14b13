#include <nlohmann/json.hpp>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace flipscope
