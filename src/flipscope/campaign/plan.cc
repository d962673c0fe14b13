// A campaign's options made ready.
#include "flipscope/campaign/plan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "flipscope/campaign/hybrid_selection.h"
#include "flipscope/engine/golden.h"
#include "flipscope/engine/strike.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/lower.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

Samples load(const CampaignOptions& options, const Graph& graph) {
  if (options.samples.inputs.empty()) {
    fail("campaign", "a campaign needs samples: give --inputs FILE");
  }
  if (graph.inputs.size() != 1) {
    fail("campaign", "'{}' has {} inputs; campaigns need a model with one", graph.name,
         graph.inputs.size());
  }
  return load_samples(options.samples, graph.values[graph.inputs[0]].shape, graph.layout);
}

/// Multiply-adds of one sample through all layers, at least 1.
double all_multiply_adds(const Graph& graph) {
  double total = 0;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    total += multiply_adds(graph, static_cast<int>(n));
  }
  return std::max(total, 1.0);
}

/// What one fault of the campaign may do to one sum, for the proof of exactness.
FaultLoad load_of(const FaultModel& model, const std::vector<Part>& parts) {
  FaultLoad load;
  if (model.kind == FaultModel::Kind::multi) load.words = model.count;
  if (model.kind == FaultModel::Kind::rate) load.words = std::numeric_limits<int>::max();
  load.biases = std::find(parts.begin(), parts.end(), Part::biases) != parts.end();
  return load;
}

std::string file_digest(const std::string& file) {
  return file.empty() ? "none" : digest(read_file_bytes(file));
}

}  // namespace

ScorerOptions make_scorer_options(const CampaignOptions& options, const ScoreSpec& spec) {
  ScorerOptions found;
  found.only_correct = options.count_only_correct;
  if (options.emd_empty != "diameter" && options.emd_empty != "fkeras") {
    fail("score", "--emd-empty is diameter or fkeras, not \"{}\"", options.emd_empty);
  }
  if (spec.kind != ScoreSpec::Kind::emd) {
    const std::pair<const char*, bool> given[] = {{"cost", !options.emd_cost.empty()},
                                                  {"cells", !options.emd_cells.empty()},
                                                  {"empty", options.emd_empty != "diameter"}};
    for (const auto& [name, is_given] : given) {
      if (!is_given) continue;
      fail("score", "--emd-{} goes with --score emd; this score is {}", name, to_string(spec));
    }
  }
  if (options.emd_cost.empty()) return found;
  found.emd = EmdSettings{read_ground_distance(options.emd_cost), {}};
  if (!options.emd_cells.empty()) found.emd->cells = read_cell_map(options.emd_cells);
  found.emd->fkeras_sentinels = options.emd_empty == "fkeras";
  return found;
}

Plan::Plan(const CampaignOptions& options, const std::atomic<bool>* stop)
    : Plan(options, load_model(options.model, options.variant), {}, model_identity(options.model),
           stop) {}

Plan::Plan(const CampaignOptions& options, Graph graph, Samples samples,
           const std::string& model_digest, const std::atomic<bool>* stop)
    : options_(options),
      graph_(std::move(graph)),
      samples_(samples.count == 0 ? load(options, graph_) : std::move(samples)),
      space_(graph_, options.space),
      fault_model_(parse_fault_model(options.faults)),
      values_(static_cast<int>(element_count(graph_.values[graph_.outputs.at(0)].shape))) {
  if (samples_.count == 0) fail("campaign", "'{}' holds no samples", options.samples.inputs);
  choose_carriers(graph_, load_of(fault_model_, options.space.parts));
  read_fault_files(stop);
  choose_score();
  check_selection();
  choose_bottleneck();
  describe(model_digest);
}

void Plan::read_fault_files(const std::atomic<bool>* stop) {
  const SelectionMethod method = parse_selection(options_.select);
  std::optional<FaultSpace> whole;
  if (!method.file.empty() || !options_.protect.empty()) whole = whole_space(graph_);
  std::vector<FaultSite> listed;
  if (!method.file.empty()) {
    const auto entries = read_fault_list(method.file, *whole, options_.space.parts);
    listed = sites_within(space_, *whole, entries, method.file);
  }
  if (method.kind == SelectionMethod::Kind::hybrid) {
    if (fault_model_.is_trial() || fault_model_.effect != FaultEffect::flip) {
      fail("faults", "--select hybrid goes with --faults bit-flip only");
    }
    selection_ = select_hybrid(
        space_, fault_model_.effect,
        hybrid_priorities(graph_, samples_, space_, method.heuristic, options_, stop),
        method.heuristic, method.count > 0 ? method.count : default_audit(space_.size()),
        options_.seed);
  } else {
    selection_ = select_faults(graph_, space_, fault_model_, method, options_.selection,
                               options_.seed, std::move(listed));
  }
  if (!options_.protect.empty()) {
    protected_ = ProtectedBits(space_, *whole,
                               read_fault_list(options_.protect, *whole, options_.space.parts));
  }
}

