// graph: trainer
//
// Written by derivgen 0.1.0: derivgen emit graph --target cpp --dtype float32
// The code belongs to whoever had it written and needs the standard library only. Build:
//   g++ -std=c++17 -O3 -march=native -fno-math-errno -o trainer trainer.cpp
// and see ./trainer --help. With DERIVGEN_NO_MAIN defined, including this file gives
// Parameters, Batch, Workspace, predict, loss_and_gradients and update alone.
//
//   # The computation graph J = 3*(a + b*c), node by node.
//   network graph
//   param a = 5, b = 3, c = 2
//   u = b*c
//   v = a + u
//   loss J = 3*v
//   train with sgd(lr = 0.01), epochs 1, batch 1

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace graph {

/// What a tensor holds, for the parts that treat all tensors alike.
struct TensorInfo {
  std::string name;
  std::vector<int> shape;  // of one sample
  int sample_axis = -1;  // where the axis of the samples stands; -1: there is none
  bool one_hot = false;
  int low = 0;  // of index values: the least one,
  int values = 0;  // and how many there are; 0: the tensor holds numbers

  int size() const {
    return std::accumulate(shape.begin(), shape.end(), 1, std::multiplies<int>());
  }

  /// How many classes a sample may belong to; 0, if the tensor holds no class.
  int classes() const {
    if (values > 0) return shape.empty() ? values : 0;
    return shape.size() == 1 ? shape[0] : 0;
  }

  /// Where element `i` of sample `n` out of `samples` is stored.
  std::size_t place(int n, int i, int samples) const {
    if (sample_axis < 0) return static_cast<std::size_t>(i);
    int inner = 1;
    for (auto axis = static_cast<std::size_t>(sample_axis); axis < shape.size(); ++axis)
      inner *= shape[axis];
    const std::ptrdiff_t outer = i / inner * static_cast<std::ptrdiff_t>(samples);
    return static_cast<std::size_t>((outer + n) * inner + i % inner);
  }
};

// --- parameters ---------------------------------------------------------------------------------

template <typename real>
struct Parameters {
  std::vector<real> a = std::vector<real>(1);
  std::vector<real> b = std::vector<real>(1);
  std::vector<real> c = std::vector<real>(1);

  /// All that training changes, in order of declaration.
  std::vector<std::vector<real>*> all() {
    return {&a, &b, &c};
  }

  /// The same, then the states kept from step to step.
  std::vector<std::vector<real>*> all_and_states() {
    return {&a, &b, &c};
  }
};

/// Describes what `all_and_states` lists.
inline const std::vector<TensorInfo>& parameter_info() {
  static const std::vector<TensorInfo> info = {
      {"a", {}, -1, false, 0, 0},
      {"b", {}, -1, false, 0, 0},
      {"c", {}, -1, false, 0, 0},
  };
  return info;
}

constexpr std::size_t parameter_count = 3;

// --- samples ------------------------------------------------------------------------------------

/// Some samples: inputs and targets; with them constants and the random tensors of a step.
template <typename real>
struct Batch {
  int samples = 0;

  void resize(int count) {
    samples = count;
  }
};

/// Calls `visit(number, values)` for each input and target.
template <typename real, typename Visit>
void each_data([[maybe_unused]] Batch<real>& batch, [[maybe_unused]] Visit visit) {
}

/// The same, going on with constants and random tensors.
template <typename real, typename Visit>
void each_tensor([[maybe_unused]] Batch<real>& batch, [[maybe_unused]] Visit visit) {
}

/// Describes what `each_tensor` visits.
inline const std::vector<TensorInfo>& batch_info() {
  static const std::vector<TensorInfo> info = {
  };
  return info;
}

constexpr std::size_t input_count = 0;
constexpr std::size_t data_count = 0;

// --- everything computed ------------------------------------------------------------------------

template <typename real>
struct Workspace {
  int samples = -1;
  std::vector<real> u = std::vector<real>(1);
  std::vector<real> v = std::vector<real>(1);
  std::vector<real> J = std::vector<real>(1);

  void fit(int count) {
    if (samples == count) return;
    samples = count;
  }
};

inline const TensorInfo& output_info() {
  static const TensorInfo info = {"v", {}, -1, false, 0, 0};
  return info;
}

// --- random numbers: a hash of seed, stream and position ----------------------------------------

/// Mixes the bits of a counter (the finaliser of splitmix64).
inline std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9u;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t position) {
  const std::uint64_t start = mix(seed + 0x9E3779B97F4A7C15u);
  const std::uint64_t key = mix(start + stream * 0xD1B54A32D192ED03u + 0x9E3779B97F4A7C15u);
  return mix(key + position * 0x9E3779B97F4A7C15u);
}

/// A number in [0, 1).
inline double random_uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t position) {
  return static_cast<double>(random_bits(seed, stream, position) >> 11) * 0x1.0p-53;
}

/// A standard normal number, made of two uniform ones (Box and Muller).
inline double random_normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t position) {
  const double radius =
      std::sqrt(-2.0 * std::log(1.0 - random_uniform(seed, stream, 2 * position)));
  const double angle =
      2.0 * 3.14159265358979323846 * random_uniform(seed, stream, 2 * position + 1);
  return radius * std::cos(angle);
}

template <typename real>
void draw_uniform(std::vector<real>& values, std::uint64_t seed, std::uint64_t stream, double low,
                  double high) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<real>(low + (high - low) * random_uniform(seed, stream, i));
  }
}

template <typename real>
void draw_normal(std::vector<real>& values, std::uint64_t seed, std::uint64_t stream, double mean,
                 double deviation) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<real>(mean + deviation * random_normal(seed, stream, i));
  }
}

template <typename real>
Parameters<real> initial_parameters([[maybe_unused]] std::uint64_t seed) {
  Parameters<real> parameters;
  std::fill(parameters.a.begin(), parameters.a.end(), real(5.0));  // declared
  std::fill(parameters.b.begin(), parameters.b.end(), real(3.0));  // declared
  std::fill(parameters.c.begin(), parameters.c.end(), real(2.0));  // declared
  return parameters;
}

/// Draws the random tensors of a training step.
template <typename real>
void draw_random([[maybe_unused]] Batch<real>& batch, [[maybe_unused]] std::uint64_t seed,
                 [[maybe_unused]] long step) {
  // There are none.
}

// --- small functions ----------------------------------------------------------------------------

template <typename real>
real square(real x) {
  return x * x;
}

// --- forward ------------------------------------------------------------------------------------

/// Computes the output from the inputs.
template <typename real>
void forward(const Parameters<real>& parameters, [[maybe_unused]] const Batch<real>& batch,
             Workspace<real>& work) {
  const real* const b = parameters.b.data();
  const real* const c = parameters.c.data();
  const real* const a = parameters.a.data();
  real* __restrict const u = work.u.data();
  real* __restrict const v = work.v.data();
  // (1) u = b*c
  u[0] = b[0] * c[0];
  // (2) v = a + u
  v[0] = a[0] + u[0];
}

/// Goes on from the output to the loss.
template <typename real>
void forward_loss([[maybe_unused]] const Parameters<real>& parameters,
                  [[maybe_unused]] const Batch<real>& batch, Workspace<real>& work) {
  const real* const v = work.v.data();
  real* __restrict const J = work.J.data();
  // (3) J = 3*v
  J[0] = 3 * v[0];
}

/// Returns the output for every sample of the batch.
template <typename real>
const std::vector<real>& predict(const Parameters<real>& parameters, const Batch<real>& batch,
                                 Workspace<real>& work) {
  work.fit(batch.samples);
  forward(parameters, batch, work);
  return work.v;
}

/// The loss J, once it is computed.
template <typename real>
double mean_loss(const Batch<real>&, const Workspace<real>& work) {
  return static_cast<double>(work.J[0]);
}

/// Returns the loss of training; everything computed is in `work`.
template <typename real>
double training_loss(const Parameters<real>& parameters, const Batch<real>& batch,
                     Workspace<real>& work) {
  work.fit(batch.samples);
  forward(parameters, batch, work);
  forward_loss(parameters, batch, work);
  return mean_loss(batch, work);
}

/// Returns the loss as at prediction; the output is in `work.v`.
template <typename real>
double evaluate(const Parameters<real>& parameters, const Batch<real>& batch,
                Workspace<real>& work) {
  predict(parameters, batch, work);
  forward_loss(parameters, batch, work);
  return mean_loss(batch, work);
}

// --- backward -----------------------------------------------------------------------------------

/// Computes the gradients, after `training_loss`.
template <typename real>
void backward(const Parameters<real>& parameters, [[maybe_unused]] const Batch<real>& batch,
              [[maybe_unused]] Workspace<real>& work, Parameters<real>& gradients) {
  const real* const c = parameters.c.data();
  const real* const b = parameters.b.data();
  real* __restrict const adj_a = gradients.a.data();
  real* __restrict const adj_b = gradients.b.data();
  real* __restrict const adj_c = gradients.c.data();
  // (6) adj_a = 3
  adj_a[0] = 3;
  // (7) adj_b = 3*c
  adj_b[0] = 3 * c[0];
  // (8) adj_c = 3*b
  adj_c[0] = 3 * b[0];
}

template <typename real>
double loss_and_gradients(const Parameters<real>& parameters, const Batch<real>& batch,
                          Workspace<real>& work, Parameters<real>& gradients) {
  const double loss = training_loss(parameters, batch, work);
  backward(parameters, batch, work, gradients);
  return loss;
}

// --- update -------------------------------------------------------------------------------------

/// A rule for training: its settings, and the values that its states start from.
struct Rule {
  std::string name;
  std::vector<std::pair<std::string, double>> settings;
  std::vector<double> states;
};

inline const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"sgd", {{"lr", 0.01}}, {}},
      {"momentum", {{"lr", 0.001}, {"mu", 0.9}}, {0.0}},
      {"nesterov", {{"lr", 0.001}, {"mu", 0.9}}, {0.0}},
      {"adagrad", {{"lr", 0.01}, {"eps", 1e-10}}, {0.0}},
      {"rmsprop", {{"lr", 0.01}, {"alpha", 0.99}, {"eps", 1e-08}}, {0.0}},
      {"adam", {{"lr", 0.001}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-08}}, {0.0, 0.0}},
      {"adamw",
          {{"lr", 0.001}, {"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-08}, {"weight_decay", 0.01}},
          {0.0, 0.0}},
  };
  return all;
}

/// A rule at work: its states for every parameter, and the steps done.
template <typename real>
struct Optimiser {
  Rule rule;
  std::vector<bool> frozen = std::vector<bool>(parameter_count, false);
  std::vector<Parameters<real>> states;
  long step = 0;

  explicit Optimiser(const Rule& chosen) : rule(chosen), states(chosen.states.size()) {
    for (std::size_t s = 0; s < states.size(); ++s) {
      for (std::vector<real>* values : states[s].all()) {
        std::fill(values->begin(), values->end(), static_cast<real>(rule.states[s]));
      }
    }
  }

  real setting(std::size_t number) const { return static_cast<real>(rule.settings[number].second); }

  real* state(std::size_t number, std::size_t parameter) {
    return states[number].all()[parameter]->data();
  }
};

// sgd: w' = w - lr*g
template <typename real>
void sgd_step(Optimiser<real>& optimiser, [[maybe_unused]] std::size_t p,
              const std::vector<real>& g, std::vector<real>& w) {
  const real lr = optimiser.setting(0);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real w_next = w[i] - lr * g[i];
    w[i] = w_next;
  }
}

// momentum: v' = mu*v + g; w' = w - lr*v'
template <typename real>
void momentum_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
                   std::vector<real>& w) {
  real* const v = optimiser.state(0, p);
  const real lr = optimiser.setting(0);
  const real mu = optimiser.setting(1);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real v_next = mu * v[i] + g[i];
    const real w_next = w[i] - lr * v_next;
    v[i] = v_next;
    w[i] = w_next;
  }
}

// nesterov: v' = mu*v + g; w' = w - lr*(g + mu*v')
template <typename real>
void nesterov_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
                   std::vector<real>& w) {
  real* const v = optimiser.state(0, p);
  const real lr = optimiser.setting(0);
  const real mu = optimiser.setting(1);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real v_next = mu * v[i] + g[i];
    const real w_next = w[i] - lr * (g[i] + mu * v_next);
    v[i] = v_next;
    w[i] = w_next;
  }
}

// adagrad: s' = s + g^2; w' = w - (lr*g/(sqrt(s') + eps))
template <typename real>
void adagrad_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
                  std::vector<real>& w) {
  real* const s = optimiser.state(0, p);
  const real lr = optimiser.setting(0);
  const real eps = optimiser.setting(1);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real s_next = s[i] + square(g[i]);
    const real w_next = w[i] - lr * g[i] / (std::sqrt(s_next) + eps);
    s[i] = s_next;
    w[i] = w_next;
  }
}

// rmsprop: s' = alpha*s + (1 - alpha)*g^2; w' = w - (lr*g/(sqrt(s') + eps))
template <typename real>
void rmsprop_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
                  std::vector<real>& w) {
  real* const s = optimiser.state(0, p);
  const real lr = optimiser.setting(0);
  const real alpha = optimiser.setting(1);
  const real eps = optimiser.setting(2);
  const real factor1 = 1 - alpha;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real s_next = alpha * s[i] + factor1 * square(g[i]);
    const real w_next = w[i] - lr * g[i] / (std::sqrt(s_next) + eps);
    s[i] = s_next;
    w[i] = w_next;
  }
}

// adam: m' = beta1*m + (1 - beta1)*g; v' = beta2*v + (1 - beta2)*g^2; w' = w - (lr*(m'/(1
//     - beta1^t))/(sqrt(v'/(1 - beta2^t)) + eps))
template <typename real>
void adam_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
               std::vector<real>& w) {
  real* const m = optimiser.state(0, p);
  real* const v = optimiser.state(1, p);
  const real lr = optimiser.setting(0);
  const real beta1 = optimiser.setting(1);
  const real beta2 = optimiser.setting(2);
  const real eps = optimiser.setting(3);
  const real t = static_cast<real>(optimiser.step);
  const real factor1 = 1 - beta1;
  const real factor2 = 1 - beta2;
  const real factor3 = 1 - std::pow(beta1, t);
  const real factor4 = 1 - std::pow(beta2, t);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real m_next = beta1 * m[i] + factor1 * g[i];
    const real v_next = beta2 * v[i] + factor2 * square(g[i]);
    const real w_next = w[i] - lr * (m_next / factor3) / (std::sqrt(v_next / factor4) + eps);
    m[i] = m_next;
    v[i] = v_next;
    w[i] = w_next;
  }
}

