#include "flipscope/model/hdf5_file.h"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kMostDepth = 64;
constexpr std::size_t kMostObjects = 100'000;
constexpr std::uint64_t kMostTextBytes = std::uint64_t{1} << 28;
/// Beyond what the program holds already; 64 times the file's size is added.
constexpr rlim_t kMostMemory = rlim_t{1} << 30;
/// Of processor time; as much again for every 64 MiB of the file.
constexpr rlim_t kMostSeconds = 2;
/// Times that by the clock.
constexpr rlim_t kPatience = 100;
/// Deflate does not compress better than this, so a larger tensor cannot be what the file says.
constexpr std::uint64_t kMostCompression = 1032;

/// An HDF5 identifier, closed at the end of its scope.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error("the HDF5 library cannot read it");
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

class Reader {
 public:
  explicit Reader(const std::string& file)
      : file_size_(std::filesystem::file_size(file)),
        file_(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose) {}

  Hdf5Contents read() {
    const Handle root(H5Gopen2(file_, "/", H5P_DEFAULT), H5Gclose);
    group(root, "", 0);
    return std::move(contents_);
  }

 private:
  struct Walk {
    Reader* reader;
    const std::string* path;
    int depth;
    std::exception_ptr error;
  };

  void group(hid_t id, const std::string& path, int depth) {
    require(depth < kMostDepth, "its groups nest too deep");
    Walk walk{this, &path, depth, {}};
    hsize_t at = 0;
    const herr_t attributes = H5Aiterate2(
        id, H5_INDEX_NAME, H5_ITER_INC, &at,
        [](hid_t from, const char* name, const H5A_info_t*, void* data) -> herr_t {
          auto& w = *static_cast<Walk*>(data);
          return guarded(w, [&] { w.reader->attribute(from, *w.path, name); });
        },
        &walk);
    if (walk.error) std::rethrow_exception(walk.error);
    require(attributes >= 0, "an attribute is broken");
    at = 0;
    const herr_t links = H5Literate(
        id, H5_INDEX_NAME, H5_ITER_INC, &at,
        [](hid_t from, const char* name, const H5L_info_t* info, void* data) -> herr_t {
          auto& w = *static_cast<Walk*>(data);
          if (info->type != H5L_TYPE_HARD) return 0;
          return guarded(w, [&] { w.reader->object(from, *w.path, name, w.depth); });
        },
        &walk);
    if (walk.error) std::rethrow_exception(walk.error);
    require(links >= 0, "a group is broken");
  }

  template <typename Body>
  static herr_t guarded(Walk& walk, const Body& body) {
    try {
      body();
      return 0;
    } catch (...) {
      walk.error = std::current_exception();
      return -1;
    }
  }

  void object(hid_t from, const std::string& parent, const std::string& name, int depth) {
    require(++objects_ <= kMostObjects, "it holds too many objects");
    if (parent.empty() && name == "optimizer_weights") return;
    const std::string path = parent.empty() ? name : parent + "/" + name;
    const Handle id(H5Oopen(from, name.c_str(), H5P_DEFAULT), H5Oclose);
    const H5I_type_t type = H5Iget_type(id);
    if (type == H5I_GROUP) group(id, path, depth + 1);
    if (type == H5I_DATASET) dataset(id, path);
  }

  static std::uint64_t count_of(hid_t space, Shape* shape = nullptr) {
    const H5S_class_t kind = H5Sget_simple_extent_type(space);
    if (kind == H5S_NULL) return 0;
    const int rank = H5Sget_simple_extent_ndims(space);
    require(rank >= 0 && rank <= 32, "a tensor's shape is broken");
    std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
    std::uint64_t count = 1;
    for (const hsize_t size : sizes) {
      require(size <= static_cast<hsize_t>(kMostElements), "a tensor is too large");
      count *= size;
      require(count <= static_cast<std::uint64_t>(kMostElements), "a tensor is too large");
      if (shape) shape->push_back(static_cast<std::int64_t>(size));
    }
    return count;
  }

  void account(std::uint64_t bytes) {
    bytes_ += bytes;
    require(bytes_ <= (file_size_ + 4096) * kMostCompression,
            "its tensors are larger than the file can hold");
  }

  void dataset(hid_t id, const std::string& path) {
    const Handle type(H5Dget_type(id), H5Tclose);
    const H5T_class_t kind = H5Tget_class(type);
    if (kind != H5T_FLOAT && kind != H5T_INTEGER) return;
    const Handle space(H5Dget_space(id), H5Sclose);
    Tensor tensor;
    const std::uint64_t count = count_of(space, &tensor.shape);
    account(count * H5Tget_size(type));
    tensor.type = kind == H5T_INTEGER      ? ElementType::int64
                  : H5Tget_size(type) == 8 ? ElementType::float64
                                           : ElementType::float32;
    tensor.data.resize(count);
    if (count > 0) {
      require(
          H5Dread(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.data.data()) >= 0,
          "a tensor cannot be read");
    }
    contents_.datasets[path] = std::move(tensor);
  }

