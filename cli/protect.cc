// flipscope protect: the bits to triplicate under a budget, and the error that is left.
#include <algorithm>
#include <cstdio>
#include <map>

#include "flipscope/analysis/protection.h"
#include "flipscope/analysis/protection_text.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/campaign/recorded_options.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/store.h"
#include "flipscope/campaign/trials.h"
#include "flipscope/fault/fault_model.h"
#include "flipscope/model/model.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/score.h"
#include "json.h"
#include "stop_signal.h"
#include "store_file.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

/// What is chosen from, and by what.
struct Choice {
  FaultSpace space;
  std::vector<double> harm;  ///< [fault]; empty: not known
  std::vector<std::uint64_t> order;
  CampaignOptions campaign;                   ///< of the trials
  std::map<std::string, std::string> origin;  ///< fields of the store's identity, if there is one
};

/// A row of the table.
struct Point {
  std::uint64_t bits = 0;
  std::string budget;  ///< as asked for; empty: none
  std::optional<double> left;
  std::optional<double> predicted;
  std::optional<TrialStatistics> measured;
};

std::string only_ranking(const Options& options) {
  if (options.rankings.size() > 1) fail("usage", "protect takes one --ranking FILE");
  return options.rankings.empty() ? "" : options.rankings[0];
}

void describe_of_model(Command& command, Options& options) {
  command.heading("Of a model");
  command.option("requantize", "GLOB=fixed:B,I", options.campaign.variant.requantize,
                 "As with rank.");
  command.option("prune", "SHARE", options.campaign.variant.prune, "As with rank.");
  describe_samples(command, options);
  describe_fault_space(command, options);
  describe_score(command, options);
}

/// Refuses options that would have no effect. A --config file may hold them, for other verbs.
void check_named(const Options& options, bool of_store) {
  const Verb verb{"protect", "", nullptr, nullptr};
  Command of_model(verb);
  Options unused;
  describe_of_model(of_model, unused);
  const std::vector<std::string> names = of_model.option_names();
  for (const std::string& name : options.named) {
    if (of_store && std::ranges::find(names, name) != names.end()) {
      fail("usage",
           "--{} is of a MODEL only: the STORE {} has samples, score and fault space of its own",
           name, options.store);
    }
    if (!of_store && name == "sensitive") {
      fail("usage", "--sensitive is of a STORE only: the bits of a MODEL go by --ranking");
    }
  }
}

Choice choice_from_store(const Options& options) {
  Oracle oracle =
      read_complete_oracle(options.store, parse_sensitive(options.sensitive), "protect");
  const std::string ranking = only_ranking(options);
  std::vector<double> harm = oracle.magnitude;
  for (std::size_t f = 0; f < harm.size(); ++f) harm[f] = oracle.sensitive[f] ? harm[f] : 0;
  std::vector<std::uint64_t> order =
      ranking.empty() ? order_by_harm(harm) : read_order(ranking, oracle, "protect");
  const CampaignRecord record = Store::open(options.store).record();
  return {std::move(oracle.space), std::move(harm), std::move(order), recorded_options(record),
          record.fields};
}

Choice choice_from_model(const Options& options) {
  const std::string ranking = only_ranking(options);
  if (ranking.empty()) {
    fail("usage", "{} is not the STORE of a campaign; protect of a MODEL needs --ranking FILE",
         options.store);
  }
  CampaignOptions campaign = options.campaign;
  campaign.model = options.store;
  const FaultSpace space(load_model(campaign.model, campaign.variant), campaign.space);
  const std::vector<double> none(space.size(), 0.0);
  const Oracle unknown{space, all_numbers(space), none, std::vector<char>(space.size(), 0), {}, {}};
  return {space, {}, read_order(ranking, unknown, "protect"), campaign, {}};
}

std::vector<FaultSite> first_sites(const Choice& choice, std::uint64_t bits) {
  std::vector<FaultSite> sites;
  for (std::uint64_t k = 0; k < bits; ++k) sites.push_back(choice.space.site(choice.order[k]));
  return sites;
}

