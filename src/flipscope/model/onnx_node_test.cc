// The official ONNX backend tests (Debian: libonnx-testdata), over every operator that we claim.
//
// A case counts as claimed when the table holds all its operators. Each claimed case must give the
// expected numbers; each other one must have its operator, or itself, among the exclusions below,
// with the reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "flipscope/model/onnx.h"
#include "flipscope/model/onnx_operators.h"
#include "flipscope/model/test_run_graph.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

const fs::path kData = "/usr/share/libonnx-testdata/data";

const char* const kControl = "control flow";
const char* const kSequence = "sequences and optionals are not tensors";
const char* const kRecurrent = "recurrent networks";
const char* const kRandom = "random output";
const char* const kString = "strings";
const char* const kTraining = "training";
const char* const kSignal = "signal processing";
const char* const kBits = "bits of runtime integers";
const char* const kClassic = "of ai.onnx.ml, for other models than networks";
const char* const kDynamicShape = "the output's shape depends on data";

const std::map<std::string, const char*> kExcludedOperators = {
    {"ArrayFeatureExtractor", kClassic},
    {"Binarizer", kClassic},
    {"Adagrad", kTraining},
    {"Adam", kTraining},
    {"Gradient", kTraining},
    {"Momentum", kTraining},
    {"Bernoulli", kRandom},
    {"RandomUniformLike", kRandom},
    {"BitShift", kBits},
    {"BitwiseAnd", kBits},
    {"BitwiseNot", kBits},
    {"BitwiseOr", kBits},
    {"BitwiseXor", kBits},
    {"BlackmanWindow", kSignal},
    {"DFT", kSignal},
    {"HammingWindow", kSignal},
    {"HannWindow", kSignal},
    {"MelWeightMatrix", kSignal},
    {"STFT", kSignal},
    {"CenterCropPad", "images before they reach a network"},
    {"Col2Im", "sums of overlapping blocks"},
    {"DeformConv", "the places it reads depend on data"},
    {"Det", "determinants"},
    {"Einsum", "a language of its own; export it as MatMul and Transpose"},
    {"GRU", kRecurrent},
    {"LSTM", kRecurrent},
    {"RNN", kRecurrent},
    {"GridSample", "the places it reads depend on data"},
    {"MaxUnpool", "the places it writes depend on data"},
    {"RoiAlign", "the places it reads depend on data"},
    {"If", kControl},
    {"Loop", kControl},
    {"Scan", kControl},
    {"NegativeLogLikelihoodLoss", kTraining},
    {"SoftmaxCrossEntropyLoss", kTraining},
    {"NonMaxSuppression", kDynamicShape},
    {"Unique", kDynamicShape},
    {"OptionalGetElement", kSequence},
    {"OptionalHasElement", kSequence},
    {"SequenceAt", kSequence},
    {"SequenceConstruct", kSequence},
    {"SequenceEmpty", kSequence},
    {"SequenceErase", kSequence},
    {"SequenceInsert", kSequence},
    {"SequenceLength", kSequence},
    {"SequenceMap", kSequence},
    {"SplitToSequence", kSequence},
    {"ConcatFromSequence", kSequence},
    {"StringNormalizer", kString},
    {"TfIdfVectorizer", kString},
    {"TopK", "two outputs that depend on an order of data"},
};

const char* const kEightBits = "floats of 8 bits";
const char* const kDuplicates = "several updates of one element";
const char* const kMask = "random mask";
const char* const kPlaces = "MaxPool's second output, the places of the maxima";
const char* const kRange = "float64 values beyond the range of float32";
const char* const kTrainingMode = "training mode";
const char* const kTruncated = "its data cut bits off for bfloat16, the specification rounds";

