// --verify: faults of a campaign run again by the slow reference interpreter.
#pragma once

#include <atomic>
#include <cstdint>

#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/runner.h"
#include "flipscope/campaign/store.h"

namespace flipscope {

/// Draws `count` of the rows in the store (all of them if there are fewer), and runs each on all
/// samples by engine/reference. Returns how many were verified: fewer once `stop` is set. Throws
/// VerificationError where an output has other bits (any NaN equals any NaN), or the outcomes are
/// not those of the store.
std::int64_t verify_rows(const Plan& plan, Runner& runner, const Store& store, std::int64_t count,
                         const std::atomic<bool>& stop);

}  // namespace flipscope
