// The page that a report is written into, report/template/dist/report.html, inside the program.
#pragma once

#include <string_view>

namespace flipscope {

std::string_view page_template();

}  // namespace flipscope