void write_file(const std::string& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.finish();
}

/// The rows: some shares of all bits, and the budgets.
std::vector<Point> points_of(const Options& options, const Choice& choice,
                             const ProtectionCost& cost, const std::vector<double>& left) {
  std::map<std::uint64_t, Point> points;
  for (const double share : {0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0}) {
    const auto bits = static_cast<std::uint64_t>(share * static_cast<double>(choice.space.size()));
    if (bits <= choice.order.size()) points[bits].bits = bits;
  }
  for (const std::string& text : options.budgets) {
    const std::uint64_t bits =
        bits_within(parse_budget(text), cost, choice.space.size(), choice.order.size(), left);
    Point& point = points[bits];
    point.bits = bits;
    point.budget += (point.budget.empty() ? "" : " ") + text;
  }
  std::vector<Point> rows;
  for (auto& [bits, point] : points) {
    if (!left.empty()) point.left = left[bits];
    rows.push_back(std::move(point));
  }
  return rows;
}

/// Trials with the first bits protected; nothing where they were interrupted.
std::optional<TrialStatistics> measure(const Options& options, const Choice& choice,
                                       std::uint64_t bits) {
  const std::string base = fmt::format("{}.trials-{}", options.out, bits);
  CampaignOptions campaign = choice.campaign;
  campaign.faults = options.trial;
  campaign.select = fmt::format("random:{}", options.trials);
  campaign.seed = options.campaign.seed;
  campaign.threads = options.campaign.threads;
  campaign.protect.clear();
  if (bits > 0) {
    campaign.protect = base + ".csv";
    write_file(campaign.protect, protection_csv(choice.space, first_sites(choice, bits)));
  }
  const Plan plan(campaign);
  for (const char* field : {"model", "samples"}) {
    const auto recorded = choice.origin.find(field);
    if (recorded == choice.origin.end() || recorded->second == plan.fields().at(field)) continue;
    fail("protect", "the {} of {} is no longer what it was in that campaign", field, options.store);
  }
  const std::string store = base + ".db";
  ProgressLine progress("trials", options.quiet);
  const CampaignSummary summary =
      run_plan(plan, campaign, store, progress.callback(), stop_signal());
  progress.clear();
  if (summary.interrupted) return {};
  return trial_statistics(store);
}

/// Measures without protection and within the budgets; false where that was interrupted.
bool run_trials(const Options& options, const Choice& choice, std::vector<Point>& points) {
  const FaultModel model = parse_fault_model(options.trial);
  const double flips =
      model.kind == FaultModel::Kind::rate
          ? model.probability
          : static_cast<double>(model.count) / static_cast<double>(choice.space.size());
  double all = 0;
  for (const double harm : choice.harm) all += harm;
  const double sign = higher_is_better(choice.campaign.score) ? -1 : 1;
  double unprotected = 0;
  for (Point& point : points) {
    if (point.bits > 0 && point.budget.empty()) continue;
    point.measured = measure(options, choice, point.bits);
    if (!point.measured) return false;
    if (point.bits == 0) unprotected = sign * point.measured->change();
  }
  for (Point& point : points) {
    if (!point.left) continue;
    point.predicted = sign * predict_trial(flips * all, unprotected, flips * all * *point.left);
  }
  return true;
}

void check(const Options& options) {
  if (options.budgets.empty()) {
    fail("usage", "protect needs --budget: bits:3%, area:6%, residual:10%, or a number of bits");
  }
  if (options.trial.empty()) return;
  const FaultModel model = parse_fault_model(options.trial);
  if (model.kind != FaultModel::Kind::multi && model.kind != FaultModel::Kind::rate) {
    fail("usage", "--trial is multi:K or rate:BER, not \"{}\"", options.trial);
  }
  if (options.out.empty()) {
    fail("usage", "--trial needs --out FILE: the stores of the trials are kept beside it");
  }
  if (options.trials < 1) fail("usage", "--trials is 1 or more");
}