// adamw: m' = beta1*m + (1 - beta1)*g; v' = beta2*v + (1 - beta2)*g^2; w' = (1 -
//     lr*weight_decay)*w - (lr*(m'/(1 - beta1^t))/(sqrt(v'/(1 - beta2^t)) + eps))
template <typename real>
void adamw_step(Optimiser<real>& optimiser, std::size_t p, const std::vector<real>& g,
                std::vector<real>& w) {
  real* const m = optimiser.state(0, p);
  real* const v = optimiser.state(1, p);
  const real lr = optimiser.setting(0);
  const real beta1 = optimiser.setting(1);
  const real beta2 = optimiser.setting(2);
  const real eps = optimiser.setting(3);
  const real weight_decay = optimiser.setting(4);
  const real t = static_cast<real>(optimiser.step);
  const real factor1 = 1 - beta1;
  const real factor2 = 1 - beta2;
  const real factor3 = 1 - lr * weight_decay;
  const real factor4 = 1 - std::pow(beta1, t);
  const real factor5 = 1 - std::pow(beta2, t);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const real m_next = beta1 * m[i] + factor1 * g[i];
    const real v_next = beta2 * v[i] + factor2 * square(g[i]);
    const real w_next =
        factor3 * w[i] - lr * (m_next / factor4) / (std::sqrt(v_next / factor5) + eps);
    m[i] = m_next;
    v[i] = v_next;
    w[i] = w_next;
  }
}

/// Does one step: parameters move by the optimiser's rule, states get their next values.
template <typename real>
void update(Parameters<real>& parameters, Parameters<real>& gradients,
            [[maybe_unused]] const Workspace<real>& work, Optimiser<real>& optimiser) {
  ++optimiser.step;
  for (std::size_t p = 0; p < parameter_count; ++p) {
    if (optimiser.frozen[p]) continue;
    const std::vector<real>& g = *gradients.all()[p];
    std::vector<real>& w = *parameters.all()[p];
    if (optimiser.rule.name == "sgd") sgd_step(optimiser, p, g, w);
    if (optimiser.rule.name == "momentum") momentum_step(optimiser, p, g, w);
    if (optimiser.rule.name == "nesterov") nesterov_step(optimiser, p, g, w);
    if (optimiser.rule.name == "adagrad") adagrad_step(optimiser, p, g, w);
    if (optimiser.rule.name == "rmsprop") rmsprop_step(optimiser, p, g, w);
    if (optimiser.rule.name == "adam") adam_step(optimiser, p, g, w);
    if (optimiser.rule.name == "adamw") adamw_step(optimiser, p, g, w);
  }
}

#ifndef DERIVGEN_NO_MAIN

#if defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__clang__)
// The rest reads files and talks to people: built for size, it takes half the time to compile.
#pragma GCC optimize("Os")
#endif

// --- about this network -------------------------------------------------------------------------

constexpr const char* network_name = "graph";
constexpr const char* network_hash =
    "d2b5d42c6a21ba42c28b66b633813459c81f80d39974fe701818d9cdf35f6a36";
constexpr const char* default_dtype = "float32";
constexpr const char* derivgen_version = "0.1.0";
constexpr const char* default_optimiser = "sgd";
constexpr int default_epochs = 1;
constexpr int default_batch = 1;

// --- errors -------------------------------------------------------------------------------------

constexpr int exit_failed = 1;  // the check failed or stays inconclusive, training diverged
constexpr int exit_usage = 2;
constexpr int exit_data = 3;
constexpr int exit_files = 5;

/// An error the user can mend: what it is about, what is wrong, what to do.
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& subject, const std::string& problem = "",
          const std::string& advice = "")
      : std::runtime_error("error: " + subject + line(problem) + line(advice)), exit_code(code) {}

  int exit_code;

 private:
  static std::string line(const std::string& text) { return text.empty() ? "" : "\n  " + text; }
};

/// Returns a text in quotes, cut where it is long.
inline std::string quoted(const std::string& text) {
  std::size_t end = std::min<std::size_t>(text.size(), 60);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return "'" + text.substr(0, end) + (end < text.size() ? "...'" : "'");
}

// --- JSON ---------------------------------------------------------------------------------------

/// A value of a JSON text. `items` are a list's values, or an object's beside their `keys`.
struct Json {
  enum class Kind { null, boolean, number, text, list, object };
  Kind kind = Kind::null;
  double number = 0;
  std::string text;
  std::vector<std::string> keys;
  std::vector<Json> items;

  const Json* find(const std::string& key) const {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == key) return &items[i];
    }
    return nullptr;
  }
};

/// Reads one JSON text; `file` is named in messages.
class JsonReader {
 public:
  JsonReader(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  Json read() {
    Json value = read_value(0);
    skip_space();
    if (at_ != text_.size()) fail("the end of the text");
    return value;
  }

 private:
  static constexpr int depth_limit = 100;
  const std::string& text_;
  const std::string& file_;
  std::size_t at_ = 0;

  [[noreturn]] void fail(const std::string& expected) const {
    std::size_t line = 1;
    std::size_t column = 1;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      column = text_[i] == '\n' ? 1 : column + 1;
      line += text_[i] == '\n';
    }
    const std::string found = at_ < text_.size() ? "'" + text_.substr(at_, 1) + "'" : "the end";
    throw Failure(exit_data, file_ + ":" + std::to_string(line) + ":" + std::to_string(column),
                  "Expected " + expected + ", found " + found + ".", "Write valid JSON.");
  }

  void skip_space() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr) ++at_;
  }

  bool take(char wanted) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool take_word(const char* word) {
    if (text_.compare(at_, std::strlen(word), word) != 0) return false;
    at_ += std::strlen(word);
    return true;
  }

  Json read_value(int depth) {
    if (depth > depth_limit) fail("at most 100 levels of brackets");
    skip_space();
    Json value;
    if (take('{')) return read_object(depth);
    if (take('[')) return read_list(depth);
    if (at_ < text_.size() && text_[at_] == '"') {
      value.kind = Json::Kind::text;
      value.text = read_text();
    } else if (take_word("true") || take_word("false")) {
      value.kind = Json::Kind::boolean;
      value.number = text_[at_ - 2] == 'u' ? 1 : 0;
    } else if (!take_word("null")) {
      value.kind = Json::Kind::number;
      value.number = read_number();
    }
    return value;
  }

  Json read_object(int depth) {
    Json value;
    value.kind = Json::Kind::object;
    if (take('}')) return value;
    do {
      skip_space();
      value.keys.push_back(read_text());
      if (!take(':')) fail("':'");
      value.items.push_back(read_value(depth + 1));
    } while (take(','));
    if (!take('}')) fail("',' or '}'");
    return value;
  }

  Json read_list(int depth) {
    Json value;
    value.kind = Json::Kind::list;
    if (take(']')) return value;
    do {
      value.items.push_back(read_value(depth + 1));
    } while (take(','));
    if (!take(']')) fail("',' or ']'");
    return value;
  }

  double read_number() {
    if (at_ >= text_.size() || std::strchr("-0123456789", text_[at_]) == nullptr) fail("a value");
    char* end = nullptr;
    const double number = std::strtod(text_.c_str() + at_, &end);
    at_ = static_cast<std::size_t>(end - text_.c_str());
    return number;
  }

  std::string read_text() {
    if (at_ >= text_.size() || text_[at_] != '"') fail("a text in double quotes");
    std::string found;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        found += text_[at_];
        continue;
      }
      if (++at_ >= text_.size()) break;
      if (text_[at_] == 'u') {
        append_utf8(found, read_escape());
      } else {
        const char* known = std::strchr("b\bf\fn\nr\rt\t", text_[at_]);
        found += known != nullptr ? known[1] : text_[at_];
      }
    }
    if (at_ >= text_.size()) fail("'\"'");
    ++at_;
    return found;
  }

  /// Reads the four digits of `\uXXXX`, and the second half of a pair; stays on the last digit.
  unsigned long read_escape() {
    unsigned long code = std::strtoul(text_.substr(at_ + 1, 4).c_str(), nullptr, 16);
    at_ += 4;
    if (code >= 0xD800 && code < 0xDC00 && text_.compare(at_ + 1, 2, "\\u") == 0) {
      const unsigned long low = std::strtoul(text_.substr(at_ + 3, 4).c_str(), nullptr, 16);
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at_ += 6;
    }
    return code;
  }

  static void append_utf8(std::string& text, unsigned long code) {
    const auto push = [&text](unsigned long byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      push(code);
    } else if (code < 0x800) {
      push(0xC0 | (code >> 6));
      push(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      push(0xE0 | (code >> 12));
      push(0x80 | ((code >> 6) & 0x3F));
      push(0x80 | (code & 0x3F));
    } else {
      push(0xF0 | (code >> 18));
      push(0x80 | ((code >> 12) & 0x3F));
      push(0x80 | ((code >> 6) & 0x3F));
      push(0x80 | (code & 0x3F));
    }
  }
};

inline std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

/// Writes a number so that reading it gives the same bits: the fewest digits that do.
inline std::string number_text(double value, int most_digits = 17) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[40];
  for (int digits = most_digits - 2; digits <= most_digits; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  return text;
}

/// Writes a number as JSON, which has no word for what is not finite: such a number is null.
inline std::string json_number(double value) {
  return std::isfinite(value) ? number_text(value) : "null";
}

inline std::string json_texts(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? ", " : "") + json_text(text);
  return list + "]";
}

inline std::string json_numbers(const std::vector<double>& numbers) {
  std::string list = "[";
  for (const double value : numbers) list += (list.size() > 1 ? ", " : "") + json_number(value);
  return list + "]";
}

/// Writes numbers in row-major order as nested lists of the given shape; `used` counts them.
template <typename value_type>
std::string json_nested(const std::vector<value_type>& values, const std::vector<int>& shape,
                        std::size_t axis, std::size_t& used) {
  if (axis == shape.size()) return json_number(static_cast<double>(values[used++]));
  std::string list = "[";
  for (int i = 0; i < shape[axis]; ++i) {
    list += (i > 0 ? ", " : "") + json_nested(values, shape, axis + 1, used);
  }
  return list + "]";
}

inline std::string shape_text(const std::vector<int>& shape) {
  std::string text = "(";
  for (const int size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + ")";
}

template <typename value_type>
std::string json_array(const std::vector<value_type>& values, const std::vector<int>& shape) {
  std::size_t used = 0;
  return json_nested(values, shape, 0, used);
}

// --- files --------------------------------------------------------------------------------------

inline std::string read_file(const std::string& file) {
  std::string content;
  std::FILE* const stream = std::fopen(file.c_str(), "rb");
  bool failed = stream == nullptr;
  std::vector<char> part(1 << 16);
  while (!failed) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), stream);
    content.append(part.data(), count);
    failed = std::ferror(stream) != 0;
    if (count < part.size()) break;
  }
  const std::string reason = failed ? std::strerror(errno) : "";
  if (stream != nullptr) std::fclose(stream);
  if (failed) throw Failure(exit_files, file, "It cannot be read: " + reason + ".");
  return content;
}

/// Writes a file under another name first, so that a reader never sees half of it.
inline void write_file(const std::string& file, const std::string& content) {
  std::error_code none;
  std::filesystem::path whole = file;
  std::filesystem::path unfinished = file;
  // A device or a pipe is written to as it is; behind a link stands the file to replace.
  const auto status = std::filesystem::status(whole, none);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) {
    if (std::filesystem::exists(status)) whole = std::filesystem::canonical(whole, none);
    unfinished = whole;
    unfinished += ".tmp";
  }
  errno = 0;
  std::ofstream stream(unfinished, std::ios::binary);
  stream << content;
  stream.close();
  const bool moves = unfinished != whole;
  if (stream && (!moves || std::rename(unfinished.c_str(), whole.c_str()) == 0)) return;
  const std::string reason = std::strerror(errno);
  if (moves) std::filesystem::remove(unfinished, none);
  throw Failure(exit_files, file, "It cannot be written: " + reason + ".");
}

/// Unpacks gzip data (RFC 1951 and 1952).
class Inflater {
 public:
  Inflater(const std::string& packed, const std::string& file) : packed_(packed), file_(file) {}

  std::string unpack() {
    while (at_ < packed_.size()) {
      unpack_member();
      while (at_ < packed_.size() && packed_[at_] == '\0') ++at_;  // what fills up a last block
    }
    return std::move(out_);
  }

 private:
  static constexpr int longest_code = 15;

  /// A canonical Huffman code: how many codes have each length, and the symbols in their order.
  struct Code {
    std::array<int, longest_code + 1> count{};
    std::vector<int> symbols;
  };

  const std::string& packed_;
  const std::string& file_;
  std::string out_;
  std::size_t at_ = 0;
  unsigned held_ = 0;  // bits read but not used yet
  int held_count_ = 0;

  [[noreturn]] void fail(const std::string& problem) const {
    throw Failure(exit_data, file_, "Not a sound gzip file: " + problem + ".",
                  "Unpack it with gunzip, or fetch it again.");
  }

  unsigned byte() {
    if (at_ >= packed_.size()) fail("it ends too early");
    return static_cast<unsigned char>(packed_[at_++]);
  }

  unsigned bits(int count) {
    while (held_count_ < count) {
      held_ |= byte() << held_count_;
      held_count_ += 8;
    }
    const unsigned value = held_ & ((1u << count) - 1u);
    held_ >>= count;
    held_count_ -= count;
    return value;
  }

  void unpack_member() {
    if (byte() != 0x1f || byte() != 0x8b || byte() != 8) fail("the first bytes are wrong");
    const unsigned flags = byte();
    for (int skipped = 0; skipped < 6; ++skipped) byte();
    if (flags & 4u) {
      const unsigned low = byte();
      for (unsigned left = low + (byte() << 8); left > 0; --left) byte();
    }
    if (flags & 8u)
      while (byte() != 0) {
      }
    if (flags & 16u)
      while (byte() != 0) {
      }
    if (flags & 2u) {
      byte();
      byte();
    }
    const std::size_t begin = out_.size();
    while (!unpack_block()) {
    }
    held_ = 0;
    held_count_ = 0;
    check_sum(begin);
  }

  void check_sum(std::size_t begin) {
    std::uint32_t sum = 0xFFFFFFFFu;
    for (std::size_t i = begin; i < out_.size(); ++i) {
      sum ^= static_cast<unsigned char>(out_[i]);
      for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (0xEDB88320u & (0u - (sum & 1u)));
    }
    std::uint32_t stored = 0;
    for (int shift = 0; shift < 32; shift += 8) stored |= byte() << shift;
    for (int skipped = 0; skipped < 4; ++skipped) byte();
    if (stored != ~sum) fail("its check sum differs");
  }

