// flipscope demo: the whole way, on the networks that come with the program.
#include <dlfcn.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

namespace fs = std::filesystem;

/// The file that holds this code: the program, or the Python package's extension.
fs::path program_file() {
  static const char here = 0;
  Dl_info object{};
  if (dladdr(&here, &object) != 0 && std::string_view(object.dli_fname).ends_with(".so")) {
    return object.dli_fname;
  }
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

/// The folder with the example networks: in a folder above the program (a source tree), or in
/// share/flipscope beside its bin (an installation).
fs::path find_examples() {
  std::error_code error;
  const fs::path program = program_file();
  for (fs::path folder = program.parent_path(); !folder.empty(); folder = folder.parent_path()) {
    for (const char* name : {"examples", "share/flipscope/examples"}) {
      if (fs::exists(folder / name / "classifier.onnx", error)) return folder / name;
    }
    if (folder == folder.root_path()) break;
  }
  fail("demo", "there is no examples/classifier.onnx in a folder above {}", program.string());
}

/// A command line of the tour, and what it is for.
struct Step {
  const char* what;
  std::vector<std::string> words;
};

}  // namespace

void describe_demo(Command& command, Options& options) {
  options.out = "flipscope-demo";
  command.heading("Arguments");
  command.option("out", "FOLDER", options.out, "Where its files go (default: ./flipscope-demo).");
  describe_common(command, options);
  command.example("demo --out /tmp/flipscope-demo");
}

int demo(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const fs::path examples = find_examples();
  const fs::path out = options.out;
  std::error_code error;
  fs::create_directories(out, error);
  if (!fs::is_directory(out, error)) {
    fail("demo", "{}: this folder cannot be made; name another with --out", options.out);
  }
  const std::string classifier_store = (out / "classifier.db").string();
  const std::string autoencoder_store = (out / "autoencoder.db").string();
  const fs::path unfinished = out / "unfinished";  // while it stands, a demo goes on
  const bool resumes = fs::exists(unfinished, error);
  std::ofstream(unfinished) << "this demo was interrupted; the same command goes on\n";
  for (const std::string& store : {classifier_store, autoencoder_store}) {
    if (resumes) break;
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(store + suffix, error);
  }
  const auto example = [&](const char* name) {
    return fs::proximate(examples / name, error).string();
  };
  const auto file = [&](const char* name) { return (out / name).string(); };
  const std::vector<std::string> classifier = {example("classifier.onnx"),
                                               "--inputs",
                                               example("classifier_inputs.npy"),
                                               "--scale",
                                               "1/256",
                                               "--labels",
                                               example("classifier_labels.npy")};
  const std::vector<std::string> autoencoder = {example("autoencoder.onnx"),
                                                "--inputs",
                                                example("autoencoder_inputs.npy"),
                                                "--targets",
                                                "inputs",
                                                "--score",
                                                "emd",
                                                "--emd-cost",
                                                example("cell_distance.csv")};
  const auto with = [](const std::vector<std::string>& words, const char* verb,
                       const std::vector<std::string>& more) {
    std::vector<std::string> line{verb};
    line.insert(line.end(), words.begin(), words.end());
    line.insert(line.end(), more.begin(), more.end());
    return line;
  };

  const std::string report = file("report.html");
  const Step steps[] = {
      {"What is in the network?", {"info", example("classifier.onnx")}},
      {"Does it give what the framework that trained it gives?",
       with(classifier, "run", {"--expect", example("classifier_logits.npy"), "--verify", "20"})},
      {"Flip every weight bit, one at a time.",
       with(classifier, "inject", {"--store", classifier_store, "--verify", "20"})},
      {"Rates with their intervals, by layer.",
       {"export", classifier_store, "--by", "layer", "--out", file("classifier_by_layer.csv")}},
      {"And by bit of each layer.",
       {"export", classifier_store, "--by", "bit", "--out", file("classifier_by_bit.csv")}},
      {"An autoencoder has no decision, but a score: the earth mover's distance.",
       with(autoencoder, "inject",
            {"--first", "100", "--layers", "encoder.*", "--store", autoencoder_store})},
      {"What each bit does to it.",
       {"export", autoencoder_store, "--by", "bit", "--out", file("autoencoder_by_bit.csv")}},
      {"Can the critical bits be found without injecting? By position alone,",
       with(classifier, "rank", {"--metric", "msb", "--out", file("msb.csv")})},
      {"and by what a flip should do to the loss.",
       with(classifier, "rank", {"--metric", "flip", "--out", file("flip.csv")})},
      {"How soon do they find what matters, beside binary search and statistical sampling?",
       {"evaluate", classifier_store, "--ranking", file("msb.csv") + "," + file("flip.csv"),
        "--against", "binfi,statfi-aware", "--out", file("curves.csv"), "--out-top",
        file("tops.csv")}},
      {"Which channels and layers are vulnerable, by error-propagation analysis?",
       with(classifier, "vulnerability",
            {"--first", "100", "--sampling", "complete", "--out", file("vulnerability")})},
      {"Which faults should matter, by what they change at the end of their own layer?",
       with(classifier, "slice",
            {"--first", "100", "--heuristic", "centroid,jacobian-margin", "--out",
             file("scores.csv"), "--scatter", file("scatter.csv")})},
      {"Which bits to triplicate, for 3% more area?",
       {"protect", classifier_store, "--budget", "area:3%,residual:50%", "--out",
        file("protect.csv")}},
      {"All of it on one page.",
       {"report", classifier_store, autoencoder_store, "--ranking",
        file("msb.csv") + "," + file("flip.csv") + "," + file("curves.csv") + "," +
            file("tops.csv"),
        "--vulnerability", file("vulnerability"), "--slice",
        file("scores.csv") + "," + file("scatter.csv"), "--plan", file("protect.csv"), "--out",
        report}},
  };
  const bool silent = options.json || options.quiet;
  for (const Step& step : steps) {
    std::string line = "flipscope";
    for (const std::string& word : step.words) line += " " + word;
    if (!silent) print(fmt::format("# {}\n$ {}\n", step.what, line));
    finish_output();
    std::vector<std::string> words = step.words;
    words.insert(words.end(), {"--seed", std::to_string(options.campaign.seed)});
    if (silent) words.emplace_back("--quiet");
    if (options.campaign.threads > 0) {
      words.emplace_back("--threads");
      words.push_back(std::to_string(options.campaign.threads));
    }
    if (const int code = execute(words); code != 0) return code;
    if (!silent) print("\n");
  }

  fs::remove(unfinished, error);

  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (options.json) {
    print(text(
        Json::Object{{"report", report}, {"seconds", seconds}, {"seed", options.campaign.seed}}));
  } else if (!options.quiet) {
    print(fmt::format("Done in {}, seed {}. The report, to open in a browser: {}\n",
                      duration(seconds), options.campaign.seed,
                      fs::absolute(report, error).string()));
  }
  return 0;
}

}  // namespace flipscope::cli
