// The samples that a network is run on.
#include "flipscope/model/samples.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "flipscope/model/array_file.h"
#include "flipscope/model/labels.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

const char* name_of(Layout layout) {
  return layout == Layout::channel_first ? "nchw" : "nhwc";
}

Layout other(Layout layout) {
  return layout == Layout::channel_first ? Layout::channel_last : Layout::channel_first;
}

/// "[N,3,32,32]".
std::string with_batch(const Shape& sample) {
  const std::string text = to_string(sample);
  return sample.empty() ? "[N]" : "[N," + text.substr(1);
}

/// The same sample's shape with its channel axis where `layout` has it.
Shape moved(Shape shape, Layout layout) {
  if (shape.size() < 2) return shape;
  if (layout == Layout::channel_first) {
    std::rotate(shape.begin(), shape.end() - 1, shape.end());
  } else {
    std::rotate(shape.begin(), shape.begin() + 1, shape.end());
  }
  return shape;
}

/// Element i of a sample belongs to channel i / inner mod count.
struct Channels {
  std::int64_t count = 1;
  std::int64_t inner = 1;
};

Channels channels_of(const Shape& shape, Layout layout) {
  if (shape.empty()) return {};
  if (layout == Layout::channel_last || shape.size() == 1) return {shape.back(), 1};
  return {shape[0], element_count(shape) / std::max<std::int64_t>(shape[0], 1)};
}

/// How the values of a file's sample become the model's.
struct Arrangement {
  Channels channels;       ///< of the model's input
  bool transpose = false;  ///< the file has the other layout
};

Arrangement arrange(const ArrayFile& file, const SampleOptions& options, const Shape& sample,
                    Layout model_layout) {
  const StoredArray& array = file.array;
  if (file.is_cifar && options.layout == Layout::channel_last) {
    fail("samples", "{}: CIFAR binary files are nchw; leave --layout out", array.name);
  }
  const Shape found(array.shape.begin() + std::min<std::ptrdiff_t>(1, std::ssize(array.shape)),
                    array.shape.end());
  const std::int64_t values = element_count(sample);
  if (array.shape.empty() || element_count(found) != values) {
    fail("samples", "{}: holds {}; the model's input is {} ({} values a sample)", array.name,
         to_string(array.shape), with_batch(sample), values);
  }
  const Layout layout =
      file.is_cifar ? Layout::channel_first : options.layout.value_or(model_layout);
  Arrangement result;
  result.channels = channels_of(sample, model_layout);
  if (sample.size() < 2) {
    if (found.size() > 2) result.channels = channels_of(found, layout);
    return result;
  }
  result.transpose = layout != model_layout;
  const Shape expected = result.transpose ? moved(sample, layout) : sample;
  const Shape reverse = result.transpose ? sample : moved(sample, other(model_layout));
  const bool matters = result.channels.count > 1 && result.channels.count < values;
  if (matters && found != expected && found == reverse) {
    fail("samples", "{}: holds {}, which is not {} for the model's {} input {}; say --layout {}",
         array.name, to_string(array.shape), name_of(layout), name_of(model_layout),
         with_batch(sample), name_of(other(layout)));
  }
  return result;
}

/// One value per channel, from none, one, or all of them.
std::vector<double> per_channel(const std::vector<double>& values, double neutral,
                                std::int64_t channels, const char* option) {
  const std::size_t count = static_cast<std::size_t>(channels);
  if (values.empty()) return std::vector<double>(count, neutral);
  if (values.size() == 1) return std::vector<double>(count, values[0]);
  if (values.size() != count) {
    fail("samples", "{} has {} values; give one, or one for each of the {} channels", option,
         values.size(), channels);
  }
  return values;
}

void check_normalization(const SampleOptions& options) {
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!finite(options.scale) || options.scale == 0) {
    fail("samples", "--scale {} is not usable; give a finite number other than 0", options.scale);
  }
  if (!std::ranges::all_of(options.mean, finite)) fail("samples", "--mean must be finite");
  if (!std::ranges::all_of(options.std, [&](double x) { return finite(x) && x > 0; })) {
    fail("samples", "--std must be finite and greater than 0");
  }
}

std::int64_t rows_of(const StoredArray& array) {
  return array.shape.empty() ? 0 : array.shape[0];
}

/// How many of `available` samples --skip and --first leave.
std::int64_t chosen_count(const SampleOptions& options, std::int64_t available) {
  if (options.skip < 0) fail("samples", "--skip {} is negative", options.skip);
  if (options.first != -1 && options.first < 1) {
    fail("samples", "--first {} takes no sample; give at least 1", options.first);
  }
  if (available == 0) fail("samples", "{}: holds no samples", options.inputs);
  if (options.skip >= available) {
    fail("samples", "{}: holds {} samples; --skip {} leaves none", options.inputs, available,
         options.skip);
  }
  const std::int64_t left = available - options.skip;
  if (options.first > left) {
    fail("samples", "{}: --first {} asks for more than the {} samples after --skip {}",
         options.inputs, options.first, left, options.skip);
  }
  return options.first == -1 ? left : options.first;
}

