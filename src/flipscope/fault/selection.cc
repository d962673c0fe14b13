// Which faults a campaign makes.
#include "flipscope/fault/selection.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#include "flipscope/fault/binary_search.h"
#include "flipscope/fault/until.h"
#include "flipscope/model/number_text.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/binomial.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

/// Streams of the seed: one for a drawn subset, one for its order, two for each trial.
constexpr std::uint64_t kSubsetStream = 0, kOrderStream = 1;
std::uint64_t size_stream(std::uint64_t trial) {
  return 2 * trial + 1;
}
std::uint64_t site_stream(std::uint64_t trial) {
  return 2 * trial + 2;
}

/// The lowest bits of all bursts of `length` adjacent bits that the space holds, numbered as a
/// fault space is; for length 1 they are the space itself.
FaultSpace burst_starts(const FaultSpace& space, int length) {
  std::vector<FaultTarget> targets = space.targets();
  const auto keep_starts = [length](std::vector<int>& bits) {
    const std::vector<int> allowed = std::exchange(bits, {});
    const auto span = static_cast<std::size_t>(length - 1);
    for (std::size_t i = 0; i + span < allowed.size(); ++i) {
      if (allowed[i + span] == allowed[i] + length - 1) bits.push_back(allowed[i]);
    }
  };
  for (FaultTarget& target : targets) {
    keep_starts(target.bits);
    std::ranges::for_each(target.bits_of_width, keep_starts);
  }
  return FaultSpace(std::move(targets));
}

class AllFaults : public Selection {
 public:
  AllFaults(const FaultSpace& space, const FaultModel& model)
      : starts_(burst_starts(space, model.count)), model_(model) {}

  std::uint64_t size() const override { return starts_.size(); }
  std::uint64_t population() const override { return starts_.size(); }

  Fault fault(std::uint64_t row) const override {
    FaultSite site = starts_.site(row);
    Fault fault{model_.effect, {}};
    for (int i = 0; i < model_.count; ++i, ++site.bit) fault.sites.push_back(site);
    return fault;
  }

 private:
  FaultSpace starts_;
  FaultModel model_;
};

/// Some of all faults, each at most once.
class DrawnFaults : public Selection {
 public:
  DrawnFaults(AllFaults all, std::vector<std::uint64_t> numbers, Strata strata = Strata::none)
      : all_(std::move(all)), numbers_(std::move(numbers)), strata_(strata) {}

  std::uint64_t size() const override { return numbers_.size(); }
  std::uint64_t population() const override { return all_.size(); }
  Strata strata() const override { return strata_; }
  Fault fault(std::uint64_t row) const override { return all_.fault(numbers_[row]); }

 private:
  AllFaults all_;
  std::vector<std::uint64_t> numbers_;
  Strata strata_;
};

std::unique_ptr<Selection> draw_some(const FaultSpace& space, const FaultModel& model,
                                     std::uint64_t count, std::uint64_t seed) {
  AllFaults all(space, model);
  if (count > all.size()) {
    fail("faults", "--select random:{} asks for more than the {} faults that there are", count,
         all.size());
  }
  auto numbers = sample_without_replacement(seed, kSubsetStream, all.size(), count);
  return std::make_unique<DrawnFaults>(std::move(all), std::move(numbers));
}

/// `count` of all faults at most, in random order.
std::unique_ptr<Selection> shuffle_faults(const FaultSpace& space, const FaultModel& model,
                                          std::uint64_t count, std::uint64_t seed) {
  AllFaults all(space, model);
  auto numbers =
      sample_without_replacement(seed, kSubsetStream, all.size(), std::min(count, all.size()));
  shuffle(numbers, Random(seed, kOrderStream));
  return std::make_unique<DrawnFaults>(std::move(all), std::move(numbers));
}

std::unique_ptr<Selection> sample_faults(const Graph& graph, const FaultSpace& space,
                                         const FaultModel& model, SamplingMethod method,
                                         const SelectionOptions& options, std::uint64_t seed) {
  BitDistances distances;
  if (method == SamplingMethod::aware) distances = mean_distances(graph, space);
  const auto strata = make_strata(space, method, distances, options.outliers);
  return std::make_unique<DrawnFaults>(
      AllFaults(space, model), draw_strata(space, strata, options.precision, seed),
      method == SamplingMethod::layer ? Strata::tensors : Strata::bits);
}

class ListedFaults : public Selection {
 public:
  ListedFaults(const FaultModel& model, std::vector<FaultSite> sites)
      : effect_(model.effect), sites_(std::move(sites)) {}