const std::map<std::string, const char*> kExcludedTests = {
    {"test_batchnorm_epsilon_training_mode", kTrainingMode},
    {"test_batchnorm_example_training_mode", kTrainingMode},
    {"test_cast_FLOAT_to_BFLOAT16", kTruncated},
    {"test_castlike_FLOAT_to_BFLOAT16", kTruncated},
    {"test_castlike_FLOAT_to_BFLOAT16_expanded", kTruncated},
    {"test_maxpool_with_argmax_2d_precomputed_pads", kPlaces},
    {"test_maxpool_with_argmax_2d_precomputed_strides", kPlaces},
    {"test_operator_add_broadcast", kRange},
    {"test_operator_add_size1_right_broadcast", kRange},
    {"test_operator_add_size1_singleton_broadcast", kRange},
    {"test_operator_addconstant", kRange},
    {"test_scatter_elements_with_duplicate_indices", kDuplicates},
    {"test_scatter_elements_with_reduction_max", kDuplicates},
    {"test_scatter_elements_with_reduction_min", kDuplicates},
    {"test_scatternd_add", kDuplicates},
    {"test_scatternd_max", kDuplicates},
    {"test_scatternd_min", kDuplicates},
    {"test_scatternd_multiply", kDuplicates},
    {"test_training_dropout", kMask},
    {"test_training_dropout_default", kMask},
    {"test_training_dropout_default_mask", kMask},
    {"test_training_dropout_mask", kMask},
};

// What the reader says of models that hold other things than tensors of numbers.
const std::map<std::string, const char*> kExcludedContents = {
    {"is not a tensor", kSequence},         {"element type number 8", kString},
    {"element type number 17", kEightBits}, {"element type number 18", kEightBits},
    {"element type number 19", kEightBits}, {"element type number 20", kEightBits},
};

// Operators of a model that the table does not hold.
std::set<std::string> unclaimed(const OnnxModel& model) {
  std::set<std::string> names;
  for (const OnnxNode& node : model.nodes) {
    if (!node.domain.empty() || !onnx_operators().contains(node.op_type)) {
      names.insert(node.op_type);
    }
  }
  return names;
}

// numpy.testing.assert_allclose with the tolerances of ONNX's own runner.
bool close(double actual, double expected) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (std::isinf(expected)) return actual == expected;
  return std::fabs(actual - expected) <= 1e-7 + 1e-3 * std::fabs(expected);
}

// The test data hold bfloat16 as its bits.
void restore_bfloat16(Tensor& tensor, ElementType type) {
  if (type != ElementType::bfloat16 || tensor.type != ElementType::uint16) return;
  tensor.type = type;
  for (double& x : tensor.data) x = decode(bfloat16_format(), static_cast<Word>(x));
}

std::vector<Tensor> read_set(const fs::path& folder, const char* kind) {
  std::vector<Tensor> tensors;
  for (int k = 0;; ++k) {
    const fs::path file = folder / fmt::format("{}_{}.pb", kind, k);
    if (!fs::exists(file)) return tensors;
    tensors.push_back(read_onnx_tensor(file.string()));
  }
}

// Inputs from number `runtime_inputs` on are constants of the model. Says what is wrong.
std::string run_case(OnnxModel model, std::vector<Tensor> inputs, std::vector<Tensor> expected,
                     std::size_t runtime_inputs) {
  OnnxOptions options;
  options.first_axis_is_batch = false;
  std::vector<std::vector<float>> data;
  if (inputs.size() != model.inputs.size()) return "the test has other inputs than the model";
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    restore_bfloat16(inputs[k], model.inputs[k].type);
    if (k < runtime_inputs) {
      model.inputs[k].shape = inputs[k].shape;
      model.inputs[k].has_shape = true;
      data.emplace_back(inputs[k].data.begin(), inputs[k].data.end());
    } else {
      options.constants[model.inputs[k].name] = inputs[k];
    }
  }
  OnnxConversion converted = convert_onnx(model, options);
  if (converted.outputs.size() != expected.size()) return "the test has other outputs";
  std::vector<Symbol> runtime;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Symbol& symbol = converted.outputs[k];
    restore_bfloat16(expected[k], symbol.type);
    if (symbol.shape != expected[k].shape) {
      return fmt::format("output {} is {}, not {}", k, to_string(symbol.shape),
                         to_string(expected[k].shape));
    }
    if (symbol.type != expected[k].type) {
      return fmt::format("output {} is {}, not {}", k, to_string(symbol.type),
                         to_string(expected[k].type));
    }
    if (symbol.is_constant()) continue;
    runtime.push_back(symbol);
    names.push_back(converted.output_names[k]);
  }
  std::vector<std::vector<float>> results;
  if (!runtime.empty()) {
    results = run_graph(converted.builder.finish("test", runtime, names), data);
  }
  std::size_t next = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Symbol& symbol = converted.outputs[k];
    std::vector<double> actual = *symbol.constant;
    if (!symbol.is_constant()) {
      actual.assign(results[next].begin(), results[next].end());
      ++next;
    }
    for (std::size_t i = 0; i < expected[k].data.size(); ++i) {
      if (!close(actual.at(i), expected[k].data[i])) {
        return fmt::format("output {} element {} is {}, not {}", k, i, actual[i],
                           expected[k].data[i]);
      }
    }
  }
  return "";
}

