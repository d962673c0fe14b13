# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -P embed.cmake: the bytes of a file as page_template().
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"flipscope/report/page_template.h\"

namespace flipscope {
namespace {
const unsigned char kBytes[] = {${bytes}};
}  // namespace

std::string_view page_template() {
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

}  // namespace flipscope
")