  std::uint64_t size() const override { return sites_.size(); }
  std::uint64_t population() const override { return 0; }
  Fault fault(std::uint64_t row) const override { return {effect_, {sites_[row]}}; }

 private:
  FaultEffect effect_;
  std::vector<FaultSite> sites_;
};

class Trials : public Selection {
 public:
  Trials(const FaultSpace& space, const FaultModel& model, std::uint64_t count, std::uint64_t seed)
      : space_(space), model_(model), count_(count), seed_(seed) {
    if (model.kind == FaultModel::Kind::multi &&
        static_cast<std::uint64_t>(model.count) > space.size()) {
      fail("faults", "--faults multi:{} strikes more bits than the {} of the fault space",
           model.count, space.size());
    }
  }

  std::uint64_t size() const override { return count_; }
  std::uint64_t population() const override { return 0; }

  Fault fault(std::uint64_t row) const override {
    std::uint64_t struck = static_cast<std::uint64_t>(model_.count);
    if (model_.kind == FaultModel::Kind::rate) {
      Random random(seed_, size_stream(row));
      struck = binomial(random, space_.size(), model_.probability);
    }
    Fault fault{model_.effect, {}};
    for (const std::uint64_t number :
         sample_without_replacement(seed_, site_stream(row), space_.size(), struck)) {
      fault.sites.push_back(space_.site(number));
    }
    return fault;
  }

 private:
  const FaultSpace& space_;
  FaultModel model_;
  std::uint64_t count_;
  std::uint64_t seed_;
};

std::uint64_t parse_count(std::string_view digits, const std::string& text) {
  const auto count = parse_whole<std::uint64_t>(digits);
  if (!count || *count < 1) fail("faults", "--select '{}': N is a number, 1 or more", text);
  return *count;
}

}  // namespace

SelectionMethod parse_selection(const std::string& text) {
  const std::string_view view = text;
  const auto colon = view.find(':');
  const std::string_view name = view.substr(0, colon);
  const std::string_view argument =
      colon == std::string_view::npos ? std::string_view{} : view.substr(colon + 1);
  using Kind = SelectionMethod::Kind;
  SelectionMethod method;
  if (text == "exhaustive") return method;
  if (text == "binary-search") {
    method.kind = Kind::binary_search;
    return method;
  }
  if (name == "random") return {Kind::random, parse_count(argument, text), {}};
  if (name == "list" && !argument.empty()) return {Kind::list, 0, std::string(argument)};
  if (name == "statistical") {
    method.kind = Kind::statistical;
    method.sampling = parse_sampling_method(std::string(argument));
    if (method.sampling == SamplingMethod::network) {
      fail("faults", "--select statistical is layer, unaware or aware; of the whole, say random:N");
    }
    return method;
  }
  if (name == "until") {
    constexpr double kLeast = 1e-4;  // Half a gigabyte of faults.
    method.kind = Kind::until;
    method.margin = parse_number(argument).value_or(0);
    if (!(method.margin >= kLeast && method.margin < 0.5)) {
      fail("faults", "--select '{}': the margin is a share from {} to 0.5, such as until:0.01",
           text, kLeast);
    }
    return method;
  }
  if (name == "hybrid" && !argument.empty()) {
    method.kind = Kind::hybrid;
    const auto last = argument.rfind(':');
    const std::string_view end =
        last == std::string_view::npos ? std::string_view{} : argument.substr(last + 1);
    const bool audits =
        !end.empty() && end.find_first_not_of("0123456789") == std::string_view::npos;
    if (audits) method.count = parse_count(end, text);
    method.heuristic = audits ? argument.substr(0, last) : argument;
    return method;
  }
  if (name == "ranking" && !argument.empty()) {
    const auto last = argument.rfind(':');
    const bool limited =
        last != std::string_view::npos && last + 1 < argument.size() &&
        argument.find_first_not_of("0123456789", last + 1) == std::string_view::npos;
    if (!limited) return {Kind::list, 0, std::string(argument)};
    return {Kind::list, parse_count(argument.substr(last + 1), text),
            std::string(argument.substr(0, last))};
  }
  fail("faults",
       "--select '{}' is none of exhaustive, random:N, list:F.csv, ranking:F.csv[:N], "
       "statistical:layer|unaware|aware, until:MARGIN, binary-search, "
       "hybrid:HEURISTIC[:REDUCTION][:AUDIT]",
       text);
}

