// ONNX's pooling operators.
#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;
using Kind = Pooling::Kind;

template <Kind kind>
Symbols pool(OnnxCall& call) {
  call.ignore({"storage_order"});
  const Symbol& x = call.in(0);
  if (!call.has_attribute("kernel_shape")) OnnxCall::refuse("attribute kernel_shape is missing");
  const OnnxWindows windows = read_windows(call, x.shape, {});
  Pooling op;
  op.kind = kind;
  op.kernel = windows.kernel;
  op.stride = windows.stride;
  op.dilation = windows.dilation;
  op.pad_begin = windows.pad_begin;
  op.pad_end = windows.pad_end;
  op.output = windows.output;
  if (kind == Kind::average) op.count_padding = call.integer("count_include_pad", 0) != 0;
  if (kind == Kind::lp) op.p = static_cast<double>(call.integer("p", 2));
  if (kind == Kind::max) call.output_zero_point = call.zero_points[0];
  return {call.add(std::move(op), {x}, x.type)};
}

template <Kind kind>
Symbols global_pool(OnnxCall& call) {
  const Symbol& x = call.in(0);
  if (call.rank(0) < 3) {
    OnnxCall::refuse("the input must have spatial axes, it is {}", to_string(x.shape));
  }
  Pooling op;
  op.kind = kind;
  op.kernel.assign(x.shape.begin() + 2, x.shape.end());
  const std::size_t axes = op.kernel.size();
  op.stride.assign(axes, 1);
  op.dilation.assign(axes, 1);
  op.pad_begin.assign(axes, 0);
  op.pad_end.assign(axes, 0);
  op.output.assign(axes, 1);
  if (kind == Kind::lp) op.p = static_cast<double>(call.integer("p", 2));
  if (kind == Kind::max) call.output_zero_point = call.zero_points[0];
  return {call.add(std::move(op), {x}, x.type)};
}

}  // namespace

void add_pooling_operators(OnnxOperatorTable& table) {
  table["AveragePool"] = {pool<Kind::average>};
  table["GlobalAveragePool"] = {global_pool<Kind::average>};
  table["GlobalLpPool"] = {global_pool<Kind::lp>};
  table["GlobalMaxPool"] = {global_pool<Kind::max>, true};
  table["LpPool"] = {pool<Kind::lp>};
  table["MaxPool"] = {pool<Kind::max>, true};
}

}  // namespace flipscope
