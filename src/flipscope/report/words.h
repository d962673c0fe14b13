// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "flipscope/campaign/campaign.h"

namespace flipscope {

/// "12,720".
std::string grouped(std::uint64_t number);

/// "0.41 s", "3.2 s", "4 min 10 s", "2 h 05 min".
std::string duration(double seconds);

/// A share in `width` cells; anything above 0 shows.
std::string bar(double share, int width);

/// "1.23%", with as many digits as small rates need.
std::string percent(double share);

/// "1.23% (1.10% to 1.38%)"; without the interval where it is one point.
std::string rate_text(const Rate& rate);

/// "0.8915": six significant digits.
std::string number_text(double value);

}  // namespace flipscope
