// How to reach a server, how patient to be with it, and how a job is to be kept and run. Everything has a default.
//
// Threading: values. Lifetime: none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "muster/values.h"
#include "service/base/clock.h"
#include "service/values/option_table.h"

namespace muster::client {

using base::Duration;

// Which files prove who is who. `cert` and `key` together, for servers that ask clients for theirs.
struct TlsOptions {
  std::string ca_file;  // empty: the system's authorities
  std::string cert_file;
  std::string key_file;
  std::string server_name;  // when the certificate's name differs from the address
};

// Only UNAVAILABLE is tried again, with the same request id, so that nothing is made twice. The pause doubles from
// `initial` to `pause_max`, give or take `jitter`, and is never shorter than the server asks.
struct RetryPolicy {
  int attempts_max = 5;  // 1: never
  Duration initial = std::chrono::milliseconds(100);
  Duration pause_max = std::chrono::seconds(5);
  double jitter = 0.2;
  // Waits and streams that the server had accepted sit out an outage of at most this.
  Duration outage_max = std::chrono::seconds(60);
};

struct Options {
  std::string name_space;  // empty: "default"
  std::optional<TlsOptions> tls;
  // Of every RPC but waits; none is unbounded. Retries included.
  Duration deadline = std::chrono::seconds(30);
  RetryPolicy retry;
  Duration keepalive = std::chrono::seconds(30);
  std::size_t message_bytes_max = std::size_t{64} << 20;  // of one answer
};

// What a kind of option is here (service/values/option_table.h).
struct OptionTypes {
  using Text = std::string;
  using Words = std::map<std::string, std::string>;
  using Span = std::optional<Duration>;
  using MaybeSpan = std::optional<Duration>;
  using Execution = v1::Execution;
  using Durability = v1::Durability;
  using Flag = bool;
};

// muster.v1.FutureOptions with C++ durations; what is empty or absent is the server's default. The fields, in this
// order:
//   texts      name, labels, group, request_id (empty: the library makes one)
//   durations  request_id_ttl, delay, queue_timeout, run_timeout, retention
//   others     min_durability, execution, metadata, cancel_on_disconnect (Call and Run only)
struct JobOptions {
#define MUSTER_OPTION(name, kind, ...) OptionTypes::kind name{};
  MUSTER_JOB_OPTIONS(MUSTER_OPTION, MUSTER_OPTION)
#undef MUSTER_OPTION
};

v1::FutureOptions ToMessage(const JobOptions& options);

// 128 random bits as text: for a request id or a session that the caller wants to know.
std::string NewRequestId();

// What can be submitted.
FutureSpec CallOf(std::string function, Payload input, const JobOptions& options = {});
FutureSpec GatherOf(std::vector<std::string> ids, bool return_exceptions = false, const JobOptions& options = {});
FutureSpec ShieldOf(std::string id, const JobOptions& options = {});
FutureSpec WaitForOf(std::string id, std::optional<Duration> timeout, std::optional<Duration> grace = {},
                     const JobOptions& options = {});

struct WaitOptions {
  v1::ReturnWhen return_when = v1::RETURN_WHEN_ALL_COMPLETED;
  std::optional<Duration> timeout;  // absent: until satisfied; zero: what is done now
  v1::OutcomeView view = v1::OUTCOME_VIEW_FULL;
};

struct AsCompletedOptions {
  std::optional<Duration> timeout;  // one deadline for all
  v1::OutcomeView view = v1::OUTCOME_VIEW_FULL;
  std::string resume_token;                   // of an earlier iteration over the same set
  std::optional<Duration> progress_interval;  // at least 100 ms
};

struct GatherOptions {
  bool return_exceptions = false;
  std::optional<Duration> timeout;  // DeadlineExceeded when it runs out; the futures go on
};

struct CallOptions {
  std::optional<Duration> timeout;  // DeadlineExceeded when it runs out; the future goes on
};

struct RunOptions {
  // Items submitted whose results have not been taken; the server's credits may hold it lower.
  std::size_t window = 256;
  // Session and tag make an item repeatable, so a broken stream is taken up again. Empty: the library makes one.
  std::string session;
  // False: no session; the futures live only as long as the stream needs them, and a broken stream is an error.
  bool resumable = true;
  JobOptions defaults;
};

struct MapOptions {
  std::size_t window = 64;  // inputs taken whose results have not been given
  bool ordered = true;      // false: as they complete
  RunOptions run;
};

}  // namespace muster::client
