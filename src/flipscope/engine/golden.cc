#include "flipscope/engine/golden.h"

#include <algorithm>
#include <atomic>
#include <cassert>

#include "flipscope/engine/packed.h"

namespace flipscope {
namespace {

void pack_values(const Program& program, Block& block) {
  block.packed.resize(block.values.size());
  for (std::size_t v = 0; v < block.values.size(); ++v) {
    const std::optional<PackedShape>& shape = program.packed[v];
    if (!shape) continue;
    AlignedVector<std::uint8_t>& bytes = block.packed[v];
    bytes.resize(shape->bytes(block.lanes));
    // Code 0 beyond the channels: in halves its high byte lies second.
    const auto high = static_cast<std::uint8_t>(stored_offset(shape->packing) >> 8);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = i % 2 == 0 ? 0 : high;
    if (!pack_channels(*shape, block.values[v].data(), 0, shape->channels, {}, block.lanes,
                       bytes.data())) {
      bytes.clear();
    }
  }
}

}  // namespace

int lanes_of(int samples) {
  return (samples + kLaneGroup - 1) / kLaneGroup * kLaneGroup;
}

std::vector<View<float>> views_of(const Program& program, const Node& node,
                                  const std::vector<const float*>& values) {
  std::vector<View<float>> views;
  views.reserve(node.inputs.size());
  for (const Input& input : node.inputs) {
    View<float> view;
    if (input.kind == Input::Kind::value) {
      view = {values[input.id], &input.shape, false, nullptr};
    } else if (input.kind == Input::Kind::constant) {
      view = {program.constants[input.id].data(), &input.shape, true,
              program.wide[input.id].data()};
    }
    views.push_back(view);
  }
  return views;
}

void fill_lanes(const float* inputs, std::int64_t elements, int samples, int lanes, float* out) {
  for (std::int64_t e = 0; e < elements; ++e) {
    for (int lane = 0; lane < lanes; ++lane) {
      out[e * lanes + lane] = inputs[std::min(lane, samples - 1) * elements + e];
    }
  }
}

Block run_golden(const Program& program, const float* inputs, std::int64_t first, int samples,
                 bool keep_all) {
  const Graph& graph = *program.graph;
  assert(samples > 0 && graph.inputs.size() == 1);
  static std::atomic<std::uint64_t> blocks{0};
  Block block{.serial = ++blocks,
              .first = first,
              .samples = samples,
              .lanes = lanes_of(samples),
              .values = {}};
  block.values.resize(graph.values.size());

  const int input = graph.inputs[0];
  const std::int64_t elements = element_count(graph.values[input].shape);
  block.values[input].resize(elements * block.lanes);
  fill_lanes(inputs + first * elements, elements, samples, block.lanes, block.values[input].data());

  std::vector<const float*> at(graph.values.size(), nullptr);
  at[input] = block.values[input].data();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const Shape& shape = graph.values[node.output].shape;
    AlignedVector<float>& out = block.values[node.output];
    out.resize(element_count(shape) * block.lanes);
    forward<float>(node.op, views_of(program, node, at), shape, out.data(), block.lanes);
    at[node.output] = out.data();
    if (keep_all) continue;
    for (const Input& in : node.inputs) {
      if (in.kind == Input::Kind::value && program.last_reader[in.id] == static_cast<int>(n)) {
        AlignedVector<float>().swap(block.values[in.id]);
      }
    }
  }
  if (keep_all) pack_values(program, block);
  return block;
}

std::size_t block_bytes(const Program& program, int lanes) {
  std::size_t bytes = 0;
  for (std::size_t v = 0; v < program.graph->values.size(); ++v) {
    const Value& value = program.graph->values[v];
    bytes += element_count(value.shape) * lanes * sizeof(float);
    if (program.packed[v]) bytes += program.packed[v]->bytes(lanes);
  }
  return bytes;
}

}  // namespace flipscope
