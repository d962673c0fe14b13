// Parts of a long computation that are done, kept in a file so that the same command goes on after
// an interruption.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace flipscope {

/// An append-only file of texts by number. A part that was cut off at the end is not there.
class ChunkLog {
 public:
  /// Opens the file or makes it. Throws Error where it holds parts of something of another
  /// identity, or cannot be read.
  ChunkLog(std::string path, const std::string& identity);

  /// What the file held when it was opened.
  std::optional<std::string> load(std::size_t chunk) const;

  /// Throws Error where the disk is full.
  void save(std::size_t chunk, const std::string& text);

  /// Whether the file holds no part.
  bool is_empty() const { return chunks_.empty() && !has_saved_; }

  /// Takes the file away.
  void remove() const;

 private:
  std::string path_;
  std::map<std::size_t, std::string> chunks_;
  bool has_saved_ = false;
};

}  // namespace flipscope