  /// Unpacks one block; returns whether it was the last one.
  bool unpack_block() {
    const bool last = bits(1) != 0;
    const unsigned kind = bits(2);
    if (kind == 0) {
      copy_stored();
    } else if (kind == 1) {
      unpack_codes(fixed_literals(), make_code(std::vector<int>(30, 5)));
    } else if (kind == 2) {
      unpack_dynamic();
    } else {
      fail("a block is of an unknown kind");
    }
    return last;
  }

  void copy_stored() {
    held_ = 0;
    held_count_ = 0;
    unsigned length = byte();
    length |= byte() << 8;
    byte();
    byte();
    if (packed_.size() - at_ < length) fail("it ends too early");
    out_.append(packed_, at_, length);
    at_ += length;
  }

  static Code fixed_literals() {
    std::vector<int> lengths(288, 8);
    std::fill(lengths.begin() + 144, lengths.begin() + 256, 9);
    std::fill(lengths.begin() + 256, lengths.begin() + 280, 7);
    return make_code(lengths);
  }

  static Code make_code(const std::vector<int>& lengths) {
    Code code;
    for (int length = 1; length <= longest_code; ++length) {
      for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
        if (lengths[symbol] != length) continue;
        ++code.count[static_cast<std::size_t>(length)];
        code.symbols.push_back(static_cast<int>(symbol));
      }
    }
    return code;
  }

  int symbol(const Code& code) {
    int value = 0;
    int first = 0;
    int index = 0;
    for (std::size_t length = 1; length <= longest_code; ++length) {
      value |= static_cast<int>(bits(1));
      const int count = code.count[length];
      if (value - first < count)
        return code.symbols[static_cast<std::size_t>(index + value - first)];
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    fail("a code is unknown");
  }

  void unpack_dynamic() {
    static constexpr std::size_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
    const std::size_t literals = bits(5) + 257;
    const std::size_t distances = bits(5) + 1;
    const std::size_t given = bits(4) + 4;
    std::vector<int> lengths(19, 0);
    for (std::size_t i = 0; i < given; ++i) lengths[order[i]] = static_cast<int>(bits(3));
    const Code code = make_code(lengths);
    lengths.clear();
    while (lengths.size() < literals + distances) {
      const int found = symbol(code);
      if (found < 16) {
        lengths.push_back(found);
        continue;
      }
      if (found == 16 && lengths.empty()) fail("a length repeats nothing");
      const int value = found == 16 ? lengths.back() : 0;
      const std::size_t times = found == 16   ? 3 + bits(2)
                                : found == 17 ? 3 + bits(3)
                                              : 11 + bits(7);
      lengths.insert(lengths.end(), times, value);
    }
    const auto split = lengths.begin() + static_cast<std::ptrdiff_t>(literals);
    const auto end = split + static_cast<std::ptrdiff_t>(distances);
    unpack_codes(make_code({lengths.begin(), split}), make_code({split, end}));
  }

  void unpack_codes(const Code& literal, const Code& distance) {
    static constexpr unsigned start[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
    for (int found = symbol(literal); found != 256; found = symbol(literal)) {
      if (found < 256) {
        out_ += static_cast<char>(found);
        continue;
      }
      const int row = found - 257;
      if (row > 28) fail("a length is out of range");
      const int extra = row < 8 || row == 28 ? 0 : (row - 4) / 4;
      const unsigned length = start[row] + bits(extra);
      copy_back(length, distance_of(symbol(distance)));
    }
  }

  std::size_t distance_of(int row) {
    if (row > 29) fail("a distance is out of range");
    if (row < 4) return static_cast<std::size_t>(row) + 1;
    const int extra = row / 2 - 1;
    return 1 + (static_cast<std::size_t>(2 + row % 2) << extra) + bits(extra);
  }

  void copy_back(unsigned length, std::size_t distance) {
    if (distance > out_.size()) fail("a distance is out of range");
    for (unsigned i = 0; i < length; ++i) out_ += out_[out_.size() - distance];
  }
};

inline std::string read_unpacked(const std::string& file) {
  std::string content = read_file(file);
  const bool packed = content.size() > 2 && content[0] == '\x1f' && content[1] == '\x8b';
  return packed ? Inflater(content, file).unpack() : content;
}

// --- data files ---------------------------------------------------------------------------------

/// Samples as a file holds them: numbers of the feature columns, texts of the target columns.
struct Source {
  std::string file;
  int rows = 0;
  std::vector<std::string> feature_names;
  std::vector<std::string> target_names;
  std::vector<double> features;  // rows x feature_names, in double so that scaling loses nothing
  std::vector<std::vector<std::string>> targets;  // one list for each target column
};

/// How texts and raw numbers become numbers for the network; kept in a saved model.
struct Encoding {
  std::vector<std::string> classes;
  std::string scale = "none";
  std::vector<double> shift;  // of each feature: x becomes (x - shift) / divisor
  std::vector<double> divisor;
};

/// Samples ready for the network: for every input and target its values, sample by sample.
template <typename real>
struct Dataset {
  std::string file;
  int rows = 0;
  std::vector<std::vector<real>> values;
};

/// How many numbers the inputs of one sample take.
inline int input_size() {
  int total = 0;
  for (std::size_t t = 0; t < input_count; ++t) total += batch_info()[t].size();
  return total;
}

inline Failure bad_cell(const std::string& file, int row, const std::string& column,
                        const std::string& expected, const std::string& found) {
  const std::string place = file + ", row " + std::to_string(row) + ", column " + column;
  return Failure(exit_data, place, "Expected " + expected + ", found " + found + ".");
}

/// Yields the rows of a table that are not blank: fields between commas, without the spaces around
/// them. A field in double quotes may hold commas, line ends and doubled quotes.
class Table {
 public:
  Table(const std::string& text, const std::string& file) : text_(text), file_(file) {
    if (text.compare(0, 3, "\xEF\xBB\xBF") == 0) at_ = 3;
  }

  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size()) {
      fields.clear();
      do {
        fields.push_back(read_field());
      } while (take(','));
      if (take('\r')) take('\n');
      else take('\n');
      const auto blank = [](const std::string& field) { return field.empty(); };
      if (std::all_of(fields.begin(), fields.end(), blank)) continue;
      ++row_;
      return true;
    }
    return false;
  }

 private:
  const std::string& text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int row_ = 0;

  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::string read_field() {
    while (take(' ')) {
    }
    const std::string field = take('"') ? read_quoted() : read_plain();
    const std::size_t begin = field.find_first_not_of(" \t");
    const std::size_t end = field.find_last_not_of(" \t");
    return begin == std::string::npos ? "" : field.substr(begin, end - begin + 1);
  }

  std::string read_plain() {
    const std::size_t begin = at_;
    at_ = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    return text_.substr(begin, at_ - begin);
  }

  std::string read_quoted() {
    std::string field;
    for (; at_ < text_.size(); field += text_[at_++]) {
      if (!take('"') || (at_ < text_.size() && text_[at_] == '"')) continue;
      if (at_ < text_.size() && std::strchr(",\r\n", text_[at_]) == nullptr) break;
      return field;
    }
    throw Failure(exit_data, file_ + ", row " + std::to_string(row_),
                  "A field in quotes does not end with a quote and then a comma.");
  }
};

/// Splits a list at its commas; a name in double quotes may hold commas.
inline std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names(1);
  Table(text, text).next(names);
  return names;
}

/// Reads a finite decimal number; strtod alone would also take hexadecimal ones.
inline bool parse_number(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value) &&
         text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

/// Refuses text that is not UTF-8, and leaves the rest to the reader of the table.
inline void check_utf8(const std::string& text, const std::string& file) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const unsigned lead = byte(0);
    const std::size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    bool sound = (lead < 0x80 || lead >= 0xC2) && lead < 0xF5;
    if (more > 0) sound = sound && byte(1) >= least && byte(1) <= most;
    for (std::size_t i = 2; i <= more && sound; ++i) sound = (byte(i) & 0xC0) == 0x80;
    if (!sound)
      throw Failure(exit_data, file, "It is not UTF-8 text: byte " + std::to_string(at) + ".");
    at += more + 1;
  }
}

/// Returns, for each column, which target it is (from 0), or -1 for a feature.
inline std::vector<int> column_roles(const std::string& file,
                                     const std::vector<std::string>& header,
                                     const std::vector<std::string>& targets, bool needs_target) {
  std::vector<int> roles(header.size(), -1);
  if (!needs_target) return roles;
  if (targets.empty()) roles.back() = 0;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const auto found = std::find(header.begin(), header.end(), targets[t]);
    const auto asked = targets.begin() + static_cast<std::ptrdiff_t>(t);
    if (std::count(header.begin(), header.end(), targets[t]) != 1 ||
        std::find(targets.begin(), asked, targets[t]) != asked) {
      std::string names;
      for (const std::string& name : header) names += (names.empty() ? "" : ", ") + name;
      throw Failure(exit_data, file,
                    found == header.end() ? "There is no column " + quoted(targets[t]) + "."
                                          : "The column " + quoted(targets[t]) +
                                                " is there or asked for more than once.",
                    "Its columns are: " + names + ".");
    }
    roles[static_cast<std::size_t>(found - header.begin())] = static_cast<int>(t);
  }
  return roles;
}

/// What a table's first row is: names, or data, or numbers that number the columns.
enum class FirstRow { names, data, numbers };

/// Tells what a table's first row is: data, where its features are numbers other than those of the
/// columns, from 0 or 1. Targets are named in `targets`, or the last column.
inline FirstRow first_row_of(const std::vector<std::string>& first,
                             const std::vector<std::string>& targets, bool has_target) {
  bool from_zero = true;
  bool from_one = true;
  std::size_t features = 0;
  for (std::size_t column = 0; column < first.size(); ++column) {
    const auto asked = [&](const std::string& name) {
      return std::find(targets.begin(), targets.end(), name) != targets.end();
    };
    if (asked(first[column])) return FirstRow::names;
    const bool last = has_target && targets.empty() && column + 1 == first.size();
    const bool is_target = last || asked(std::to_string(column + 1));
    double value = 0;
    const bool is_number = parse_number(first[column], value);
    if (!is_number && !is_target) return FirstRow::names;
    if (!is_target) ++features;
    from_zero = from_zero && (!is_number || value == static_cast<double>(column));
    from_one = from_one && (!is_number || value == static_cast<double>(column + 1));
  }
  if (features == 0) return FirstRow::names;
  return from_zero || from_one ? FirstRow::numbers : FirstRow::data;
}

/// Returns the first row where it is data, which then numbers the columns; says what it is.
inline std::vector<std::string> take_data(std::vector<std::string>& header,
                                          const std::string& file, FirstRow kind) {
  std::vector<std::string> first;
  std::string taken = "for the columns' names";
  if (kind == FirstRow::names) return first;
  if (kind == FirstRow::data) {
    first = header;
    for (std::size_t column = 0; column < header.size(); ++column)
      header[column] = std::to_string(column + 1);
    taken = "for data, and the columns are named 1 to " + header.back();
  }
  std::fprintf(stderr, "note: %s\n  The first line holds numbers: it is taken %s.\n",
               file.c_str(), taken.c_str());
  return first;
}

inline void append_row(Source& source, const std::vector<std::string>& header,
                       const std::vector<int>& roles, const std::vector<std::string>& fields) {
  ++source.rows;
  if (fields.size() != header.size()) {
    throw Failure(exit_data, source.file + ", row " + std::to_string(source.rows),
                  "Expected " + std::to_string(header.size()) + " fields as in the header, found " +
                      std::to_string(fields.size()) + ".");
  }
  for (std::size_t column = 0; column < fields.size(); ++column) {
    if (roles[column] >= 0) {
      if (fields[column].empty()) {
        throw bad_cell(source.file, source.rows, header[column], "a label or number", "nothing");
      }
      source.targets[static_cast<std::size_t>(roles[column])].push_back(fields[column]);
      continue;
    }
    double value = 0;
    if (!parse_number(fields[column], value)) {
      throw bad_cell(source.file, source.rows, header[column], "a number", quoted(fields[column]));
    }
    source.features.push_back(value);
  }
}

/// Reads comma-separated values. Columns named in `targets` (default: the last) are the targets;
/// where no targets are needed and the columns are as many as the inputs, all are features.
inline Source read_csv(const std::string& file, const std::vector<std::string>& targets,
                       bool needs_target) {
  const std::string content = read_unpacked(file);
  if (content.compare(0, 4, "PK\3\4") == 0) {
    throw Failure(exit_data, file, "Expected CSV or IDX files, found an NPZ file.",
                  "The NumPy trainer reads those.");
  }
  check_utf8(content, file);
  Table table(content, file);
  std::vector<std::string> header;
  if (!table.next(header))
    throw Failure(exit_data, file, "The file is empty.", "Write a header line and rows.");
  for (const char* sign : {";", "\t"}) {
    if (header.size() == 1 && header[0].find(sign) != std::string::npos) {
      throw Failure(exit_data, file,
                    "Expected commas between the fields, found " + quoted(sign) + ".",
                    "Save it with commas.");
    }
  }
  const bool has_target =
      !targets.empty() || (data_count > input_count &&
                           (needs_target || static_cast<int>(header.size()) != input_size()));
  const auto first = take_data(header, file, first_row_of(header, targets, has_target));
  const std::vector<int> roles = column_roles(file, header, targets, has_target);
  Source source;
  source.file = file;
  const auto target_count =
      static_cast<std::size_t>(1 + *std::max_element(roles.begin(), roles.end()));
  source.targets.resize(target_count);
  source.target_names.resize(target_count);
  for (std::size_t column = 0; column < header.size(); ++column) {
    if (roles[column] < 0)
      source.feature_names.push_back(header[column]);
    else
      source.target_names[static_cast<std::size_t>(roles[column])] = header[column];
  }
  if (!first.empty()) append_row(source, header, roles, first);
  std::vector<std::string> fields;
  while (table.next(fields)) append_row(source, header, roles, fields);
  if (source.rows == 0) throw Failure(exit_data, file, "There are no rows below the header.");
  return source;
}

/// An IDX file: its sizes, and one byte for each number.
struct IdxFile {
  std::vector<int> shape;
  std::string bytes;
};

