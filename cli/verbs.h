// The verbs: each describes its options, and runs.
#pragma once

#include "command.h"
#include "options.h"

namespace flipscope::cli {

/// Runs a command line without the program's name; gives its exit code.
int execute(const std::vector<std::string>& words);

/// The same for a whole process: mistakes become one line on standard error and their exit code.
int run_program(const std::vector<std::string>& words);

/// What a verb and the words after it ask for. Throws Error("[usage] …").
Options parse_options(const std::vector<std::string>& words);

void describe_info(Command& command, Options& options);
int info(const Options& options);

void describe_run(Command& command, Options& options);
int run(const Options& options);

void describe_inject(Command& command, Options& options);
int inject(const Options& options);

void describe_export(Command& command, Options& options);
int export_store(const Options& options);

void describe_merge(Command& command, Options& options);
int merge(const Options& options);

void describe_rank(Command& command, Options& options);
int rank(const Options& options);

void describe_trace(Command& command, Options& options);
int trace(const Options& options);

void describe_vulnerability(Command& command, Options& options);
int vulnerability(const Options& options);

void describe_evaluate(Command& command, Options& options);
int evaluate(const Options& options);

void describe_slice(Command& command, Options& options);
int slice(const Options& options);

void describe_sample_size(Command& command, Options& options);
int sample_size(const Options& options);

void describe_protect(Command& command, Options& options);
int protect(const Options& options);

void describe_compare(Command& command, Options& options);
int compare(const Options& options);

void describe_bench(Command& command, Options& options);
int bench(const Options& options);

void describe_report(Command& command, Options& options);
int report(const Options& options);

void describe_demo(Command& command, Options& options);
int demo(const Options& options);

}  // namespace flipscope::cli
