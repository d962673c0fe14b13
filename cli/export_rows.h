// What `export` writes, as rows of JSON.
#pragma once

#include <string>

#include "json.h"

namespace flipscope::cli {

/// A member for each column of the CSV; null where that is empty.
Json::Array fault_rows(const std::string& store);

/// The same of the fault list. Throws Error where rows are trials.
Json::Array fault_list_rows(const std::string& store);

/// fault, layer, tensor, index, bit of every bit of every fault or trial.
Json::Array site_rows(const std::string& store);

}  // namespace flipscope::cli
