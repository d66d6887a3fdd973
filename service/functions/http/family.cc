#include "service/functions/http/family.h"

#include <string>

#include "service/functions/http/address.h"
#include "service/functions/http/register.h"

namespace muster::functions {

std::vector<base::Option> HttpFamily::Options() {
  using enum base::ValueType;
  return {
      {"http.allow_private", kList, &options_.allow_private,
       "Loopback, private and link-local addresses that http.request may connect to: addresses and networks in CIDR "
       "form."},
      {"http.ca_file",
       kText,
       &options_.ca_file,
       "PEM file with the authorities that http.request trusts.",
       0,
       UINT64_MAX,
       {},
       "the system's"},
      {"http.body_bytes_max", kBytes, &options_.body_bytes_max, "Bytes of a response's body at most.", base::kKiB,
       base::kGiB},
      {"http.request_bytes_max", kBytes, &options_.request_bytes_max, "Bytes of a request's body at most.", base::kKiB,
       base::kGiB},
      {"http.timeout_max", kDuration, &options_.timeout_max, "Longest time of one request, redirects included.",
       10 * base::kMillisecond, base::kDay},
      {"http.redirects_max", kCount, &options_.redirects_max, "Redirects that one request follows at most.", 0, 50},
      {"http.transfers_max", kCount, &options_.transfers_max, "Requests at a time, for each loop; the rest queues.", 1,
       10'000},
      {"http.transfers_per_host_max", kCount, &options_.transfers_per_host_max,
       "Requests at a time to one host, for each loop.", 1, 10'000},
      {"http.queue_max", kCount, &options_.queue_max, "Requests that may queue, for each loop; past it they fail.", 1,
       1'000'000},
  };
}

std::vector<base::OptionProblem> HttpFamily::Check() const {
  std::vector<base::OptionProblem> problems;
  if (std::string wrong = base::WrongWithFile(options_.ca_file); !wrong.empty()) {
    problems.push_back({"http.ca_file", std::move(wrong)});
  }
  for (const std::string& entry : options_.allow_private) {
    const absl::StatusOr<AddressPolicy> policy = AddressPolicy::Make({entry});
    if (!policy.ok()) problems.push_back({"http.allow_private", std::string(policy.status().message())});
  }
  return problems;
}

absl::Status HttpFamily::Register(jobs::Registry& registry, const Environment& environment) const {
  if (environment.reactor == nullptr) return absl::OkStatus();
  return RegisterHttpRequest(registry, options_, *environment.reactor);
}

}  // namespace muster::functions
