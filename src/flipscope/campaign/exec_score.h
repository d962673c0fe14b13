// A score that a program of the user's computes (--score exec:PROGRAM), or a function.
#pragma once

#include <string>

#include "flipscope/campaign/campaign.h"
#include "flipscope/model/samples.h"

namespace flipscope {

/// Runs `PROGRAM outputs.npy [labels.npy]` by the shell. outputs.npy is float32 [sample, value],
/// labels.npy int32 [sample]. The score is the last number on its standard output. Where there is a
/// function, it is called instead.
class ExecScore {
 public:
  /// Makes a folder for the files, which goes when this does. Throws Error where it cannot.
  ExecScore(std::string program, const Samples& samples, int values, ScoreFunction function = {});
  ~ExecScore();
  ExecScore(const ExecScore&) = delete;
  ExecScore& operator=(const ExecScore&) = delete;

  /// `outputs` is [sample][value]; `name` tells files of concurrent calls apart. Throws Error where
  /// the program fails or prints no number.
  double operator()(const float* outputs, std::uint64_t name) const;

 private:
  std::string program_;
  ScoreFunction function_;
  std::string folder_;
  std::int64_t samples_;
  int values_;
  bool labelled_;
};

}  // namespace flipscope
