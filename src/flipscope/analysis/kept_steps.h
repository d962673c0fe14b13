// Steps of a long computation that were made before, by number.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace flipscope {

/// Empty functions keep nothing.
struct KeptSteps {
  std::function<std::optional<std::vector<double>>(std::uint64_t)> load;
  std::function<void(std::uint64_t, std::span<const double>)> save;

  /// Step `number`: what is kept of it, or else what `make` gives, which is then kept.
  template <typename Make>
  std::vector<double> step(std::uint64_t number, const Make& make) const {
    if (load) {
      if (auto held = load(number)) return *std::move(held);
    }
    std::vector<double> made = make();
    if (save) save(number, made);
    return made;
  }
};

}  // namespace flipscope