inline IdxFile read_idx(const std::string& file) {
  const std::string content = read_unpacked(file);
  const auto byte = [&content](std::size_t at) { return static_cast<unsigned char>(content[at]); };
  if (content.size() < 4 || byte(0) != 0 || byte(1) != 0) {
    throw Failure(exit_data, file, "Expected an IDX file, which begins with two zero bytes.",
                  "Give one CSV file, or an IDX file of images and one of labels.");
  }
  if (byte(2) != 8) {
    throw Failure(exit_data, file,
                  "Expected unsigned bytes (type 8), found type " + std::to_string(byte(2)) + ".");
  }
  IdxFile idx;
  const std::size_t rank = byte(3);
  double expected = 1;  // exact wherever a file can be so long
  if (rank < 1 || rank > 8)
    throw Failure(exit_data, file, "Expected 1 to 8 axes, found " + std::to_string(rank) + ".");
  if (content.size() < 4 + 4 * rank)
    throw Failure(exit_data, file, "The file ends within its sizes.");
  for (std::size_t axis = 0; axis < rank; ++axis) {
    unsigned long size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | byte(4 + 4 * axis + i);
    idx.shape.push_back(static_cast<int>(size));
    expected *= static_cast<double>(size);
  }
  idx.bytes = content.substr(4 + 4 * rank);
  if (static_cast<double>(idx.bytes.size()) != expected) {
    throw Failure(exit_data, file,
                  "Expected " + number_text(expected) + " bytes of data, found " +
                      std::to_string(idx.bytes.size()) + ".");
  }
  return idx;
}

/// Takes the images of an IDX file as samples without targets.
inline Source source_of(const IdxFile& images, const std::string& file) {
  Source source;
  source.file = file;
  source.rows = images.shape[0];
  source.features.reserve(images.bytes.size());
  for (const char byte : images.bytes)
    source.features.push_back(static_cast<unsigned char>(byte));
  const std::size_t size = images.bytes.size() / static_cast<std::size_t>(std::max(1, source.rows));
  for (std::size_t i = 0; i < size; ++i)
    source.feature_names.push_back("pixel " + std::to_string(i));
  return source;
}

inline Source read_idx_pair(const std::string& images_file, const std::string& labels_file) {
  const IdxFile images = read_idx(images_file);
  const IdxFile labels = read_idx(labels_file);
  if (labels.shape.size() != 1 || labels.shape[0] != images.shape[0]) {
    throw Failure(exit_data, labels_file,
                  "Expected " + std::to_string(images.shape[0]) +
                      " labels, one for each image of " + images_file + ", found " +
                      std::to_string(labels.bytes.size()) + ".");
  }
  Source source = source_of(images, images_file);
  source.target_names = {"label"};
  source.targets.resize(1);
  for (const char byte : labels.bytes) {
    source.targets[0].push_back(std::to_string(static_cast<int>(static_cast<unsigned char>(byte))));
  }
  return source;
}

inline Source read_any(const std::vector<std::string>& files,
                       const std::vector<std::string>& targets, bool needs_target) {
  if (files.size() == 2) return read_idx_pair(files[0], files[1]);
  if (files.size() > 2) {
    throw Failure(exit_usage, "--data",
                  "Expected one CSV file or two IDX files, found " +
                      std::to_string(files.size()) + " files.");
  }
  const std::string zeros(2, '\0');
  if (!needs_target && read_unpacked(files[0]).compare(0, 2, zeros) == 0)
    return source_of(read_idx(files[0]), files[0]);
  return read_csv(files[0], targets, needs_target);
}

/// Reads one CSV file, or a pair of IDX files; where no targets are needed, images will do.
inline Source read_source(const std::vector<std::string>& files,
                          const std::vector<std::string>& targets, bool needs_target) {
  Source source = read_any(files, targets, needs_target);
  if (source.rows == 0) throw Failure(exit_data, source.file, "There are no samples in it.");
  return source;
}

// --- from columns to inputs ----------------------------------------------------------------------

/// Finds the shift and divisor of every feature: by rule (none, standard, minmax), or a number.
/// Rows held out, whose number divides by `every` (0: none), are not looked at.
inline void fit_scale(Encoding& encoding, const Source& source, const std::string& rule,
                      int every) {
  const std::size_t count = source.feature_names.size();
  std::vector<std::size_t> rows;
  for (int row = 0; row < source.rows; ++row) {
    if (every == 0 || row % every != 0) rows.push_back(static_cast<std::size_t>(row));
  }
  encoding.scale = rule;
  encoding.shift.assign(count, 0.0);
  encoding.divisor.assign(count, 1.0);
  double number = 0;
  if (parse_number(rule, number) && number != 0) encoding.divisor.assign(count, number);
  if (rule != "standard" && rule != "minmax") return;
  for (std::size_t f = 0; f < count; ++f) {
    double total = 0;
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (const std::size_t row : rows) {
      const double value = source.features[row * count + f];
      total += value;
      least = std::min(least, value);
      most = std::max(most, value);
    }
    const double mean = total / static_cast<double>(rows.size());
    double squares = 0;
    for (const std::size_t row : rows) {
      const double difference = source.features[row * count + f] - mean;
      squares += difference * difference;
    }
    const double width =
        rule == "minmax" ? most - least : std::sqrt(squares / static_cast<double>(rows.size()));
    encoding.shift[f] = rule == "minmax" ? least : mean;
    encoding.divisor[f] = width > 0 ? width : 1.0;
  }
}

template <typename real>
real checked(const TensorInfo& tensor, double value, const std::string& file, int row,
             const std::string& column) {
  const bool fits =
      value == std::floor(value) && value >= tensor.low && value < tensor.low + tensor.values;
  if (tensor.values > 0 && !fits) {
    throw bad_cell(file, row, column,
                   "an integer from " + std::to_string(tensor.low) + " to " +
                       std::to_string(tensor.low + tensor.values - 1),
                   number_text(value));
  }
  const auto held = static_cast<real>(value);
  if (!std::isfinite(held))
    throw bad_cell(file, row, column,
                   "a number that " + std::string(sizeof(real) == 4 ? "float32" : "float64") +
                       " holds, scaled as asked",
                   number_text(value));
  return held;
}

/// Distributes the feature columns over the inputs, in order of declaration.
template <typename real>
Dataset<real> encode_inputs(const Source& source, const Encoding& encoding) {
  Dataset<real> data;
  data.file = source.file;
  data.rows = source.rows;
  data.values.resize(data_count);
  const std::size_t count = source.feature_names.size();
  if (static_cast<int>(count) != input_size()) {
    throw Failure(exit_data, source.file,
                  "Expected " + std::to_string(input_size()) +
                      " feature columns for the inputs, found " + std::to_string(count) + ".",
                  "Name the target columns with --target, or use other data.");
  }
  for (int row = 0; row < source.rows; ++row) {
    std::size_t column = 0;
    for (std::size_t t = 0; t < input_count; ++t) {
      const TensorInfo& tensor = batch_info()[t];
      for (int i = 0; i < tensor.size(); ++i, ++column) {
        double value = source.features[static_cast<std::size_t>(row) * count + column];
        if (tensor.values == 0) value = (value - encoding.shift[column]) / encoding.divisor[column];
        data.values[t].push_back(
            checked<real>(tensor, value, source.file, row + 1, source.feature_names[column]));
      }
    }
  }
  return data;
}

/// Puts rows `order[begin], ..., order[end - 1]` of the data into a batch.
template <typename real>
void fill_batch(Batch<real>& batch, const Dataset<real>& data, const std::vector<int>& order,
                int begin, int end) {
  batch.resize(end - begin);
  each_data(batch, [&](std::size_t t, auto& values) {
    if (data.values[t].empty()) return;
    const TensorInfo& tensor = batch_info()[t];
    using value_type = typename std::decay_t<decltype(values)>::value_type;
    const auto convert = [](real value) { return static_cast<value_type>(value); };
    const int size = tensor.size();
    for (int n = begin; n < end; ++n) {
      const std::ptrdiff_t row = order[static_cast<std::size_t>(n)];
      const real* const from = data.values[t].data() + row * size;
      if (tensor.sample_axis == 0) {
        std::transform(from, from + size, values.begin() + (n - begin) * size, convert);
        continue;
      }
      for (int i = 0; i < size; ++i) {
        values[tensor.place(n - begin, i, end - begin)] = convert(from[i]);
      }
    }
  });
}

inline std::vector<int> rows_in_order(int count) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// Returns the position of the largest entry of sample `n`, the first one of equals.
template <typename values_type>
int winner(const values_type& values, const TensorInfo& tensor, int n, int samples) {
  int best = 0;
  for (int i = 1; i < tensor.size(); ++i) {
    if (values[tensor.place(n, i, samples)] > values[tensor.place(n, best, samples)]) best = i;
  }
  return best;
}

constexpr int chunk_size = 1000;

/// The values that the network's text gives for an input or target; none, if it gives none.
inline const std::vector<double>& example_values(std::size_t number) {
  static const std::vector<std::vector<double>> values = {
  };
  return values[number];
}

/// The samples written in the network's own text, if it gives any.
template <typename real>
Dataset<real> example_data() {
  Dataset<real> data;
  data.file = network_name;
  data.rows = 1;
  data.values.resize(data_count);
  for (std::size_t t = 0; t < data_count; ++t) {
    const std::vector<double> numbers = example_values(t);
    if (numbers.empty()) {
      throw Failure(exit_usage, "--data",
                    "The network gives no values for " + batch_info()[t].name + ".",
                    "Name the data: --data FILE.");
    }
    data.rows = std::max(data.rows, static_cast<int>(numbers.size()) / batch_info()[t].size());
    for (const double value : numbers) data.values[t].push_back(static_cast<real>(value));
  }
  return data;
}

// --- from columns to targets ---------------------------------------------------------------------

/// How a target takes its values from columns: one of labels, or one column for each number.
enum class Labels { automatic, always, never };

inline bool takes_labels(const TensorInfo& target, std::size_t columns, int all_targets,
                         Labels labels) {
  const bool has_classes = target.classes() > 1;
  if (!has_classes || labels == Labels::never) return false;
  return labels == Labels::always || target.size() == 1 ||
         columns != static_cast<std::size_t>(all_targets);
}

inline bool all_integers(const std::vector<std::string>& texts, int below) {
  return std::all_of(texts.begin(), texts.end(), [below](const std::string& text) {
    double value = 0;
    return parse_number(text, value) && value == std::floor(value) && value >= 0 && value < below;
  });
}

/// Lists the distinct labels in order of appearance; none, where they are integers already.
inline std::vector<std::string> find_classes(const std::string& file, const std::string& column,
                                             const std::vector<std::string>& texts, int count) {
  std::vector<std::string> classes;
  if (all_integers(texts, count)) return classes;
  for (std::size_t row = 0; row < texts.size(); ++row) {
    if (std::find(classes.begin(), classes.end(), texts[row]) != classes.end()) continue;
    if (static_cast<int>(classes.size()) == count) {
      throw bad_cell(file, static_cast<int>(row) + 1, column,
                     "at most " + std::to_string(count) + " different labels",
                     "another one, " + quoted(texts[row]));
    }
    classes.push_back(texts[row]);
  }
  return classes;
}

inline int class_of(const Source& source, std::size_t column, int row, const Encoding& encoding,
                    int count) {
  const std::string& text = source.targets[column][static_cast<std::size_t>(row)];
  const auto known = std::find(encoding.classes.begin(), encoding.classes.end(), text);
  if (known != encoding.classes.end()) return static_cast<int>(known - encoding.classes.begin());
  double number = 0;
  if (encoding.classes.empty() && all_integers({text}, count) && parse_number(text, number))
    return static_cast<int>(number);
  std::string expected = "a label of the training data";
  if (encoding.classes.empty()) expected = "an integer from 0 to " + std::to_string(count - 1);
  throw bad_cell(source.file, row + 1, source.target_names[column], expected, quoted(text));
}

template <typename real>
void encode_label(std::vector<real>& values, const TensorInfo& target, int label) {
  if (target.values > 0) {
    values.push_back(static_cast<real>(target.low + label));
    return;
  }
  for (int k = 0; k < target.size(); ++k) values.push_back(static_cast<real>(k == label ? 1 : 0));
}

template <typename real>
real target_number(const Source& source, std::size_t column, int row,
                   const TensorInfo& target, const Encoding& encoding) {
  const std::string& text = source.targets[column][static_cast<std::size_t>(row)];
  double value = 0;
  if (!encoding.classes.empty()) {
    value = class_of(source, column, row, encoding, static_cast<int>(encoding.classes.size()));
  } else if (!parse_number(text, value)) {
    throw bad_cell(source.file, row + 1, source.target_names[column], "a number", quoted(text));
  }
  return checked<real>(target, value, source.file, row + 1, source.target_names[column]);
}

/// Distributes the target columns over the targets, in order of declaration. On training data
/// (`learn`) the classes are found, elsewhere they must be known.
template <typename real>
void encode_targets(Dataset<real>& data, const Source& source, Encoding& encoding,
                    Labels labels, bool learn) {
  int all = 0;
  for (std::size_t t = input_count; t < data_count; ++t) all += batch_info()[t].size();
  std::size_t column = 0;
  for (std::size_t t = input_count; t < data_count; ++t) {
    const TensorInfo& target = batch_info()[t];
    const bool as_label = takes_labels(target, source.targets.size(), all, labels);
    const auto width = static_cast<std::size_t>(as_label ? 1 : target.size());
    if (column + width > source.targets.size()) {
      throw Failure(exit_data, source.file,
                    "Expected " + std::to_string(all) +
                        " target columns of numbers or one of labels for " + target.name +
                        ", found " + std::to_string(source.targets.size()) + ".",
                    "Name them: --target COLUMN, once for each.");
    }
    double number = 0;
    const bool texts = target.size() == 1 && !parse_number(source.targets[column][0], number);
    const int count = as_label ? target.classes() : std::max(2, target.values);
    if (learn && (as_label || texts)) {
      const auto found =
          find_classes(source.file, source.target_names[column], source.targets[column], count);
      if (!found.empty()) encoding.classes = found;
    }
    for (int row = 0; row < source.rows; ++row) {
      if (as_label)
        encode_label(data.values[t], target, class_of(source, column, row, encoding, count));
      for (std::size_t i = 0; !as_label && i < width; ++i) {
        data.values[t].push_back(target_number<real>(source, column + i, row, target, encoding));
      }
    }
    column += width;
  }
  if (column != source.targets.size()) {
    throw Failure(exit_data, source.file,
                  "The targets take " + std::to_string(column) + " columns, found " +
                      std::to_string(source.targets.size()) + ".",
                  "Name the right columns with --target.");
  }
}

