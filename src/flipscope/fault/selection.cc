// Which faults a campaign makes.
#include "flipscope/fault/selection.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "flipscope/numeric/binomial.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

/// Streams of the seed: one for a drawn subset, two for each trial.
constexpr std::uint64_t kSubsetStream = 0;
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
  for (FaultTarget& target : targets) {
    const std::vector<int> allowed = std::exchange(target.bits, {});
    const auto span = static_cast<std::size_t>(length - 1);
    for (std::size_t i = 0; i + span < allowed.size(); ++i) {
      if (allowed[i + span] == allowed[i] + length - 1) target.bits.push_back(allowed[i]);
    }
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

class DrawnFaults : public Selection {
 public:
  DrawnFaults(const FaultSpace& space, const FaultModel& model, std::uint64_t count,
              std::uint64_t seed)
      : all_(space, model) {
    if (count > all_.size()) {
      fail("faults", "--select random:{} asks for more than the {} faults that there are", count,
           all_.size());
    }
    numbers_ = sample_without_replacement(seed, kSubsetStream, all_.size(), count);
  }

  std::uint64_t size() const override { return numbers_.size(); }
  std::uint64_t population() const override { return all_.size(); }
  Fault fault(std::uint64_t row) const override { return all_.fault(numbers_[row]); }

 private:
  AllFaults all_;
  std::vector<std::uint64_t> numbers_;
};

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
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc{} || end != digits.data() + digits.size() || count < 1) {
    fail("faults", "--select '{}': N is a number, 1 or more", text);
  }
  return count;
}

}  // namespace

SelectionMethod parse_selection(const std::string& text) {
  const std::string_view view = text;
  const auto colon = view.find(':');
  const std::string_view name = view.substr(0, colon);
  const std::string_view argument =
      colon == std::string_view::npos ? std::string_view{} : view.substr(colon + 1);
  using Kind = SelectionMethod::Kind;
  if (text == "exhaustive") return {};
  if (name == "random") return {Kind::random, parse_count(argument, text), {}};
  if (name == "list" && !argument.empty()) return {Kind::list, 0, std::string(argument)};
  if (name == "ranking" && !argument.empty()) {
    const auto last = argument.rfind(':');
    const bool limited =
        last != std::string_view::npos && last + 1 < argument.size() &&
        argument.find_first_not_of("0123456789", last + 1) == std::string_view::npos;
    if (!limited) return {Kind::list, 0, std::string(argument)};
    return {Kind::list, parse_count(argument.substr(last + 1), text),
            std::string(argument.substr(0, last))};
  }
  fail("faults", "--select '{}' is none of exhaustive, random:N, list:F.csv, ranking:F.csv[:N]",
       text);
}

std::unique_ptr<Selection> select_faults(const FaultSpace& space, const FaultModel& model,
                                         const SelectionMethod& method, std::uint64_t seed,
                                         std::vector<FaultSite> listed) {
  const bool trials = model.kind == FaultModel::Kind::multi || model.kind == FaultModel::Kind::rate;
  switch (method.kind) {
    case SelectionMethod::Kind::exhaustive: {
      if (trials) {
        fail("faults", "--select exhaustive does not go with --faults multi or rate: say random:N");
      }
      auto all = std::make_unique<AllFaults>(space, model);
      if (all->size() == 0) {
        fail("faults", "--faults burst:{}: no word has so many adjacent bits to strike",
             model.count);
      }
      return all;
    }
    case SelectionMethod::Kind::random:
      if (trials) return std::make_unique<Trials>(space, model, method.count, seed);
      return std::make_unique<DrawnFaults>(space, model, method.count, seed);
    case SelectionMethod::Kind::list:
      break;
  }
  if (model.is_trial()) {
    fail("faults", "--select list goes with --faults bit-flip, stuck-at-0 and stuck-at-1 only");
  }
  if (method.count != 0 && method.count < listed.size()) listed.resize(method.count);
  if (listed.empty()) fail("faults", "--select: {} lists no faults", method.file);
  return std::make_unique<ListedFaults>(model, std::move(listed));
}

std::vector<FaultSite> sites_within(const FaultSpace& space, const FaultSpace& whole,
                                    const std::vector<FaultListEntry>& entries,
                                    const std::string& file) {
  const std::vector<int> within = targets_within(space, whole);
  std::vector<FaultSite> sites;
  sites.reserve(entries.size());
  for (const FaultListEntry& entry : entries) {
    const int target = within[entry.site.target];
    if (target < 0 || !std::ranges::binary_search(space.targets()[target].bits, entry.site.bit)) {
      fail("faults", "{}:{}: bit {} of '{}' is outside what --in, --layers and --bits allow", file,
           entry.line, entry.site.bit, whole.targets()[entry.site.target].tensor);
    }
    sites.push_back({target, entry.site.index, entry.site.bit});
  }
  return sites;
}

}  // namespace flipscope
