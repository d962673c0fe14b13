#include "flipscope/score/emd.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "flipscope/model/csv.h"
#include "flipscope/numeric/test_data.h"

#if __has_include(<lemon/network_simplex.h>)
#define FLIPSCOPE_HAS_LEMON 1
#define LEMON_ONLY_TEMPLATES
#include <lemon/network_simplex.h>
#include <lemon/static_graph.h>
#endif

namespace flipscope {
namespace {

using Cells = std::vector<double>;

GroundDistance line(int n) {
  Cells cost;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) cost.push_back(std::abs(i - j));
  }
  return GroundDistance("line", n, cost);
}

/// On a line the distance is the area between the cumulative distributions.
double emd_on_line(const Cells& p, const Cells& q) {
  const double sum_p = std::accumulate(p.begin(), p.end(), 0.0);
  const double sum_q = std::accumulate(q.begin(), q.end(), 0.0);
  double ahead = 0;
  double area = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    ahead += p[i] / sum_p - q[i] / sum_q;
    area += std::abs(ahead);
  }
  return area;
}

TEST(Emd, MovesOneHeap) {
  const GroundDistance cost = line(5);
  EmdSolver emd(cost);
  EXPECT_EQ(emd(Cells{1, 0, 0, 0, 0}.data(), Cells{0, 0, 0, 0, 7}.data()), 4);
  EXPECT_EQ(emd(Cells{1, 0, 0, 0, 0}.data(), Cells{1, 0, 0, 0, 1}.data()), 2);
  EXPECT_EQ(emd(Cells{3, 1, 0, 2, 0}.data(), Cells{6, 2, 0, 4, 0}.data()), 0);
}

TEST(Emd, AgreesWithCumulativeDistributionsOnALine) {
  rc::check([](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const int n = std::uniform_int_distribution(1, 40)(random);
    Cells p(n);
    Cells q(n);
    for (double& x : p) x = random() % 3 == 0 ? 0 : std::ldexp(double(random()), -64);
    for (double& x : q) x = random() % 3 == 0 ? 0 : std::ldexp(double(random()), -64);
    p[random() % n] += 0.25;
    q[random() % n] += 0.25;
    const GroundDistance cost = line(n);
    EmdSolver emd(cost);
    const double expected = emd_on_line(p, q);
    RC_ASSERT(std::abs(emd(p.data(), q.data()) - expected) <= 1e-9 * expected + 1e-13);
  });
}

TEST(Emd, SmallDifferencesKeepTheirPrecision) {
  const GroundDistance cost = line(3);
  EmdSolver emd(cost);
  const double tiny = 0x1p-40;
  EXPECT_NEAR(emd(Cells{1, 1, 2}.data(), Cells{1 + tiny, 1 - tiny, 2}.data()) / (tiny / 4), 1,
              1e-4);
}

TEST(Emd, NoMetricMeansTheWholeProblem) {
  // Staying costs 10, moving on to the next cell costs 1.
  const GroundDistance cost("cycle", 3, {10, 1, 5, 5, 10, 1, 1, 5, 10});
  EXPECT_FALSE(cost.is_metric());
  EmdSolver emd(cost);
  const Cells p{1, 1, 1};
  EXPECT_DOUBLE_EQ(emd(p.data(), p.data()), 1);
}

TEST(Emd, DependsOnNoEarlierCall) {
  std::mt19937_64 random(3);
  const int n = 30;
  const GroundDistance cost = line(n);
  EmdSolver used(cost);
  for (int round = 0; round < 50; ++round) {
    Cells p(n);
    Cells q(n);
    for (double& x : p) x = double(random() % 5);
    for (double& x : q) x = double(random() % 5);
    EmdSolver fresh(cost);
    EXPECT_EQ(used(p.data(), q.data()), fresh(p.data(), q.data()));
  }
}

/// Few occupied cells, as a sensor's readings.
std::vector<long long> sparse_masses(int n, int occupied, std::mt19937_64& random) {
  std::vector<long long> masses(static_cast<std::size_t>(n));
  for (int k = 0; k < occupied; ++k) masses[random() % n] += 1 + (long long)(random() % 500);
  return masses;
}

/// Moves some mass of a few cells, at times all of it.
void step(std::vector<long long>& masses, std::mt19937_64& random) {
  for (int k = 0; k < 3; ++k) {
    long long& mass = masses[random() % masses.size()];
    mass = random() % 8 == 0 ? 0 : mass + (long long)(random() % 9);
  }
  ++masses[0];
}