template <typename real>
Dataset<real> encode(const Source& source, Encoding& encoding, Labels labels, bool learn) {
  Dataset<real> data = encode_inputs<real>(source, encoding);
  encode_targets(data, source, encoding, labels, learn);
  return data;
}

/// Copies chosen rows: those whose number divides by `every`, or all the others.
template <typename real>
Dataset<real> choose_rows(const Dataset<real>& data, int every, bool divisible) {
  Dataset<real> chosen;
  chosen.file = data.file;
  chosen.values.resize(data.values.size());
  for (int row = 0; row < data.rows; ++row) {
    if ((row % every == 0) != divisible) continue;
    ++chosen.rows;
    for (std::size_t t = 0; t < data.values.size(); ++t) {
      const auto size = batch_info()[t].size();
      const auto begin = data.values[t].begin() + static_cast<std::ptrdiff_t>(row) * size;
      if (!data.values[t].empty())
        chosen.values[t].insert(chosen.values[t].end(), begin, begin + size);
    }
  }
  return chosen;
}

/// Draws the order of an epoch: rows sorted by a random number each.
inline std::vector<int> shuffled_rows(int count, std::uint64_t seed, int epoch) {
  const std::uint64_t stream = 1000000u + static_cast<std::uint64_t>(epoch);
  std::vector<std::uint64_t> key(static_cast<std::size_t>(count));
  for (std::size_t row = 0; row < key.size(); ++row) key[row] = random_bits(seed, stream, row);
  std::vector<int> order = rows_in_order(count);
  std::stable_sort(order.begin(), order.end(), [&key](int a, int b) {
    return key[static_cast<std::size_t>(a)] < key[static_cast<std::size_t>(b)];
  });
  return order;
}

// --- command line -------------------------------------------------------------------------------

constexpr const char* help_text = R"help(usage: trainer COMMAND [options]

commands:
  train     train on data and print loss and accuracy
  predict   print the output for every row of the data
  check     compare the gradients with differences of the loss (always in float64)
  eval      print loss and gradients at given values, as JSON
  bench     measure the time of a training step

data:
  --data FILE [FILE]      a CSV file with a header, or IDX images and IDX labels (.gz as well)
  --target COLUMN         target column (default: the last); may be repeated, or A,B
  --test FILE [FILE]      samples to measure on after training
  --holdout FRACTION      measure on every round(1/FRACTION)-th row instead of training on it
  --scale RULE            of the inputs: none, standard, minmax, or a number to divide by
  --one-hot, --no-one-hot take a target from one column of labels, or from a column per number
  --no-shuffle            keep the order of the rows

training:
  --epochs N, --batch N   passes over the data, samples per step
  --optimiser NAME        sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw
  --lr X                  the same as --set lr=X
  --set NAME=VALUE        a setting of the optimiser; may be repeated
  --freeze NAME           leave a parameter as it is; may be repeated
  --stop-gradient-norm X  stop when the norm of the gradient falls below X

other:
  --seed S                seed of all random numbers (default 0)
  --dtype float32|float64 precision (default float32)
  --load FILE, --save FILE  parameters in a safetensors file
  --values FILE           eval: JSON with "params" and "inputs"
  --seconds S             bench: how long to measure (default 1)
  --output FILE           predict: where to write instead of the standard output
  --json                  print one JSON object
  --help                  print this text

exit status: 0 fine, 1 a check failed or says nothing or training diverged, 2 usage, 3 data, 5 files
)help";

struct Options {
  std::string command;
  std::vector<std::string> data;
  std::vector<std::string> targets;
  std::string scale;
  std::string load;
  std::string output;
  std::uint64_t seed = 0;
  std::string dtype = default_dtype;
  bool json = false;
  std::vector<std::string> test;
  double holdout = 0;
  Labels labels = Labels::automatic;
  bool shuffle = true;
  int epochs = default_epochs;
  int batch = default_batch;
  std::string optimiser = default_optimiser;
  std::vector<std::pair<std::string, double>> settings;
  std::vector<std::string> freeze;
  double stop_gradient_norm = 0;
  std::string save;
  std::string values;
  double seconds = 1;
};

inline void append_names(std::vector<std::string>& names, const std::string& text) {
  for (const std::string& name : split_names(text)) names.push_back(name);
}

inline double number_option(const std::string& flag, const std::string& text) {
  double value = 0;
  if (!parse_number(text, value))
    throw Failure(exit_usage, flag, "Expected a number, found " + quoted(text) + ".");
  return value;
}

inline int count_option(const std::string& flag, const std::string& text, int least = 1) {
  const double value = number_option(flag, text);
  if (value < least || value != std::floor(value) || value > std::numeric_limits<int>::max()) {
    throw Failure(exit_usage, flag,
                  "Expected a whole number from " + std::to_string(least) + ", found " +
                      quoted(text) + ".");
  }
  return static_cast<int>(value);
}

inline void set_setting(Options& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw Failure(exit_usage, "--set " + text, "Expected NAME=VALUE.",
                  "Write for instance --set lr=0.1.");
  }
  const std::string name = text.substr(0, equals);
  options.settings.emplace_back(name, number_option("--set " + name, text.substr(equals + 1)));
}

inline void check_choice(const std::string& flag, const std::string& value,
                         const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  std::string list;
  for (const std::string& choice : known) list += (list.empty() ? "" : ", ") + choice;
  throw Failure(exit_usage, flag + " " + value, "Expected one of: " + list + ".");
}

inline std::uint64_t seed_option(const std::string& text) {
  errno = 0;
  const std::uint64_t seed = std::strtoull(text.c_str(), nullptr, 10);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || errno != 0) {
    throw Failure(exit_usage, "--seed",
                  "Expected a whole number from 0 to 2^64 - 1, found " + quoted(text) + ".");
  }
  return seed;
}

/// Takes a flag without a value; tells whether it is one.
inline bool take_switch(Options& options, const std::string& flag) {
  if (flag == "--json") {
    options.json = true;
    return true;
  }
  if (flag == "--one-hot" || flag == "--no-one-hot") {
    options.labels = flag == "--one-hot" ? Labels::always : Labels::never;
    return true;
  }
  if (flag == "--no-shuffle") {
    options.shuffle = false;
    return true;
  }
  return false;
}

/// Takes a flag of training with its value; tells whether it is one.
inline bool take_training(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--holdout")
    options.holdout = number_option(flag, value);
  else if (flag == "--epochs")
    options.epochs = count_option(flag, value, 0);
  else if (flag == "--batch")
    options.batch = count_option(flag, value);
  else if (flag == "--lr")
    options.settings.emplace_back("lr", number_option(flag, value));
  else if (flag == "--optimiser")
    options.optimiser = value;
  else if (flag == "--set")
    set_setting(options, value);
  else if (flag == "--freeze")
    append_names(options.freeze, value);
  else if (flag == "--stop-gradient-norm")
    options.stop_gradient_norm = number_option(flag, value);
  else if (flag == "--save")
    options.save = value;
  else if (flag == "--values")
    options.values = value;
  else if (flag == "--seconds")
    options.seconds = number_option(flag, value);
  else
    return false;
  return true;
}

/// Takes a flag with a value; tells whether it is one.
inline bool take_valued(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--target")
    append_names(options.targets, value);
  else if (flag == "--seed")
    options.seed = seed_option(value);
  else if (flag == "--dtype")
    options.dtype = value;
  else if (flag == "--load")
    options.load = value;
  else if (flag == "--scale")
    options.scale = value;
  else if (flag == "--output")
    options.output = value;
  else
    return take_training(options, flag, value);
  return true;
}

inline void check_options(const Options& options) {
  check_choice("command", options.command, {"train", "predict", "check", "eval", "bench"});
  check_choice("--dtype", options.dtype, {"float32", "float64"});
  double number = 0;
  if (!options.scale.empty() && !(parse_number(options.scale, number) && number != 0)) {
    check_choice("--scale", options.scale, {"none", "standard", "minmax", "NUMBER"});
  }
  if (options.holdout < 0 || options.holdout > 0.5) {
    throw Failure(exit_usage, "--holdout",
                  "Expected a fraction up to 0.5, found " + number_text(options.holdout) + ".");
  }
}

/// Returns the list that a flag fills with file names, if it is such a flag.
inline std::vector<std::string>* file_list(Options& options, const std::string& flag) {
  if (flag == "--data") return &options.data;
  if (flag == "--test") return &options.test;
  return nullptr;
}

inline Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string flag = arguments[i];
    if (flag.compare(0, 1, "-") != 0) {
      if (!options.command.empty())
        throw Failure(exit_usage, flag, "One command is enough.", "Flags begin with --.");
      options.command = flag;
      continue;
    }
    if (take_switch(options, flag)) continue;
    const std::size_t equals = flag.find('=');
    const bool joined = flag.compare(0, 2, "--") == 0 && equals != std::string::npos;
    std::string value;
    if (joined) {
      value = flag.substr(equals + 1);
      flag.resize(equals);
    } else if (i + 1 < arguments.size()) {
      value = arguments[i + 1];
    }
    if (std::vector<std::string>* const files = file_list(options, flag)) {
      files->clear();
      if (joined) files->push_back(value);
      while (!joined && i + 1 < arguments.size() && arguments[i + 1].compare(0, 2, "--") != 0)
        files->push_back(arguments[++i]);
      if (files->empty()) throw Failure(exit_usage, flag, "Expected a file name after it.");
      continue;
    }
    if (!take_valued(options, flag, value)) {
      throw Failure(exit_usage, "unknown option " + flag, "", "Options are listed by --help.");
    }
    if (!joined && ++i == arguments.size())
      throw Failure(exit_usage, flag, "Expected a value after it.");
  }
  check_options(options);
  return options;
}

// --- saved models: safetensors ------------------------------------------------------------------

static_assert(sizeof(float) == 4 && sizeof(double) == 8, "safetensors holds IEEE numbers");

template <typename real>
std::string raw_bytes(const std::vector<real>& values) {
  std::string bytes(values.size() * sizeof(real), '\0');
  if (!values.empty()) std::memcpy(&bytes[0], values.data(), bytes.size());
  return bytes;
}

inline std::string scale_text(const Encoding& encoding) {
  return "{\"kind\": " + json_text(encoding.scale) +
         ", \"shift\": " + json_numbers(encoding.shift) +
         ", \"divisor\": " + json_numbers(encoding.divisor) + "}";
}

/// Saves parameters and states: header length, JSON header, then raw little-endian numbers.
template <typename real>
void save_model(const std::string& file, Parameters<real>& parameters, const Encoding& encoding) {
  std::string header = "{\"__metadata__\": {\"network\": " + json_text(network_name) +
                       ", \"hash\": " + json_text(network_hash) +
                       ", \"derivgen\": " + json_text(derivgen_version) +
                       ", \"classes\": " + json_text(json_texts(encoding.classes)) +
                       ", \"scale\": " + json_text(scale_text(encoding)) + "}";
  std::string body;
  const auto all = parameters.all_and_states();
  for (std::size_t p = 0; p < all.size(); ++p) {
    const TensorInfo& tensor = parameter_info()[p];
    const std::string bytes = raw_bytes(*all[p]);
    std::string shape = "[";
    for (const int size : tensor.shape)
      shape += (shape.size() > 1 ? ", " : "") + std::to_string(size);
    header += ", " + json_text(tensor.name) + ": {\"dtype\": \"" +
              (sizeof(real) == 4 ? "F32" : "F64") + "\", \"shape\": " + shape +
              "], \"data_offsets\": [" + std::to_string(body.size()) + ", " +
              std::to_string(body.size() + bytes.size()) + "]}";
    body += bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  write_file(file, length + header + body);
}

/// Reads a JSON text kept as a text in the metadata; a missing one is null.
inline Json inner_json(const Json& metadata, const std::string& key, const std::string& file) {
  const Json* const kept = metadata.find(key);
  return kept == nullptr || kept->text.empty() ? Json() : JsonReader(kept->text, file).read();
}

inline Encoding read_encoding(const Json& metadata, const std::string& file) {
  Encoding encoding;
  const Json classes = inner_json(metadata, "classes", file);
  bool sound = metadata.kind == Json::Kind::object &&
               (classes.kind == Json::Kind::list || classes.kind == Json::Kind::null);
  for (const Json& name : classes.items) {
    sound = sound && name.kind == Json::Kind::text;
    encoding.classes.push_back(name.text);
  }
  const Json scale = inner_json(metadata, "scale", file);
  if (const Json* kind = scale.find("kind")) encoding.scale = kind->text;
  if (const Json* shift = scale.find("shift"))
    for (const Json& item : shift->items) encoding.shift.push_back(item.number);
  if (const Json* divisor = scale.find("divisor"))
    for (const Json& item : divisor->items) encoding.divisor.push_back(item.number);
  const auto finite = [](double number) { return std::isfinite(number); };
  const auto features = static_cast<std::size_t>(input_size());
  sound =
      sound && encoding.shift.size() == encoding.divisor.size() &&
      std::all_of(encoding.shift.begin(), encoding.shift.end(), finite) &&
      std::find(encoding.divisor.begin(), encoding.divisor.end(), 0.0) == encoding.divisor.end();
  if (sound && (encoding.shift.empty() || encoding.shift.size() == features)) return encoding;
  throw Failure(exit_data, file, "Its metadata do not say how data are encoded.");
}

template <typename stored, typename real>
void read_numbers(const std::string& content, std::size_t begin, std::vector<real>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    stored number = 0;
    std::memcpy(&number, content.data() + begin + i * sizeof(stored), sizeof(stored));
    values[i] = static_cast<real>(number);
  }
}

template <typename real>
void load_tensor(const std::string& file, const std::string& content, std::size_t body,
                 const Json& entry, const TensorInfo& tensor, std::vector<real>& values) {
  const Json* const dtype = entry.find("dtype");
  const Json* const shape = entry.find("shape");
  const Json* const offsets = entry.find("data_offsets");
  const std::string place = file + ", tensor " + tensor.name;
  if (dtype == nullptr || shape == nullptr || offsets == nullptr || offsets->items.size() != 2) {
    throw Failure(exit_data, place, "Expected dtype, shape and data_offsets in the header.");
  }
  if (dtype->text != "F32" && dtype->text != "F64") {
    throw Failure(exit_data, place, "Expected dtype F32 or F64, found " + dtype->text + ".");
  }
  std::vector<int> found;
  for (const Json& size : shape->items) found.push_back(static_cast<int>(size.number));
  if (found != tensor.shape) {
    throw Failure(
        exit_data, place,
        "Expected shape " + shape_text(tensor.shape) + ", found " + shape_text(found) + ".");
  }
  const std::size_t count = values.size() * (dtype->text == "F32" ? 4 : 8);
  const double begin = offsets->items[0].number;
  const double end = offsets->items[1].number;
  if (!(begin >= 0) || begin != std::floor(begin) || end - begin != static_cast<double>(count)) {
    throw Failure(exit_data, place,
                  "Expected " + std::to_string(count) + " bytes, found offsets " +
                      number_text(begin) + " to " + number_text(end) + ".");
  }
  if (end > static_cast<double>(content.size() - body))
    throw Failure(exit_data, place, "The file ends too early.");
  if (dtype->text == "F32")
    read_numbers<float>(content, body + static_cast<std::size_t>(begin), values);
  else
    read_numbers<double>(content, body + static_cast<std::size_t>(begin), values);
}

