// Numbers that tests of scores hand in.
#pragma once

#include <limits>

namespace flipscope {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace flipscope
