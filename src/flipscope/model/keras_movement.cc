// Keras layers that move values or merge several tensors.
#include <algorithm>
#include <cmath>

#include "flipscope/model/keras_layer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::int64_t kMostSize = std::int64_t{1} << 26;

/// The flat index into `shape` for every element of `target`; `from` maps an index along axis d of
/// the target to one of the source, or −1.
template <typename From>
std::vector<std::int32_t> sources(const Shape& shape, const Shape& target, const From& from) {
  const Shape steps = strides_of(shape);
  std::vector<std::int32_t> source(static_cast<std::size_t>(element_count(target)));
  Shape at(target.size(), 0);
  for (std::int32_t& element : source) {
    std::int64_t index = 0;
    for (std::size_t d = 0; d < at.size() && index >= 0; ++d) {
      const std::int64_t i = from(d, at[d]);
      index = i < 0 ? -1 : index + i * steps[d];
    }
    element = static_cast<std::int32_t>(index);
    for (std::size_t d = at.size(); d-- > 0;) {
      if (++at[d] < target[d]) break;
      at[d] = 0;
    }
  }
  return source;
}

void require_size(const LayerCall& call, const Shape& shape) {
  double count = 1;
  for (const std::int64_t size : shape) count *= static_cast<double>(size);
  if (count > static_cast<double>(kMostSize)) {
    call.refuse("its output {} is larger than {} elements", to_string(shape), kMostSize);
  }
}

/// Rearranges the axes of the tensor inside, each by itself.
template <typename From>
KerasTensor rearranged(const LayerCall& call, const Shape& target, const From& from) {
  require_size(call, target);
  const Shape& shape = call.input().symbol.shape;
  return call.wrap(
      call.add(Rearrange{sources(shape, target, from), target}, {call.input().symbol}));
}

/// Pairs of numbers (before, after) for each spatial axis.
std::vector<std::pair<std::int64_t, std::int64_t>> pairs(const LayerCall& call, const char* key,
                                                         std::int64_t otherwise) {
  const std::size_t spatial = call.spatial_rank();
  const Config value = call.config[key];
  std::vector<std::pair<std::int64_t, std::int64_t>> result;
  if (spatial == 1) {
    const auto both = call.config.integers(key, 2, 0, otherwise);
    return {{both[0], both[1]}};
  }
  if (value.is_array() && value.size() == spatial && value[0].is_array()) {
    for (std::size_t d = 0; d < spatial; ++d) {
      if (value[d].size() != 2) call.refuse("`{}` must hold pairs", key);
      const std::int64_t before = value[d][0].integer(key), after = value[d][1].integer(key);
      if (before < 0 || after < 0 || before > kMostSize || after > kMostSize) {
        call.refuse("`{}` must not be negative or huge", key);
      }
      result.emplace_back(before, after);
    }
    return result;
  }
  for (const std::int64_t n : call.config.integers(key, spatial, 0, otherwise)) {
    result.emplace_back(n, n);
  }
  return result;
}

/// Bilinear resizing by whole factors with half-pixel centers, as TensorFlow resizes.
KerasTensor bilinear(const LayerCall& call, const Shape& target,
                     const std::vector<std::int64_t>& factor) {
  require_size(call, target);
  const Shape& shape = call.input().symbol.shape;
  struct Tap {
    std::int64_t low, high;
    float share;
  };
  std::vector<std::vector<Tap>> taps(2);
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t size = shape[d + 2];
    for (std::int64_t i = 0; i < target[d + 2]; ++i) {
      const float at = (static_cast<float>(i) + 0.5f) / static_cast<float>(factor[d]) - 0.5f;
      const auto low = static_cast<std::int64_t>(std::floor(at));
      taps[d].push_back({std::max<std::int64_t>(low, 0), std::min(low + 1, size - 1),
                         at - static_cast<float>(low)});
    }
  }
  SparseLinear op{{0}, {}, {}, target};
  for (std::int64_t channel = 0; channel < shape[0] * shape[1]; ++channel) {
    for (const Tap& y : taps[0]) {
      for (const Tap& x : taps[1]) {
        const auto tap = [&](std::int64_t row, std::int64_t column, float weight) {
          if (weight == 0) return;
          op.source.push_back(
              static_cast<std::int32_t>((channel * shape[2] + row) * shape[3] + column));
          op.weight.push_back(weight);
        };
        tap(y.low, x.low, (1 - y.share) * (1 - x.share));
        tap(y.low, x.high, (1 - y.share) * x.share);
        tap(y.high, x.low, y.share * (1 - x.share));
        tap(y.high, x.high, y.share * x.share);
        op.begin.push_back(static_cast<std::int64_t>(op.source.size()));
      }
    }
  }
  return call.wrap(call.add(std::move(op), {call.input().symbol}));
}

}  // namespace

