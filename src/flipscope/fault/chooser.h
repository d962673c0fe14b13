// Chooses rows of a selection by what rows before them did.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

/// What a fault did.
struct Observation {
  std::uint64_t row = 0;
  bool critical = false;      ///< the fault as a whole
  double critical_share = 0;  ///< of its samples
};

/// The memory of one run of an adaptive campaign. A campaign goes through its chunks; in each it
/// runs what next() names and tells what came of it, until next() names nothing more.
class Chooser {
 public:
  virtual ~Chooser() = default;

  /// Rows of first … first + count − 1 to be run now, ascending; none: the chunk is done.
  virtual std::vector<std::uint64_t> next(std::uint64_t first, std::uint64_t count) = 0;

  /// Every row that was run, in the order of next(); those of an earlier, interrupted run come
  /// first, ascending.
  virtual void observe(const Observation& seen) = 0;

  /// Rows from here on are not wanted, even if they have been run. May shrink with observe().
  virtual std::uint64_t size() const = 0;

  /// Whether a chunk depends on those before it: then there are no shards.
  virtual bool in_order() const = 0;

  /// What was learnt, for people, one line each.
  virtual std::vector<std::string> notes() const = 0;
};

}  // namespace flipscope
