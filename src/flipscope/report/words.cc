// Numbers as people read them.
#include "flipscope/report/words.h"

#include <algorithm>
#include <cmath>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/nan_sign.h"

namespace flipscope {

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t i = std::ssize(text) - 3; i > 0; i -= 3) {
    text.insert(static_cast<std::size_t>(i), ",");
  }
  return text;
}

std::string duration(double seconds) {
  if (!(seconds < 1e9)) return "?";
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const std::int64_t whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string bar(double share, int width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width * 8));
  if (share > 0) eighths = std::max(eighths, 1);
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  text += kEighths[eighths % 8];
  const int used = (eighths + 7) / 8;
  return text + std::string(static_cast<std::size_t>(width - used), ' ');
}

std::string percent(double share) {
  const double value = 100 * share;
  if (value == 0 || value >= 10) return fmt::format("{:.1f}%", value);
  return value >= 1 ? fmt::format("{:.2f}%", value) : fmt::format("{:.2g}%", value);
}

std::string rate_text(const Rate& rate) {
  if (rate.interval.lower == rate.interval.upper) return percent(rate.mean);
  return fmt::format("{} ({} to {})", percent(rate.mean), percent(rate.interval.lower),
                     percent(rate.interval.upper));
}

std::string number_text(double value) {
  return fmt::format("{:.6g}", without_nan_sign(value));
}

}  // namespace flipscope