/// Loads what `save_model` of either trainer wrote; returns how its data were encoded.
template <typename real>
Encoding load_model(const std::string& file, Parameters<real>& parameters) {
  const std::string content = read_file(file);
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0 && content.size() >= 8;)
    length = length << 8 | static_cast<unsigned char>(content[i]);
  if (content.size() < 8 || length > content.size() - 8) {
    throw Failure(exit_data, file, "Expected a safetensors file, found something else.");
  }
  const std::string header_text = content.substr(8, length);
  const Json header = JsonReader(header_text, file).read();
  Json none;
  none.kind = Json::Kind::object;
  const Json* const metadata =
      header.find("__metadata__") != nullptr ? header.find("__metadata__") : &none;
  const Json* const hash = metadata->find("hash");
  if (hash != nullptr && hash->text != network_hash) {
    const Json* const name = metadata->find("network");
    throw Failure(exit_data, file,
                  "It holds another network: expected " + std::string(network_name) +
                      " with hash " + network_hash + ", found " +
                      (name != nullptr ? name->text : "?") + " with hash " + hash->text + ".");
  }
  const auto all = parameters.all_and_states();
  for (std::size_t p = 0; p < all.size(); ++p) {
    const TensorInfo& tensor = parameter_info()[p];
    const Json* const entry = header.find(tensor.name);
    if (entry == nullptr)
      throw Failure(exit_data, file, "There is no tensor " + tensor.name + " in it.");
    load_tensor(file, content, 8 + length, *entry, tensor, *all[p]);
  }
  return read_encoding(*metadata, file);
}

// --- predict -------------------------------------------------------------------------------------

/// Prints predictions as comma-separated values, or as one JSON object.
template <typename real>
std::string predictions(const Parameters<real>& parameters, const Dataset<real>& data,
                        const Encoding& encoding, bool json) {
  constexpr int digits = sizeof(real) == 4 ? 9 : 17;
  const TensorInfo& output = output_info();
  const bool with_class =
      !encoding.classes.empty() && output.size() == static_cast<int>(encoding.classes.size());
  std::string text;
  for (int i = 0; i < output.size(); ++i) {
    text +=
        (i > 0 ? "," : "") + output.name + (output.shape.empty() ? "" : "_" + std::to_string(i));
  }
  text += with_class ? ",class\n" : "\n";
  if (json) text = "{\"output\": [";
  Batch<real> batch;
  Workspace<real> work;
  const std::vector<int> order = rows_in_order(data.rows);
  for (int begin = 0; begin < data.rows; begin += chunk_size) {
    const int end = std::min(data.rows, begin + chunk_size);
    fill_batch(batch, data, order, begin, end);
    const auto& values = predict(parameters, batch, work);
    for (int n = 0; n < end - begin; ++n) {
      std::vector<double> row;
      for (int i = 0; i < output.size(); ++i)
        row.push_back(static_cast<double>(values[output.place(n, i, end - begin)]));
      if (json) {
        text += (begin + n > 0 ? ", " : "") + json_array(row, output.shape);
        continue;
      }
      for (std::size_t i = 0; i < row.size(); ++i)
        text += (i > 0 ? "," : "") + number_text(row[i], digits);
      if (with_class)
        text += "," +
                encoding.classes[static_cast<std::size_t>(winner(values, output, n, end - begin))];
      text += "\n";
    }
  }
  return json ? text + "], \"classes\": " + json_texts(encoding.classes) + "}\n" : text;
}

/// Predicts for every row of the data, or of the text's own samples.
template <typename real>
int run_predict(const Options& options) {
  Parameters<real> parameters = initial_parameters<real>(options.seed);
  Encoding encoding;
  if (!options.load.empty()) encoding = load_model(options.load, parameters);
  Dataset<real> data;
  if (options.data.empty()) {
    data = example_data<real>();
  } else {
    const Source source = read_source(options.data, options.targets, false);
    if (encoding.shift.empty() || !options.scale.empty()) {
      fit_scale(encoding, source, options.scale.empty() ? "none" : options.scale, 0);
    }
    data = encode_inputs<real>(source, encoding);
  }
  const std::string text = predictions(parameters, data, encoding, options.json);
  if (options.output.empty())
    std::fputs(text.c_str(), stdout);
  else
    write_file(options.output, text);
  return 0;
}

// --- training -----------------------------------------------------------------------------------

struct Metrics {
  double loss = 0;
  double right = 0;  // samples whose class is found; meaningful if `classified`
  bool classified = false;
  int samples = 0;
};

/// Tells how accuracy is measured: by the largest output, by an output above 1/2, or not at all.
enum class Accuracy { none, largest, half };

template <typename real>
Accuracy accuracy_kind(const Dataset<real>& data) {
  if (input_count == data_count || data.rows == 0) return Accuracy::none;
  const TensorInfo& target = batch_info()[input_count];
  const auto zero_or_one = [](real value) { return value == 0 || value == 1; };
  const auto& values = data.values[input_count];
  const bool binary = std::all_of(values.begin(), values.end(), zero_or_one);
  if (output_info().size() == 1)
    return target.size() == 1 && binary && target.values == 0 ? Accuracy::half : Accuracy::none;
  if (target.values > 0)
    return target.size() == 1 && target.values == output_info().size() ? Accuracy::largest
                                                                       : Accuracy::none;
  const bool classes = target.size() == output_info().size() && binary && target.shape.size() == 1;
  return classes ? Accuracy::largest : Accuracy::none;
}

template <typename real, typename values_type>
void count_right(Metrics& metrics, const Dataset<real>& data, Accuracy kind,
                 const values_type& output, int begin, int end) {
  const TensorInfo& target = batch_info()[input_count];
  TensorInfo row_major = target;
  row_major.sample_axis = 0;
  for (int n = 0; n < end - begin; ++n) {
    const real* const truth =
        data.values[input_count].data() + static_cast<std::ptrdiff_t>(begin + n) * target.size();
    if (kind == Accuracy::half) {
      const auto value = output[output_info().place(n, 0, end - begin)];
      if (value < 0 || value > 1) metrics.classified = false;
      metrics.right += (value > 0.5) == (truth[0] == 1);
    } else {
      const int wanted = target.values > 0 ? static_cast<int>(truth[0]) - target.low
                                           : winner(truth, row_major, 0, 1);
      metrics.right += winner(output, output_info(), n, end - begin) == wanted;
    }
  }
}

/// Measures the mean loss, and the accuracy where the target holds classes, as at prediction.
template <typename real>
Metrics measure(const Parameters<real>& parameters, const Dataset<real>& data) {
  Metrics metrics;
  Batch<real> batch;
  Workspace<real> work;
  const Accuracy kind = accuracy_kind(data);
  metrics.samples = data.rows;
  metrics.classified = kind != Accuracy::none;
  const std::vector<int> order = rows_in_order(data.rows);
  for (int begin = 0; begin < data.rows; begin += chunk_size) {
    const int end = std::min(data.rows, begin + chunk_size);
    fill_batch(batch, data, order, begin, end);
    metrics.loss += evaluate(parameters, batch, work) * (end - begin) / data.rows;
    if (kind == Accuracy::none) continue;
    count_right(metrics, data, kind, work.v, begin, end);
  }
  return metrics;
}

inline std::string metrics_json(const Metrics& metrics) {
  std::string text = "{\"loss\": " + json_number(metrics.loss);
  if (metrics.classified) text += ", \"accuracy\": " + json_number(metrics.right / metrics.samples);
  return text + ", \"samples\": " + std::to_string(metrics.samples) + "}";
}

inline void print_metrics(const char* name, const Metrics& metrics) {
  std::printf("%s loss %.6g", name,
              std::isnan(metrics.loss) ? std::fabs(metrics.loss) : metrics.loss);
  if (metrics.classified) std::printf("  accuracy %.4f", metrics.right / metrics.samples);
  std::printf("  (%d samples)\n", metrics.samples);
}