// Runtime inputs as far as possible: parameters that must be constant are among the later ones.
std::string run_set(const OnnxModel& model, const fs::path& folder) {
  try {
    const auto inputs = read_set(folder, "input");
    const auto expected = read_set(folder, "output");
    if (expected.empty()) return "no expected output";
    std::string refusal;
    for (const std::size_t runtime : {inputs.size(), std::size_t{1}, std::size_t{0}}) {
      try {
        return run_case(model, inputs, expected, std::min(runtime, inputs.size()));
      } catch (const Error& error) {
        const std::string text = error.what();
        if (refusal.empty()) refusal = text;
        if (text.find("must be a constant") == std::string::npos) return text;
      }
    }
    return refusal;
  } catch (const Error& error) {
    return error.what();
  }
}

struct Tally {
  int claimed = 0;
  std::map<std::string, std::vector<std::string>> excluded;  // by reason
};

bool is_excluded_content(const std::string& outcome, const std::string& name, Tally& tally) {
  for (const auto& [fragment, reason] : kExcludedContents) {
    if (outcome.find(fragment) == std::string::npos) continue;
    tally.excluded[reason].push_back(name);
    return true;
  }
  return false;
}

void run_folder(const fs::path& folder, Tally& tally) {
  const std::string name =
      folder.parent_path().filename().string() + "/" + folder.filename().string();
  std::set<std::string> missing;
  std::optional<OnnxModel> model;
  std::string outcome;
  try {
    model = read_onnx((folder / "model.onnx").string());
    missing = unclaimed(*model);
  } catch (const Error& error) {
    outcome = error.what();
  }
  if (is_excluded_content(outcome, name, tally)) return;
  for (const std::string& op : missing) {
    const auto reason = kExcludedOperators.find(op);
    if (reason == kExcludedOperators.end()) {
      ADD_FAILURE() << name << ": operator " << op << " is neither supported nor excluded";
      return;
    }
    tally.excluded[op + ": " + reason->second].push_back(name);
    return;
  }
  int sets = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory() || !outcome.empty()) continue;
    outcome = run_set(*model, entry.path());
    ++sets;
  }
  if (outcome.empty() && sets == 0) outcome = "no data";
  if (is_excluded_content(outcome, name, tally)) return;
  const auto excluded = kExcludedTests.find(folder.filename().string());
  if (excluded != kExcludedTests.end()) {
    EXPECT_NE(outcome, "") << name << " passes; it needs no exclusion";
    tally.excluded[excluded->second].push_back(name);
    return;
  }
  ++tally.claimed;
  EXPECT_EQ(outcome, "") << name;
}

TEST(OnnxNode, official_tests) {
  if (!fs::exists(kData)) {
    GTEST_SKIP() << "needs the official test data: apt-get install libonnx-testdata";
  }
  Tally tally;
  for (const char* suite : {"node", "simple", "pytorch-operator", "pytorch-converted"}) {
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(kData / suite)) {
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    const int before = tally.claimed;
    for (const fs::path& folder : folders) run_folder(folder, tally);
    std::cout << suite << ": " << tally.claimed - before << " of " << folders.size()
              << " cases claimed\n";
  }
  std::cout << tally.claimed << " cases claimed\n";
  for (const auto& [reason, names] : tally.excluded) {
    std::cout << "  excluded, " << reason << ":";
    for (const std::string& name : names) std::cout << ' ' << name;
    std::cout << '\n';
  }
  EXPECT_GE(tally.claimed, 300);
}

}  // namespace
}  // namespace flipscope