std::string to_string(const SelectionMethod& method, const SelectionOptions& options) {
  using Kind = SelectionMethod::Kind;
  const SamplePrecision& precision = options.precision;
  switch (method.kind) {
    case Kind::exhaustive:
      return "exhaustive";
    case Kind::random:
      return fmt::format("random:{}", method.count);
    case Kind::list:
      return fmt::format("list {}", method.count);
    case Kind::statistical:
      return fmt::format("statistical:{} error {} confidence {}{}", to_string(method.sampling),
                         precision.error, precision.confidence,
                         method.sampling == SamplingMethod::aware
                             ? " outliers " + to_string(options.outliers)
                             : "");
    case Kind::until:
      return fmt::format("until:{} confidence {}", method.margin, precision.confidence);
    case Kind::hybrid:
      return fmt::format("hybrid:{} audit {}", method.heuristic, method.count);
    case Kind::binary_search:
      break;
  }
  return options.search == SearchKind::joint ? "binary-search joint" : "binary-search separate";
}

SearchKind parse_search_kind(const std::string& text) {
  if (text == "joint") return SearchKind::joint;
  if (text == "separate") return SearchKind::separate;
  fail("usage", "--binfi is joint or separate, not \"{}\"", text);
}

std::unique_ptr<Selection> draw_faults(const FaultSpace& space, const FaultModel& model,
                                       const SelectionMethod& method, double confidence,
                                       std::uint64_t seed) {
  using Kind = SelectionMethod::Kind;
  const bool trials = model.kind == FaultModel::Kind::multi || model.kind == FaultModel::Kind::rate;
  const auto draw = [&](std::uint64_t most,
                        const auto& draw_distinct) -> std::unique_ptr<Selection> {
    if (trials) return std::make_unique<Trials>(space, model, most, seed);
    return draw_distinct(space, model, most, seed);
  };
  if (method.kind == Kind::random) return draw(method.count, draw_some);
  if (method.kind == Kind::until) {
    return until_margin(draw(most_until(method.margin, confidence), shuffle_faults), method.margin,
                        confidence);
  }
  assert(method.kind == Kind::exhaustive);
  if (trials) {
    fail("faults", "--select exhaustive does not go with --faults multi or rate: say random:N");
  }
  auto all = std::make_unique<AllFaults>(space, model);
  if (all->size() == 0) {
    fail("faults", "--faults burst:{}: no word has so many adjacent bits to strike", model.count);
  }
  return all;
}

std::unique_ptr<Selection> select_faults(const Graph& graph, const FaultSpace& space,
                                         const FaultModel& model, const SelectionMethod& method,
                                         const SelectionOptions& options, std::uint64_t seed,
                                         std::vector<FaultSite> listed) {
  using Kind = SelectionMethod::Kind;
  const auto needs_single_bits = [&](const char* what) {
    if (model.is_trial()) {
      fail("faults", "--select {} goes with --faults bit-flip, stuck-at-0 and stuck-at-1 only",
           what);
    }
  };
  if (method.kind == Kind::statistical) {
    needs_single_bits("statistical");
    return sample_faults(graph, space, model, method.sampling, options, seed);
  }
  if (method.kind == Kind::binary_search) {
    if (model.effect != FaultEffect::flip || model.is_trial()) {
      fail("faults", "--select binary-search goes with --faults bit-flip only");
    }
    return search_faults(graph, space, options.search);
  }
  if (method.kind == Kind::list) {
    needs_single_bits("list");
    if (listed.empty()) fail("faults", "--select: {} lists no faults", method.file);
    if (method.count > listed.size()) {
      fail("faults", "--select ranking:{}:{} asks for more than the {} faults that it lists",
           method.file, method.count, listed.size());
    }
    if (method.count != 0) listed.resize(method.count);
    return std::make_unique<ListedFaults>(model, std::move(listed));
  }
  return draw_faults(space, model, method, options.precision.confidence, seed);
}

std::vector<FaultSite> sites_within(const FaultSpace& space, const FaultSpace& whole,
                                    const std::vector<FaultListEntry>& entries,
                                    const std::string& file) {
  const std::vector<int> within = targets_within(space, whole);
  std::vector<FaultSite> sites;
  sites.reserve(entries.size());
  for (const FaultListEntry& entry : entries) {
    const int target = within[entry.site.target];
    if (target < 0 || !space.targets()[target].has(entry.site.index, entry.site.bit)) {
      fail("faults", "{}:{}: bit {} of '{}' is outside what --in, --layers and --bits allow", file,
           entry.line, entry.site.bit, whole.targets()[entry.site.target].tensor);
    }
    sites.push_back({target, entry.site.index, entry.site.bit});
  }
  return sites;
}

}  // namespace flipscope
