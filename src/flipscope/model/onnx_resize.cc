// ONNX's Resize and Upsample: every axis is resampled on its own, so an output is a sum over the
// product of its axes' neighbours. Formulas: ONNX operator specification, Resize-19.
#include <algorithm>
#include <cmath>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

struct Options {
  std::string mode = "nearest", coordinates = "asymmetric", nearest = "floor";
  double cubic = -0.75, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
};

struct Axis {
  std::int64_t input = 1, output = 1;
  double scale = 1, start = 0, end = 1;

  bool unchanged() const { return input == output && scale == 1; }
};

/// What one output coordinate reads of its axis. `outside`: the extrapolation value instead.
struct Neighbours {
  std::vector<std::int64_t> place;
  std::vector<double> weight;
  bool outside = false;
};

// In float32, as frameworks compute it: which neighbour is the nearest hangs on it.
float original(const Options& options, const Axis& axis, float x) {
  const std::string& mode = options.coordinates;
  const auto input = static_cast<float>(axis.input), output = static_cast<float>(axis.output);
  const auto scale = static_cast<float>(axis.scale);
  if (mode == "asymmetric") return x / scale;
  if (mode == "half_pixel") return (x + 0.5F) / scale - 0.5F;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5F) / scale;
  if (mode == "pytorch_half_pixel") return output > 1 ? (x + 0.5F) / scale - 0.5F : 0;
  if (mode == "align_corners") {
    // The resized length is the scale's, before it was rounded down to whole elements.
    const float scaled = scale * input;
    const float length = std::fabs(scaled - output) < 0x1p-10F ? output : scaled;
    return length > 1 ? x * (input - 1) / (length - 1) : 0;
  }
  if (mode == "half_pixel_symmetric") {
    const float adjustment = output / (scale * input);
    return input / 2 * (1 - adjustment) + (x + 0.5F) / scale - 0.5F;
  }
  if (mode == "tf_crop_and_resize") {
    const auto start = static_cast<float>(axis.start), end = static_cast<float>(axis.end);
    return output > 1 ? start * (input - 1) + x * (end - start) * (input - 1) / (output - 1)
                      : 0.5F * (start + end) * (input - 1);
  }
  OnnxCall::refuse("coordinate_transformation_mode \"{}\" is not supported", mode);
}

std::int64_t nearest_place(const Options& options, double x) {
  if (options.nearest == "floor") return static_cast<std::int64_t>(std::floor(x));
  if (options.nearest == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (options.nearest == "round_prefer_floor") return static_cast<std::int64_t>(std::ceil(x - 0.5));
  if (options.nearest == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5));
  OnnxCall::refuse("nearest_mode \"{}\" is not supported", options.nearest);
}

// Kernels at distance d: a triangle, or Keys' cubic convolution with parameter a.
double kernel(const Options& options, double d) {
  d = std::fabs(d);
  if (options.mode == "linear") return std::max(1 - d, 0.0);
  const double a = options.cubic;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

Neighbours neighbours(const Options& options, const Axis& axis, std::int64_t output) {
  if (axis.unchanged() && options.coordinates != "tf_crop_and_resize") return {{output}, {1}};
  const double x = original(options, axis, static_cast<float>(output));
  Neighbours result;
  const std::int64_t last = axis.input - 1;
  if (options.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(last))) {
    result.outside = true;
    return result;
  }
  if (options.mode == "nearest") {
    return {{std::clamp<std::int64_t>(nearest_place(options, x), 0, last)}, {1}};
  }
  const double stretch = options.antialias ? std::min(axis.scale, 1.0) : 1;
  const double reach = (options.mode == "linear" ? 1 : 2) / stretch;
  if (!(reach < 0x1p20) || !(std::fabs(x) < 0x1p40)) OnnxCall::refuse("scales are out of range");
  const auto first = static_cast<std::int64_t>(std::floor(x - reach)) + 1;
  const auto end = static_cast<std::int64_t>(std::ceil(x + reach));
  double sum = 0;
  for (std::int64_t i = first; i < std::max(end, first + 1); ++i) {
    double weight = kernel(options, (static_cast<double>(i) - x) * stretch);
    if (options.exclude_outside && (i < 0 || i > last)) weight = 0;
    const std::int64_t place = std::clamp<std::int64_t>(i, 0, last);
    sum += weight;
    if (weight == 0) continue;
    if (!result.place.empty() && result.place.back() == place) {
      result.weight.back() += weight;
    } else {
      result.place.push_back(place);
      result.weight.push_back(weight);
    }
  }
  for (double& weight : result.weight) weight /= sum;
  return result;
}

