#include "flipscope/model/variant.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

struct Requantization {
  std::string glob;
  Encoding encoding;
};

/// Commas also stand between B and I.
std::vector<Requantization> parse_requantizations(const std::string& text) {
  std::vector<Requantization> formats;
  constexpr std::string_view kFixed = "=fixed:";
  for (std::string_view rest = text; !rest.empty();) {
    const auto fixed = rest.find(kFixed);
    const auto comma = rest.find(',', fixed == std::string_view::npos ? 0 : fixed);
    const auto end = comma == std::string_view::npos ? comma : rest.find(',', comma + 1);
    std::optional<int> bits, integer_bits;
    if (fixed != std::string_view::npos && fixed > 0 && comma != std::string_view::npos) {
      bits = parse_whole<int>(rest.substr(fixed + kFixed.size(), comma - fixed - kFixed.size()));
      integer_bits = parse_whole<int>(rest.substr(comma + 1, end - comma - 1));
    }
    if (!bits || !integer_bits || text.ends_with(',') || *bits < 2 || *bits > 24 ||
        std::abs(*integer_bits) > 64) {
      fail("variant",
           "--requantize '{}' is not GLOB=fixed:B,I with 2 to 24 bits, I of them before the "
           "point: 'conv*=fixed:5,1'",
           text);
    }
    formats.push_back({std::string(rest.substr(0, fixed)), fixed_point(*bits, *integer_bits)});
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return formats;
}

void prune(StoredTensor& tensor, double share) {
  const auto count = static_cast<std::size_t>(share * static_cast<double>(tensor.words.size()));
  std::vector<double> magnitude;
  for (std::size_t i = 0; i < tensor.words.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    magnitude.push_back(std::fabs(real_value(tensor, at, tensor.words[i])));
  }
  std::vector<std::size_t> order(tensor.words.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return magnitude[i]; });
  for (std::size_t k = 0; k < count; ++k) {
    const auto at = static_cast<std::int64_t>(order[k]);
    const double zero = tensor.encoding.zero_point_of(tensor.encoding.channel(at, tensor.shape));
    const Word word = encode(tensor.encoding.format, zero);
    if (real_value(tensor, at, word) != 0) {
      fail("variant", "--prune: the weights '{}' are {}, which has no 0", tensor.name,
           to_string(tensor.encoding));
    }
    tensor.words[order[k]] = word;
    if (!tensor.latent.empty()) tensor.latent[order[k]] = 0;
  }
}

void requantize(Graph& graph, int stored, const Encoding& encoding) {
  StoredTensor& tensor = graph.stored[stored];
  std::vector<Word> words;
  for (std::size_t i = 0; i < tensor.words.size(); ++i) {
    const double real = real_value(tensor, static_cast<std::int64_t>(i), tensor.words[i]);
    words.push_back(encode(encoding.format, real / encoding.scale[0]));
  }
  for (Constant& constant : graph.constants) {
    if (constant.stored != stored) continue;
    if (constant.scale != tensor.encoding.scale) {
      fail("variant", "--requantize: '{}' is read with several scales", tensor.name);
    }
    constant.scale = encoding.scale;
  }
  tensor.words = std::move(words);
  tensor.encoding = encoding;
}

}  // namespace

void apply(const Variant& variant, Graph& graph) {
  if (!(variant.prune >= 0 && variant.prune < 1)) {
    fail("variant", "--prune {} is not a share from 0 to below 1", variant.prune);
  }
  const std::vector<Requantization> formats = parse_requantizations(variant.requantize);
  std::vector<bool> matched(formats.size(), false);
  std::set<std::string> layers;
  for (std::size_t s = 0; s < graph.stored.size(); ++s) {
    StoredTensor& tensor = graph.stored[s];
    if (tensor.part != Part::weights) continue;
    layers.insert(tensor.layer);
    prune(tensor, variant.prune);
    const Encoding* format = nullptr;
    for (std::size_t f = 0; f < formats.size(); ++f) {
      if (!matches_glob(tensor.layer, formats[f].glob)) continue;
      matched[f] = true;
      format = &formats[f].encoding;
    }
    if (format != nullptr) requantize(graph, static_cast<int>(s), *format);
  }
  for (std::size_t f = 0; f < formats.size(); ++f) {
    if (matched[f]) continue;
    fail("variant", "--requantize '{}' matches no layer with weights; there are: {}",
         formats[f].glob, fmt::join(layers, ", "));
  }
}

}  // namespace flipscope
