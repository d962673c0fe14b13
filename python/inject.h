// Campaigns from Python: progress, interruption and scores by callables.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

namespace flipscope::python {

/// Runs the campaign of a command line (the words from "inject" on); returns its summary as JSON.
/// `progress(done, total, seconds)` and `score(outputs)` may be None. A campaign runs without the
/// interpreter's lock; Ctrl-C, or an exception in `progress`, ends it with that exception after
/// what is done stands in the store.
std::string inject(const std::vector<std::string>& words, const nanobind::object& progress,
                   const nanobind::object& score);

}  // namespace flipscope::python
