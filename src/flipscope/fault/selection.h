// Which faults a campaign makes: row → fault, for rows 0 … size − 1.
//
// A row's fault depends on the fault space, the model, the fault model, the seed and the row alone,
// so rows may be run in any order, by anyone. Which rows are run is another matter where a
// selection adapts: its Chooser says so while the campaign goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "flipscope/fault/chooser.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/fault_model.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/fault/statistical.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// The parts of the space that rows were drawn from on their own.
enum class Strata {
  none,     ///< the whole
  tensors,  ///< each tensor
  bits,     ///< each bit position of each tensor
};

class Selection {
 public:
  virtual ~Selection() = default;

  virtual std::uint64_t size() const = 0;
  virtual Fault fault(std::uint64_t row) const = 0;

  /// Number of faults that the rows were drawn from, each at most once; 0 where they are drawn anew
  /// each time, or were not drawn at random (a list).
  virtual std::uint64_t population() const = 0;

  virtual Strata strata() const { return Strata::none; }

  /// Rows of a chunk, where memory likes at most so many.
  virtual std::uint64_t chunk_rows(std::uint64_t most) const { return most; }

  /// None where all rows are run. The selection must outlive it.
  virtual std::unique_ptr<Chooser> chooser() const { return nullptr; }
};

/// Which bits of a word a binary search goes through together: see fault/binary_search.h.
enum class SearchKind { separate, joint };

/// "joint", "separate". Throws Error where it is neither.
SearchKind parse_search_kind(const std::string& text);

/// What belongs to a way of selecting.
struct SelectionOptions {
  SamplePrecision precision;  ///< statistical; until: the confidence
  OutlierRule outliers;       ///< statistical:aware
  SearchKind search = SearchKind::separate;
};

/// What --select says:
///   exhaustive           every bit of the space, or every burst that lies in it
///   random:N             N distinct bits (or bursts), every set equally likely, in ascending
///                        order; of multi:K and rate:P, N independent trials
///   list:F.csv           the bits of a fault list, in its order
///   ranking:F.csv[:N]    the same of a ranking, its first N
///   statistical:METHOD   samples of strata: see fault/statistical.h
///   until:MARGIN         as random, but as many as it takes: see fault/until.h
///   binary-search        see fault/binary_search.h
///   hybrid:HEURISTIC[:REDUCTION][:AUDIT]  see campaign/hybrid_selection.h, which makes it
/// A burst stays inside the bits that --bits allows. Lists, samples of strata and searches need a
/// single-bit fault model.
struct SelectionMethod {
  enum class Kind {
    exhaustive,
    random,
    list,
    statistical,
    until,
    binary_search,
    hybrid,
  } kind = Kind::exhaustive;
  std::uint64_t count = 0;  ///< random: N; list: the most entries to take, 0: all
  std::string file;
  SamplingMethod sampling = SamplingMethod::layer;
  double margin = 0;
  std::string heuristic;  ///< hybrid; `count` is its audit, 0: as many as usual
};

/// Throws Error where the text is none of the above.
SelectionMethod parse_selection(const std::string& text);

/// All that a selection depends on, but for what is in its files: "statistical:layer error 0.01 …".
std::string to_string(const SelectionMethod& method, const SelectionOptions& options);

/// `listed` holds the sites of a list's file, in `space`; other kinds ignore it. Graph and space
/// must outlive the selection. Throws Error where method and model do not go together, or fewer
/// than N faults exist.
std::unique_ptr<Selection> select_faults(const Graph& graph, const FaultSpace& space,
                                         const FaultModel& model, const SelectionMethod& method,
                                         const SelectionOptions& options, std::uint64_t seed,
                                         std::vector<FaultSite> listed);

/// The same for exhaustive, random and until, which do not ask what is stored.
std::unique_ptr<Selection> draw_faults(const FaultSpace& space, const FaultModel& model,
                                       const SelectionMethod& method, double confidence,
                                       std::uint64_t seed);

/// Entries of a fault list (sites of `whole`) as sites of `space`. Throws Error with file:line
/// where one lies outside what --in, --layers and --bits allow.
std::vector<FaultSite> sites_within(const FaultSpace& space, const FaultSpace& whole,
                                    const std::vector<FaultListEntry>& entries,
                                    const std::string& file);

}  // namespace flipscope