Json point_json(const Point& point, const Choice& choice, const ProtectionCost& cost) {
  const double share = static_cast<double>(point.bits) / static_cast<double>(choice.space.size());
  Json::Object object{{"bits", point.bits},
                      {"share", share},
                      {"area", share * cost.per_bit()},
                      {"budget", point.budget},
                      {"error_left", Json(point.left)},
                      {"predicted_change", Json(point.predicted)}};
  if (point.measured) {
    const TrialStatistics& m = *point.measured;
    object.emplace_back(
        "measured",
        Json::Object{
            {"trials", m.trials},
            {"golden", m.golden},
            {"mean", m.mean},
            {"interval", Json::Array{m.interval.lower, m.interval.upper}},
            {"deviation", m.deviation},
            {"worse", m.worse},
            {"quantiles", Json(std::vector<double>(m.quantiles.begin(), m.quantiles.end()))}});
  }
  return object;
}

std::string table(const Options& options, const std::vector<Point>& points, const Choice& choice,
                  const ProtectionCost& cost) {
  const bool trials = !options.trial.empty();
  Table rows(trials ? std::vector<std::string>{"bits", "of all", "area", "error left",
                                               "change foreseen", "change measured", "worse"}
                    : std::vector<std::string>{"bits", "of all", "area", "error left", ""},
             trials ? "rrrrrrr" : "rrrrl");
  for (const Point& point : points) {
    const double share = static_cast<double>(point.bits) / static_cast<double>(choice.space.size());
    std::vector<std::string> row{grouped(point.bits), percent(share),
                                 "+" + percent(share * cost.per_bit()),
                                 point.left ? percent(*point.left) : ""};
    if (!trials) {
      row.push_back(point.budget.empty() ? "" : "<- " + point.budget);
    } else {
      row.push_back(point.predicted ? number_text(*point.predicted) : "");
      row.push_back("");
      row.push_back("");
      if (point.measured) {
        const TrialStatistics& m = *point.measured;
        row[5] = fmt::format("{} ({} to {})", number_text(m.change()),
                             number_text(m.interval.lower - m.golden),
                             number_text(m.interval.upper - m.golden));
        row[6] = percent(static_cast<double>(m.worse) / static_cast<double>(m.trials));
      }
    }
    rows.row(std::move(row));
  }
  std::string text = rows.text() +
                     "\nerror left: of single flips, every bit equally likely, the share of all "
                     "harm that lies on bits\nwithout protection. area: what is added to all "
                     "registers, at " +
                     number_text(cost.per_bit()) + " registers' worth a bit.\n";
  if (trials) {
    text += fmt::format(
        "Changes of the mean score of {} trials of {}, with 95% intervals; foreseen from the "
        "trials "
        "without\nprotection, as flips that hide each other. worse: trials with a score worse than "
        "the golden one.\n",
        grouped(options.trials), options.trial);
  }
  return text;
}

std::string plan_text(const Options& options, const Choice& choice, const ProtectionCost& cost,
                      std::uint64_t bits) {
  const std::vector<FaultSite> sites = first_sites(choice, bits);
  if (options.to == "csv") return protection_csv(choice.space, sites, cost);
  if (options.to == "c-header") return protection_c_header(choice.space, sites);
  if (options.to == "systemverilog") return protection_systemverilog(choice.space, sites);
  if (options.to == "tmrg") return protection_tmrg(choice.space, sites);
  Json::Array all;
  for (const FaultSite& site : sites) {
    const FaultTarget& target = choice.space.targets()[site.target];
    all.push_back(Json::Object{{"layer", target.layer},
                               {"tensor", target.tensor},
                               {"index", site.index},
                               {"bit", site.bit}});
  }
  return text(Json::Object{{"protected", std::move(all)},
                           {"registers_per_bit", cost.registers},
                           {"voter_per_bit", cost.voter}});
}

}  // namespace

