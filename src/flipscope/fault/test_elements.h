// Formats of elements, at random, for the tests of what strikes them.
#pragma once

#include <vector>

#include "flipscope/model/graph.h"
#include "flipscope/model/lower.h"
#include "flipscope/numeric/random.h"

namespace flipscope::testing {

/// Gives each element of the integer weights and biases of a lowered graph a part of its word, from
/// none to all, and a number in it.
inline void narrow_elements(Graph& graph, Random& random) {
  for (StoredTensor& stored : graph.stored) {
    const NumberFormat& word = stored.encoding.format;
    if (word.kind != NumberFormat::Kind::integer) continue;
    stored.encoding.elements.clear();
    for (Word& own : stored.words) {
      ElementBits element;
      element.is_signed = word.is_signed && random.below(4) != 0;
      const int room = word.bits - (word.is_signed && !element.is_signed ? 1 : 0);
      element.count = static_cast<std::uint8_t>(random.below(room + 1));
      element.lowest = static_cast<std::uint8_t>(random.below(room - element.count + 1));
      own = 0;
      if (element.count > 0) {
        const NumberFormat form = integer_format(element.count, element.is_signed);
        const double code = decode(form, static_cast<Word>(random.below(1ull << element.count)));
        own = encode(word, code * (1u << element.lowest));
      }
      stored.encoding.elements.push_back(element);
    }
  }
  choose_carriers(graph);
}

}  // namespace flipscope::testing
