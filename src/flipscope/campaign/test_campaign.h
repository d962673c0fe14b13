// Campaigns of a small network, for tests.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope::testing {

inline constexpr std::int64_t kSamples = 150;  // two full blocks and a ragged one

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Samples make_samples(std::int64_t count) {
  Samples samples;
  samples.count = count;
  samples.shape = {2, 5, 4};
  samples.values = small_inputs(count);
  samples.identity = std::to_string(count);
  return samples;
}

inline CampaignSummary run(const CampaignOptions& options, const std::string& store,
                           bool stop = false, const Progress& progress = {}, int bits = 0) {
  const std::atomic<bool> flag{stop};
  const Plan plan(options, small_network(bits), make_samples(kSamples),
                  "model" + std::to_string(bits));
  return run_plan(plan, options, store, progress, flag);
}

/// The fields of a CSV text without quotes.
inline std::vector<std::vector<std::string>> table(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> row(1);
    for (const char c : line) {
      if (c == ',') {
        row.emplace_back();
      } else {
        row.back() += c;
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Has a folder of its own.
class InFolder : public ::testing::Test {
 protected:
  InFolder() {
    std::string pattern = ::testing::TempDir() + "campaign-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~InFolder() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  std::string csv(const std::string& store) const {
    const std::string out = file("rows.csv");
    export_csv(store, out);
    return read(out);
  }

  std::string folder_;
};

}  // namespace flipscope::testing
