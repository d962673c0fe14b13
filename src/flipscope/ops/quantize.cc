// Real numbers to codes and back.
#include "flipscope/ops/quantize.h"

#include <cmath>
#include <type_traits>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/kernels.h"
#include "flipscope/ops/rounding.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

void require_channels(const char* op, const char* what, std::size_t count, int axis,
                      const Shape& shape) {
  if (count == 1) return;
  if (axis < 0 || static_cast<std::size_t>(axis) >= shape.size()) {
    fail("shape", "{}: {} {}s need an axis of the input {}, but the axis is {}", op, count, what,
         to_string(shape), axis);
  }
  if (static_cast<std::int64_t>(count) != shape[axis]) {
    fail("shape", "{}: there are {} {}s, but axis {} of the input {} has {}", op, count, what, axis,
         to_string(shape), shape[axis]);
  }
}

/// Calls f(x, out, n, channel) for every stretch of numbers that share a channel of `axis`.
template <typename T, typename F>
void each_channel(const View<T>& input, bool per_channel, int axis, T* out, int lanes, F f) {
  const Shape& shape = *input.shape;
  const AxisSplit split = per_channel ? split_at(shape, static_cast<std::size_t>(axis))
                                      : AxisSplit{1, 1, element_count(shape)};
  std::vector<T> once(input.constant ? split.inner : 0);
  for (std::int64_t i = 0; i < split.outer * split.length; ++i) {
    const auto channel = static_cast<std::size_t>(i % split.length);
    if (!input.constant) {
      const std::int64_t n = split.inner * lanes;
      f(input.data + i * n, out + i * n, n, channel);
      continue;
    }
    f(input.data + i * split.inner, once.data(), split.inner, channel);
    for (std::int64_t j = 0; j < split.inner; ++j) {
      std::fill_n(out + (i * split.inner + j) * lanes, lanes, once[j]);
    }
  }
}

/// Integers that saturate, in a loop that vectorises. Adding 0 turns −0 into +0.
template <Rounding rounding, typename T>
void saturate(const Quantize& op, T scale, T zero_point, const T* x, T* out, std::int64_t n) {
  const T low = static_cast<T>(lowest(op.encoding.format));
  const T high = static_cast<T>(highest(op.encoding.format));
  const auto clamp = [=](T v) {
    const T raised = v < low ? low : v;
    return raised > high ? high : raised;
  };
  if (op.round_first) {
    each_lane(n, [=](auto i) {
      out[i] = clamp(round_by<rounding>(x[i] / scale) + zero_point) - zero_point + 0;
    });
  } else {
    each_lane(n, [=](auto i) {
      out[i] = round_by<rounding>(clamp(x[i] / scale + zero_point)) - zero_point + 0;
    });
  }
}

template <typename T>
void saturate(const Quantize& op, T scale, T zero_point, const T* x, T* out, std::int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    if (op.encoding.format.rounding == Rounding::half_even && n % kLaneGroup == 0) {
      return quantize_row(QuantizeRow{.x = x,
                                      .out = out,
                                      .count = n,
                                      .scale = scale,
                                      .zero = zero_point,
                                      .lowest = static_cast<T>(lowest(op.encoding.format)),
                                      .highest = static_cast<T>(highest(op.encoding.format)),
                                      .round_first = op.round_first});
    }
  }
  switch (op.encoding.format.rounding) {
    case Rounding::half_even:
      return saturate<Rounding::half_even>(op, scale, zero_point, x, out, n);
    case Rounding::half_away_from_zero:
      return saturate<Rounding::half_away_from_zero>(op, scale, zero_point, x, out, n);
    case Rounding::half_toward_zero:
      return saturate<Rounding::half_toward_zero>(op, scale, zero_point, x, out, n);
    case Rounding::ceil:
      return saturate<Rounding::ceil>(op, scale, zero_point, x, out, n);
    case Rounding::floor:
      return saturate<Rounding::floor>(op, scale, zero_point, x, out, n);
    case Rounding::away_from_zero:
      return saturate<Rounding::away_from_zero>(op, scale, zero_point, x, out, n);
    case Rounding::toward_zero:
      return saturate<Rounding::toward_zero>(op, scale, zero_point, x, out, n);
  }
}

