// The report as one page: the template with the data in it.
#include <string_view>

#include "flipscope/numeric/error.h"
#include "flipscope/report/fault_columns.h"
#include "flipscope/report/page_template.h"
#include "flipscope/report/report.h"

namespace flipscope {
namespace {

constexpr std::string_view kDataMark = "<!--flipscope:data-->";
constexpr std::string_view kTitleMark = "<!--flipscope:title-->";

/// JSON inside a script element: no "</script>" or "<!--" can begin in it.
std::string script_safe(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// What readers without scripts see.
std::string plain_answer(const Report& report) {
  std::string text = "<noscript>";
  for (const CampaignReport& campaign : report.campaigns) {
    text += fmt::format("<h2>{}</h2>", escaped(campaign.name));
    for (const std::string& sentence : answer(campaign)) {
      text += fmt::format("<p>{}</p>", escaped(sentence));
    }
  }
  return text + "<p>Plots and tables need JavaScript.</p></noscript>\n";
}

}  // namespace

std::string html(const Report& report) {
  const std::string_view page = page_template();
  const std::size_t title = page.find(kTitleMark), data = page.find(kDataMark);
  std::string names;
  for (const CampaignReport& campaign : report.campaigns) {
    names += (names.empty() ? "" : ", ") + campaign.name;
  }
  std::string text(page.substr(0, title));
  text += escaped(names);
  text += page.substr(title + kTitleMark.size(), data - title - kTitleMark.size());
  text += plain_answer(report);
  text += fmt::format("<script type=\"application/json\" id=\"report\">{}</script>\n",
                      script_safe(json(report)));
  for (std::size_t c = 0; c < report.campaigns.size(); ++c) {
    if (report.campaigns[c].record.trials) continue;
    const PackedFaults packed = pack(report.campaigns[c]);
    text += fmt::format(
        "<script type=\"text/plain\" id=\"faults-{}\" data-directory=\"{}\">{}</script>\n", c,
        escaped(packed.directory), packed.base64);
  }
  text += page.substr(data + kDataMark.size());
  return text;
}

}  // namespace flipscope
