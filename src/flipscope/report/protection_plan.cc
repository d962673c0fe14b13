#include "flipscope/report/protection_plan.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "flipscope/analysis/protection.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/csv_table.h"

namespace flipscope {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& file) {
  fail("report",
       "{} is no plan: --plan takes the bits that protect --out wrote, as csv or json, or what "
       "protect --json printed",
       file);
}

bool by_place(const FaultSite& a, const FaultSite& b) {
  return std::tie(a.target, a.index, a.bit) < std::tie(b.target, b.index, b.bit);
}

/// What each bit adds, in areas of one register: the mean of the list's column `area`, the default
/// where it has none.
double listed_area(const std::string& file) {
  double sum = 0, bits = 0;
  const std::vector<std::string> columns = table_columns(file);
  if (std::ranges::find(columns, "area") != columns.end()) {
    read_table(file, [&](const CsvRow& row) {
      sum += row.number("area");
      ++bits;
    });
  }
  return bits > 0 ? sum / bits : ProtectionCost{}.per_bit();
}

double listed_area(const Json& plan) {
  ProtectionCost cost;
  cost.registers = plan.value("registers_per_bit", cost.registers);
  cost.voter = plan.value("voter_per_bit", cost.voter);
  return cost.per_bit();
}

std::vector<FaultSite> listed_bits(const std::string& file, const FaultSpace& space) {
  std::vector<Part> parts;
  for (const FaultTarget& target : space.targets()) parts.push_back(target.part);
  std::vector<FaultSite> sites;
  for (const FaultListEntry& entry : read_fault_list(file, space, parts)) {
    sites.push_back(entry.site);
  }
  return sites;
}

std::vector<FaultSite> listed_bits(const std::string& file, const FaultSpace& space,
                                   const Json& list) {
  std::vector<FaultSite> sites;
  for (const Json& bit : list) {
    const std::string layer = bit.at("layer"), tensor = bit.at("tensor");
    const auto target = std::ranges::find_if(space.targets(), [&](const FaultTarget& t) {
      return t.layer == layer && t.tensor == tensor;
    });
    const FaultSite site{static_cast<int>(target - space.targets().begin()),
                         bit.at("index").get<std::int64_t>(), bit.at("bit").get<int>()};
    if (target == space.targets().end() || site.index < 0 || site.index >= target->elements ||
        site.bit < 0 || site.bit >= target->encoding.width(site.index)) {
      fail("report",
           "{}: the campaign's model has no layer '{}' with a bit {} of element {} of '{}'", file,
           layer, site.bit, site.index, tensor);
    }
    sites.push_back(site);
  }
  return sites;
}

/// The bits of a plan, each of which adds `area`, judged by the harm that the campaign saw there.
ProtectionPlan judge(std::string name, std::vector<FaultSite> sites, double area,
                     const CampaignReport& campaign) {
  std::ranges::sort(sites, by_place);
  const auto is_same = [](const FaultSite& a, const FaultSite& b) {
    return !by_place(a, b) && !by_place(b, a);
  };
  sites.erase(std::unique(sites.begin(), sites.end(), is_same), sites.end());
  std::vector<std::string> names;
  std::map<std::string, ProtectionPlan::Layer> layers;
  for (const FaultTarget& target : campaign.record.targets) {
    if (layers.try_emplace(target.layer, ProtectionPlan::Layer{target.layer}).second) {
      names.push_back(target.layer);
    }
  }
  const auto layer_of = [&](const FaultSite& site) -> ProtectionPlan::Layer& {
    return layers.at(campaign.record.targets[static_cast<std::size_t>(site.target)].layer);
  };
  for (const FaultSite& site : sites) ++layer_of(site).bits;
  std::uint64_t run = 0;
  double all = 0, taken = 0;
  const FaultColumns& faults = campaign.faults;
  for (const double harm : faults.harm) all += harm;
  for (std::size_t r = 0; r < faults.size(); ++r) {
    if (!std::ranges::binary_search(sites, faults.site[r], by_place)) continue;
    ++run;
    taken += faults.harm[r];
    if (all > 0) layer_of(faults.site[r]).harm_share += faults.harm[r] / all;
  }
  ProtectionPlan plan{.name = std::move(name), .bits = sites.size(), .run = run};
  plan.area = static_cast<double>(plan.bits) / static_cast<double>(campaign.summary.space) * area;
  plan.left = all > 0 ? std::max(0.0, 1 - taken / all) : 0;
  for (const std::string& layer : names) plan.layers.push_back(layers.at(layer));
  return plan;
}

std::optional<double> optional_number(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// What `protect --json` printed: its budgets, and what it measured.
void read_points(const std::string& name, const Json& printed, const CampaignReport& campaign,
                 std::vector<ProtectionPlan>& plans) {
  for (const Json& point : printed.at("points")) {
    const std::string budget = point.at("budget");
    const bool has_trials = point.contains("measured");
    if (budget.empty() && !has_trials) continue;
    ProtectionPlan plan{
        .name = fmt::format("{}: {}", name, budget.empty() ? "no protection" : budget),
        .bits = point.at("bits").get<std::uint64_t>(),
        .area = point.at("area").get<double>(),
        .error_left = optional_number(point.at("error_left")),
        .foreseen = optional_number(point.at("predicted_change"))};
    if (!campaign.by_decision()) plan.left = plan.error_left;
    if (has_trials) {
      const Json& measured = point.at("measured");
      const double golden = measured.at("golden");
      plan.measured = {printed.at("trial"),
                       measured.at("trials"),
                       measured.at("worse"),
                       {measured.at("mean").get<double>() - golden,
                        {measured.at("interval").at(0).get<double>() - golden,
                         measured.at("interval").at(1).get<double>() - golden}}};
    }
    plans.push_back(std::move(plan));
  }
}

void read_json(const std::string& file, const std::string& name, const FaultSpace& space,
               const CampaignReport& campaign, std::vector<ProtectionPlan>& plans) {
  try {
    const Json json = Json::parse(read_file_bytes(file));
    if (!json.is_object()) refuse(file);
    if (json.contains("points")) {
      read_points(name, json, campaign, plans);
    } else {
      plans.push_back(
          judge(name, listed_bits(file, space, json.at("protected")), listed_area(json), campaign));
    }
  } catch (const Json::exception&) {
    refuse(file);
  }
}

}  // namespace

std::vector<ProtectionPlan> read_plans(const std::vector<std::string>& files,
                                       const CampaignReport& campaign) {
  std::vector<ProtectionPlan> plans;
  if (files.empty()) return plans;
  if (campaign.record.trials) {
    fail("report",
         "--plan needs a first store whose rows are single faults; those of {} are trials",
         campaign.store);
  }
  const FaultSpace space(campaign.record.targets);
  for (const std::string& file : files) {
    const std::string name = std::filesystem::path(file).stem().string();
    const std::string bytes = read_file_bytes(file);
    const std::size_t begin = bytes.find_first_not_of(" \t\r\n");
    if (begin != std::string::npos && bytes[begin] == '{') {
      read_json(file, name, space, campaign, plans);
    } else {
      plans.push_back(judge(name, listed_bits(file, space), listed_area(file), campaign));
    }
  }
  return plans;
}

}  // namespace flipscope
