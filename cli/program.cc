// The program: finds the verb, reads its options, runs it, and turns mistakes into one line.
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "command.h"
#include "flipscope/numeric/error.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr Verb kVerbs[] = {
    {"info", "Shows layers, shapes, formats, bits, the proof of exactness and the fault space",
     describe_info, info},
    {"run",
     "Runs the network without faults: accuracy or score, and comparison with other frameworks",
     describe_run, run},
    {"inject", "Runs a fault-injection campaign, or resumes the one that the store holds",
     describe_inject, inject},
    {"export", "Writes what a store holds: faults, rates with their intervals, fault lists",
     describe_export, export_store},
    {"merge", "Joins the shards of one campaign into one store", describe_merge, merge},
    {"rank", "Ranks bits by derivatives of a loss, without injecting", describe_rank, rank},
    {"trace", "Shows the loss's curvature: Hessian trace and largest eigenvalues of each layer",
     describe_trace, trace},
    {"vulnerability",
     "Estimates vulnerability factors of channels, layers and networks (DeepVigor+)",
     describe_vulnerability, vulnerability},
    {"evaluate", "Judges rankings by a campaign of every fault, or of a random sample",
     describe_evaluate, evaluate},
    {"slice", "Scores faults by heuristics on what they change at the end of their own layer",
     describe_slice, slice},
    {"sample-size", "Says how many faults a statistical campaign needs", describe_sample_size,
     sample_size},
    {"protect", "Chooses the bits to triplicate under a budget, and measures what error is left",
     describe_protect, protect},
    {"compare", "Sets campaigns of several networks side by side: size, score, cost of protection",
     describe_compare, compare},
    {"bench",
     "Measures what a campaign will cost here, layer by layer, beside runs of the whole network",
     describe_bench, bench},
    {"report", "Writes what stores say as one page, or as Markdown, CSV or JSON", describe_report,
     report},
    {"demo", "Goes the whole way on two small networks that come with the program", describe_demo,
     demo},
};

constexpr int kBadInput = 2;

std::string overview() {
  std::string text =
      "Flipscope says which bits of a neural network matter: it flips stored bits and shows what "
      "each\nflip does to the outputs.\n\nUsage: flipscope VERB [arguments] [options]\n\nVerbs:\n";
  for (const Verb& verb : kVerbs) text += fmt::format("  {:<15}{}\n", verb.name, verb.summary);
  return text +
         "\nflipscope VERB --help lists a verb's options with an example; flipscope --version.\n"
         "Exit code: 0 done, 1 the check that was asked for does not hold, 2 bad usage or bad "
         "input,\n3 interrupted (the same command resumes).\n";
}

/// The word as a shell takes it.
std::string quoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

const Verb& verb_named(const std::string& name) {
  for (const Verb& verb : kVerbs) {
    if (name == verb.name) return verb;
  }
  std::string verbs;
  for (const Verb& verb : kVerbs)
    verbs += fmt::format("{}{}", verbs.empty() ? "" : ", ", verb.name);
  fail("usage", "there is no verb \"{}\"; the verbs are {}", name, verbs);
}

/// The words after the verb's; nothing where help was asked for, which is printed.
std::optional<Options> read_options(const Verb& verb, const std::vector<std::string>& words) {
  KnownWords known;
  for (const Verb& other : kVerbs) {
    known.verbs.emplace_back(other.name);
    Options unused;
    Command command(other);
    other.describe(command, unused);
    const std::vector<std::string> names = command.option_names();
    known.options.insert(known.options.end(), names.begin(), names.end());
  }
  Options options;
  options.command = "flipscope";
  for (const std::string& word : words) options.command += " " + quoted(word);
  Command command(verb);
  verb.describe(command, options);
  if (command.parse({words.begin() + 1, words.end()}, known)) {
    options.named = command.named();
    return options;
  }
  print(command.help());
  return {};
}

}  // namespace

int execute(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(overview());
    return words.empty() ? kBadInput : 0;
  }
  if (words[0] == "--version") {
    print("flipscope " FLIPSCOPE_VERSION "\n");
    return 0;
  }
  const Verb& verb = verb_named(words[0]);
  const std::optional<Options> options = read_options(verb, words);
  return options ? verb.run(*options) : 0;
}

Options parse_options(const std::vector<std::string>& words) {
  const std::optional<Options> options = read_options(verb_named(words.at(0)), words);
  if (!options) fail("usage", "--help is for the command line");
  return *options;
}

int run_program(const std::vector<std::string>& words) {
  const auto complain = [](const char* text) {
    std::string line = text;
    for (char& c : line) {
      if (c == '\n') c = ' ';
    }
    std::fprintf(stderr, "flipscope: %s\n", line.c_str());
    return kBadInput;
  };
  try {
    const int code = execute(words);
    finish_output();
    return code;
  } catch (const VerificationError& error) {
    complain(error.what());
    return 1;
  } catch (const Error& error) {
    return complain(error.what());
  } catch (const std::bad_alloc&) {
    return complain("[memory] there is not enough memory; take fewer samples with --first N");
  } catch (const std::exception& error) {
    return complain((std::string("[internal] ") + error.what()).c_str());
  }
}

}  // namespace flipscope::cli