  void attribute(hid_t from, const std::string& path, const std::string& name) {
    const Handle id(H5Aopen(from, name.c_str(), H5P_DEFAULT), H5Aclose);
    const Handle type(H5Aget_type(id), H5Tclose);
    if (H5Tget_class(type) != H5T_STRING) return;
    const Handle space(H5Aget_space(id), H5Sclose);
    const std::uint64_t count = count_of(space);
    std::vector<std::string>& texts = contents_.texts[path + "@" + name];
    if (count == 0) return;
    if (H5Tis_variable_str(type) > 0) {
      account(count);
      std::vector<char*> strings(count, nullptr);
      require(H5Aread(id, type, strings.data()) >= 0, "a text cannot be read");
      for (const char* s : strings) texts.emplace_back(s ? s : "");
      H5Dvlen_reclaim(type, space, H5P_DEFAULT, strings.data());
      return;
    }
    const std::size_t size = H5Tget_size(type);
    require(size > 0 && size <= kMostTextBytes && count <= kMostTextBytes / size,
            "a text is too long");
    account(count * size);
    std::string bytes(count * size, '\0');
    require(H5Aread(id, type, bytes.data()) >= 0, "a text cannot be read");
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string text = bytes.substr(i * size, size);
      texts.push_back(text.substr(0, std::min(text.size(), text.find('\0'))));
    }
  }

  std::uint64_t file_size_;
  std::uint64_t bytes_ = 0;
  std::size_t objects_ = 0;
  Handle file_;
  Hdf5Contents contents_;
};

// The child's answer on its way through a pipe: native numbers, and texts with their length before
// them.
class Writer {
 public:
  void number(std::uint64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number(value.size());
    bytes_ += value;
  }
  void contents(const Hdf5Contents& all) {
    number(all.texts.size());
    for (const auto& [key, texts] : all.texts) {
      text(key);
      number(texts.size());
      for (const std::string& value : texts) text(value);
    }
    number(all.datasets.size());
    for (const auto& [path, tensor] : all.datasets) {
      text(path);
      number(static_cast<std::uint64_t>(tensor.type));
      number(tensor.shape.size());
      for (const std::int64_t size : tensor.shape) number(static_cast<std::uint64_t>(size));
      number(tensor.data.size());
      bytes_.append(reinterpret_cast<const char*>(tensor.data.data()),
                    tensor.data.size() * sizeof(double));
    }
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Parser {
 public:
  explicit Parser(const std::string& bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    take(&value, sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    require(size <= bytes_.size() - at_, "reading it stopped half-way");
    std::string value(bytes_, at_, size);
    at_ += size;
    return value;
  }
  Hdf5Contents contents() {
    Hdf5Contents all;
    for (std::uint64_t keys = number(); keys > 0; --keys) {
      std::vector<std::string>& texts = all.texts[text()];
      for (std::uint64_t n = number(); n > 0; --n) texts.push_back(text());
    }
    for (std::uint64_t tensors = number(); tensors > 0; --tensors) {
      Tensor& tensor = all.datasets[text()];
      tensor.type = static_cast<ElementType>(number());
      for (std::uint64_t rank = number(); rank > 0; --rank) {
        tensor.shape.push_back(static_cast<std::int64_t>(number()));
      }
      const std::uint64_t count = number();
      require(count <= (bytes_.size() - at_) / sizeof(double), "reading it stopped half-way");
      tensor.data.resize(count);
      if (count > 0) take(tensor.data.data(), count * sizeof(double));
    }
    return all;
  }

 private:
  void take(void* to, std::size_t size) {
    require(size <= bytes_.size() - at_, "reading it stopped half-way");
    std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }

  const std::string& bytes_;
  std::size_t at_ = 0;
};

void write_all(int pipe, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(pipe, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

/// Reads and answers: a 1 and the contents, or a 0 and what is wrong. Never returns.
[[noreturn]] void answer(const std::string& file, int pipe) {
  for (const int fault : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM})
    signal(fault, SIG_DFL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::error_code unreadable;
  const rlim_t size = std::filesystem::file_size(file, unreadable);
  const rlim_t seconds = kMostSeconds * (1 + (unreadable ? 0 : size >> 26));
  const rlimit time{seconds, seconds};
  setrlimit(RLIMIT_CPU, &time);
  alarm(static_cast<unsigned>(kPatience * seconds));  // were it to wait for something
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kMostMemory +
                       64 * (unreadable ? 0 : size);
  const rlimit memory{bytes, bytes};
  if (pages > 0) setrlimit(RLIMIT_AS, &memory);
  Writer writer;
  try {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    const Hdf5Contents contents = Reader(file).read();
    writer.number(1);
    writer.contents(contents);
  } catch (const std::exception& error) {
    writer = {};
    writer.number(0);
    writer.text(error.what());
  }
  write_all(pipe, writer.bytes());
  _exit(0);
}

std::string read_all(int pipe) {
  std::string bytes;
  std::vector<char> block(1 << 16);
  for (;;) {
    const ssize_t n = read(pipe, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

Hdf5Contents read_hdf5(const std::string& file) {
  return read_hdf5(file, file);
}

Hdf5Contents read_hdf5(const std::string& file, const std::string& name) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code)) {
    fail("keras", "{}: there is no such file", name);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    fail("keras", "{}: no pipe to read through: {}", name, std::strerror(errno));
  }
  const pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    fail("keras", "{}: no process to read it in: {}", name, std::strerror(errno));
  }
  if (child == 0) {
    close(ends[0]);
    answer(file, ends[1]);
  }
  close(ends[1]);
  const std::string bytes = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  try {
    Parser parser(bytes);
    if (parser.number() == 1) return parser.contents();
    fail("keras", "{}: not a sound HDF5 file: {}", name, parser.text());
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    fail("keras", "{}: not a sound HDF5 file: the HDF5 library breaks down on it", name);
  }
}

}  // namespace flipscope