void check_rows(const std::string& file, const char* what, std::int64_t found,
                const std::string& inputs, std::int64_t expected) {
  if (found != expected) {
    fail("samples", "{}: holds {} {}, but {} holds {} samples; the counts must agree", file, found,
         what, inputs, expected);
  }
}

[[noreturn]] void fail_not_finite(const std::string& file, std::int64_t sample,
                                  std::int64_t element, double value) {
  fail("samples", "{}: sample {}, element {} is {}; samples must be finite float32 numbers", file,
       sample, element, value);
}

void read_inputs(const SampleOptions& options, const StoredArray& array,
                 const Arrangement& arrangement, Samples& samples) {
  const std::int64_t size = element_count(samples.shape);
  const Channels channels = arrangement.channels;
  const std::vector<double> mean = per_channel(options.mean, 0, channels.count, "--mean");
  const std::vector<double> deviation = per_channel(options.std, 1, channels.count, "--std");
  const std::int64_t positions = size / std::max<std::int64_t>(channels.count, 1);
  std::vector<double> row(static_cast<std::size_t>(size));
  samples.values.resize(static_cast<std::size_t>(samples.count * size));
  float* out = samples.values.data();
  for (std::int64_t n = options.skip; n < options.skip + samples.count; ++n) {
    decode(array, n * size, size, row.data());
    for (std::int64_t i = 0; i < size; ++i, ++out) {
      const std::int64_t channel = i / channels.inner % channels.count;
      std::int64_t from = i;
      if (arrangement.transpose) {
        from = channels.inner == 1 ? channel * positions + i / channels.count
                                   : i % channels.inner * channels.count + channel;
      }
      const double x = row[static_cast<std::size_t>(from)];
      const std::size_t c = static_cast<std::size_t>(channel);
      *out = static_cast<float>((x * options.scale - mean[c]) / deviation[c]);
      if (!std::isfinite(*out)) fail_not_finite(array.name, n, from, x);
    }
  }
}

void read_targets(const SampleOptions& options, const StoredArray& array, std::int64_t available,
                  Samples& samples) {
  check_rows(options.targets, "rows of targets", rows_of(array), options.inputs, available);
  samples.target_size = element_count(array.shape) / available;
  if (samples.target_size == 0) {
    fail("samples", "{}: has shape {}; expected [N,outputs]", options.targets,
         to_string(array.shape));
  }
  std::vector<double> row(static_cast<std::size_t>(samples.target_size));
  for (std::int64_t n = options.skip; n < options.skip + samples.count; ++n) {
    decode(array, n * samples.target_size, samples.target_size, row.data());
    for (std::int64_t i = 0; i < samples.target_size; ++i) {
      const double x = row[static_cast<std::size_t>(i)];
      samples.targets.push_back(static_cast<float>(x));
      if (!std::isfinite(samples.targets.back())) fail_not_finite(options.targets, n, i, x);
    }
  }
}

}  // namespace

Samples load_samples(const SampleOptions& options, const Shape& model_input, Layout model_layout) {
  assert(!model_input.empty());
  if (options.inputs.empty()) fail("samples", "there are no samples; give --inputs FILE");
  check_normalization(options);
  const ArrayFile inputs = open_array_file(options.inputs);
  Samples samples;
  samples.shape.assign(model_input.begin() + 1, model_input.end());
  const Arrangement arrangement = arrange(inputs, options, samples.shape, model_layout);
  const std::int64_t available = rows_of(inputs.array);
  samples.count = chosen_count(options, available);
  element_count({samples.count, element_count(samples.shape)});
  read_inputs(options, inputs.array, arrangement, samples);

  std::string identity = inputs.digest;
  std::vector<std::int32_t> labels = inputs.labels;
  if (!options.labels.empty()) {
    const ArrayFile file = open_array_file(options.labels);
    labels = labels_from(file);
    check_rows(options.labels, "labels", std::ssize(labels), options.inputs, available);
    identity += " labels " + file.digest;
  }
  if (!labels.empty()) {
    samples.labels.assign(labels.begin() + options.skip,
                          labels.begin() + options.skip + samples.count);
  }
  if (options.targets == "inputs") {
    samples.targets = samples.values;
    samples.target_size = element_count(samples.shape);
    identity += " targets inputs";
  } else if (!options.targets.empty()) {
    const ArrayFile file = open_array_file(options.targets);
    read_targets(options, file.array, available, samples);
    identity += " targets " + file.digest;
  }
  identity += fmt::format(" scale {}", options.scale);
  for (const double mean : options.mean) identity += fmt::format(" mean {}", mean);
  for (const double std : options.std) identity += fmt::format(" std {}", std);
  identity +=
      fmt::format(" transpose {} model {} shape {} skip {} count {}", arrangement.transpose,
                  name_of(model_layout), to_string(samples.shape), options.skip, samples.count);
  samples.identity = digest(identity);
  samples.labels_file = options.labels.empty() ? options.inputs : options.labels;
  return samples;
}

void check_labels(const Samples& samples, std::int64_t classes) {
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    if (samples.labels[i] < 0 || samples.labels[i] >= classes) {
      fail("labels", "{}: label {} is {}; the model has {} outputs, so labels are 0 to {}",
           samples.labels_file, i, samples.labels[i], classes, classes - 1);
    }
  }
}

}  // namespace flipscope