void describe_protect(Command& command, Options& options) {
  command.heading("Arguments");
  command.argument(
      "STORE|MODEL", options.store,
      "A campaign that ran every single-bit fault of its space; or, with --ranking, a model.");
  command.heading("Protection");
  command.option("budget", "BUDGET,...", options.budgets,
                 "N bits, bits:3% (of all), area:6% (added to all registers), residual:10% (of the "
                 "error may be left). --out gets the bits of the first.");
  command.option("cost", "REGISTERS,VOTER", options.protection_cost,
                 "What a protected bit adds, in areas of one register (default: 2,0.6).");
  command.option("ranking", "FILE", options.rankings,
                 "Protect in the order of a ranking (default: the most harmful bits first).");
  describe_sensitive(
      command, options,
      "Harm is what makes the score worse (default), or any change of it: a flip that "
      "is better alone may be worse among many. Of a STORE.");
  command.option(
      "to", "FORMAT",
      [&](const std::string& text) {
        if (text != "csv" && text != "json" && text != "c-header" && text != "systemverilog" &&
            text != "tmrg") {
          fail("usage", "--to is csv, json, c-header, systemverilog or tmrg, not \"{}\"", text);
        }
        options.to = text;
      },
      "csv (default; a list for inject --protect), json, c-header, systemverilog, tmrg (Verilog "
      "for TMRG).");
  command.option("out", "FILE", options.out, "Where to write the bits (default: nowhere).");
  command.heading("Trials");
  command.option("trial", "multi:K|rate:BER", options.trial,
                 "Measure what is left by trials of many flips, without protection and within each "
                 "budget; their stores lie beside --out, and the same command resumes them.");
  command.option("trials", "N", options.trials, "How many of each (default: 1000).");
  describe_of_model(command, options);
  describe_common(command, options);
  command.example("protect run.db --budget area:6% --to c-header --out protect.h");
}

int protect(const Options& options) {
  check(options);
  const ProtectionCost cost = parse_protection_cost(options.protection_cost);
  for (const std::string& budget : options.budgets) parse_budget(budget);
  const bool of_store = is_store(options.store);
  check_named(options, of_store);
  const Choice choice = of_store ? choice_from_store(options) : choice_from_model(options);
  const std::vector<double> left =
      choice.harm.empty() ? std::vector<double>{} : harm_left(choice.harm, choice.order);
  std::vector<Point> points = points_of(options, choice, cost, left);
  const std::uint64_t chosen = bits_within(parse_budget(options.budgets[0]), cost,
                                           choice.space.size(), choice.order.size(), left);
  if (!options.out.empty()) write_file(options.out, plan_text(options, choice, cost, chosen));
  if (!options.trial.empty() && !run_trials(options, choice, points)) {
    finish_output();
    std::fprintf(stderr,
                 "flipscope: [protect] interrupted; finished trials stand beside --out, and this "
                 "goes on: %s\n",
                 options.command.c_str());
    return 3;
  }
  if (options.json) {
    Json::Array rows;
    for (const Point& point : points) rows.push_back(point_json(point, choice, cost));
    print(text(Json::Object{{"of", options.store},
                            {"space", choice.space.size()},
                            {"protected", chosen},
                            {"registers_per_bit", cost.registers},
                            {"voter_per_bit", cost.voter},
                            {"trial", options.trial},
                            {"points", std::move(rows)},
                            {"out", options.out},
                            {"seed", options.campaign.seed}}));
  } else if (!options.quiet) {
    print(table(options, points, choice, cost));
    print(fmt::format("Seed {}.\n", options.campaign.seed));
    if (!options.out.empty()) {
      print(fmt::format("{}: {} bits to triplicate\n", options.out, grouped(chosen)));
    }
  }
  return 0;
}

}  // namespace flipscope::cli
