// Files inside compressed files, by zlib and libzip.
#include "flipscope/model/compressed.h"

#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

using Archive = std::unique_ptr<zip_t, decltype([](zip_t* archive) { zip_discard(archive); })>;
using Member = std::unique_ptr<zip_file_t, decltype([](zip_file_t* file) { zip_fclose(file); })>;

Archive open_archive(const std::string& name, std::string_view bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (archive == nullptr) {
    if (source != nullptr) zip_source_free(source);
    fail("npz", "{}: is not a readable .npz file ({})", name, reason);
  }
  return Archive(archive);
}

std::string key_of(std::string_view member) {
  if (member.ends_with(".npy")) member.remove_suffix(4);
  return std::string(member);
}

}  // namespace

std::string decompress_gzip(const std::string& name, std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) fail("gzip", "{}: zlib cannot start", name);
  std::string content;
  std::string chunk(kChunk, '\0');
  int state = Z_OK;
  std::size_t taken = 0;
  while (state == Z_OK) {
    if (stream.avail_in == 0) {
      const std::size_t part = std::min(bytes.size() - taken, kChunk);
      stream.next_in =
          reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + taken));  // never written
      stream.avail_in = static_cast<uInt>(part);
      taken += part;
    }
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(kChunk);
    state = inflate(&stream, Z_NO_FLUSH);
    content.append(chunk, 0, kChunk - stream.avail_out);
    const bool more = stream.avail_in > 0 || taken < bytes.size();
    if (state == Z_STREAM_END && more) state = inflateReset(&stream);  // the next member
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) fail("gzip", "{}: is damaged or cut short", name);
  return content;
}

std::string read_npz_member(const std::string& name, std::string_view bytes,
                            const std::string& key) {
  const Archive archive = open_archive(name, bytes);
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  std::vector<std::string> keys;
  zip_int64_t chosen = -1;
  for (zip_int64_t i = 0; i < entries; ++i) {
    const char* entry = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    keys.push_back(key_of(entry != nullptr ? entry : ""));
    if ((key.empty() && entries == 1) || keys.back() == key_of(key)) chosen = i;
  }
  if (chosen < 0) {
    fail("npz", "{}: {}; it holds {} (write {}:KEY)", name,
         key.empty() ? std::string("say which array to read")
                     : fmt::format("has no array '{}'", key),
         fmt::join(keys, ", "), name);
  }
  zip_stat_t stat;
  zip_stat_init(&stat);
  zip_stat_index(archive.get(), static_cast<zip_uint64_t>(chosen), 0, &stat);
  const Member member(zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(chosen), 0));
  if (!member) fail("npz", "{}: {}", name, zip_strerror(archive.get()));
  std::string content;
  std::string chunk(kChunk, '\0');
  zip_int64_t got = 0;
  while ((got = zip_fread(member.get(), chunk.data(), chunk.size())) > 0) {
    content.append(chunk, 0, static_cast<std::size_t>(got));
  }
  if (got < 0 || ((stat.valid & ZIP_STAT_SIZE) != 0 && stat.size != content.size())) {
    fail("npz", "{}: array '{}' is damaged ({})", name, keys[static_cast<std::size_t>(chosen)],
         zip_file_strerror(member.get()));
  }
  return content;
}

}  // namespace flipscope