/// Any format through its words.
template <typename T>
void through_words(const Quantize& op, T scale, T zero_point, const T* x, T* out, std::int64_t n) {
  const NumberFormat& format = op.encoding.format;
  const bool integer = format.kind == NumberFormat::Kind::integer;
  for (std::int64_t i = 0; i < n; ++i) {
    T code = x[i] / scale;
    if (integer && op.round_first) {
      code = static_cast<T>(round_to_integer(static_cast<double>(code), format.rounding));
    }
    code += zero_point;
    const T decoded = static_cast<T>(decode(format, encode(format, static_cast<double>(code))));
    out[i] = std::isnan(code) ? code : decoded - zero_point;
  }
}

template <typename T>
void quantize(const Quantize& op, T scale, T zero_point, const T* x, T* out, std::int64_t n) {
  const NumberFormat& format = op.encoding.format;
  switch (format.kind) {
    case NumberFormat::Kind::integer:
      if (format.overflow == Overflow::saturate)
        saturate(op, scale, zero_point, x, out, n);
      else
        through_words(op, scale, zero_point, x, out, n);
      return;
    case NumberFormat::Kind::bipolar:
      each_lane(n, [=](auto i) { out[i] = x[i] >= 0 ? 1 : x[i] < 0 ? -1 : x[i]; });
      return;
    case NumberFormat::Kind::float32:
      each_lane(n, [=](auto i) { out[i] = x[i] / scale; });
      if constexpr (sizeof(T) > sizeof(float)) {
        each_lane(n, [=](auto i) { out[i] = static_cast<T>(static_cast<float>(out[i])); });
      }
      return;
    case NumberFormat::Kind::float16:
    case NumberFormat::Kind::bfloat16:
    case NumberFormat::Kind::power_of_two:
      through_words(op, scale, zero_point, x, out, n);
      return;
  }
}

}  // namespace

Shape output_shape(const Quantize& op, std::span<const Shape> inputs) {
  require_inputs("Quantize", inputs, 1);
  const Encoding& encoding = op.encoding;
  require_channels("Quantize", "scale", encoding.scale.size(), encoding.axis, inputs[0]);
  require_channels("Quantize", "zero point", encoding.zero_point.size(), encoding.axis, inputs[0]);
  return inputs[0];
}

Shape output_shape(const Dequantize& op, std::span<const Shape> inputs) {
  require_inputs("Dequantize", inputs, 1);
  require_channels("Dequantize", "scale", op.scale.size(), op.axis, inputs[0]);
  return inputs[0];
}

template <typename T>
void forward(const Quantize& op, std::span<const View<T>> inputs, const Shape&, T* out, int lanes) {
  const std::vector<double>& scale = op.encoding.scale;
  const std::vector<double>& zero_point = op.encoding.zero_point;
  const bool per_channel = scale.size() > 1 || zero_point.size() > 1;
  each_channel(inputs[0], per_channel, op.encoding.axis, out, lanes,
               [&](const T* x, T* to, std::int64_t n, std::size_t channel) {
                 quantize(op, static_cast<T>(scale[scale.size() > 1 ? channel : 0]),
                          static_cast<T>(zero_point[zero_point.size() > 1 ? channel : 0]), x, to,
                          n);
               });
}

template <typename T>
void forward(const Dequantize& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  each_channel(inputs[0], op.scale.size() > 1, op.axis, out, lanes,
               [&](const T* x, T* to, std::int64_t n, std::size_t channel) {
                 const double scale = op.scale[channel];
                 each_lane(
                     n, [=](auto i) { to[i] = static_cast<T>(static_cast<double>(x[i]) * scale); });
               });
}

template void forward(const Quantize&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Quantize&, std::span<const View<double>>, const Shape&, double*, int);
template void forward(const Dequantize&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Dequantize&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