Cells real(const std::vector<long long>& masses) {
  return Cells(masses.begin(), masses.end());
}

TEST(Emd, WalksGiveTheBitsOfAFreshStart) {
  std::mt19937_64 random(6);
  for (const bool metric : {true, false}) {
    const int n = 48;
    Cells costs(n * n);
    for (double& x : costs) x = double(random() % 100);
    const GroundDistance cost = metric ? line(n) : GroundDistance("random", n, costs);
    ASSERT_EQ(cost.is_metric(), metric);
    EmdSolver walker(cost);
    for (int start = 0; start < 20; ++start) {
      const Cells p = real(sparse_masses(n, 1 + start, random));
      std::vector<long long> q = sparse_masses(n, 40, random);
      for (int k = 0; k < 100; ++k) {
        step(q, random);
        EmdSolver fresh(cost);
        EXPECT_EQ(walker(p.data(), real(q).data()), fresh(p.data(), real(q).data()));
      }
    }
  }
}

TEST(Emd, ANearDistributionTakesFewPivots) {
  std::mt19937_64 random(7);
  const int n = 48;
  const GroundDistance cost = line(n);
  EmdSolver emd(cost);
  const Cells p = real(sparse_masses(n, 18, random));
  Cells q(n);
  for (double& x : q) x = double(1 + random() % 1000);
  emd(p.data(), q.data());
  const int cold = emd.pivots();
  int warm = 0;
  for (int k = 0; k < 10; ++k) {
    q[random() % n] *= 1.01;
    emd(p.data(), q.data());
    warm += emd.pivots();
  }
  EXPECT_LT(warm, cold);
  emd(p.data(), q.data());
  EXPECT_EQ(emd.pivots(), 0);
}

#ifdef FLIPSCOPE_HAS_LEMON

/// The same distance by LEMON's network simplex on integers: masses p_i·Σq and q_j·Σp, costs in
/// units of 2^-scale.
double emd_by_lemon(const GroundDistance& cost, const std::vector<long long>& p,
                    const std::vector<long long>& q, int scale) {
  const int n = cost.cells();
  std::vector<std::pair<int, int>> arcs;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) arcs.emplace_back(i, n + j);
  }
  lemon::StaticDigraph graph;
  graph.build(2 * n, arcs.begin(), arcs.end());
  lemon::StaticDigraph::ArcMap<long long> arc_cost(graph);
  lemon::StaticDigraph::NodeMap<long long> supply(graph);
  const long long sum_p = std::accumulate(p.begin(), p.end(), 0LL);
  const long long sum_q = std::accumulate(q.begin(), q.end(), 0LL);
  for (int i = 0; i < n; ++i) {
    supply[graph.node(i)] = p[i] * sum_q;
    supply[graph.node(n + i)] = -q[i] * sum_p;
    for (int j = 0; j < n; ++j) {
      arc_cost[graph.arc(i * n + j)] = std::llround(std::ldexp(cost(i, j), scale));
    }
  }
  lemon::NetworkSimplex<lemon::StaticDigraph, long long, long long> simplex(graph);
  simplex.costMap(arc_cost).supplyMap(supply);
  EXPECT_EQ(simplex.run(), simplex.OPTIMAL);
  return std::ldexp(double(simplex.totalCost()), -scale) / (double(sum_p) * double(sum_q));
}

void expect_agreement(EmdSolver& emd, const GroundDistance& cost, const std::vector<long long>& p,
                      const std::vector<long long>& q, int scale) {
  const double expected = emd_by_lemon(cost, p, q, scale);
  EXPECT_NEAR(emd(real(p).data(), real(q).data()), expected, 1e-9 * expected + 1e-13);
  EXPECT_LT(emd.pivots(), 100 * cost.cells());
}

void expect_agreement(const GroundDistance& cost, const std::vector<long long>& p,
                      const std::vector<long long>& q, int scale) {
  EmdSolver emd(cost);
  expect_agreement(emd, cost, p, q, scale);
}

GroundDistance random_points(int n, std::mt19937_64& random) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < n; ++i) points.emplace_back(random() % 8, random() % 8);
  Cells cost;
  for (const auto& [x, y] : points) {
    for (const auto& [u, v] : points) cost.push_back(std::hypot(x - u, y - v));
  }
  return GroundDistance("points", n, cost);
}

