// ONNX's reductions along axes, and cumulative sums.
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

template <ReduceFunction function>
Symbols reduce(OnnxCall& call) {
  const Symbol& x = call.in(0);
  auto axes = call.integers_or_input("axes", 1).value_or(std::vector<std::int64_t>{});
  const bool none = call.integer("noop_with_empty_axes", 0) != 0;
  if (axes.empty() && !none) {
    axes.resize(x.shape.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  const bool keep = call.integer("keepdims", 1) != 0;
  return {call.add(Reduce{function, OnnxCall::axes(axes, call.rank(0)), keep}, {x}, x.type)};
}

template <bool largest>
Symbols arg_reduce(OnnxCall& call) {
  ArgReduce op;
  op.largest = largest;
  op.axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  op.keep_dims = call.integer("keepdims", 1) != 0;
  op.select_last = call.integer("select_last_index", 0) != 0;
  return {call.add(op, {call.in(0)}, ElementType::int64)};
}

// Every output is the sum of the elements of its line up to its own place.
Symbols cumulative_sum(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const double place = call.constant_scalar(1, "axis");
  const std::int64_t axis = OnnxCall::axis(static_cast<std::int64_t>(place), call.rank(0));
  const bool exclusive = call.integer("exclusive", 0) != 0;
  const bool reverse = call.integer("reverse", 0) != 0;
  const std::int64_t length = x.shape[axis];
  const std::int64_t step = strides_of(x.shape)[axis];
  const std::int64_t count = bounded_count(x.shape);
  bounded_count({count, length});
  SparseLinear op;
  op.shape = x.shape;
  op.begin.push_back(0);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t own = i / step % length;
    const std::int64_t first = i - own * step;
    const std::int64_t terms = (reverse ? length - own : own + 1) - (exclusive ? 1 : 0);
    for (std::int64_t t = 0; t < terms; ++t) {
      op.source.push_back(static_cast<std::int32_t>(first + step * (reverse ? length - 1 - t : t)));
      op.weight.push_back(1);
    }
    op.begin.push_back(static_cast<std::int64_t>(op.source.size()));
  }
  return {call.add(std::move(op), {x}, x.type)};
}

}  // namespace

void add_reduction_operators(OnnxOperatorTable& table) {
  using F = ReduceFunction;
  table["ArgMax"] = {arg_reduce<true>};
  table["ArgMin"] = {arg_reduce<false>};
  table["CumSum"] = {cumulative_sum};
  table["ReduceL1"] = {reduce<F::l1>};
  table["ReduceL2"] = {reduce<F::l2>};
  table["ReduceLogSum"] = {reduce<F::log_sum>};
  table["ReduceLogSumExp"] = {reduce<F::log_sum_exp>};
  table["ReduceMax"] = {reduce<F::max>};
  table["ReduceMean"] = {reduce<F::mean>};
  table["ReduceMin"] = {reduce<F::min>};
  table["ReduceProd"] = {reduce<F::product>};
  table["ReduceSum"] = {reduce<F::sum>};
  table["ReduceSumSquare"] = {reduce<F::sum_square>};
}

}  // namespace flipscope
