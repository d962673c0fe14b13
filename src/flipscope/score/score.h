// Scores: one number per sample, and one per fault over all samples.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flipscope/model/samples.h"
#include "flipscope/score/emd.h"
#include "flipscope/score/ground_distance.h"

namespace flipscope {

struct ScoreSpec {
  enum class Kind { mispredict, topk, accuracy, mse, mae, emd, exec };
  Kind kind = Kind::mispredict;
  int k = 0;              ///< topk
  std::string program{};  ///< exec

  bool operator==(const ScoreSpec&) const = default;
};

/// "mispredict", "topk:5", "accuracy", "mse", "mae", "emd", "exec:PROGRAM". Throws Error that lists
/// them where the text is anything else.
ScoreSpec parse_score(const std::string& text);

/// The spelling that parse_score() reads.
std::string to_string(const ScoreSpec& spec);

/// Whether a network with more of this score (in that spelling) is the better one.
bool higher_is_better(const std::string& score);

/// What emd needs beside the outputs.
struct EmdSettings {
  GroundDistance cost;
  std::vector<int> cells{};  ///< output element of each cell; empty: output elements are the cells
  /// FKeras's convention: an empty input scores −1 and an empty output −0.5, and both enter the
  /// mean.
  bool fkeras_sentinels = false;
};

struct ScorerOptions {
  bool only_correct = false;         ///< leave out samples that the golden run gets wrong
  std::optional<EmdSettings> emd{};  ///< needed by emd
};

/// Scores blocks of outputs [value][lane], at most 64 lanes, of one network. The samples must
/// outlive it; it owns scratch memory, so each thread has its own copy, made after the golden run
/// was observed.
///
/// Per sample (f: faulty output, g: golden output, t: target, or g where there are no targets):
///   mispredict  1 where the decision is not the label (or, without labels, the golden decision)
///   topk:k      1 where the label (or the golden decision) is not among the k largest outputs
///   accuracy    1 where the decision is the label
///   mse, mae    mean of (f − t)², |f − t| over the outputs
///   emd         earth mover's distance between the cells of t and of f, negative values taken as 0
/// An output with NaN or Inf anywhere is no decision: it scores 1, 1 and 0. In mse and mae NaN and
/// Inf propagate, and so does NaN through the mean over samples. For emd such an output, and one
/// whose cells are all 0, scores the diameter of the ground distance. A sample whose t has only
/// zeros in its cells has no distribution: emd leaves it out, golden and faulty alike.
///
/// Over samples: mispredict and topk add up, the others take the mean over the counted samples.
class Scorer {
 public:
  /// `values`: outputs per sample. Throws Error where labels, targets, EMD settings are missing or
  /// do not fit; exec is not scored here.
  Scorer(const ScoreSpec& spec, const Samples& samples, int values, ScorerOptions options = {});

  Scorer(const Scorer& other);
  Scorer& operator=(const Scorer&) = delete;

  /// Decides which samples of a block count. To be called for every block before it is scored.
  void observe_golden(std::int64_t first, int samples, const float* golden, int lanes);

  /// score[l] of sample samples[l], whose outputs are in lane l; 0 for a sample that does not
  /// count. To get golden scores, pass the golden output twice. A sample's score is found faster
  /// where the last one of the same sample was of a similar output.
  void per_sample(std::span<const std::int64_t> samples, const float* golden, const float* faulty,
                  int lanes, double* score);

  /// The same of the samples first, first + 1, …
  void per_sample(std::int64_t first, int samples, const float* golden, const float* faulty,
                  int lanes, double* score);

  /// [sample] 1 where it counts.
  const std::vector<std::uint8_t>& counts() const { return counts_; }
  std::int64_t counted() const;

  /// One number from the sums of per_sample() over leaves of samples, added in order. NaN where no
  /// sample counts and a mean is asked for.
  double reduce(std::span<const double> leaf_sums) const;

 private:
  using SampleNumbers = std::span<const std::int64_t>;

  void score_decisions(SampleNumbers samples, const float* golden, const float* faulty, int lanes,
                       double* score);
  void score_differences(SampleNumbers samples, const float* golden, const float* faulty, int lanes,
                         double* score) const;
  void score_emd(SampleNumbers samples, const float* golden, const float* faulty, int lanes,
                 double* score);
  /// Brings the cells of a sample into `cells`; false where they are all 0.
  bool reference_cells(std::int64_t sample, const float* golden, int lane, int lanes,
                       double* cells) const;
  bool output_cells(const float* out, int lane, int lanes, double* cells) const;

  ScoreSpec spec_;
  std::span<const std::int32_t> labels_;
  std::span<const float> targets_;
  std::int64_t target_size_;
  int values_;
  bool only_correct_;
  std::vector<std::uint8_t> counts_;
  std::optional<EmdSettings> emd_;
  std::vector<EmdSolver> solvers_;  ///< a sample's is number sample mod kDecisionLanes
  std::vector<double> reference_;
  std::vector<double> output_;
};

/// Adds the scores of one leaf, in order.
double leaf_sum(std::span<const double> scores);

}  // namespace flipscope