template <typename real>
double gradient_norm(Parameters<real>& gradients, const std::vector<bool>& frozen) {
  double squares = 0;
  const auto all = gradients.all();
  for (std::size_t p = 0; p < all.size(); ++p) {
    if (frozen[p]) continue;
    for (const real value : *all[p])
      squares += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(squares);
}

inline std::vector<bool> find_frozen(const std::vector<std::string>& names) {
  std::vector<bool> frozen(parameter_count, false);
  for (const std::string& name : names) {
    std::size_t p = 0;
    while (p < parameter_count && parameter_info()[p].name != name) ++p;
    if (p == parameter_count)
      throw Failure(exit_usage, "--freeze " + name, "There is no parameter of this name.");
    frozen[p] = true;
  }
  return frozen;
}

/// Shows one line that is written over and over, on a terminal only. With DERIVGEN_PROGRESS in
/// the environment every message is a line of its own, terminal or not.
class Progress {
 public:
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r%-76s\r", "");
  }

  void show(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (!(is_terminal_ || as_lines_) || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    std::fprintf(stderr, as_lines_ ? "%s\n" : "\r%-76s", text.c_str());
    std::fflush(stderr);
    shown_ = !as_lines_;
  }

 private:
  const bool as_lines_ = std::getenv("DERIVGEN_PROGRESS") != nullptr;
#if __has_include(<unistd.h>)
  const bool is_terminal_ = isatty(2) != 0;
#else
  const bool is_terminal_ = false;
#endif
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

/// How far training went. Where the loss left the finite numbers in an epoch and step,
/// `bad_epoch` is not 0, and `epochs` and `steps` are those of the parameters that are kept.
struct Course {
  int epochs = 0;
  long steps = 0;
  double seconds = 0;
  int bad_epoch = 0;
  long bad_step = 0;
};

/// Tells whether every parameter is finite: a loss can be where relu has stopped a NaN.
template <typename real>
bool all_finite(Parameters<real>& parameters) {
  const auto finite = [](real value) { return std::isfinite(value); };
  const auto all = parameters.all_and_states();
  return std::all_of(all.begin(), all.end(), [&](const std::vector<real>* values) {
    return std::all_of(values->begin(), values->end(), finite);
  });
}

/// The parameters at the start of the last epoch that began with a finite loss.
template <typename real>
struct Kept {
  Parameters<real> parameters;
  int epochs = 0;
  long steps = 0;

  /// Puts the kept parameters back, and notes where training diverged.
  void restore(Parameters<real>& trained, Course& course) const {
    trained = parameters;
    course.bad_epoch = course.epochs;
    course.bad_step = course.steps;
    course.epochs = epochs;
    course.steps = steps;
  }
};

inline Failure divergence(const Course& course) {
  const std::string kept = course.epochs > 0 ? "kept are the parameters after epoch " +
                                                   std::to_string(course.epochs)
                                             : "nothing is kept";
  return Failure(exit_failed, "training diverged",
                 "Loss or parameters are not finite in epoch " + std::to_string(course.bad_epoch) +
                     ", step " + std::to_string(course.bad_step) + "; " + kept + ".",
                 course.bad_step > 1
                     ? "Try a smaller --lr, inputs scaled by --scale standard, or an optimiser "
                       "that clips the gradient, w' = w - lr*max(-1, min(1, g))."
                     : "Scale the inputs (--scale standard), or let parameters start smaller.");
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Sets up the chosen rule with the settings of the command line.
template <typename real>
Optimiser<real> make_optimiser(const Options& options) {
  std::vector<std::string> names;
  for (const Rule& rule : rules()) names.push_back(rule.name);
  check_choice("--optimiser", options.optimiser, names);
  Rule chosen;
  for (const Rule& rule : rules()) {
    if (rule.name == options.optimiser) chosen = rule;
  }
  for (const auto& [name, value] : options.settings) {
    std::vector<std::string> known;
    for (auto& [own, number] : chosen.settings) {
      known.push_back(own);
      if (own == name) number = value;
    }
    check_choice("--set", name, known);
  }
  Optimiser<real> optimiser(chosen);
  optimiser.frozen = find_frozen(options.freeze);
  return optimiser;
}

/// Runs the epochs. The order of rows and every random tensor depend on the seed alone.
template <typename real>
Course run_epochs(const Options& options, Parameters<real>& parameters, const Dataset<real>& data,
                  Kept<real>& kept) {
  Optimiser<real> optimiser = make_optimiser<real>(options);
  Parameters<real> gradients;
  Batch<real> batch;
  Workspace<real> work;
  Progress progress;
  Course course;
  const auto start = std::chrono::steady_clock::now();
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    ++course.epochs;
    const auto order =
        options.shuffle ? shuffled_rows(data.rows, options.seed, epoch) : rows_in_order(data.rows);
    double loss = 0;
    for (int begin = 0; begin < data.rows; begin += options.batch) {
      const int end = std::min(data.rows, begin + options.batch);
      ++course.steps;
      fill_batch(batch, data, order, begin, end);
      draw_random(batch, options.seed, course.steps);
      const double value = loss_and_gradients(parameters, batch, work, gradients);
      course.seconds = seconds_since(start);
      if (!std::isfinite(value)) {
        kept.restore(parameters, course);
        return course;
      }
      if (begin == 0) kept = {parameters, epoch, course.steps - 1};
      loss += value * (end - begin);
      update(parameters, gradients, work, optimiser);
      course.seconds = seconds_since(start);
      char text[100];
      std::snprintf(text, sizeof text, "epoch %d/%d  loss %.5g  %.0f samples/s", epoch + 1,
                    options.epochs, loss / end,
                    (static_cast<double>(epoch) * data.rows + end) / course.seconds);
      progress.show(text);
      const double bound = options.stop_gradient_norm;
      if (bound > 0 && gradient_norm(gradients, optimiser.frozen) < bound) return course;
    }
    if (all_finite(parameters)) continue;
    kept.restore(parameters, course);
    break;
  }
  return course;
}

struct Violation {
  int sample = -1;  // none
  std::string fact;
  double difference = 0;
};

constexpr double fact_tolerance = 1e-6;

/// Finds the first sample for which `difference` is not zero.
template <typename real>
void judge_fact(Violation& violation, const std::vector<real>& difference, const TensorInfo& tensor,
                int samples, const char* fact) {
  for (int n = 0; n < samples && violation.sample < 0; ++n) {
    for (int i = 0; i < tensor.size(); ++i) {
      const auto found = static_cast<double>(difference[tensor.place(n, i, samples)]);
      if (!(std::fabs(found) > fact_tolerance)) continue;
      violation = {n, fact, found};
      break;
    }
  }
}

/// Finds the first sample that breaks a declared fact.
template <typename real>
Violation find_violation([[maybe_unused]] const Batch<real>& batch,
                         [[maybe_unused]] Workspace<real>& work) {
  Violation violation;
  return violation;
}

/// Refuses targets declared one-hot that are not; `place` and the number of the sample name it.
template <typename values_type>
void check_one_hot(const values_type& values, const TensorInfo& tensor, int samples,
                   const std::string& place, int before) {
  const int length = tensor.one_hot ? tensor.shape.back() : 1;
  for (int n = 0; n < samples && tensor.one_hot; ++n) {
    for (int begin = 0; begin < tensor.size(); begin += length) {
      std::vector<double> vector;
      for (int i = begin; i < begin + length; ++i)
        vector.push_back(static_cast<double>(values[tensor.place(n, i, samples)]));
      if (std::count(vector.begin(), vector.end(), 1.0) == 1 &&
          std::count(vector.begin(), vector.end(), 0.0) == length - 1)
        continue;
      throw Failure(
          exit_data, place + std::to_string(before + n + 1),
          "Expected a one-hot vector for " + tensor.name + ", found " + json_numbers(vector) + ".",
          "Give one-hot rows, or drop onehot from the declaration of " + tensor.name + ".");
    }
  }
}

/// Refuses data that break a declared fact or a role, naming the row.
template <typename real>
void check_data(const Dataset<real>& data) {
  const std::vector<int> order = rows_in_order(data.rows);
  Batch<real> batch;
  Workspace<real> work;
  for (int begin = 0; begin < data.rows; begin += chunk_size) {
    const int end = std::min(data.rows, begin + chunk_size);
    fill_batch(batch, data, order, begin, end);
    each_data(batch, [&](std::size_t t, const auto& values) {
      check_one_hot(values, batch_info()[t], batch.samples, data.file + ", row ", begin);
    });
    const Violation violation = find_violation(batch, work);
    if (violation.sample >= 0) {
      throw Failure(exit_data, data.file + ", row " + std::to_string(begin + violation.sample + 1),
                    "Expected " + violation.fact + ", found a difference of " +
                        number_text(violation.difference) + ".",
                    "The derivation uses this fact; give data that fulfil it, or remove the fact.");
    }
  }
}

template <typename real>
struct Samples {
  Dataset<real> train;
  Dataset<real> test;
  Encoding encoding;
};

/// Reads what --data, --test and --holdout ask for; `encoding` is that of a loaded model.
template <typename real>
Samples<real> read_samples(const Options& options, const Encoding& loaded) {
  Samples<real> samples;
  samples.encoding = loaded;
  if (options.data.empty()) {
    samples.train = example_data<real>();
    check_data(samples.train);
  } else {
    const Source source = read_source(options.data, options.targets, true);
    const bool keep = options.scale.empty() && !loaded.shift.empty();
    const int every = options.holdout > 0 ? static_cast<int>(std::lround(1 / options.holdout)) : 0;
    if (!keep)
      fit_scale(samples.encoding, source, options.scale.empty() ? "none" : options.scale, every);
    samples.train = encode<real>(source, samples.encoding, options.labels, loaded.classes.empty());
    check_data(samples.train);
    if (every > 0) {
      samples.test = choose_rows(samples.train, every, true);
      samples.train = choose_rows(samples.train, every, false);
    }
  }
  if (!options.test.empty()) {
    const Source source = read_source(options.test, options.targets, true);
    samples.test = encode<real>(source, samples.encoding, options.labels, false);
    check_data(samples.test);
  }
  return samples;
}

/// Opens the JSON object that tells of a training.
inline void print_course(const Course& course) {
  std::printf("{\"network\": %s, \"epochs\": %d, \"steps\": %ld, \"seconds\": %.3f",
              json_text(network_name).c_str(), course.epochs, course.steps, course.seconds);
  if (course.bad_epoch > 0)
    std::printf(", \"diverged\": {\"epoch\": %d, \"step\": %ld}", course.bad_epoch,
                course.bad_step);
}

template <typename real>
int run_train(const Options& options) {
  Parameters<real> parameters = initial_parameters<real>(options.seed);
  Encoding encoding;
  if (!options.load.empty()) encoding = load_model(options.load, parameters);
  const Samples<real> samples = read_samples<real>(options, encoding);
  Kept<real> kept{parameters};
  Course course = run_epochs(options, parameters, samples.train, kept);
  Metrics on_training = measure(parameters, samples.train);
  const bool finite = std::isfinite(on_training.loss) && all_finite(parameters);
  if (course.bad_epoch == 0 && course.steps > 0 && !finite) {
    kept.restore(parameters, course);
    on_training = measure(parameters, samples.train);
  }
  const Metrics on_test = measure(parameters, samples.test);
  const bool diverged = course.bad_epoch > 0;
  if (!options.save.empty() && (course.epochs > 0 || !diverged))
    save_model(options.save, parameters, samples.encoding);
  if (options.json) {
    print_course(course);
    std::printf(", \"train\": %s", metrics_json(on_training).c_str());
    if (on_test.samples > 0) std::printf(", \"test\": %s", metrics_json(on_test).c_str());
    std::printf("}\n");
  } else {
    print_metrics("train", on_training);
    if (on_test.samples > 0) print_metrics("test", on_test);
  }
  if (diverged) throw divergence(course);
  return 0;
}

// --- gradient check: central differences with a bound on their error ----------------------------

/// What a direction's slope is, estimated from losses alone.
struct Slope {
  double value = 0;
  double bound = std::numeric_limits<double>::infinity();
};

constexpr int step_count = 9;
constexpr double first_step = 0.1;

/// Extrapolates differences at the steps h, h/4, h/16, ... to step 0, from every starting window,
/// and keeps the entry of the smallest estimated error (Ridders 1982). `order` is that of the
/// leading error term: 2 for central differences, 1 for one-sided ones.
inline Slope extrapolate(const std::array<double, step_count>& differences, int order,
                         double noise) {
  Slope best;
  std::array<double, step_count> row{};
  double step = first_step;
  for (int i = 0; i < step_count; ++i, step /= 4) {
    std::array<double, step_count> next{};
    next[0] = differences[static_cast<std::size_t>(i)];
    double ratio = 1;
    for (std::size_t j = 1; j <= static_cast<std::size_t>(i); ++j) {
      ratio *= order == 2 ? 16 : 4;
      next[j] = next[j - 1] + (next[j - 1] - row[j - 1]) / (ratio - 1);
      const double error =
          std::max(std::fabs(next[j] - next[j - 1]), std::fabs(next[j] - row[j - 1]));
      const double bound = 10 * error + noise / step;
      if (std::isfinite(next[j]) && bound < best.bound) best = {next[j], bound};
    }
    row = next;
  }
  return best;
}

enum class Verdict { pass, kink, inconclusive, fail };  // from good to bad

inline const char* verdict_name(Verdict verdict) {
  static constexpr const char* names[] = {"pass", "kink", "inconclusive", "fail"};
  return names[static_cast<int>(verdict)];
}

struct Finding {
  Verdict verdict = Verdict::pass;
  double error = 0;
  std::string note;
};

/// Compares a directional derivative with what the losses `at(h)` along the line say.
template <typename Line>
Finding judge(const Line& at, double gradient, double scale) {
  std::array<double, step_count> central{};
  std::array<double, step_count> ahead{};
  std::array<double, step_count> behind{};
  const double here = at(0.0);
  double largest = std::fabs(here);
  double step = first_step;
  for (std::size_t i = 0; i < step_count; ++i, step /= 4) {
    const double above = at(step);
    const double below = at(-step);
    central[i] = (above - below) / (2 * step);
    ahead[i] = (above - here) / step;
    behind[i] = (here - below) / step;
    if (std::isfinite(above) && std::isfinite(below))
      largest = std::max({largest, std::fabs(above), std::fabs(below)});
  }
  const double noise = 4 * std::numeric_limits<double>::epsilon() * largest;
  const Slope slope = extrapolate(central, 2, noise);
  const Slope right = extrapolate(ahead, 1, 2 * noise);
  const Slope left = extrapolate(behind, 1, 2 * noise);
  const double slack = 1e-12 * scale;
  Finding finding;
  finding.error = std::fabs(gradient - slope.value);
  if (std::fabs(right.value - left.value) > right.bound + left.bound + slack) {
    const double low = std::min(left.value - left.bound, right.value - right.bound) - slack;
    const double high = std::max(left.value + left.bound, right.value + right.bound) + slack;
    finding.verdict = gradient >= low && gradient <= high ? Verdict::kink : Verdict::fail;
    finding.note = "kink: slope " + number_text(left.value) + " below, " +
                   number_text(right.value) + " above, gradient " + number_text(gradient);
  } else if (!(slope.bound <= 1e-4 * scale + 1e-12)) {
    finding.verdict = Verdict::inconclusive;
    finding.note = "the error bound " + number_text(slope.bound) + " is too large";
  } else if (!(finding.error <= slope.bound + slack)) {
    finding.verdict = Verdict::fail;
    finding.note = "gradient " + number_text(gradient) + ", slope of the loss " +
                   number_text(slope.value) + " +- " + number_text(slope.bound);
  }
  return finding;
}

struct Report {
  Verdict verdict = Verdict::pass;
  int entries = 0;
  double largest_error = 0;
  std::string note;

  void take(const Finding& finding, const std::string& place) {
    ++entries;
    largest_error = std::max(largest_error, finding.error);
    if (finding.verdict <= verdict) return;
    verdict = finding.verdict;
    note = place + ": " + finding.note;
  }
};

constexpr std::size_t full_check_limit = 2000;

/// Chooses the entries of a parameter to check: all of a small network, else drawn ones, the
/// largest and some zeros.
inline std::vector<std::size_t> entries_to_check(const std::vector<double>& gradient,
                                                 std::size_t all, std::uint64_t seed) {
  std::vector<std::size_t> entries;
  if (all <= full_check_limit) {
    for (std::size_t i = 0; i < gradient.size(); ++i) entries.push_back(i);
    return entries;
  }
  std::size_t largest = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (std::fabs(gradient[i]) > std::fabs(gradient[largest])) largest = i;
  }
  entries.push_back(largest);
  for (std::uint64_t draw = 0; draw < 20; ++draw)
    entries.push_back(random_bits(seed, 30000000, draw) % gradient.size());
  for (std::size_t i = 0, zeros = 0; i < gradient.size() && zeros < 3; ++i) {
    if (gradient[i] == 0) {
      entries.push_back(i);
      ++zeros;
    }
  }
  return entries;
}

/// Checks the gradient of one parameter, entry by entry and along random directions.
inline Report check_parameter(std::size_t p, Parameters<double>& parameters,
                              Parameters<double>& gradients, const Batch<double>& batch,
                              double scale, std::size_t all, std::uint64_t seed) {
  Report report;
  Workspace<double> work;
  std::vector<double>& values = *parameters.all()[p];
  const std::vector<double>& gradient = *gradients.all()[p];
  const std::vector<double> start = values;
  for (const std::size_t i : entries_to_check(gradient, all, seed)) {
    const auto at = [&](double step) {
      values[i] = start[i] + step;
      const double loss = training_loss(parameters, batch, work);
      values[i] = start[i];
      return loss;
    };
    report.take(judge(at, gradient[i], scale), "entry " + std::to_string(i));
  }
  for (std::uint64_t direction = 0; direction < 3 && all > full_check_limit; ++direction) {
    std::vector<double> along(values.size());
    double slope = 0;
    for (std::size_t i = 0; i < along.size(); ++i) {
      along[i] = random_normal(seed, 40000000 + direction, i) /
                 std::sqrt(static_cast<double>(along.size()));
      slope += along[i] * gradient[i];
    }
    const auto at = [&](double step) {
      for (std::size_t i = 0; i < along.size(); ++i) values[i] = start[i] + step * along[i];
      return training_loss(parameters, batch, work);
    };
    report.take(judge(at, slope, scale), "direction " + std::to_string(direction));
    values = start;
  }
  return report;
}

/// Draws data that fulfil the roles: one-hot vectors, index values in range.
inline void draw_data(Batch<double>& batch, std::uint64_t seed) {
  each_data(batch, [&](std::size_t t, auto& values) {
    const TensorInfo& tensor = batch_info()[t];
    using value_type = typename std::decay_t<decltype(values)>::value_type;
    const std::uint64_t stream = 20000000 + t;
    const int last = tensor.shape.empty() ? 1 : tensor.shape.back();
    for (int n = 0; n < batch.samples; ++n) {
      for (int i = 0; i < tensor.size(); ++i) {
        const auto position = static_cast<std::uint64_t>(n * tensor.size() + i);
        double value = random_normal(seed, stream, position);
        if (tensor.values > 0)
          value = tensor.low + static_cast<int>(random_bits(seed, stream, position) %
                                                static_cast<unsigned>(tensor.values));
        if (tensor.one_hot) {
          const auto group = static_cast<std::uint64_t>((n * tensor.size() + i) / last);
          value = static_cast<int>(random_bits(seed, stream, group) %
                                   static_cast<unsigned>(last)) == i % last;
        }
        values[tensor.place(n, i, batch.samples)] = static_cast<value_type>(value);
      }
    }
  });
}

/// Makes the targets' numbers positive, summing to 1 along their last axis, as probabilities do.
inline void normalise_targets(Batch<double>& batch) {
  each_data(batch, [&](std::size_t t, auto& values) {
    const TensorInfo& tensor = batch_info()[t];
    if (t < input_count || tensor.values > 0 || tensor.one_hot || tensor.shape.empty()) return;
    using value_type = typename std::decay_t<decltype(values)>::value_type;
    const int last = tensor.shape.back();
    for (int n = 0; n < batch.samples; ++n) {
      for (int begin = 0; begin < tensor.size(); begin += last) {
        double total = 0;
        for (int i = begin; i < begin + last; ++i)
          total += std::fabs(static_cast<double>(values[tensor.place(n, i, batch.samples)]));
        for (int i = begin; i < begin + last; ++i) {
          auto& value = values[tensor.place(n, i, batch.samples)];
          value = static_cast<value_type>(std::fabs(static_cast<double>(value)) / total);
        }
      }
    }
  });
}

constexpr int check_samples = 3;

/// Makes the point of a check: random parameters, and samples of files, drawn, or of the text.
inline Batch<double> check_point(const Options& options, Parameters<double>& parameters,
                                 std::uint64_t seed) {
  for (std::size_t p = 0; p < parameter_count; ++p) {
    std::vector<double>& values = *parameters.all()[p];
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = 0.5 * random_normal(seed, 1000 + p, i);
  }
  Batch<double> batch;
  Workspace<double> work;
  if (!options.data.empty()) {
    const Dataset<double> data = read_samples<double>(options, Encoding()).train;
    fill_batch(batch, data, rows_in_order(data.rows), 0, std::min(check_samples, data.rows));
  } else {
    batch.resize(check_samples);
    draw_data(batch, seed);
    if (find_violation(batch, work).sample >= 0) normalise_targets(batch);
    if (find_violation(batch, work).sample >= 0) {
      const Dataset<double> data = example_data<double>();
      fill_batch(batch, data, rows_in_order(data.rows), 0, data.rows);
    }
  }
  draw_random(batch, seed, 1);
  return batch;
}

inline std::vector<Report> check_gradients(const Options& options, std::uint64_t seed) {
  Parameters<double> parameters = initial_parameters<double>(seed);
  Parameters<double> gradients;
  Workspace<double> work;
  const Batch<double> batch = check_point(options, parameters, seed);
  loss_and_gradients(parameters, batch, work, gradients);
  double scale = 0;
  std::size_t all = 0;
  for (const std::vector<double>* gradient : gradients.all()) {
    all += gradient->size();
    for (const double value : *gradient) scale = std::max(scale, std::fabs(value));
  }
  std::vector<Report> reports;
  for (std::size_t p = 0; p < parameter_count; ++p) {
    reports.push_back(check_parameter(p, parameters, gradients, batch, scale, all, seed));
  }
  return reports;
}

inline Verdict worst(const std::vector<Report>& reports) {
  Verdict verdict = Verdict::pass;
  for (const Report& report : reports) verdict = std::max(verdict, report.verdict);
  return verdict;
}

/// Checks every gradient; where the point says nothing, another one is drawn. Kinks do not fail.
inline int run_check(const Options& options) {
  constexpr std::uint64_t draws = 3;
  std::vector<Report> reports;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    reports = check_gradients(options, options.seed + draw);
    if (worst(reports) != Verdict::inconclusive) break;
  }
  const Verdict verdict = worst(reports) == Verdict::kink ? Verdict::pass : worst(reports);
  std::string json =
      std::string("{\"verdict\": \"") + verdict_name(verdict) + "\", \"parameters\": {";
  for (std::size_t p = 0; p < reports.size(); ++p) {
    const Report& report = reports[p];
    const std::string& name = parameter_info()[p].name;
    json += (p > 0 ? ", " : "") + json_text(name) + ": {\"verdict\": \"" +
            verdict_name(report.verdict) + "\", \"entries\": " + std::to_string(report.entries) +
            ", \"largest_error\": " + number_text(report.largest_error) +
            ", \"note\": " + json_text(report.note) + "}";
    if (!options.json) {
      std::printf("%-12s %-12s %d entries, largest error %.3g%s%s\n", name.c_str(),
                  verdict_name(report.verdict), report.entries, report.largest_error,
                  report.note.empty() ? "" : "; ", report.note.c_str());
    }
  }
  if (options.json)
    std::printf("%s}}\n", json.c_str());
  else
    std::printf("verdict %s\n", verdict_name(verdict));
  return verdict == Verdict::pass ? 0 : exit_failed;
}

