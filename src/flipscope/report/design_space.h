// Campaigns of several networks side by side: size, score, sensitive bits, what protection costs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"

namespace flipscope {

/// One campaign.
struct Design {
  std::string name;  ///< the store, without folder and ending
  std::string model;
  std::uint64_t bits = 0;
  double score = 0;                       ///< of the golden run
  Rate sensitive;                         ///< share of bits whose flip makes the score worse
  std::string note;                       ///< why that is not the network's; empty: it is
  double harm = 0;                        ///< of all bits; NaN where not all were run
  std::vector<double> left;               ///< as harm_left() gives it
  std::optional<std::uint64_t> to_guard;  ///< bits to protect for the common residual error
  std::vector<std::string> costs;         ///< [column] as the user wrote it
  bool on_front = false;                  ///< of bits, score, bits to protect and costs
};

/// The user's columns.
struct CostTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< a store's name or a model, then the columns
};

/// Throws Error where a line has another number of fields than the first, or that has no column, or
/// where a column
/// of numbers has a word.
CostTable read_costs(const std::string& file);

/// The campaign of a store. `score_name` is the score that all have in common, empty before the
/// first. Throws Error where its rows are trials, it is empty, or it has another score.
Design read_design(const std::string& path, std::string& score_name);

/// The costs of the row that bears the store's name, or is called by the model. Throws Error where
/// there is none.
std::vector<std::string> costs_of(const CostTable& table, const std::string& file,
                                  const std::string& name, const std::string& model);

/// The bits that each must protect so that all are left with the same error: the share `residual`
/// of the least error that any has without protection.
void set_protection(std::vector<Design>& designs, double residual);

void mark_front(std::vector<Design>& designs, const std::string& score_name);

}  // namespace flipscope