KerasTensor import_identity(const LayerCall& call) {
  call.require_inputs(1);
  return call.input();
}

KerasTensor import_flatten(const LayerCall& call) {
  call.require_inputs(1);
  call.require_channels_last();
  return call.from_keras(
      call.builder.reshape(call.to_keras(call.input()), {1, element_count(call.input().shape)}));
}

KerasTensor import_reshape(const LayerCall& call) {
  call.require_inputs(1);
  const Config sizes = call.config["target_shape"];
  const std::int64_t count = element_count(call.input().shape);
  Shape target = {1};
  std::int64_t known = 1;
  int free_axis = -1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t size = sizes[i].integer("target_shape");
    if (size == -1 && free_axis < 0) {
      free_axis = static_cast<int>(i) + 1;
    } else if (size < 1 || known > count / size) {
      call.refuse("cannot reshape {} to its target_shape", to_string(call.input().shape));
    } else {
      known *= size;
    }
    target.push_back(size);
  }
  if (free_axis >= 0) target[static_cast<std::size_t>(free_axis)] = count / known;
  if (target.size() > 8 || element_count(target) != count) {
    call.refuse("cannot reshape {} to {}", to_string(call.input().shape), to_string(target));
  }
  return call.from_keras(call.builder.reshape(call.to_keras(call.input()), target));
}

KerasTensor import_permute(const LayerCall& call) {
  call.require_inputs(1);
  const std::size_t rank = call.input().shape.size();
  std::vector<std::size_t> axes = {0};
  for (const std::int64_t axis : call.config.integers("dims", rank - 1, 1, 0)) {
    if (axis >= static_cast<std::int64_t>(rank) ||
        std::count(axes.begin(), axes.end(), static_cast<std::size_t>(axis))) {
      call.refuse("`dims` must hold 1..{}, each once", rank - 1);
    }
    axes.push_back(static_cast<std::size_t>(axis));
  }
  return call.from_keras(call.transpose(call.to_keras(call.input()), axes));
}

KerasTensor import_repeat(const LayerCall& call) {
  call.require_rank(2);
  const std::int64_t times = call.config.integers("n", 1, 1, 1)[0];
  const KerasTensor& x = call.input();
  const Shape target = {1, x.shape[1], times};
  require_size(call, target);
  const Symbol column = call.builder.reshape(x.symbol, {1, x.shape[1], 1});
  return call.wrap(call.add(
      Rearrange{sources(column.shape, target,
                        [](std::size_t d, std::int64_t i) { return d == 2 ? std::int64_t{0} : i; }),
                target},
      {column}));
}

KerasTensor import_padding(const LayerCall& call) {
  call.require_rank(call.spatial_rank() + 2);
  call.require_channels_last();
  const auto amounts = pairs(call, "padding", 1);
  const Shape& shape = call.input().symbol.shape;
  Shape target = shape;
  for (std::size_t d = 0; d < amounts.size(); ++d) {
    target[d + 2] += amounts[d].first + amounts[d].second;
  }
  return rearranged(call, target, [&](std::size_t d, std::int64_t i) {
    if (d < 2) return i;
    const std::int64_t from = i - amounts[d - 2].first;
    return from < shape[d] ? from : std::int64_t{-1};
  });
}

KerasTensor import_cropping(const LayerCall& call) {
  call.require_rank(call.spatial_rank() + 2);
  call.require_channels_last();
  const auto amounts = pairs(call, "cropping", 0);
  Shape target = call.input().symbol.shape;
  for (std::size_t d = 0; d < amounts.size(); ++d) {
    target[d + 2] -= amounts[d].first + amounts[d].second;
    if (target[d + 2] < 1) call.refuse("it crops all of axis {}", d + 1);
  }
  return rearranged(call, target, [&](std::size_t d, std::int64_t i) {
    return d < 2 ? i : i + amounts[d - 2].first;
  });
}

