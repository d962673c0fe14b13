// flipscope sample-size: how many faults a statistical campaign needs.
#include <cmath>

#include "flipscope/fault/layer_shapes.h"
#include "flipscope/fault/statistical.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

/// What a network, or one tensor of it, needs.
struct Need {
  std::string name;
  std::uint64_t population = 0;
  double size = 0;          ///< sum of the strata's n, not rounded
  std::uint64_t drawn = 0;  ///< each rounded up, at least one

  void add(const Stratum& stratum, const SamplePrecision& precision) {
    const double n = flipscope::sample_size(stratum.population, stratum.p, precision);
    population += stratum.population;
    size += n;
    drawn += std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(n)));
  }
  std::uint64_t faults() const { return static_cast<std::uint64_t>(std::floor(size)); }
};

struct NetworkNeed {
  Need all;
  std::vector<Need> tensors;
  std::vector<Stratum> strata;
};

bool is_shape_file(const std::string& model) {
  return model.ends_with(".json") && model.find(".json:") == std::string::npos;
}

NetworkNeed need_of(const std::string& name, const FaultSpace& space,
                    const std::vector<Stratum>& strata, const SamplePrecision& precision) {
  NetworkNeed need{{name}, {}, strata};
  for (const FaultTarget& target : space.targets()) need.tensors.push_back({target.tensor});
  for (const Stratum& stratum : strata) {
    need.all.add(stratum, precision);
    if (stratum.target >= 0) {
      need.tensors[static_cast<std::size_t>(stratum.target)].add(stratum, precision);
    }
  }
  if (strata.front().target < 0) need.tensors.clear();
  return need;
}

std::vector<NetworkNeed> needs(const Options& options, SamplingMethod method) {
  const CampaignOptions& campaign = options.campaign;
  const SelectionOptions& selection = campaign.selection;
  std::vector<NetworkNeed> all;
  if (is_shape_file(campaign.model)) {
    if (method == SamplingMethod::aware) {
      fail("usage", "--method aware goes by the weights, which {} does not hold; take unaware",
           campaign.model);
    }
    for (const NamedSpace& network : read_layer_shapes(campaign.model, campaign.space)) {
      all.push_back(need_of(network.name, network.space, make_strata(network.space, method),
                            selection.precision));
    }
    return all;
  }
  const Graph graph = load_model(campaign.model, campaign.variant);
  const FaultSpace space(graph, campaign.space);
  BitDistances distances;
  if (method == SamplingMethod::aware) distances = mean_distances(graph, space);
  all.push_back(need_of(campaign.model, space,
                        make_strata(space, method, distances, selection.outliers),
                        selection.precision));
  return all;
}

Json need_json(const Need& need) {
  return Json::Object{{"name", need.name},
                      {"population", need.population},
                      {"size", need.size},
                      {"faults", need.faults()},
                      {"drawn", need.drawn}};
}

std::string json_text(const Options& options, const std::vector<NetworkNeed>& all) {
  const SelectionOptions& selection = options.campaign.selection;
  Json::Array networks;
  for (const NetworkNeed& network : all) {
    Json::Array tensors, strata;
    for (const Need& tensor : network.tensors) tensors.push_back(need_json(tensor));
    for (const Stratum& stratum : network.strata) {
      if (stratum.bit < 0) continue;
      strata.push_back(Json::Object{
          {"tensor", network.tensors[static_cast<std::size_t>(stratum.target)].name},
          {"bit", stratum.bit},
          {"population", stratum.population},
          {"p", stratum.p},
          {"size", flipscope::sample_size(stratum.population, stratum.p, selection.precision)}});
    }
    Json json = need_json(network.all);
    auto& members = std::get<Json::Object>(json.value);
    members.emplace_back("tensors", std::move(tensors));
    members.emplace_back("bits", std::move(strata));
    networks.push_back(std::move(json));
  }
  return text(Json::Object{{"model", options.campaign.model},
                           {"method", options.method},
                           {"error", selection.precision.error},
                           {"confidence", selection.precision.confidence},
                           {"t", t_value(selection.precision.confidence)},
                           {"outlier_rule", to_string(selection.outliers)},
                           {"networks", std::move(networks)},
                           {"seed", options.campaign.seed}});
}

void add_row(Table& table, const std::string& name, const Need& need) {
  table.row({name, grouped(need.population), grouped(need.faults()),
             percent(need.size / static_cast<double>(need.population)), grouped(need.drawn)});
}

std::string table_text(const Options& options, const std::vector<NetworkNeed>& all) {
  Table table({"", "fault space", "faults", "share", "drawn by inject"}, "lrrrr");
  for (const NetworkNeed& network : all) {
    add_row(table, network.all.name, network.all);
    if (all.size() > 1) continue;
    for (const Need& tensor : network.tensors) add_row(table, "  " + tensor.name, tensor);
  }
  const SelectionOptions& selection = options.campaign.selection;
  return table.text() +
         fmt::format(
             "\nMethod {}: n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p))) of each stratum, e = {}, t "
             "= "
             "{} ({}% confidence){}.\nSums are rounded down at the end; inject draws each stratum "
             "rounded up, and at least one fault of it. Seed {}.\n",
             options.method, selection.precision.error, t_value(selection.precision.confidence),
             100 * selection.precision.confidence,
             options.method == "aware" ? ", p by outlier rule " + to_string(selection.outliers)
                                       : ", p = 0.5",
             options.campaign.seed);
}

}  // namespace

void describe_sample_size(Command& command, Options& options) {
  command.heading("Arguments");
  command.argument("MODEL", options.campaign.model,
                   "A model as of inject, or a file of shapes: networks.json.");
  describe_fault_space(command, options);
  command.heading("Sample");
  command.option(
      "method", "METHOD",
      [&](const std::string& text) {
        parse_sampling_method(text);
        options.method = text;
      },
      "network (all bits are one population), layer (default: each tensor is one), unaware (each "
      "bit position of each tensor, p = 0.5), aware (the same, p by how far its flips move the "
      "weights).");
  describe_precision(command, options);
  describe_common(command, options);
  command.example("sample-size examples/classifier.onnx --method aware --error 0.02");
}

int sample_size(const Options& options) {
  const std::vector<NetworkNeed> all = needs(options, parse_sampling_method(options.method));
  if (options.json) {
    print(json_text(options, all));
  } else if (!options.quiet) {
    print(table_text(options, all));
  }
  return 0;
}

}  // namespace flipscope::cli