void Plan::choose_score() {
  using Kind = ScoreSpec::Kind;
  if (!options_.score.empty()) {
    score_ = parse_score(options_.score);
  } else if (samples_.target_size != 0 || values_ < 2) {
    score_.kind = Kind::mse;
  }
  const bool decides =
      score_.kind == Kind::mispredict || score_.kind == Kind::topk || score_.kind == Kind::accuracy;
  has_decision_ = decides || (!samples_.labels.empty() && values_ >= 2);
  if (!options_.critical.empty()) {
    constexpr std::array<std::string_view, 2> kNames{"delta", "score"};
    critical_ = parse_condition("--critical", options_.critical, kNames);
    has_decision_ = false;
  }
  if (options_.arithmetic == Arithmetic::fast) {
    decides_only_ = !critical_ && !options_.score_function &&
                    (score_.kind == Kind::mispredict || score_.kind == Kind::accuracy);
    if (!decides_only_) {
      notes_.emplace_back(
          "--arithmetic fast asks for decisions only, and this score wants more: computed exactly");
    }
  }
  if (options_.bar && options_.bar->name == "sdc" && !has_decision_ && !critical_) {
    fail(
        "campaign",
        "--fail-if sdc: nothing here says which outputs are critical; give --labels, or --critical "
        "with a condition such as 'delta>0'");
  }
  const bool divides =
      options_.bar && (options_.bar->name == "masked" || options_.bar->name == "non-critical");
  if (divides && decides_only_) {
    fail("campaign",
         "--fail-if {}: --arithmetic fast counts masked samples as non-critical; use exact",
         options_.bar->name);
  }
  scorer_options_ = make_scorer_options(options_, score_);
  if (score_.kind == Kind::exec) {
    if (options_.count_only_correct) {
      fail("campaign", "--count-only-correct does not go with --score exec: the program counts");
    }
  } else {
    Scorer(score_, samples_, values_, scorer_options_);  // Throws where they do not fit.
  }
  if (!scorer_options_.emd) return;
  cells_ = scorer_options_.emd->cells;
  if (!cells_.empty()) return;
  cells_.resize(static_cast<std::size_t>(scorer_options_.emd->cost.cells()));
  std::iota(cells_.begin(), cells_.end(), 0);
}

void Plan::check_selection() const {
  const SelectionMethod::Kind kind = parse_selection(options_.select).kind;
  const bool asks = kind == SelectionMethod::Kind::hybrid || kind == SelectionMethod::Kind::until ||
                    kind == SelectionMethod::Kind::binary_search;
  if (asks && !has_decision_ && !critical_) {
    fail("campaign",
         "--select {} asks which faults are critical, and nothing here says so; give --labels, or "
         "--critical with a condition such as 'delta>0'",
         options_.select);
  }
  const std::unique_ptr<Chooser> chooser = selection_->chooser();
  if (chooser && chooser->in_order() && options_.shard.count > 1) {
    fail("campaign",
         "--select {} decides by all faults so far, and cannot be divided by --shard; run it as "
         "one campaign",
         options_.select);
  }
}

/// Of an earth mover's distance, scoring alone is work enough; exec's program wants all outputs.
void Plan::choose_bottleneck() {
  if (score_.kind == ScoreSpec::Kind::exec) return;
  BottleneckLimits limits;
  if (score_.kind == ScoreSpec::Kind::emd) limits.least_work = 0;
  bottleneck_ = find_bottleneck(graph_, space_.targets(), limits);
}