TEST(EmdAgainstLemon, SparseMasses) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    const int n = 2 + int(random() % 50);
    const GroundDistance cost = random_points(n, random);
    std::vector<long long> p(n);
    std::vector<long long> q(n);
    for (long long& x : p) x = random() % 4 == 0 ? (long long)(random() % 200) : 0;
    for (long long& x : q) x = random() % 2 == 0 ? (long long)(random() % 200) : 0;
    ++p[random() % n];
    ++q[random() % n];
    expect_agreement(cost, p, q, 30);
  }
}

TEST(EmdAgainstLemon, EqualMassesAreDegenerate) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    const int n = 4 + int(random() % 60);
    const GroundDistance cost = random_points(n, random);
    std::vector<long long> p(n);
    std::vector<long long> q(n);
    for (int i = 0; i < n; ++i) (i % 2 == 0 ? p : q)[i] = 1;
    expect_agreement(cost, p, q, 36);
  }
}

TEST(EmdAgainstLemon, CostsThatAreNoMetric) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    const int n = 2 + int(random() % 40);
    Cells costs(n * n);
    for (double& x : costs) x = double(random() % 10);
    const GroundDistance cost("random", n, costs);
    std::vector<long long> p(n);
    std::vector<long long> q(n);
    for (long long& x : p) x = 1 + (long long)(random() % 3);
    for (long long& x : q) x = (long long)(random() % 3);
    q[0] = 1;
    expect_agreement(cost, p, q, 20);
  }
}

TEST(EmdAgainstLemon, HundredsOfCells) {
  std::mt19937_64 random(5);
  const int n = 300;
  const GroundDistance cost = random_points(n, random);
  std::vector<long long> p(n);
  std::vector<long long> q(n);
  for (long long& x : p) x = (long long)(random() % 10);
  for (long long& x : q) x = (long long)(random() % 10);
  expect_agreement(cost, p, q, 30);
}

TEST(EmdAgainstLemon, WalksOfNeighbours) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 40; ++round) {
    const int n = 48;
    const GroundDistance cost = random_points(n, random);
    EmdSolver emd(cost);
    const std::vector<long long> p = sparse_masses(n, 1 + round % 20, random);
    std::vector<long long> q = sparse_masses(n, 100, random);
    for (int k = 0; k < 100; ++k) {
      step(q, random);
      expect_agreement(emd, cost, p, q, 30);
    }
  }
}

TEST(EmdAgainstLemon, SensorReadings) {
  FLIPSCOPE_NEEDS_DATA(metric_file, "hgcal/hex_metric_48x48.csv");
  FLIPSCOPE_NEEDS_DATA(rows_file, "hgcal/CALQ_output.csv");
  const GroundDistance cost = read_ground_distance(metric_file);
  EXPECT_TRUE(cost.is_metric());
  const Tensor table = read_csv(rows_file);
  ASSERT_EQ(table.shape, (Shape{6050, 48}));
  const auto row = [&](int r) {
    return std::vector<long long>(table.data.begin() + r * 48, table.data.begin() + (r + 1) * 48);
  };
  const auto empty = [](const std::vector<long long>& r) { return std::ranges::count(r, 0) == 48; };
  int compared = 0;
  for (int r = 0; r + 1 < 6050 && compared < 400; r += 3) {
    if (empty(row(r)) || empty(row(r + 1))) continue;
    expect_agreement(cost, row(r), row(r + 1), 30);
    ++compared;
  }
  EXPECT_EQ(compared, 400);

  // One reading against a walk that starts at it and ends far from it.
  std::mt19937_64 random(9);
  EmdSolver emd(cost);
  for (int r = 0; r < 20; ++r) {
    if (empty(row(r))) continue;
    std::vector<long long> q = row(r);
    for (int k = 0; k < 100; ++k) {
      step(q, random);
      expect_agreement(emd, cost, row(r), q, 30);
    }
  }
}

#endif

TEST(GroundDistance, RefusesWhatIsNoCost) {
  EXPECT_THROW(GroundDistance("x", 2, {0, -1, 1, 0}), std::runtime_error);
  EXPECT_THROW(GroundDistance("x", 2, {0, NAN, 1, 0}), std::runtime_error);
}

TEST(GroundDistance, KnowsAMetric) {
  EXPECT_TRUE(line(6).is_metric());
  EXPECT_EQ(line(6).diameter(), 5);
  EXPECT_FALSE(GroundDistance("asymmetric", 2, {0, 1, 2, 0}).is_metric());
  EXPECT_FALSE(GroundDistance("detour", 3, {0, 1, 3, 1, 0, 1, 3, 1, 0}).is_metric());
  EXPECT_FALSE(GroundDistance("own", 1, {1}).is_metric());
}

}  // namespace
}  // namespace flipscope
