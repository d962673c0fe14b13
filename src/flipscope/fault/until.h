// Faults in random order, until the rate of critical ones is known well enough.
#pragma once

#include <cstdint>
#include <memory>

#include "flipscope/fault/selection.h"

namespace flipscope {

/// The most faults that it takes until Wilson's interval of any share is no wider than ±margin:
/// z²/(4·margin²) − z², rounded up to a look.
std::uint64_t most_until(double margin, double confidence);

/// Takes rows of `faults`, which must be in random order, and after every hundred of them looks at
/// Wilson's interval of the mean share of critical samples: once half its width is at most `margin`
/// rows end. (Wilson's: a first look without a critical fault does not end it, as Wald's interval
/// of no width would.)
std::unique_ptr<Selection> until_margin(std::unique_ptr<Selection> faults, double margin,
                                        double confidence);

}  // namespace flipscope