// --- eval: loss and gradients at given values ----------------------------------------------------

/// Appends the numbers of a nested list in row-major order; `shape` gets its sizes.
inline void flatten(const Json& value, std::size_t axis, std::vector<int>& shape,
                    std::vector<double>& numbers, const std::string& place) {
  if (value.kind != Json::Kind::list) {
    if (axis != shape.size() ||
        (value.kind != Json::Kind::number && value.kind != Json::Kind::boolean)) {
      throw Failure(exit_data, place, "Expected nested lists of numbers, all of equal length.");
    }
    if (!std::isfinite(value.number)) throw Failure(exit_data, place, "Expected finite numbers.");
    numbers.push_back(value.number);
    return;
  }
  const int size = static_cast<int>(value.items.size());
  if (numbers.empty() && axis == shape.size()) shape.push_back(size);
  if (axis >= shape.size() || shape[axis] != size)
    throw Failure(exit_data, place, "Expected nested lists of equal length.");
  for (const Json& item : value.items) flatten(item, axis + 1, shape, numbers, place);
}

/// Tells how many samples an array holds: it has the shape of one, or a leading axis of samples.
inline int count_samples(const TensorInfo& tensor, std::vector<int> shape,
                         const std::string& place) {
  if (shape == tensor.shape) return 1;
  const int count = shape.empty() ? 0 : shape.front();
  if (!shape.empty()) shape.erase(shape.begin());
  if (shape == tensor.shape && tensor.sample_axis >= 0) return count;
  shape.insert(shape.begin(), count);
  throw Failure(exit_data, place,
                "Expected shape " + shape_text(tensor.shape) +
                    ", with a leading axis of samples or without, found " + shape_text(shape) +
                    ".");
}

/// Refuses a size other than the one this program was written for.
inline void check_size(const std::string& name, double size, const std::string& file) {
  static const std::vector<std::pair<std::string, int>> sizes;
  for (const auto& [own, value] : sizes) {
    if (own != name || value == size) continue;
    throw Failure(exit_data, file + ", " + name,
                  "This program was made for " + name + " = " + std::to_string(value) + ", found " +
                      number_text(size) + ".",
                  "Emit it again with that size.");
  }
}

/// Reads one array of IN.json into numbers; false if it is not there.
inline bool read_array(const Json& group, const TensorInfo& tensor, std::vector<double>& numbers,
                       int& samples, const std::string& file) {
  const Json* const given = group.find(tensor.name);
  if (given == nullptr) return false;
  const std::string place = file + ", " + tensor.name;
  std::vector<int> shape;
  numbers.clear();
  flatten(*given, 0, shape, numbers, place);
  samples = count_samples(tensor, shape, place);
  return true;
}

/// What a JSON file gives: tensors by name, from its sections "params" and "inputs".
inline Json read_given(const std::string& file) {
  Json given;
  const Json all = file.empty() ? Json() : JsonReader(read_file(file), file).read();
  if (!file.empty() && all.kind != Json::Kind::object) {
    throw Failure(exit_data, file, "Write {\"params\": {NAME: lists}, \"inputs\": {NAME: lists}}.");
  }
  for (std::size_t s = 0; s < all.keys.size(); ++s) {
    const Json& section = all.items[s];
    if (all.keys[s] != "dims" && all.keys[s] != "params" && all.keys[s] != "inputs") {
      throw Failure(exit_data, file,
                    "There is no section " + all.keys[s] + "; there are: dims, params, inputs.");
    }
    for (std::size_t i = 0; i < section.keys.size(); ++i) {
      const std::string& name = section.keys[i];
      if (all.keys[s] == "dims") {
        check_size(name, section.items[i].number, file);
        continue;
      }
      const auto same = [&name](const TensorInfo& tensor) { return tensor.name == name; };
      const auto& own = parameter_info();
      const auto& others = batch_info();
      if (std::none_of(own.begin(), own.end(), same) &&
          std::none_of(others.begin(), others.end(), same)) {
        throw Failure(exit_data, file + ", " + name,
                      "The network has no tensor of this name here.");
      }
      given.keys.push_back(name);
      given.items.push_back(section.items[i]);
    }
  }
  return given;
}

/// Puts given numbers into the tensors of a batch; those not given keep the values of the text.
template <typename real>
void fill_given(Batch<real>& batch, const Json& group, const std::string& file,
                bool& random_given) {
  std::vector<std::vector<double>> given(batch_info().size());
  int samples = 1;
  for (std::size_t t = 0; t < batch_info().size(); ++t) {
    const TensorInfo& tensor = batch_info()[t];
    int own = 1;
    if (read_array(group, tensor, given[t], own, file)) {
      random_given = random_given || (t >= data_count && tensor.sample_axis >= 0);
    } else if (t < data_count) {
      given[t] = example_values(t);
      if (given[t].empty())
        throw Failure(exit_data, file, "There are no values for " + tensor.name + ".",
                      "Give them under \"inputs\".");
      own = static_cast<int>(given[t].size()) / tensor.size();
    }
    if (own == 1 || tensor.sample_axis < 0) continue;
    if (samples != 1 && samples != own) {
      throw Failure(exit_data, file + ", " + tensor.name,
                    "Expected " + std::to_string(samples) + " samples as elsewhere, found " +
                        std::to_string(own) + ".");
    }
    samples = own;
  }
  batch.resize(samples);
  each_tensor(batch, [&](std::size_t t, auto& values) {
    using value_type = typename std::decay_t<decltype(values)>::value_type;
    const TensorInfo& tensor = batch_info()[t];
    const auto size = static_cast<std::size_t>(tensor.size());
    for (std::size_t i = 0;
         i < given[t].size() || (i < size * static_cast<std::size_t>(samples) && !given[t].empty());
         ++i) {
      const double number = given[t][i % given[t].size()];
      const int n = static_cast<int>(i / size);
      const auto value = checked<double>(tensor, number, file, n + 1, tensor.name);
      values[tensor.place(n, static_cast<int>(i % size), samples)] = static_cast<value_type>(value);
    }
  });
}

template <typename real>
int run_eval(const Options& options) {
  Parameters<real> parameters = initial_parameters<real>(options.seed);
  if (!options.load.empty()) load_model(options.load, parameters);
  const std::string file = options.values.empty() ? network_name : options.values;
  const Json given = read_given(options.values);
  const auto tensors = parameters.all_and_states();
  for (std::size_t p = 0; p < tensors.size(); ++p) {
    std::vector<double> numbers;
    int samples = 1;
    if (!read_array(given, parameter_info()[p], numbers, samples, file)) continue;
    for (std::size_t i = 0; i < numbers.size(); ++i)
      (*tensors[p])[i] = static_cast<real>(numbers[i]);
  }
  Batch<real> batch;
  bool random_given = false;
  fill_given(batch, given, file, random_given);
  if (!random_given) draw_random(batch, options.seed, 1);
  Workspace<real> work;
  Parameters<real> gradients;
  each_data(batch, [&](std::size_t t, const auto& values) {
    check_one_hot(values, batch_info()[t], batch.samples, file + ", sample ", 0);
  });
  const Violation violation = find_violation(batch, work);
  if (violation.sample >= 0) {
    throw Failure(exit_data, file + ", sample " + std::to_string(violation.sample + 1),
                  "Expected " + violation.fact + ", found a difference of " +
                      number_text(violation.difference) + ".",
                  "The derivation uses this fact; give values that fulfil it, or remove the fact.");
  }
  const double loss = loss_and_gradients(parameters, batch, work, gradients);
  std::string text = "{\"loss\": " + json_number(loss) + ", \"gradients\": {";
  const auto each = gradients.all();
  for (std::size_t p = 0; p < each.size(); ++p) {
    const TensorInfo& tensor = parameter_info()[p];
    text +=
        (p > 0 ? ", " : "") + json_text(tensor.name) + ": " + json_array(*each[p], tensor.shape);
  }
  std::printf("%s}}\n", text.c_str());
  return 0;
}

// --- bench: the time of a training step ----------------------------------------------------------

template <typename real>
int run_bench(const Options& options) {
  Parameters<real> parameters = initial_parameters<real>(options.seed);
  Optimiser<real> optimiser = make_optimiser<real>(options);
  Parameters<real> gradients;
  Workspace<real> work;
  Batch<double> drawn;
  drawn.resize(options.batch);
  draw_data(drawn, options.seed);
  Batch<real> batch;
  batch.resize(options.batch);
  std::vector<std::vector<double>> values(data_count);
  each_data(drawn, [&](std::size_t t, auto& from) { values[t].assign(from.begin(), from.end()); });
  each_data(batch, [&](std::size_t t, auto& to) {
    using value_type = typename std::decay_t<decltype(to)>::value_type;
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<value_type>(values[t][i]);
  });
  draw_random(batch, options.seed, 1);
  long steps = -10;  // the first ones warm up
  auto start = std::chrono::steady_clock::now();
  double seconds = 0;
  while (steps < 1 || seconds < options.seconds) {
    if (steps == 0) start = std::chrono::steady_clock::now();
    loss_and_gradients(parameters, batch, work, gradients);
    update(parameters, gradients, work, optimiser);
    ++steps;
    seconds = seconds_since(start);
  }
  const double each = seconds / static_cast<double>(steps);
  std::printf("{\"us_per_step\": %.3f, \"samples_per_s\": %.1f, \"steps\": %ld, \"batch\": %d}\n",
              1e6 * each, options.batch / each, steps, options.batch);
  return 0;
}

// --- main ---------------------------------------------------------------------------------------

template <typename real>
int run(const Options& options) {
  if (options.command == "train") return run_train<real>(options);
  if (options.command == "check") return run_check(options);
  if (options.command == "eval") return run_eval<real>(options);
  if (options.command == "bench") return run_bench<real>(options);
  return run_predict<real>(options);
}

/// Spells out the control characters that a message may hold from a file.
inline std::string printable(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(code));
    shown += (code >= 0x20 && code != 0x7F) || c == '\n' ? std::string(1, c) : escape;
  }
  return shown;
}

inline int run_main(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument != "--help" && argument != "-h") continue;
    std::fputs(help_text, stdout);
    return 0;
  }
  if (arguments.empty()) {
    std::fputs(help_text, stderr);
    return exit_usage;
  }
  try {
    const Options options = parse_options(arguments);
    const int code = options.dtype == "float32" ? run<float>(options) : run<double>(options);
    if (std::fflush(stdout) != 0)
      throw Failure(exit_files, "standard output", std::string(std::strerror(errno)) + ".");
    return code;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "%s\n", printable(failure.what()).c_str());
    return failure.exit_code;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: memory\n  There is not enough memory for these data.\n");
    return exit_files;
  }
}

#endif  // DERIVGEN_NO_MAIN

}  // namespace graph

#ifndef DERIVGEN_NO_MAIN
int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  return graph::run_main(words);
}
#endif
