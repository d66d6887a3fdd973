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

// muster.v1.FutureOptions with C++ durations; what is empty or absent is the server's default.
struct JobOptions {
  std::string name;
  std::map<std::string, std::string> labels;
  std::string group;
  std::string request_id;  // empty: the library makes one
  std::optional<Duration> request_id_ttl;
  std::optional<Duration> delay;
  std::optional<Duration> queue_timeout;
  std::optional<Duration> run_timeout;
  std::optional<Duration> retention;
  v1::Durability min_durability = v1::DURABILITY_UNSPECIFIED;
  v1::Execution execution = v1::EXECUTION_UNSPECIFIED;
  std::map<std::string, std::string> metadata;
  bool cancel_on_disconnect = false;  // Call and Run only
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
