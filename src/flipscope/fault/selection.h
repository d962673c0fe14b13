// Which faults a campaign makes: row → fault, for rows 0 … size − 1.
//
// A row's fault depends on the fault space, the fault model, the seed and the row alone, so rows
// may be run in any order, by anyone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/fault_model.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

class Selection {
 public:
  virtual ~Selection() = default;

  virtual std::uint64_t size() const = 0;
  virtual Fault fault(std::uint64_t row) const = 0;

  /// Number of faults that the rows were drawn from, each at most once; 0 where they are drawn anew
  /// each time, or were not drawn at random (a list).
  virtual std::uint64_t population() const = 0;
};

/// What --select says:
///   exhaustive           every bit of the space, or every burst that lies in it
///   random:N             N distinct bits (or bursts), every set equally likely, in ascending
///                        order; of multi:K and rate:P, N independent trials
///   list:F.csv           the bits of a fault list, in its order
///   ranking:F.csv[:N]    the same of a ranking, its first N
/// A burst stays inside the bits that --bits allows. Lists need a single-bit fault model.
struct SelectionMethod {
  enum class Kind { exhaustive, random, list } kind = Kind::exhaustive;
  std::uint64_t count = 0;  ///< random: N; list: the most entries to take, 0: all
  std::string file;
};

/// Throws Error where the text is none of the above.
SelectionMethod parse_selection(const std::string& text);

/// `listed` holds the sites of a list's file, in `space`; other kinds ignore it. `space` must
/// outlive the selection. Throws Error where method and model do not go together, or fewer than N
/// faults exist.
std::unique_ptr<Selection> select_faults(const FaultSpace& space, const FaultModel& model,
                                         const SelectionMethod& method, std::uint64_t seed,
                                         std::vector<FaultSite> listed);

/// Entries of a fault list (sites of `whole`) as sites of `space`. Throws Error with file:line
/// where one lies outside what --in, --layers and --bits allow.
std::vector<FaultSite> sites_within(const FaultSpace& space, const FaultSpace& whole,
                                    const std::vector<FaultListEntry>& entries,
                                    const std::string& file);

}  // namespace flipscope
