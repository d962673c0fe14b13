// Options that several verbs have in common.
#include "command.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/model/number_text.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

std::vector<double> numbers(const char* name, const std::string& text) {
  std::vector<double> values;
  for (const std::string& word : split_text(text)) {
    const std::optional<double> value = parse_number(word);
    if (!value) {
      fail("usage", "--{} needs numbers between commas, one or one per channel, not \"{}\"", name,
           text);
    }
    values.push_back(*value);
  }
  return values;
}

double parse_scale(const std::string& text) {
  try {
    return parse_number_or_fraction(text);
  } catch (const Error&) {
    fail("usage", "--scale needs a number like 0.5 or a fraction like 1/255, not \"{}\"", text);
  }
}

Part parse_part(const std::string& text) {
  if (const std::optional<Part> part = part_named(text)) return *part;
  fail("usage",
       "--in \"{}\" is no part of a network; the parts are weights, biases, normalization, "
       "activations, operands, inputs",
       text);
}

std::vector<Part> parse_parts(const std::string& text) {
  std::vector<Part> parts;
  for (const std::string& word : split_text(text)) parts.push_back(parse_part(word));
  return parts;
}

}  // namespace

void describe_common(Command& command, Options& options) {
  command.heading("Common options");
  command.flag("json", options.json, "Print one JSON object on standard output instead of tables.");
  command.flag("quiet", options.quiet, "No progress, no tables.");
  command.option("threads", "N", options.campaign.threads, "Threads (default: all cores).");
  command.option("seed", "N", options.campaign.seed, "Seed of all that is random (default: 0).");
  command.config_file();
}

void describe_model(Command& command, Options& options) {
  command.argument("MODEL", options.campaign.model,
                   "model.onnx (float, QONNX, QDQ), model.h5, .hdf5 or .keras (Keras, QKeras), "
                   "config.json:weights.hdf5, or A+B: A's output feeds B.");
  command.option("requantize", "GLOB=fixed:B,I", options.campaign.variant.requantize,
                 "The weights of layers that match in fixed point: B bits, I of them (with the "
                 "sign's) before the point; several between commas.");
  command.option("prune", "SHARE", options.campaign.variant.prune,
                 "This share of every layer's weights, the smallest, becomes 0.");
}

void describe_samples(Command& command, Options& options) {
  SampleOptions& samples = options.campaign.samples;
  command.heading("Samples");
  command.option("inputs", "FILE", samples.inputs,
                 "Samples: .npy, .npz:key, IDX, .csv, CIFAR binary; .gz of all but .npz.");
  command.option("labels", "FILE", samples.labels,
                 "Classes, from 0 (CIFAR binaries bring their own).");
  command.option("targets", "FILE", samples.targets,
                 "What the outputs should be; \"inputs\" for autoencoders.");
  command.option(
      "scale", "S", [&](const std::string& text) { samples.scale = parse_scale(text); },
      "Samples are read as (x*S - mean)/std; a number or a fraction, 1/255.");
  command.option(
      "mean", "A,B,C", [&](const std::string& text) { samples.mean = numbers("mean", text); },
      "One, or one per channel (default: 0).");
  command.option(
      "std", "A,B,C", [&](const std::string& text) { samples.std = numbers("std", text); },
      "One, or one per channel (default: 1).");
  command.option(
      "layout", "nchw|nhwc",
      [&](const std::string& text) {
        if (text != "nchw" && text != "nhwc") {
          fail("usage", "--layout is nchw or nhwc, not \"{}\"", text);
        }
        samples.layout = text == "nchw" ? Layout::channel_first : Layout::channel_last;
      },
      "How samples lie in their file (default: as the model's).");
  command.option("first", "N", samples.first, "Take N samples (default: all).");
  command.option("skip", "N", samples.skip, "Leave out the first N (default: 0).");
}

void describe_fault_space(Command& command, Options& options) {
  FaultSpaceOptions& space = options.campaign.space;
  command.heading("Fault space");
  command.option(
      "in", "PARTS", [&](const std::string& text) { space.parts = parse_parts(text); },
      "weights (default), biases, normalization, activations, operands, inputs.");
  command.option("layers", "GLOB,...", space.layers, "Layers by name: conv*,dense (default: all).");
  command.option("bits", "BITS", space.bits,
                 "Bit positions from 0 = least significant: 0-5, 7, 0,7; msb:2 for the top two "
                 "(default: all).");
}

void describe_precision(Command& command, Options& options) {
  SelectionOptions& selection = options.campaign.selection;
  command.option(
      "error", "E",
      [&](const std::string& text) { selection.precision.error = parse_open_share("error", text); },
      "Samples of strata: the margin of error of each (default: 0.01).");
  command.option(
      "confidence", "C",
      [&](const std::string& text) {
        selection.precision.confidence = parse_open_share("confidence", text);
      },
      "The confidence of margins and intervals (default: 0.95, t = 1.96).");
  command.option(
      "outlier-rule", "RULE",
      [&](const std::string& text) { selection.outliers = parse_outlier_rule(text); },
      "Data-aware samples: bit positions whose flips move words beyond all others are given p = "
      "0.5 "
      "before the rest is scaled: iqr:K (default iqr:1.5: beyond the third quartile by K times the "
      "quartiles' distance), largest:N, none.");
}

void describe_search(Command& command, Options& options) {
  command.option(
      "binfi", "joint|separate",
      [&](const std::string& text) { options.campaign.selection.search = parse_search_kind(text); },
      "Binary search: one boundary in each word, or one among its zeros and one among its ones "
      "(separate, default).");
}

void describe_score(Command& command, Options& options) {
  CampaignOptions& campaign = options.campaign;
  command.option("score", "NAME", campaign.score,
                 "mispredict (default for classifiers; against labels if given, else the golden "
                 "decision), topk:K, accuracy, mse (default with targets), mae, emd, "
                 "exec:PROGRAM.");
  command.option("emd-cost", "FILE.csv", campaign.emd_cost,
                 "emd: the distance from each cell to each, a square table.");
  command.option("emd-cells", "FILE.csv", campaign.emd_cells,
                 "emd: which output element is which cell (default: element i is cell i).");
  command.option(
      "emd-empty", "diameter|fkeras", campaign.emd_empty,
      "emd of an output whose cells are all 0: the largest distance, and samples without "
      "anything to move are left out (default); or -0.5, and those samples -1, as "
      "FKeras's code has it.");
  command.flag("count-only-correct", campaign.count_only_correct,
               "Score only samples that the golden run gets right.");
}

void describe_sensitive(Command& command, Options& options, const char* help) {
  command.option(
      "sensitive", "worse|different",
      [&](const std::string& text) {
        parse_sensitive(text);
        options.sensitive = text;
      },
      help);
}

}  // namespace flipscope::cli