KerasTensor import_upsampling(const LayerCall& call) {
  const std::size_t spatial = call.spatial_rank();
  call.require_rank(spatial + 2);
  call.require_channels_last();
  const auto factor = call.config.integers("size", spatial, 1, 2);
  Shape target = call.input().symbol.shape;
  for (std::size_t d = 0; d < spatial; ++d) target[d + 2] *= factor[d];
  const std::string how = call.config.text("interpolation", "nearest");
  if (how == "bilinear" && spatial == 2) return bilinear(call, target, factor);
  if (how != "nearest") {
    call.refuse("interpolation \"{}\" is not supported; supported: \"nearest\", \"bilinear\"", how);
  }
  return rearranged(call, target,
                    [&](std::size_t d, std::int64_t i) { return d < 2 ? i : i / factor[d - 2]; });
}

KerasTensor import_concatenate(const LayerCall& call) {
  if (call.inputs.empty()) call.refuse("Concatenate has no input");
  const auto rank = static_cast<std::int64_t>(call.input().shape.size());
  std::int64_t keras_axis = call.config.integer("axis", -1);
  if (keras_axis < 0) keras_axis += rank;
  if (keras_axis < 1 || keras_axis >= rank) {
    call.refuse("it joins along axis {} of {} axes", keras_axis, rank);
  }
  const auto order = channel_first_axes(call.input().shape.size());
  const auto axis = static_cast<std::size_t>(
      std::find(order.begin(), order.end(), static_cast<std::size_t>(keras_axis)) - order.begin());
  Shape target = call.input().symbol.shape;
  target[axis] = 0;
  std::vector<Symbol> symbols;
  for (const KerasTensor& input : call.inputs) {
    Shape fits = input.symbol.shape;
    if (static_cast<std::int64_t>(fits.size()) == rank) fits[axis] = target[axis];
    if (fits != target)
      call.refuse("cannot join {} and {}", to_string(call.input().shape), to_string(input.shape));
    target[axis] += input.symbol.shape[axis];
    symbols.push_back(input.symbol);
  }
  require_size(call, target);
  std::int64_t outer = 1, inner = 1, before = 0;
  for (std::size_t d = 0; d < axis; ++d) outer *= target[d];
  for (std::size_t d = axis + 1; d < target.size(); ++d) inner *= target[d];
  std::vector<std::int32_t> source(static_cast<std::size_t>(element_count(target)));
  std::int64_t first = 0;
  for (const Symbol& symbol : symbols) {
    const std::int64_t run = symbol.shape[axis] * inner;
    for (std::int64_t block = 0; block < outer; ++block) {
      for (std::int64_t i = 0; i < run; ++i) {
        source[static_cast<std::size_t>(block * target[axis] * inner + before + i)] =
            static_cast<std::int32_t>(first + block * run + i);
      }
    }
    before += run;
    first += run * outer;
  }
  return call.wrap(call.add(Rearrange{std::move(source), target}, symbols));
}

KerasTensor import_merge(const LayerCall& call) {
  if (call.inputs.size() < 2) call.refuse("{} needs two inputs or more", call.class_name);
  const std::string& name = call.class_name;
  if (name == "Subtract") call.require_inputs(2);
  const BinaryFunction function = name == "Subtract"   ? BinaryFunction::subtract
                                  : name == "Multiply" ? BinaryFunction::multiply
                                  : name == "Maximum"  ? BinaryFunction::maximum
                                  : name == "Minimum"  ? BinaryFunction::minimum
                                                       : BinaryFunction::add;
  Symbol all = call.input().symbol;
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.inputs[i].shape.size() != call.input().shape.size()) {
      call.refuse("merging tensors of {} and {} axes is not supported", call.input().shape.size(),
                  call.inputs[i].shape.size());
    }
    all = call.add(Binary{function}, {all, call.inputs[i].symbol});
  }
  if (name == "Average") {
    all = call.add(Binary{BinaryFunction::divide},
                   {all, call.literal(static_cast<double>(call.inputs.size()))});
  }
  return call.wrap(all);
}

}  // namespace flipscope
