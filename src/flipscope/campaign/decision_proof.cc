#include "flipscope/campaign/decision_proof.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace flipscope {
namespace {

/// Weighted nodes of bounded change whose weights each move one channel.
std::vector<AnalysedLayer> bounded_layers(const Program& program) {
  const Graph& graph = *program.graph;
  const bool any = std::ranges::any_of(
      graph.nodes, [&](const Node& node) { return DecisionGains::terms_of(graph, node) > 0; });
  if (!any) return {};
  std::vector<AnalysedLayer> layers = analysed_layers(graph, FaultKind::filters, {});
  std::erase_if(layers, [&](const AnalysedLayer& layer) {
    return DecisionGains::terms_of(graph, graph.nodes[layer.node]) == 0 ||
           !strikes_one_channel(program, layer);
  });
  return layers;
}

/// Element of the constant that a stored word is; none where it was cut off.
std::optional<std::int64_t> element_of(const Constant& constant, std::int64_t word) {
  if (constant.source.empty()) return word;
  const auto found = std::ranges::find(constant.source, word);
  if (found == constant.source.end()) return {};
  return found - constant.source.begin();
}

/// Norm of the elements first … first + count − 1, [sample].
std::vector<double> norms_of(const float* x, std::int64_t first, std::int64_t count,
                             const Block& golden) {
  std::vector<double> norms(golden.samples, 0.0);
  for (std::int64_t element = first; element < first + count; ++element) {
    for (int s = 0; s < golden.samples; ++s) {
      const double one = x[element * golden.lanes + s];
      norms[s] += one * one;
    }
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace

DecisionProof::DecisionProof(const Program& program, const FaultSpace& space)
    : program_(&program), space_(&space), layers_(space.targets().size()) {
  if (!program.stages->empty()) return;
  const Graph& graph = *program.graph;
  for (const AnalysedLayer& layer : bounded_layers(program)) {
    const int stored = graph.constants[weight_constant(graph.nodes[layer.node])].stored;
    for (std::size_t t = 0; t < layers_.size(); ++t) {
      const FaultTarget& target = space.targets()[t];
      if (target.part != Part::weights || target.id != stored) continue;
      layers_[t] = layer;
      if (!gains_) gains_.emplace(program);
    }
  }
}

DecisionProof::Change DecisionProof::change_of(const Fault& fault) const {
  if (!gains_ || fault.sites.empty()) return {};
  const FaultSite& first = fault.sites.front();
  const auto& layer = layers_[first.target];
  if (!layer) return {};
  Word mask = 0;
  for (const FaultSite& site : fault.sites) {
    if (site.target != first.target || site.index != first.index) return {};
    mask |= space_->targets()[site.target].encoding.mask(site.index, site.bit);
  }
  const Graph& graph = *program_->graph;
  const Node& node = graph.nodes[layer->node];
  const Shape& w = node.inputs[1].shape;
  const auto place = element_of(graph.constants[weight_constant(node)], first.index);
  if (!place) return {};
  const std::int64_t element = *place;
  Change change{.node = layer->node};
  if (const auto* op = std::get_if<Convolution>(&node.op)) {
    const std::int64_t filter = element_count(w) / w[0], plane = filter / w[1];
    change.output = element / filter;
    change.input = change.output / (w[0] / op->groups) * w[1] + element % filter / plane;
  } else {
    change.input = element / w[1];
    change.output = element % w[1];
  }
  const FilterWeight weight{static_cast<std::int32_t>(element), first.index, {}};
  change.weight = std::fabs(weight_change(graph, *layer, change.output, weight, mask));
  return change;
}

void DecisionProof::set_faults(std::span<const Fault> faults) {
  changes_.clear();
  for (const Fault& fault : faults) changes_.push_back(change_of(fault));
}

void DecisionProof::operator()(const Block& golden, std::optional<DecisionBound>& bound,
                               std::span<std::uint8_t> kept) const {
  std::ranges::fill(kept, std::uint8_t{0});
  if (std::ranges::all_of(changes_, [](const Change& change) { return change.node < 0; })) return;
  if (!bound) bound.emplace(*gains_, *program_, golden);
  std::map<std::pair<int, std::int64_t>, std::vector<double>> norms;  // by node and input channel
  for (std::size_t f = 0; f < changes_.size(); ++f) {
    const Change& change = changes_[f];
    if (change.node < 0 || bound->radius(change.node, change.output, 0) == 0) continue;
    std::vector<double>& norm = norms[{change.node, change.input}];
    if (norm.empty()) {
      const Node& node = program_->graph->nodes[change.node];
      const Input& x = node.inputs[0];
      const std::int64_t channels =
          std::holds_alternative<Convolution>(node.op) ? x.shape[1] : element_count(x.shape);
      const std::int64_t plane = element_count(x.shape) / channels;
      norm = norms_of(golden.values[x.id].data(), change.input * plane, plane, golden);
    }
    kept[f] = 1;
    for (int s = 0; s < golden.samples && kept[f] != 0; ++s) {
      const double radius = bound->radius(change.node, change.output, s);
      kept[f] = change.weight * norm[s] < radius ? 1 : 0;
    }
  }
}

}  // namespace flipscope