void Plan::describe(const std::string& model_digest) {
  std::vector<std::string> parts;
  for (const Part part : options_.space.parts) parts.emplace_back(to_string(part));
  const SelectionMethod method = parse_selection(options_.select);
  const bool emd = score_.kind == ScoreSpec::Kind::emd;
  fields_ = {
      {"semantics", std::to_string(kSemanticsVersion)},
      {"model", model_digest},
      {"samples", samples_.identity},
      {"in", fmt::format("{}", fmt::join(parts, ","))},
      {"layers", fmt::format("{}", fmt::join(options_.space.layers, ","))},
      {"bits", options_.space.bits},
      {"faults", options_.faults},
      {"select", method.file.empty()
                     ? to_string(method, options_.selection)
                     : fmt::format("list {} {}", file_digest(method.file), method.count)},
      {"score", to_string(score_)},
      {"critical", options_.critical},
      {"emd-cost", emd ? file_digest(options_.emd_cost) : "none"},
      {"emd-cells", emd ? file_digest(options_.emd_cells) : "none"},
      {"emd-empty", emd ? options_.emd_empty : "none"},
      {"count-only-correct", options_.count_only_correct ? "yes" : "no"},
      {"protect", file_digest(options_.protect)},
      {"arithmetic", decides_only_ ? "fast, decisions only" : "exact"},
      {"seed", std::to_string(options_.seed)},
  };
  const Variant& variant = options_.variant;
  if (!variant.requantize.empty()) fields_["requantize"] = variant.requantize;
  if (variant.prune != 0) fields_["prune"] = fmt::format("{}", variant.prune);
}

std::string Plan::identity() const {
  std::string text;
  for (const auto& [name, value] : fields_) {
    text += fmt::format("{} {} {}\n", name, value.size(), value);
  }
  return digest(text);
}

Fault Plan::active_fault(std::uint64_t row) const {
  Fault fault = protected_.strip(selection_->fault(row));
  if (fault.effect == FaultEffect::flip) return fault;
  std::erase_if(fault.sites, [&](const FaultSite& site) {
    const FaultTarget& target = space_.targets()[site.target];
    if (!is_stored(target.part)) return false;
    const Word word = graph_.stored[target.id].words[site.index];
    return strike(fault.effect, target.encoding, site.index, word, site.bit) == word;
  });
  return fault;
}

std::optional<StoredChange> Plan::stored_change(std::uint64_t row) const {
  if (fault_model_.is_trial()) return {};
  const FaultSite site = selection_->fault(row).sites.front();
  const FaultTarget& target = space_.targets()[site.target];
  if (!is_stored(target.part)) return {};
  const StoredTensor& stored = graph_.stored[target.id];
  Word word = stored.words[site.index];
  StoredChange change;
  change.golden = real_value(stored, site.index, word);
  const Fault active = active_fault(row);
  for (const FaultSite& s : active.sites) {
    word = strike(active.effect, target.encoding, s.index, word, s.bit);
  }
  change.faulty = real_value(stored, site.index, word);
  return change;
}

std::uint64_t Plan::chunk_rows() const {
  constexpr double kMultiplyAdds = 5e12;  // Of full runs; differences take a minute of two cores.
  constexpr double kLeaves = 4e6;         // 100 MB of results by fault and block.
  constexpr double kSites = 1e6;          // A thousand trials of a thousand bits: minutes.
  constexpr double kOutputs = 64e6;       // 256 MB of outputs, which exec keeps.
  const double samples = static_cast<double>(samples_.count);
  // The more faults, the more of them give a sample the same codes.
  const double most = bottleneck_ ? 16384.0 : 4096.0;
  double rows = std::clamp(kMultiplyAdds / (all_multiply_adds(graph_) * samples), 64.0, most);
  rows = std::min(rows, kLeaves * kBlockSamples / samples);
  // Enough chunks to be dealt to shards, and that an interrupt loses little; a bottleneck's faults
  // would then learn too little from each other.
  constexpr double kFewChunks = 16;
  if (!bottleneck_) {
    rows = std::min(rows, std::max(static_cast<double>(selection_->size()) / kFewChunks, 32.0));
  }
  double sites = fault_model_.count;
  if (fault_model_.kind == FaultModel::Kind::rate) {
    sites = static_cast<double>(space_.size()) * fault_model_.probability;
  }
  rows = std::min(rows, kSites / std::max(sites, 1.0));
  if (score_.kind == ScoreSpec::Kind::exec) rows = std::min(rows, kOutputs / (samples * values_));
  return selection_->chunk_rows(static_cast<std::uint64_t>(std::max(rows, 1.0)));
}

std::uint64_t Plan::chunks() const {
  const std::uint64_t rows = chunk_rows();
  return (selection_->size() + rows - 1) / rows;
}

}  // namespace flipscope
