#include "flipscope/campaign/chunk_log.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

constexpr const char* kFirstWords = "flipscope chunks of ";

/// "number size digest\n", and then the text.
std::string framed(std::size_t chunk, const std::string& text) {
  return fmt::format("{} {} {}\n{}\n", chunk, text.size(), digest(text), text);
}

}  // namespace

ChunkLog::ChunkLog(std::string path, const std::string& identity) : path_(std::move(path)) {
  const std::string header = kFirstWords + identity + "\n";
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    fail("resume", "{} is not a regular file", path_);
  }
  std::ostringstream bytes;
  bytes << std::ifstream(path_, std::ios::binary).rdbuf();
  const std::string all = bytes.str();
  std::size_t good = 0;
  if (!all.empty()) {
    if (!all.starts_with(header)) {
      fail("resume", "{} holds parts of another computation; remove it, or give another --out",
           path_);
    }
    good = header.size();
    std::istringstream in(all);
    in.ignore(static_cast<std::streamsize>(header.size()));
    std::size_t chunk = 0, size = 0;
    std::string sum;
    while (in >> chunk >> size >> sum && in.get() == '\n') {
      if (size > all.size()) break;
      std::string text(size, '\0');
      if (!in.read(text.data(), static_cast<std::streamsize>(size)) || in.get() != '\n' ||
          digest(text) != sum) {
        break;
      }
      chunks_[chunk] = std::move(text);
      good = static_cast<std::size_t>(in.tellg());
    }
    std::filesystem::resize_file(path_, good, error);
  }
  if (good == 0) {
    std::ofstream out(path_, std::ios::binary);
    if (!(out << header).flush())
      fail("resume", "{} cannot be written: {}", path_, std::strerror(errno));
  }
}

std::optional<std::string> ChunkLog::load(std::size_t chunk) const {
  const auto found = chunks_.find(chunk);
  if (found == chunks_.end()) return {};
  return found->second;
}

void ChunkLog::save(std::size_t chunk, const std::string& text) {
  std::ofstream out(path_, std::ios::binary | std::ios::app);
  if (!(out << framed(chunk, text)).flush()) {
    fail("resume", "{} cannot be written: {}", path_, std::strerror(errno));
  }
  has_saved_ = true;
}

void ChunkLog::remove() const {
  unlink(path_.c_str());
}

}  // namespace flipscope
