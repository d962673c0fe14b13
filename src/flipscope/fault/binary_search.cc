// Binary search for the critical bits of each word.
#include "flipscope/fault/binary_search.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "flipscope/fault/chooser.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

class Searches : public Selection {
 public:
  Searches(const Graph& graph, const FaultSpace& space, SearchKind kind)
      : graph_(graph), space_(space), kind_(kind) {
    for (const FaultTarget& target : space.targets()) {
      if (!is_stored(target.part) && kind == SearchKind::separate) {
        fail("faults",
             "--select binary-search: {} have no stored words, whose flips up and down "
             "could be searched apart; say --binfi joint",
             to_string(target.part));
      }
      first_word_.push_back(words_);
      words_ += static_cast<std::uint64_t>(target.elements);
      width_ = std::max<std::uint64_t>(width_, target.bits.size());
    }
  }

  std::uint64_t size() const override { return words_ * width_; }
  std::uint64_t population() const override { return 0; }
  std::uint64_t chunk_rows(std::uint64_t most) const override {
    return std::max<std::uint64_t>(most / width_, 1) * width_;
  }
  std::unique_ptr<Chooser> chooser() const override;

  Fault fault(std::uint64_t row) const override {
    const std::uint64_t word = row / width_;
    const FaultTarget& target = space_.targets()[target_of(word)];
    const std::int64_t index = index_of(word);
    return {FaultEffect::flip, {{target_of(word), index, target.bits_of(index)[row % width_]}}};
  }

  std::uint64_t width() const { return width_; }
  std::uint64_t bits() const { return space_.size(); }

  std::vector<std::vector<int>> lists(std::uint64_t word) const {
    const int t = target_of(word);
    const FaultTarget& target = space_.targets()[t];
    const std::int64_t index = index_of(word);
    const std::vector<int>& bits = target.bits_of(index);
    return search_lists(bits.size(), kind_, [&](int position) {
      return flip_lowers(graph_.stored[target.id], index, bits[position]);
    });
  }

 private:
  int target_of(std::uint64_t word) const {
    return static_cast<int>(std::ranges::upper_bound(first_word_, word) - first_word_.begin()) - 1;
  }
  std::int64_t index_of(std::uint64_t word) const {
    return static_cast<std::int64_t>(word - first_word_[target_of(word)]);
  }

  const Graph& graph_;
  const FaultSpace& space_;
  SearchKind kind_;
  std::vector<std::uint64_t> first_word_;  ///< [target]
  std::uint64_t words_ = 0;
  std::uint64_t width_ = 1;
};

class SearchChooser : public Chooser {
 public:
  explicit SearchChooser(const Searches& searches) : searches_(searches) {}

  std::vector<std::uint64_t> next(std::uint64_t first, std::uint64_t count) override {
    std::vector<std::uint64_t> rows;
    std::uint64_t implied = 0;
    const std::uint64_t width = searches_.width();
    for (std::uint64_t row = first; row < first + count; row += width) {
      for (const std::vector<int>& list : searches_.lists(row / width)) {
        const SearchState state =
            binary_search(std::ssize(list), [&](std::int64_t i) -> std::optional<bool> {
              const auto found = known_.find(row + list[i]);
              return found == known_.end() ? std::nullopt : std::optional(found->second);
            });
        if (!state.is_over()) rows.push_back(row + list[state.question()]);
        implied += static_cast<std::uint64_t>(state.front);
      }
    }
    if (rows.empty()) {
      critical_ += implied;
      words_ += count / width;
    }
    std::ranges::sort(rows);
    return rows;
  }

  void observe(const Observation& seen) override { known_[seen.row] = seen.critical; }
  std::uint64_t size() const override { return searches_.size(); }
  bool in_order() const override { return false; }

  std::vector<std::string> notes() const override {
    if (words_ == 0) return {};
    return {
        fmt::format("binary search: {} words searched now, {} of their bits are critical "
                    "according to it; rates are of the flips that it made, and no sample",
                    words_, critical_)};
  }

 private:
  const Searches& searches_;
  std::unordered_map<std::uint64_t, bool> known_;  ///< [row] that was run
  std::uint64_t critical_ = 0, words_ = 0;
};

std::unique_ptr<Chooser> Searches::chooser() const {
  return std::make_unique<SearchChooser>(*this);
}

}  // namespace

SearchState binary_search(std::int64_t count,
                          const std::function<std::optional<bool>(std::int64_t)>& is_critical) {
  SearchState state{0, count};
  while (!state.is_over()) {
    const std::int64_t middle = state.question();
    const std::optional<bool> critical = is_critical(middle);
    if (!critical) break;
    if (*critical) {
      state.front = middle + 1;
    } else {
      state.rear = middle;
    }
  }
  return state;
}

bool lowers(double golden, double faulty) {
  return std::isnan(faulty) ? golden < 0 : faulty < golden;
}

bool flip_lowers(const StoredTensor& stored, std::int64_t index, int bit) {
  const Word word = stored.words[index];
  return lowers(real_value(stored, index, word),
                real_value(stored, index, word ^ stored.encoding.mask(index, bit)));
}

std::vector<std::vector<int>> search_lists(std::size_t bits, SearchKind kind,
                                           const std::function<bool(int)>& lowers) {
  std::vector<std::vector<int>> lists(kind == SearchKind::joint ? 1 : 2);
  for (int position = static_cast<int>(bits) - 1; position >= 0; --position) {
    lists[kind == SearchKind::separate && lowers(position) ? 1 : 0].push_back(position);
  }
  return lists;
}

std::unique_ptr<Selection> search_faults(const Graph& graph, const FaultSpace& space,
                                         SearchKind kind) {
  return std::make_unique<Searches>(graph, space, kind);
}

}  // namespace flipscope
