#include "flipscope/analysis/injected_factor.h"

#include <algorithm>
#include <sstream>

namespace flipscope {

Detection& Detection::operator+=(const Detection& more) {
  matter += more.matter;
  caught += more.caught;
  harmless += more.harmless;
  raised += more.raised;
  return *this;
}

InjectedFactor& InjectedFactor::operator+=(const InjectedFactor& more) {
  pairs += more.pairs;
  matter += more.matter;
  proved += more.proved;
  masked += more.masked;
  ended += more.ended;
  runs += more.runs;
  detection += more.detection;
  by_fault.resize(std::max(by_fault.size(), more.by_fault.size()));
  for (std::size_t f = 0; f < more.by_fault.size(); ++f) by_fault[f] += more.by_fault[f];
  return *this;
}

std::string to_text(const InjectedFactor& factor) {
  std::ostringstream out;
  out << factor.pairs << ' ' << factor.matter << ' ' << factor.proved << ' ' << factor.masked << ' '
      << factor.ended << ' ' << factor.runs << ' ' << factor.detection.matter << ' '
      << factor.detection.caught << ' ' << factor.detection.harmless << ' '
      << factor.detection.raised;
  for (const std::uint32_t matter : factor.by_fault) out << ' ' << matter;
  return out.str();
}

InjectedFactor factor_from_text(const std::string& text) {
  InjectedFactor factor;
  std::istringstream in(text);
  in >> factor.pairs >> factor.matter >> factor.proved >> factor.masked >> factor.ended >>
      factor.runs;
  in >> factor.detection.matter >> factor.detection.caught >> factor.detection.harmless >>
      factor.detection.raised;
  for (std::uint32_t matter = 0; in >> matter;) factor.by_fault.push_back(matter);
  return factor;
}

}  // namespace flipscope