Symbol resample(OnnxCall& call, const Symbol& x, const Options& options,
                const std::vector<Axis>& axes) {
  Shape shape;
  for (const Axis& axis : axes) shape.push_back(axis.output);
  const std::int64_t count = bounded_count(shape);
  bounded_count(x.shape);
  if (count > 0 && element_count(x.shape) == 0) OnnxCall::refuse("the input has no elements");
  const Shape strides = strides_of(x.shape);
  std::vector<std::vector<Neighbours>> tables(axes.size());
  bool moves = true;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    for (std::int64_t i = 0; i < axes[k].output; ++i) {
      tables[k].push_back(neighbours(options, axes[k], i));
      moves = moves && (tables[k].back().outside || tables[k].back().place.size() == 1);
    }
  }
  if (moves) {
    AxisOffsets offsets(axes.size());
    for (std::size_t k = 0; k < axes.size(); ++k) {
      for (const Neighbours& near : tables[k]) {
        offsets[k].push_back(near.outside ? -1 : near.place[0] * strides[k]);
      }
    }
    return move_axes(call, x, offsets, options.extrapolation);
  }
  SparseLinear op;
  op.shape = shape;
  op.begin.push_back(0);
  std::vector<std::uint8_t> outside(static_cast<std::size_t>(count), 0);
  const Shape places = strides_of(shape);
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::int64_t> place = {0};
    std::vector<double> weight = {1};
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const Neighbours& near = tables[k][i / places[k] % shape[k]];
      if (near.outside) outside[i] = 1;
      std::vector<std::int64_t> next_place;
      std::vector<double> next_weight;
      for (std::size_t t = 0; t < place.size(); ++t) {
        for (std::size_t n = 0; n < near.place.size(); ++n) {
          next_place.push_back(place[t] + near.place[n] * strides[k]);
          next_weight.push_back(weight[t] * near.weight[n]);
        }
      }
      place = std::move(next_place);
      weight = std::move(next_weight);
    }
    for (std::size_t t = 0; t < place.size(); ++t) {
      op.source.push_back(static_cast<std::int32_t>(place[t]));
      op.weight.push_back(static_cast<float>(weight[t]));
    }
    op.begin.push_back(static_cast<std::int64_t>(op.source.size()));
    if (op.source.size() > std::size_t{1} << 28) OnnxCall::refuse("the resampling is too large");
  }
  Symbol y = call.add(std::move(op), {x}, x.type);
  const bool any = std::find(outside.begin(), outside.end(), 1) != outside.end();
  if (!any) return y;
  const Symbol mask =
      call.builder.literal({ElementType::boolean, shape, {outside.begin(), outside.end()}});
  return call.add(Select{}, {mask, call.scalar(options.extrapolation, x.type), y}, x.type);
}

std::vector<double> constant_or_empty(OnnxCall& call, std::size_t input, const char* what) {
  return call.has(input) ? call.constant(input, what) : std::vector<double>{};
}

std::vector<Axis> scaled_axes(const Symbol& x, const std::vector<std::int64_t>& which,
                              const std::vector<double>& scales) {
  if (scales.size() != which.size()) {
    OnnxCall::refuse("scales has {} entries, it needs {}", scales.size(), which.size());
  }
  std::vector<Axis> axes;
  for (const std::int64_t size : x.shape) axes.push_back({size, size});
  for (std::size_t n = 0; n < which.size(); ++n) {
    Axis& axis = axes[which[n]];
    const float output = std::floor(static_cast<float>(axis.input) * static_cast<float>(scales[n]));
    if (!(scales[n] > 0) || !(output <= 0x1p31F)) OnnxCall::refuse("scales holds {}", scales[n]);
    axis.scale = scales[n];
    axis.output = static_cast<std::int64_t>(output);
  }
  return axes;
}

std::vector<Axis> sized_axes(const Symbol& x, const std::vector<std::int64_t>& which,
                             const std::vector<std::int64_t>& sizes, const std::string& policy) {
  if (sizes.size() != which.size()) {
    OnnxCall::refuse("sizes has {} entries, it needs {}", sizes.size(), which.size());
  }
  std::vector<Axis> axes;
  for (const std::int64_t size : x.shape) axes.push_back({size, size});
  double common = 0;
  for (std::size_t n = 0; n < which.size(); ++n) {
    Axis& axis = axes[which[n]];
    if (sizes[n] < 0 || sizes[n] > kMostElements || axis.input == 0) {
      OnnxCall::refuse("sizes holds {}", sizes[n]);
    }
    axis.output = sizes[n];
    axis.scale = static_cast<double>(axis.output) / static_cast<double>(axis.input);
    common = n == 0                   ? axis.scale
             : policy == "not_larger" ? std::min(common, axis.scale)
                                      : std::max(common, axis.scale);
  }
  if (policy == "stretch") return axes;
  if (policy != "not_larger" && policy != "not_smaller") {
    OnnxCall::refuse("keep_aspect_ratio_policy \"{}\" is not supported", policy);
  }
  for (const std::int64_t k : which) {
    axes[k].scale = common;
    const double output = std::floor(common * static_cast<double>(axes[k].input) + 0.5);
    if (!(output <= 0x1p31)) OnnxCall::refuse("sizes are out of range");
    axes[k].output = static_cast<std::int64_t>(output);
  }
  return axes;
}

void check_mode(Options& options) {
  if (options.mode == "bilinear") options.mode = "linear";
  if (options.mode != "nearest" && options.mode != "linear" && options.mode != "cubic") {
    OnnxCall::refuse("mode must be nearest, linear or cubic, not \"{}\"", options.mode);
  }
}

std::vector<std::int64_t> all_axes(std::int64_t rank) {
  std::vector<std::int64_t> axes;
  for (std::int64_t k = 0; k < rank; ++k) axes.push_back(k);
  return axes;
}

Symbols upsample(OnnxCall& call) {
  Options options;
  options.mode = call.text("mode", "nearest");
  check_mode(options);
  const Symbol& x = call.in(0);
  std::vector<double> scales = call.numbers("scales");
  if (call.has_attribute("height_scale") && call.rank(0) == 4) {
    scales = {1, 1, call.number("height_scale", 1), call.number("width_scale", 1)};
  }
  if (call.has(1)) scales = call.constant(1, "scales");
  return {resample(call, x, options, scaled_axes(x, all_axes(call.rank(0)), scales))};
}

Symbols resize(OnnxCall& call) {
  if (call.opset < 11) return upsample(call);
  Options options;
  options.mode = call.text("mode", "nearest");
  options.coordinates = call.text("coordinate_transformation_mode", "half_pixel");
  options.nearest = call.text("nearest_mode", "round_prefer_floor");
  options.cubic = call.number("cubic_coeff_a", -0.75);
  options.extrapolation = call.number("extrapolation_value", 0);
  options.exclude_outside = call.integer("exclude_outside", 0) != 0;
  options.antialias = call.integer("antialias", 0) != 0;
  const std::string policy = call.text("keep_aspect_ratio_policy", "stretch");
  check_mode(options);

  const Symbol& x = call.in(0);
  auto which = call.integers("axes", all_axes(call.rank(0)));
  for (auto& axis : which) axis = OnnxCall::axis(axis, call.rank(0));
  OnnxCall::axes(which, call.rank(0));
  const auto scales = constant_or_empty(call, 2, "scales");
  auto axes = scales.empty() ? sized_axes(x, which, call.constant_integers(3, "sizes"), policy)
                             : scaled_axes(x, which, scales);
  if (options.coordinates == "tf_crop_and_resize") {
    const auto region = constant_or_empty(call, 1, "roi");
    if (region.size() != 2 * which.size()) {
      OnnxCall::refuse("roi has {} entries, it needs {}", region.size(), 2 * which.size());
    }
    for (std::size_t n = 0; n < which.size(); ++n) {
      axes[which[n]].start = region[n];
      axes[which[n]].end = region[n + which.size()];
    }
  }
  return {resample(call, x, options, axes)};
}

}  // namespace

void add_resize_operators(OnnxOperatorTable& table) {
  table["Resize"] = {resize};
  table["Upsample"] = {upsample};
}

}  // namespace flipscope
